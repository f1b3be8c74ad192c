#!/bin/sh
# tests: a search for the best model of ml-1m, by successive halving over best.space: 18 trials to epoch 10, the best 6 to 30, the best 2 to
# 90, judged by NDCG@10 of the validation events alone (`seqrec tune`). The record of the search is docs/experiments/best-search.jsonl: its
# first line says what is searched, every other is a trial's end of a rung. The best is then trained with three seeds to the early stop and
# asked once for the test events; each of these appends one JSON line to docs/experiments/best.jsonl. units.sh says how it is
# stopped and goes on; a search that goes on elsewhere trains again what had no line.
#   best.sh [run|list]   as correction.sh
# From the environment also TRIALS, EPOCHS (of the last rung, and the most of a training) and SEEDS.
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/best.jsonl}
RECORD=${OUT%.jsonl}-search.jsonl
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list) ;; *) echo "best: $mode is neither run nor list" >&2; exit 2 ;; esac
file=ml-1m.txt
base="--preset esasrec --set negative_sharing=batch"
most=${EPOCHS:-90}

# The options of the best trial, in $best. A search that is whole trains nothing.
search() {
    folder=$WORK/search
    mkdir -p "$folder"
    [ -f "$folder/trials.jsonl" ] || [ ! -f "$RECORD" ] || cp "$RECORD" "$folder/trials.jsonl"
    status=0
    bounded "$SEQREC" tune --data "$DATA/$file" $base --space tests/experiments/best.space --method halving \
        --trials "${TRIALS:-18}" --eta 3 --epochs "$most" --valid-every "$(((most + 8) / 9))" --seed 1 --threads "$THREADS" --out "$folder" --json \
        > "$folder/found" || status=$?
    mkdir -p "$(dirname "$RECORD")"
    [ ! -f "$folder/trials.jsonl" ] || cp "$folder/trials.jsonl" "$RECORD"
    if [ "$status" -eq 130 ] && time_is_up; then name=search; stop_here; fi
    [ "$status" -eq 0 ] || exit "$status"
    best=$(python3 -c '
import json, sys
print(" ".join(f"--set {name}={value}" for name, value in json.load(sys.stdin)["results"][0]["options"].items()))' < "$folder/found")
}

# unit SEED: the best trial's options, trained to the early stop
unit() {
    begin "best-seed$1" $file || return 0
    set -- $base $best ${EPOCHS:+--epochs "$EPOCHS"} --seed "$1"
    train "" "$@"
    finish "\"options\":\"$*\",\"train\":$trained,\"E1\":$(evaluate --protocol E1 --quiet),\"E4\":$(evaluate --protocol E4 --quiet)"
}

if [ "$mode" = list ]; then
    echo "search $file $base"
    for seed in ${SEEDS:-1 2 3}; do echo "best-seed$seed $file"; done
    exit 0
fi
if [ ! -f "$DATA/$file" ]; then
    echo "SKIP best: no $DATA/$file"
    exit 0
fi
search
echo "best: $base $best"
for seed in ${SEEDS:-1 2 3}; do unit "$seed"; done
