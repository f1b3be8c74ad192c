#!/bin/sh
# tests: what a model or an option is worth over the one it stands on: same data, same number of
# epochs without an early stop, same seed (SSE-PT is 50 + 50 wide over 50; FuXi is taken apart into its channels and its layers), compared user by user on the
# test split, three seeds each; the strength of the weights of known items, and of the decay by age beside them, is chosen before by one seed's validation alone. The reference's model is kept in $WORK/reference and trained again where it is missing. Each unit
# appends one JSON line to docs/experiments/paired.jsonl; units.sh says how it is stopped and goes on. Under E1, where a single draw of
# the negatives is off by up to .007 in HR@10, figures and differences are also means over DRAWS draws. At the end paired_report.py
# prints the tables: a row for each line, and for each pair the mean over its seeds.
#   paired.sh [run|list|table]   as correction.sh
# From the environment also EPOCHS (the most of a training), SEEDS and DRAWS (10).
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/paired.jsonl}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list|table) ;; *) echo "paired: $mode is none of run, list and table" >&2; exit 2 ;; esac
draws=${DRAWS:-10}
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
        decay|known-predicted|known-surprising)
            if [ "$mode" = list ]; then echo "$softmax, the strength by validation"; else arm "$(chosen "$1")"; fi ;;
        decay-*) echo "$softmax --set position_decay=${1#decay-}" ;;
        known-*) # known-KIND-POWER
            kind=${1#known-}
            echo "$softmax --set known_items=${kind%-*} --set known_power=${kind#*-}" ;;
    esac
}

powers_predicted="0.25 0.5 1" powers_surprising="0.5 1 2" decays="0.98 0.99"

# Of the strengths of an arm the one with the best validation; fails until all have run.
chosen() { # ARM
    case $1 in
        known-predicted) strengths=$powers_predicted ;;
        known-surprising) strengths=$powers_surprising ;;
        decay) strengths=$decays ;;
    esac
    python3 -c '
import json, sys
valid = {u["unit"]: u["train"]["best_valid"] for u in map(json.loads, sys.stdin)}
arms = [sys.argv[1] + "-" + strength for strength in sys.argv[2:]]
missing = [arm for arm in arms if "strength-" + arm + "-seed1" not in valid]
if missing: sys.exit("paired: " + sys.argv[1] + " waits for " + ", ".join(missing))
print(max(arms, key=lambda arm: valid["strength-" + arm + "-seed1"]))' "$1" $strengths < "$OUT"
}

# strength ARM: trained and validated, and not asked for the test events
strength() {
    name=strength-$1-seed1
    options="$(arm "$1") ${EPOCHS:+--epochs $EPOCHS} --seed 1"
    if [ "$mode" = list ]; then echo "$name $file $options"; return; fi
    begin "$name" "$file" || return 0
    train "" $options
    finish "\"options\":\"$options\",\"train\":$trained"
}

# unit ARM REFERENCE PROTOCOL SEED: REFERENCE is the arm it is compared with, "" for one that others are
unit() {
    name=$1-seed$4
    case $mode-$1 in run-decay|run-known-predicted|run-known-surprising) chosen "$1" > /dev/null || return 0 ;; esac
    options="$(arm "$1") ${EPOCHS:+--epochs $EPOCHS} --seed $4"
    if [ "$mode" = list ]; then echo "$name $file $options"; return; fi
    begin "$name" "$file" || return 0
    train "" $options
    figures="\"figures\":$(evaluate --protocol "$3" --cutoffs 10 --quiet)"
    if [ "$3" = E1 ]; then figures="$figures,\"E1_draws\":$(draws E1 "$draws")"; fi
    if [ -z "$2" ]; then
        keep
    else
        reference "$2-seed$4" "" $(arm "$2") ${EPOCHS:+--epochs "$EPOCHS"} --seed "$4"
        figures="$figures,\"reference\":\"$2\",\"against\":$(against --protocol "$3" --cutoffs 10)"
        if [ "$3" = E1 ]; then figures="$figures,\"against_draws\":$(against_draws E1 "$draws")"; fi
    fi
    finish "\"options\":\"$options\",\"train\":$trained,$figures"
}

if [ "$mode" != table ]; then
    for power in $powers_predicted; do strength known-predicted-$power; done
    for power in $powers_surprising; do strength known-surprising-$power; done
    for decay in $decays; do strength decay-$decay; done
    for seed in ${SEEDS:-1 2 3}; do
        unit sasrec-original "" E1 "$seed"
        unit sse-pt sasrec-original E1 "$seed"
        unit sasrec-50 "" E4 "$seed"
        unit rec-denoiser sasrec-50 E4 "$seed"
        unit softmax "" E4 "$seed"
        unit known-predicted softmax E4 "$seed"
        unit known-surprising softmax E4 "$seed"
        unit decay softmax E4 "$seed"
        unit hstu "" E4 "$seed"
        unit fuxi hstu E4 "$seed"
        unit channels hstu E4 "$seed"
        unit layers hstu E4 "$seed"
        unit softmax-post "" E4 "$seed"
        unit spectral softmax-post E4 "$seed"
    done
fi
if [ "$mode" != list ] && [ -f "$OUT" ]; then python3 tests/experiments/paired_report.py "$OUT"; fi
