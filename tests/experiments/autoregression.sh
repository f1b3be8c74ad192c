#!/bin/sh
# tests: how well models forecast the next many events, on ml-1m (the last 20 of users with 30 or more), Beauty (the last 5 of users
# with 10 or more) and, for its seconds, ml-100k (as ml-1m; events at one instant also as a set). Training sees nothing of these events;
# the one before them is the validation, which alone chooses the epoch. Six models: the preset sasrec (BCE), sasrec-softmax, a smaller
# gsasrec, sasrec-sampled-softmax with its absolute positions and with T5's relative ones instead, and hstu without time. sasrec and
# gsasrec count positions from the start here, as the others do: a rollout then costs one token a step, and not a window. A budget of
# epochs keeps each unit below 20 minutes on one core; the presets' early stop may end a training before. autoregression.c says which
# decoders there are and what is measured. Each unit appends one JSON line to docs/experiments/autoregression.jsonl; units.sh
# says how it is stopped and goes on. At the end autoregression_report.py writes the tables.
#   autoregression.sh [run]   what is missing, then the report
#   autoregression.sh list    the units, a line each: name, data, split and training options
# From the environment also EPOCHS and USERS (for all units).
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/autoregression.jsonl}
REPORT=${REPORT:-docs/experiments}
AUTOREGRESSION=${AUTOREGRESSION:-build/tests/autoregression}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list) ;; *) echo "autoregression: $mode is neither run nor list" >&2; exit 2 ;; esac

# What a model is, with its most epochs.
model() { # MODEL
    case $1 in
        bce) echo "--preset sasrec --set position=start --epochs ${EPOCHS:-200}" ;;
        softmax) echo "--preset sasrec-softmax --epochs ${EPOCHS:-50}" ;;
        gbce) echo "--preset gsasrec --set dim=64 --set negatives=64 --set position=start --epochs ${EPOCHS:-100}" ;;
        absolute) echo "--preset sasrec-sampled-softmax --epochs ${EPOCHS:-60}" ;;
        relative) echo "--preset sasrec-sampled-softmax --set position=none --set relative=t5 --epochs ${EPOCHS:-60}" ;;
        hstu) echo "--preset hstu --epochs ${EPOCHS:-80}" ;;
    esac
}

# unit STUDY FILE HORIZON LEAST USERS MODEL: USERS of those with LEAST events are forecast, 0: all
unit() {
    name=$1-$6 split=last:$3:$4
    options="$(model "$6")"
    if [ "$1" = beauty ]; then options="$options --set max_length=50 --set dropout=0.5"; fi
    options="$options --seed 1"
    if [ "$mode" = list ]; then echo "$name $2 $split $options"; return; fi
    begin "$name" "$2" || return 0
    train "--split $split" $options
    figures="\"E4\":$(evaluate --protocol E4 --cutoffs 10,20 --quiet)"
    forecast=$("$AUTOREGRESSION" "$unit/$name.safetensors" "$DATA/$data" "$THREADS" "$3" "$4" "${USERS:-$5}" 1)
    finish "\"study\":\"$1\",\"model\":\"$6\",\"options\":\"$options\",\"train\":$trained,$figures,\"forecast\":$forecast"
}

for model in softmax absolute relative bce gbce hstu; do
    unit ml-1m ml-1m.txt 20 30 3000 $model
    unit beauty beauty.txt 5 10 2000 $model
    unit ml-100k ml-100k.u.data 20 30 0 $model
done
[ "$mode" != run ] || [ ! -f "$OUT" ] || python3 tests/experiments/autoregression_report.py "$OUT" "$REPORT"
