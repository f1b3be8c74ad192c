#!/bin/sh
# tests: what a model or an option is worth over the one it stands on: same data, same number of
# epochs without an early stop, same seed (SSE-PT is 50 + 50 wide over 50; FuXi is taken apart into its channels and its layers), compared user by user on the
# test split, three seeds each; other strengths of the weights of known items, and the decay by age beside them, with one. The reference's model is kept in $WORK/reference and trained again where it is missing. Each unit
# appends one JSON line to docs/experiments/paired.jsonl; units.sh says how it is stopped and goes on. The table is printed at the end.
#   paired.sh [run|list|table]   as correction.sh
# From the environment also EPOCHS (the most of a training) and SEEDS.
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/paired.jsonl}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list|table) ;; *) echo "paired: $mode is none of run, list and table" >&2; exit 2 ;; esac
file=ml-1m.txt
source=$DATA/$file
softmax="--preset sasrec-sampled-softmax --set negative_sharing=batch --epochs 100" # shared negatives: less than half of the time

arm() { # ARM
    case $1 in
        sasrec-original) echo "--preset sasrec-original --epochs 400" ;;
        sse-pt) echo "--preset sse-pt --epochs 400" ;;
        sasrec-50) echo "--preset sasrec --set max_length=50 --set heads=2 --epochs 200" ;;
        rec-denoiser) echo "--preset rec-denoiser --epochs 200" ;;
        hstu|fuxi) echo "--preset $1 --epochs 100" ;;
        channels) echo "--preset hstu --set channels=apart --epochs 100" ;;
        layers) echo "--preset hstu --set activation=swiglu --set ffn_dim=200 --epochs 100" ;;
        softmax) echo "$softmax" ;;
        spectral) echo "$softmax --set wiring=post_norm --set mixer=spectral" ;;
        softmax-post) echo "$softmax --set wiring=post_norm" ;;
        decay-*) echo "$softmax --set position_decay=${1#decay-}" ;;
        known-*) # known-KIND-POWER
            kind=${1#known-}
            echo "$softmax --set known_items=${kind%-*} --set known_power=${kind#*-}" ;;
    esac
}

# unit ARM REFERENCE PROTOCOL SEED: REFERENCE is the arm it is compared with, "" for one that others are
unit() {
    name=$1-seed$4
    options="$(arm "$1") ${EPOCHS:+--epochs $EPOCHS} --seed $4"
    if [ "$mode" = list ]; then echo "$name $file $options"; return; fi
    begin "$name" "$file" || return 0
    train "" $options
    figures="\"figures\":$(evaluate --protocol "$3" --cutoffs 10 --quiet)"
    if [ -z "$2" ]; then
        keep
    else
        reference "$2-seed$4" "" $(arm "$2") ${EPOCHS:+--epochs "$EPOCHS"} --seed "$4"
        figures="$figures,\"reference\":\"$2\",\"against\":$(against --protocol "$3" --cutoffs 10)"
    fi
    finish "\"options\":\"$options\",\"train\":$trained,$figures"
}

# One row for each line.
table() {
    echo "| unit | HR@10 / NDCG@10 | over | difference of HR@10 | of NDCG@10 | seconds an epoch |"
    echo "|---|---|---|---|---|---|"
    awk "$field"'
        function with_interval(key,    row, text, ends) {
            row = $0
            $0 = substr($0, index($0, "\"difference\":{"))
            text = field("difference", key)
            $0 = substr($0, index($0, "\"ci\":{"))
            match($0, "\"" key "\":\\[[^]]*\\]")
            split(substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5), ends, ",")
            text = sprintf("%+.4f [%.4f, %.4f]", text, ends[1], ends[2])
            $0 = row
            return text
        }
        {
            split($0, quoted, "\"")
            over = "| | | "
            if (match($0, /"reference":"[^"]*"/)) {
                over = "| " substr($0, RSTART + 13, RLENGTH - 14) " | "
                over = over with_interval("hr@10") " | " with_interval("ndcg@10") " "
            }
            printf "| %s | %.4f / %.4f %s| %.2f |\n", quoted[4], field("figures", "hr@10"), field("figures", "ndcg@10"), over,
                field("train", "seconds_per_epoch")
        }' "$OUT"
}

if [ "$mode" != table ]; then
    for seed in ${SEEDS:-1 2 3}; do
        unit sasrec-original "" E1 "$seed"
        unit sse-pt sasrec-original E1 "$seed"
        unit sasrec-50 "" E4 "$seed"
        unit rec-denoiser sasrec-50 E4 "$seed"
        unit softmax "" E4 "$seed"
        unit known-predicted-0.5 softmax E4 "$seed"
        unit known-surprising-0.5 softmax E4 "$seed"
        unit hstu "" E4 "$seed"
        unit fuxi hstu E4 "$seed"
        unit channels hstu E4 "$seed"
        unit layers hstu E4 "$seed"
        unit softmax-post "" E4 "$seed"
        unit spectral softmax-post E4 "$seed"
    done
    for arm in known-predicted-0.25 known-predicted-1 known-surprising-1 known-surprising-2 decay-0.98 decay-0.99; do unit $arm softmax E4 1; done
fi
if [ "$mode" != list ] && [ -f "$OUT" ]; then table; fi
