#!/bin/sh
# tests: what the place of an item is counted from, on ml-1m and Beauty ("Revisiting Self-Attentive Sequential Recommendation", section
# 4.1: the position of an item should be relative to the prediction). One thing changes at a time: how positions are said to the model.
# All arms have the preset sasrec-sampled-softmax, with negatives that a batch shares, which takes less than half of the time; four
# also have the full softmax with five seeds, five BCE with one negative. Further: windows of 50 events and of all; histories of which
# only the newest events are left (models as trained); models of 50 events that read 100 and 200, where no table of positions is in the way; the literal rule, where every prefix is a sample of its own, beside the others on
# a fixed fifth of the users, with no positions at all among them, since `literal` also sees more events before a target; eight heads, because
# one head of ALiBi has one slope of 1/256 an event, which is next to none; trainings to their early stop and not to 60 epochs; and models trained without a tenth of the users, asked
# before every event of these but the first two, and with older events put in front (inner_places.c); and, on ml-100k,
# which has times, events at one instant in a drawn order, and a split by time for all users at once (E9). Every arm is
# compared, user by user, with the window-end table of the same data, loss, window and seed, whose model is kept in $WORK/reference and
# trained again where it is missing. A training has 60 epochs, at which the arms are compared. Each unit appends one JSON line to
# docs/experiments/correction.jsonl; units.sh says how it is stopped and goes on. At the end correction_report.py writes the tables.
#   correction.sh [run]   what is missing, then the report
#   correction.sh list    the units, a line each: name, data and training options
# From the environment also EPOCHS (the most of a training).
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/correction.jsonl}
REPORT=${REPORT:-docs/experiments}
INNER=${INNER:-build/tests/inner_places}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list) ;; *) echo "correction: $mode is neither run nor list" >&2; exit 2 ;; esac
epochs=${EPOCHS:-60}
events=$DATA

# What an arm sets.
arm() { # ARM
    case $1 in
        end) echo "--set position=end" ;;
        start) echo "--set position=start" ;;
        none) echo "--set position=none" ;;
        random_end) echo "--set position=end --set random_end=0.5" ;;
        reversed) echo "--set position=reversed" ;;
        random_end-1) echo "--set position=end --set random_end=1" ;;
        literal) echo "--set position=end --set objective=prefix" ;;
        literal-none) echo "--set position=none --set objective=prefix" ;;
        shaw-*) echo "--set position=none --set relative=shaw --set relative_clip=${1#shaw-}" ;;
        *) echo "--set position=none --set relative=$1" ;;
    esac
}

# made NAME PROGRAM [VARIABLE=VALUE]: $WORK/NAME, of ml-1m's events by an awk program
made() {
    if [ -f "$WORK/$1" ]; then return; fi
    mkdir -p "$WORK"
    awk ${3:+-v "$3"} "$2" "$events/ml-1m.txt" > "$WORK/$1.part"
    mv "$WORK/$1.part" "$WORK/$1"
}

# For awk: events of one user after the other; `user_done` is called behind each.
by_user='$1 != user { if (n) user_done(); user = $1; n = 0 } { item[++n] = $2 } END { if (n) user_done() }'

# A user's newest events and the target behind them.
newest='function user_done(    i) { for (i = n > most ? n - most : 1; i <= n; i++) print user, item[i] }'

# Of a report's groups those by length of history alone: a tenth of the bytes.
by_length() {
    python3 -c '
import json, sys
report = json.loads(sys.stdin.read())
groups = [{k: v for k, v in group.items() if k != "ci"} for group in report["breakdown"]["model"]["quintile"]]
report["breakdown"] = {"model": {"quintile": groups}}
print(json.dumps(report, separators=(",", ":")))'
}

# elsewhere FILE OPTIONS...: the unit's model on events in $WORK
elsewhere() {
    DATA=$WORK data=$1
    shift
    evaluate --protocol E4 --cutoffs 10 --no-baselines --allow-trained --quiet "$@"
}

# Of a comparison's groups those by length of history, the differences alone.
difference_by_length() {
    python3 -c '
import json, sys
report = json.loads(sys.stdin.read())
breakdown = report.get("breakdown")
if breakdown: report["breakdown"] = {"difference": {"quintile": breakdown["difference"]["quintile"]}}
print(json.dumps(report, separators=(",", ":")))'
}

# Figures after histories of the newest 20 and 50 events.
shortened() {
    separator=
    for most in 20 50; do
        made "newest-$most.txt" "$newest $by_user" most=$most
        got=$(elsewhere "newest-$most.txt")
        printf '%s"%s":%s' "$separator" $most "$got"
        separator=,
    done
}

# Figures of the unit's model made to read 100 and 200 events.
lengthened() {
    separator=
    for most in 100 200; do
        "$SEQREC" export --model "$unit/$name.safetensors" --longer "$unit/longer" --max-length $most > /dev/null
        got=$(evaluate --model "$unit/longer" --protocol E4 --cutoffs 10 --no-baselines --quiet)
        printf '%s"%s":%s' "$separator" $most "$got"
        separator=,
    done
}

# The events of a study: $DATA/$data, $source.
take_events() { # STUDY
    case $1 in
        fifth)
            made fifth.txt '$1 % 5 == 0'
            DATA=$WORK data=fifth.txt ;;
        heldout)
            made others.txt '$1 % 10 != 3'
            made left.txt '$1 % 10 == 3'
            DATA=$WORK data=others.txt ;;
    esac
    source=$DATA/$data
}

# unit ARM STUDY LOSS LENGTH SEED
unit() {
    name=$2-$3-$1-L$4-seed$5 file=ml-1m.txt ties= split= protocol=E4 longest=$epochs
    case $2 in
        ties) file=ml-100k.u.data ties="--shuffle-ties 1" ;;
        later) file=ml-100k.u.data split="--split time:889237269:891382267" protocol=E9 ;; # 80 and 90 % of the events
    esac
    base="--preset sasrec-sampled-softmax --set loss=$3 --set max_length=$4"
    case $3 in
        sampled_softmax) base="$base --set negative_sharing=batch" ;;
        bce) base="$base --set negatives=1" ;;
    esac
    if [ "$2" = beauty ]; then base="$base --set dropout=0.5" file=beauty.txt; fi
    case $2 in
        heads) base="$base --set heads=8" ;;
        stop) longest=${EPOCHS:-} ;;
    esac
    base="$base${longest:+ --epochs $longest} --seed $5"
    if [ "$mode" = list ]; then echo "$name $2 $base $(arm "$1")"; return; fi
    begin "$name" "$file" || return 0
    take_events "$2"
    train "$ties $split" $base $(arm "$1")
    figures="\"E4\":$(evaluate $ties --protocol $protocol --cutoffs 1,5,10,20 --breakdown --quiet | by_length)"
    case $2-$3-L$4 in
        heldout-*)
            [ "$1" = end ] || reference "$2-$3-end-L$4-seed$5" "" $base $(arm end)
            if [ "$1" = end ]; then reference=; fi
            inner=$("$INNER" "$unit/$name.safetensors" "$WORK/left.txt" $reference)
            figures="$figures,\"inner\":$inner" ;;
        ml-1m-sampled_softmax-L200)
            figures="$figures,\"newest\":{$(shortened)}"
            figures="$figures,\"E1\":$(evaluate --protocol E1 --cutoffs 10 --no-baselines --quiet)" ;;
        ml-1m-sampled_softmax-L50) case $1 in none|reversed|t5|rotary) figures="$figures,\"longer\":{$(lengthened)}" ;; esac ;;
    esac
    if [ "$1" = end ]; then
        keep
    else
        reference "$2-$3-end-L$4-seed$5" "$ties $split" $base $(arm end)
        figures="$figures,\"against_end\":$(against $ties --protocol $protocol --cutoffs 10 --breakdown | difference_by_length)"
    fi
    finish "\"study\":\"$2\",\"loss\":\"$3\",\"arm\":\"$1\",\"length\":$4,\"seed\":$5,\"options\":\"$base $(arm "$1")\",\"train\":$trained,$figures"
    DATA=$events
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
    done
    unit random_end-1 ml-1m sampled_softmax 200 1
    for arm in end none reversed alibi; do unit $arm heads sampled_softmax 200 1; done
    for arm in end none random_end reversed; do unit $arm stop sampled_softmax 200 1; done
    for arm in end start none random_end reversed t5 rotary; do unit $arm heldout sampled_softmax 200 1; done
    for arm in end start none random_end reversed; do unit $arm ml-1m bce 200 1; done
    for seed in 1 2 3; do
        for arm in end literal reversed random_end none literal-none; do unit $arm fifth sampled_softmax 50 $seed; done
    done
    for length in 50 2277; do
        for arm in end start none random_end reversed t5 rotary; do unit $arm ml-1m sampled_softmax $length 1; done
    done
    for study in ties later; do
        for seed in 1 2 3; do
            for arm in end random_end none reversed t5; do unit $arm $study sampled_softmax 200 $seed; done
        done
    done
    for study in beauty ml-1m; do
        length=200
        if [ $study = beauty ]; then length=50; fi
        for seed in 1 2 3 4 5; do
            for arm in end random_end none reversed; do unit $arm $study softmax $length $seed; done
        done
    done
}

plan
if [ "$mode" = run ] && [ -f "$OUT" ]; then python3 tests/experiments/correction_report.py "$OUT" "$REPORT"; fi
