#!/bin/sh
# tests: accuracy on real data to convergence. Each unit trains one model, evaluates it on the test split and appends one JSON
# line to docs/experiments/accuracy.jsonl; units that have their line are skipped, so a stopped run goes on where it was, also on
# another machine. Selection is by the validation metric alone; the test split is read once per unit.
set -eu
cd "$(dirname "$0")/../.."
SEQREC=${SEQREC:-build/seqrec}
DATA=${SEQREC_DATA:-../shared/data}
OUT=${OUT:-docs/experiments/accuracy.jsonl}
THREADS=${THREADS:-2}
ONLY=${ONLY:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

last() { tail -n 1 "$1"; }

# unit NAME DATA PROTOCOLS TRAIN-OPTIONS...: one line
unit() {
    name=$1 data=$2 protocols=$3
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
    echo "run  $name: seqrec train --data $data $*"
    commit=$(git rev-parse --short HEAD)
    git diff --quiet HEAD -- lib include examples/seqrec || commit="$commit+changes"
    "$SEQREC" train --data "$DATA/$data" "$@" --threads "$THREADS" --out "$work/$name.safetensors" --json > "$work/train"
    results=
    for protocol in $protocols; do
        "$SEQREC" evaluate --model "$work/$name.safetensors" --data "$DATA/$data" --protocol "$protocol" --threads "$THREADS" \
            --json > "$work/evaluate"
        results="$results,\"$protocol\":$(last "$work/evaluate")"
    done
    mkdir -p "$(dirname "$OUT")"
    printf '{"unit":"%s","commit":"%s","data":"%s","options":"%s","train":%s%s}\n' "$name" "$commit" "$data" "$*" \
        "$(last "$work/train")" "$results" | sed "s|$work/||g; s|$DATA/||g" >> "$OUT"
}

for seed in 1 2 3; do
    unit "ml-1m-sasrec-seed$seed" ml-1m.txt "E1 E4" --preset sasrec --seed $seed
    unit "ml-1m-sasrec-softmax-seed$seed" ml-1m.txt "E1 E4" --preset sasrec-softmax --seed $seed
    unit "ml-1m-sampled-3000-seed$seed" ml-1m.txt "E1 E4" --preset sasrec-softmax --set loss=sampled_softmax \
        --set negatives=3000 --set negative_sharing=batch --set seen=exclude_target --seed $seed
    unit "ml-1m-gsasrec-seed$seed" ml-1m.txt "E1 E4" --preset gsasrec --seed $seed
    unit "ml-1m-bert4rec-seed$seed" ml-1m.txt "E2 E4" --preset bert4rec --seed $seed
    unit "beauty-sasrec-sampled-softmax-seed$seed" beauty.txt "E4" --preset sasrec-sampled-softmax --set max_length=50 --set dropout=0.5 --seed $seed
done
echo "lines: $(wc -l < "$OUT") in $OUT"
