#!/bin/sh
# tests: what the place of an item is counted from, on ml-1m and Beauty ("Revisiting Self-Attentive Sequential Recommendation", section
# 4.1: the position of an item should be relative to the prediction). One thing changes at a time: how positions are said to the
# model. All arms have the preset sasrec-sampled-softmax; four of them also the full softmax with five seeds. The literal rule, where
# every prefix is a sample of its own, runs on a fixed fifth of the users, beside its one-pass form and the other arms on the same
# users. Every arm is compared, user by user, with the window-end table of the same data, loss and seed, whose model is kept in
# $WORK/reference and trained again where it is missing. A training has 60 epochs, at which the arms are compared. Each unit appends one JSON line to docs/experiments/correction.jsonl;
# units.sh says how it is stopped and goes on. At the end the table is printed.
#   correction.sh [run]   what is missing, then the table
#   correction.sh list    the units, a line each: name, data and training options
#   correction.sh table   the table of the lines that are there
# From the environment also EPOCHS (the most of a training).
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/correction.jsonl}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list|table) ;; *) echo "correction: $mode is none of run, list and table" >&2; exit 2 ;; esac
epochs=${EPOCHS:-60}

# What an arm sets.
arm() { # ARM
    case $1 in
        end) echo "--set position=end" ;;
        start) echo "--set position=start" ;;
        none) echo "--set position=none" ;;
        random_end) echo "--set position=end --set random_end=0.5" ;;
        reversed) echo "--set position=reversed" ;;
        literal) echo "--set position=end --set objective=prefix" ;;
        shaw-*) echo "--set position=none --set relative=shaw --set relative_clip=${1#shaw-}" ;;
        *) echo "--set position=none --set relative=$1" ;;
    esac
}

# Every fifth user of ml-1m, from which windows of 50 events are kept small enough for a sample of each prefix.
fifth() {
    [ -f "$WORK/fifth.txt" ] || { mkdir -p "$WORK"; awk '$1 % 5 == 0' "$DATA/ml-1m.txt" > "$WORK/fifth.txt"; }
}

# unit ARM DATA LOSS LENGTH SEED
unit() {
    name=$2-$3-$1-L$4-seed$5
    base="--preset sasrec-sampled-softmax --set loss=$3 --set max_length=$4"
    if [ "$2" = beauty ]; then base="$base --set dropout=0.5"; fi
    base="$base --epochs $epochs --seed $5"
    if [ "$mode" = list ]; then echo "$name $2 $base $(arm "$1")"; return; fi
    file=$2.txt
    if [ "$2" = fifth ]; then file=ml-1m.txt; fi
    begin "$name" "$file" || return 0
    source=$DATA/$file
    if [ "$2" = fifth ]; then fifth; source=$WORK/fifth.txt DATA=$WORK data=fifth.txt; fi
    train "" $base $(arm "$1")
    figures="\"E4\":$(evaluate --protocol E4 --cutoffs 10 --breakdown --quiet)"
    if [ "$1" = end ]; then
        keep
    else
        reference "$2-$3-end-L$4-seed$5" $base $(arm end)
        figures="$figures,\"against_end\":$(against --protocol E4 --cutoffs 10)"
    fi
    finish "\"options\":\"$base $(arm "$1")\",\"train\":$trained,$figures"
    DATA=${SEQREC_DATA:-../shared/data}
}

plan() {
    for study in ml-1m beauty; do
        length=200 seeds=1
        if [ $study = beauty ]; then length=50 seeds="1 2 3"; fi
        for seed in $seeds; do
            for arm in end start none random_end reversed shaw-8 shaw-32 shaw-0 t5 bias rotary alibi; do
                unit $arm $study sampled_softmax $length $seed
            done
        done
        for seed in 1 2 3 4 5; do
            for arm in end random_end none reversed; do unit $arm $study softmax $length $seed; done
        done
    done
    for length in 50 2277; do
        for arm in end start none random_end reversed t5 rotary; do unit $arm ml-1m sampled_softmax $length 1; done
    done
    for seed in 1 2 3; do
        for arm in end literal reversed random_end none; do unit $arm fifth sampled_softmax 50 $seed; done
    done
}

# One row for each data, loss, arm and length: means over the seeds that are there.
table() {
    awk "$field"'
        {
            split($0, quoted, "\"")
            row = quoted[4]
            sub(/-seed[0-9]*$/, "", row)
            if (!(row in count)) rows[++n] = row
            count[row]++
            hits[row] += field("E4", "hr@10"); ndcg[row] += field("E4", "ndcg@10")
            seconds[row] += field("train", "seconds_per_epoch")
        }
        END {
            print "| data, loss, arm, length | seeds | HR@10 / NDCG@10 (E4) | seconds an epoch |"
            print "|---|---|---|---|"
            for (i = 1; i <= n; i++) {
                r = rows[i]; c = count[r]
                printf "| %s | %d | %.4f / %.4f | %.1f |\n", r, c, hits[r] / c, ndcg[r] / c, seconds[r] / c
            }
        }' "$OUT"
}

if [ "$mode" != table ]; then plan; fi
if [ "$mode" != list ] && [ -f "$OUT" ]; then table; fi
