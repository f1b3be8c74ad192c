#!/bin/sh
# tests: what noise in the training events costs (the study of Rec-Denoiser, Chen et al. 2022): a share of them is replaced at
# random, sasrec and rec-denoiser are trained on the same events with the same budget and evaluated twice, after histories with
# the noise (as the model met them) and after clean ones. The held-out events are never touched. Each unit appends one JSON line
# to docs/experiments/noise.jsonl; units that have their line are skipped, so a stopped run goes on where it was, also on another
# machine. The table at the end is of all lines. Selection is by the validation metric alone; the test split is read once per unit
# and kind of history.
set -eu
cd "$(dirname "$0")/../.."
SEQREC=${SEQREC:-build/seqrec}
DATA=${SEQREC_DATA:-../shared/data}
OUT=${OUT:-docs/experiments/noise.jsonl}
THREADS=${THREADS:-2}
ONLY=${ONLY:-}
SEEDS=${SEEDS:-1 2 3}
SHARES=${SHARES:-0 0.05 0.1 0.15 0.2 0.25}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

last() { tail -n 1 "$1"; }

# figures NAME FILE NOISE...: evaluates the unit's model; the report in $work/evaluate
figures() {
    "$SEQREC" evaluate --model "$work/$1.safetensors" --data "$DATA/$2" --protocol E4 --cutoffs 10 --no-baselines \
        --threads "$THREADS" --json --quiet $3 > "$work/evaluate"
    last "$work/evaluate"
}

# unit NAME DATA NOISE TRAIN-OPTIONS...: one line
unit() {
    name=$1 data=$2 noise=$3
    shift 3
    case $name in *"$ONLY"*) ;; *) return 0 ;; esac
    if [ -f "$OUT" ] && grep -q "\"unit\":\"$name\"" "$OUT"; then
        echo "have $name"
        return 0
    fi
    if [ ! -f "$DATA/$data" ]; then
        echo "SKIP $name: no $DATA/$data"
        return 0
    fi
    echo "run  $name: seqrec train --data $data $noise $*"
    commit=$(git rev-parse --short HEAD)
    git diff --quiet HEAD -- lib include examples/seqrec || commit="$commit+changes"
    "$SEQREC" train --data "$DATA/$data" $noise "$@" --threads "$THREADS" --out "$work/$name.safetensors" --json --quiet \
        > "$work/train"
    noisy=$(figures "$name" "$data" "$noise")
    clean=$(figures "$name" "$data" "")
    mkdir -p "$(dirname "$OUT")"
    printf '{"unit":"%s","commit":"%s","data":"%s","noise":"%s","options":"%s","train":%s,"noisy":%s,"clean":%s}\n' "$name" \
        "$commit" "$data" "${noise:-none}" "$*" "$(last "$work/train")" "$noisy" "$clean" |
        sed "s|$work/||g; s|$DATA/||g" >> "$OUT"
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
    awk '
        function field(from, key,    text) {
            text = substr($0, index($0, "\"" from "\":{"))
            text = substr(text, index(text, "\"" key "\":") + length(key) + 3)
            sub(/[,}].*/, "", text)
            return text
        }
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
study ml-1m ml-1m.txt --epochs "${EPOCHS:-200}" --valid-every 10
study beauty beauty.txt --epochs "${EPOCHS:-200}" --valid-every 10 --set dropout=0.5
[ ! -f "$OUT" ] || table
