#!/bin/sh
# tests: what noise in the training events costs (the study of Rec-Denoiser, Chen et al. 2022): a share of them is replaced at
# random, sasrec and rec-denoiser are trained on the same events with the same budget and evaluated twice, after histories with
# the noise (as the model met them) and after clean ones. The held-out events are never touched. Each unit appends one JSON line
# to docs/experiments/noise.jsonl; units.sh says how it is stopped and goes on. The table at the end is of all lines.
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/noise.jsonl}
SEEDS=${SEEDS:-1 2 3}
SHARES=${SHARES:-0 0.05 0.1 0.15 0.2 0.25}
. tests/experiments/units.sh

# unit NAME DATA NOISE TRAIN-OPTIONS...: one line
unit() {
    begin "$1" "$2" || return 0
    noise=$3
    shift 3
    train "$noise" "$@"
    figures="--protocol E4 --cutoffs 10 --no-baselines --quiet"
    noisy=$(evaluate $figures $noise)
    clean=$(evaluate $figures)
    finish "\"noise\":\"${noise:-none}\",\"options\":\"$*\",\"train\":$trained,\"noisy\":$noisy,\"clean\":$clean"
}

# The noise has the seed of the unit: each repetition meets other noise, both models the same.
study() { # NAME DATA OPTIONS...
    study=$1 data=$2
    shift 2
    for seed in $SEEDS; do
        for share in $SHARES; do
            noise="--noise $share --noise-seed $seed"
            unit "$study-sasrec-$share-seed$seed" "$data" "$noise" --preset sasrec --set max_length=50 --set heads=2 "$@" \
                --seed "$seed"
            unit "$study-rec-denoiser-$share-seed$seed" "$data" "$noise" --preset rec-denoiser "$@" --seed "$seed"
        done
    done
}

# One row for each data, model and share: means over the seeds that are there.
table() {
    awk "$field"'
        {
            split($0, quoted, "\"")
            row = quoted[4]
            sub(/-seed[0-9]*$/, "", row)
            if (!(row in count)) rows[++n] = row
            count[row]++
            hits[row] += field("noisy", "hr@10"); ndcg[row] += field("noisy", "ndcg@10")
            clean_hits[row] += field("clean", "hr@10"); clean_ndcg[row] += field("clean", "ndcg@10")
        }
        END {
            print "| data, model, share replaced | seeds | HR@10 / NDCG@10 | the same after clean histories |"
            print "|---|---|---|---|"
            for (i = 1; i <= n; i++) {
                r = rows[i]; c = count[r]
                printf "| %s | %d | %.4f / %.4f | %.4f / %.4f |\n", r, c, hits[r] / c, ndcg[r] / c, clean_hits[r] / c,
                    clean_ndcg[r] / c
            }
        }' "$OUT"
}

if [ "${1:-}" = "table" ]; then
    table
    exit 0
fi
study ml-100k ml-100k.u.data --epochs "${EPOCHS:-200}" --valid-every 10
study beauty beauty.txt --epochs "${EPOCHS:-100}" --valid-every 10 --set dropout=0.5
[ ! -f "$OUT" ] || table
