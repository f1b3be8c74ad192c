#!/bin/sh
# tests: what the time between events is worth, on ml-100k, whose ratings have seconds. HSTU with and without its bias by time, which
# looks back from the next event or from the event itself, with a calendar at its input, and as a channel of its own with gated layers, with and without the other of the two (FuXi, compared with hstu-time); and TiSASRec with and without its intervals; three seeds each. A model
# that looks back from the request is evaluated knowing the target's time, as the published program has it, and without. Every arm is
# compared, user by user, with another of its seed (the one without time, or hstu-time), whose model is kept in $WORK/reference and trained again where it is
# missing; and once more with events at the same instant as a set. Each unit appends one
# JSON line to docs/experiments/time.jsonl; units.sh says how it is stopped and goes on. At the end the table is printed.
#   time.sh [run|list|table]   as correction.sh
# From the environment also EPOCHS (the most of a training).
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/time.jsonl}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list|table) ;; *) echo "time: $mode is none of run, list and table" >&2; exit 2 ;; esac
file=ml-100k.u.data
source=$DATA/$file

arm() { # ARM
    case $1 in
        hstu) echo "--preset hstu" ;;
        hstu-time) echo "--preset hstu-time" ;;
        fuxi-time) echo "--preset fuxi --set time=bias" ;;
        channels-time) echo "--preset hstu-time --set channels=apart" ;;
        layers-time) echo "--preset hstu-time --set activation=swiglu --set ffn_dim=200" ;;
        hstu-calendar) echo "--preset hstu --set calendar=true" ;;
        hstu-time-own) echo "--preset hstu-time --set time_request=false" ;;
        tisasrec) echo "--preset tisasrec" ;;
        tisasrec-untimed) echo "--preset tisasrec --set time=none" ;;
    esac
}

# unit ARM REFERENCE SEED: REFERENCE is the arm it is compared with, "" for one that others are
unit() {
    name=$1-seed$3
    options="$(arm "$1") ${EPOCHS:+--epochs $EPOCHS} --seed $3"
    if [ "$mode" = list ]; then echo "$name $file $options"; return; fi
    begin "$name" "$file" || return 0
    train "" $options
    figures="\"E4\":$(evaluate --protocol E4 --quiet)"
    figures="$figures,\"set\":$(evaluate --protocol E4 --instant-sets --quiet)"
    figures="$figures,\"hidden\":$(evaluate --protocol E4 --hide-request-time --quiet)"
    if [ -z "$2" ] || [ "$1" = hstu-time ]; then keep; fi
    if [ -n "$2" ]; then
        reference "$2-seed$3" "" $(arm "$2") ${EPOCHS:+--epochs "$EPOCHS"} --seed "$3"
        figures="$figures,\"against\":$(against --protocol E4 --cutoffs 10)"
        figures="$figures,\"against_hidden\":$(against --protocol E4 --cutoffs 10 --hide-request-time)"
        figures="$figures,\"against_set\":$(against --protocol E4 --cutoffs 10 --instant-sets)"
    fi
    finish "\"options\":\"$options\",\"train\":$trained,$figures"
}

if [ "$mode" != table ]; then
    for seed in 1 2 3; do
        unit hstu "" $seed
        unit hstu-time hstu $seed
        unit hstu-time-own hstu $seed
        unit hstu-calendar hstu $seed
        unit fuxi-time hstu-time $seed
        unit channels-time hstu-time $seed
        unit layers-time hstu-time $seed
        unit tisasrec-untimed "" $seed
        unit tisasrec tisasrec-untimed $seed
    done
fi
if [ "$mode" != list ] && [ -f "$OUT" ]; then python3 tests/experiments/time_report.py "$OUT"; fi
