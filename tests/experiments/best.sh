#!/bin/sh
# tests: searches for the best model of ml-1m and of Beauty, by successive halving over best-DATA.space: three rungs, of which a third of the
# trials goes on, judged on the validation events alone (`seqrec tune`): 24 trials to epochs 10, 30 and 90 on ml-1m, by NDCG@10; 27 to 9,
# 27 and 81 on Beauty, by HR@10. The record of a search is docs/experiments/best-DATA.jsonl: its first line says what is searched, every
# other is a trial's end of a rung. The best is then trained with three seeds to the early stop and asked once for the test
# events; each of these appends one JSON line to docs/experiments/best.jsonl. units.sh says how it is stopped and goes on; a search
# that goes on elsewhere has no checkpoints there, and trains again what has no line, from its first epoch.
#   best.sh [run|list]   as correction.sh
# From the environment also TRIALS, EPOCHS (of the last rung, and the most of a training) and SEEDS.
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/best.jsonl}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list) ;; *) echo "best: $mode is neither run nor list" >&2; exit 2 ;; esac
seeds=${SEEDS:-1 2 3}

lines() { cat "$1" 2> /dev/null | wc -l; }

# Whether a seed that is asked for has no line yet.
wanted() { # DATA
    for seed in $seeds; do
        case best-$1-seed$seed in *"$ONLY"*) grep -qs "\"unit\":\"best-$1-seed$seed\"" "$OUT" || return 0 ;; esac
    done
    return 1
}

# The best trial's options, in $best, and the commits that searched. A search that is whole trains nothing.
search() { # DATA TRIALS EPOCHS METRIC BASE
    folder=$WORK/search-$1 record=${OUT%.jsonl}-$1.jsonl most=${EPOCHS:-$3} status=0
    mkdir -p "$folder"
    if [ "$(lines "$record")" -gt "$(lines "$folder/trials.jsonl")" ]; then cp "$record" "$folder/trials.jsonl"; fi
    version >> "$folder/commits"
    bounded "$SEQREC" tune --data "$DATA/$1.txt" $5 --space "tests/experiments/best-$1.space" --method halving --trials "${TRIALS:-$2}" \
        --eta 3 --epochs "$most" --valid-every "$(((most + 8) / 9))" --metric "$4" --seed 1 --threads "$THREADS" --out "$folder" --json \
        > "$folder/found" || status=$?
    case $status in
        0|130)
            mkdir -p "$(dirname "$record")"
            cp "$folder/trials.jsonl" "$record" ;;
    esac
    if [ "$status" -eq 130 ] && time_is_up; then name=search-$1; stop_here; fi
    [ "$status" -eq 0 ] || exit "$status"
    commits=$(awk '!seen[$0]++' "$folder/commits" | paste -s -d , -)
    best=$(python3 -c '
import json, sys
print(" ".join(f"--set {name}={value}" for name, value in json.load(sys.stdin)["results"][0]["options"].items()))' < "$folder/found")
    echo "best-$1: $5 $best"
    if grep -s "\"unit\":\"best-$1-" "$OUT" | grep -qvF -- "\"options\":\"$5 $best "; then
        echo "best: $OUT has seeds of what another search found on $1" >&2
        exit 1
    fi
}

# unit DATA PROTOCOLS OPTIONS...: the options that were found, trained to the early stop
unit() {
    begin "best-$1-seed$seed" "$1.txt" || return 0
    protocols=$2
    shift 2
    set -- "$@" ${EPOCHS:+--epochs "$EPOCHS"} --seed "$seed"
    train "" "$@"
    figures=
    for protocol in $protocols; do
        figures="$figures,\"$protocol\":$(evaluate --protocol "$protocol" --quiet)"
    done
    finish "\"search_commit\":\"$commits\",\"options\":\"$*\",\"train\":$trained$figures"
}

# study DATA TRIALS EPOCHS METRIC PROTOCOLS BASE
study() {
    if [ "$mode" = list ]; then
        echo "search-$1 $1.txt $6"
        for seed in $seeds; do echo "best-$1-seed$seed $1.txt"; done
    elif [ ! -f "$DATA/$1.txt" ]; then
        echo "SKIP best: no $DATA/$1.txt"
    elif ! wanted "$1"; then
        echo "have best-$1"
    else
        search "$1" "$2" "$3" "$4" "$6"
        for seed in $seeds; do unit "$1" "$5" $6 $best; done
    fi
}

study ml-1m 24 90 ndcg@10 "E1 E4" "--preset esasrec --set negative_sharing=batch"
study beauty 27 81 hr@10 E4 "--preset sasrec-sampled-softmax --set max_length=50 --set negative_sharing=batch"
