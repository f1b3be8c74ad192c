#!/bin/sh
# tests: a search for the best model of ml-1m, by successive halving over best.space: 18 trials to epoch 10, the best 6 to 30, the best 2 to
# 90, judged by NDCG@10 of the validation events alone (`seqrec tune`). The record of the search is docs/experiments/best-search.jsonl: its
# first line says what is searched, every other is a trial's end of a rung. The best is then trained with three seeds to the early stop and
# asked once for the test events; each of these appends one JSON line to docs/experiments/best.jsonl. units.sh says how it is
# stopped and goes on; a search that goes on elsewhere has no checkpoints there, and trains again what has no line, from its first epoch.
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
seeds=${SEEDS:-1 2 3}

lines() { cat "$1" 2> /dev/null | wc -l; }

# Whether a seed that is asked for has no line yet.
wanted() {
    for seed in $seeds; do
        case best-seed$seed in *"$ONLY"*) grep -qs "\"unit\":\"best-seed$seed\"" "$OUT" || return 0 ;; esac
    done
    return 1
}

# The best trial's options, in $best, and the commits that searched. A search that is whole trains nothing.
search() {
    folder=$WORK/search status=0
    mkdir -p "$folder"
    if [ "$(lines "$RECORD")" -gt "$(lines "$folder/trials.jsonl")" ]; then cp "$RECORD" "$folder/trials.jsonl"; fi
    version >> "$folder/commits"
    bounded "$SEQREC" tune --data "$DATA/$file" $base --space tests/experiments/best.space --method halving \
        --trials "${TRIALS:-18}" --eta 3 --epochs "$most" --valid-every "$(((most + 8) / 9))" --seed 1 --threads "$THREADS" --out "$folder" --json \
        > "$folder/found" || status=$?
    case $status in
        0|130)
            mkdir -p "$(dirname "$RECORD")"
            cp "$folder/trials.jsonl" "$RECORD" ;;
    esac
    if [ "$status" -eq 130 ] && time_is_up; then name=search; stop_here; fi
    [ "$status" -eq 0 ] || exit "$status"
    commits=$(awk '!seen[$0]++' "$folder/commits" | paste -s -d , -)
    best=$(python3 -c '
import json, sys
print(" ".join(f"--set {name}={value}" for name, value in json.load(sys.stdin)["results"][0]["options"].items()))' < "$folder/found")
    echo "best: $base $best"
    if [ -f "$OUT" ] && grep -qvF -- "\"options\":\"$base $best " "$OUT"; then
        echo "best: $OUT has seeds of what another search found" >&2
        exit 1
    fi
}

# unit SEED: the best trial's options, trained to the early stop
unit() {
    begin "best-seed$1" $file || return 0
    set -- $base $best ${EPOCHS:+--epochs "$EPOCHS"} --seed "$1"
    train "" "$@"
    e1=$(evaluate --protocol E1 --quiet)
    e4=$(evaluate --protocol E4 --quiet)
    finish "\"search_commit\":\"$commits\",\"options\":\"$*\",\"train\":$trained,\"E1\":$e1,\"E4\":$e4"
}

if [ "$mode" = list ]; then
    echo "search $file $base"
    for seed in $seeds; do echo "best-seed$seed $file"; done
elif [ ! -f "$DATA/$file" ]; then
    echo "SKIP best: no $DATA/$file"
elif ! wanted; then
    echo "have best"
else
    search
    for seed in $seeds; do unit "$seed"; done
fi
