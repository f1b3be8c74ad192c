#!/bin/sh
# tests: what the sampling of negatives does to accuracy, time, memory and gradients, on ml-1m. Factors are varied one at a time
# around one centre (sampled softmax, 256 uniform negatives of each position, seen items kept, no logQ), loss by number of negatives
# in full; the centre has three seeds, everything else one. There is no early stop: the budget in epochs follows the number of
# negatives, so that units cost about the same up to k = 256 and a few times that at 1,024, and the curves of all units (epoch,
# seconds, NDCG@10 of the validation part) are compared at equal epochs and at equal seconds. What an epoch costs is measured apart from
# that, in the unit "costs": two epochs of each setting, one after another, to be run on an idle machine (it asks for about ten minutes), while all other units
# may run beside other work. Each unit appends one JSON line to
# docs/experiments/sampling.jsonl; units.sh says how it is stopped and goes on. At the end sampling_report.py writes the tables.
#   sampling.sh [run]     what is missing, then the report
#   sampling.sh list      the units, a line each: name and training options
# From the environment also EPOCHS (for all units), DRAWS of the gradients (20) and SAMPLED draws of the negatives of E1 and E2 (10).
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/sampling.jsonl}
REPORT=${REPORT:-docs/experiments}
GRADIENT=${GRADIENT:-build/tests/gradient_cosine}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list) ;; *) echo "sampling: $mode is neither run nor list" >&2; exit 2 ;; esac
file=ml-1m.txt
sampled=${SAMPLED:-10}
preset="--preset sasrec-sampled-softmax --set seen=keep --set item_updates=lazy"
budget="--valid-every 4"

epochs_of() { # NEGATIVES
    if [ -n "${EPOCHS:-}" ]; then echo "$EPOCHS"; return; fi
    case $1 in 1|4) echo 200 ;; 16) echo 160 ;; 64) echo 100 ;; 1024) echo 40 ;; *) echo 60 ;; esac
}

# The validated epochs of the unit's log: [epoch, seconds of training so far, metric], ... Of an epoch that has two lines the later
# one counts; of one that was interrupted and gone on with, the seconds behind the interruption.
curve() {
    awk "$number"'
        { epoch = number("epoch"); seconds[epoch] = number("seconds"); validated[epoch] = !/"metric":null/
            metric[epoch] = number("metric"); if (epoch > end) end = epoch }
        END {
            for (e = 1; e <= end; e++) {
                total += seconds[e]
                if (validated[e]) { printf "%s[%d,%.6g,%.9g]", comma, e, total, metric[e]; comma = "," }
            }
        }' "$unit/log"
}

# figures OPTIONS...: the test part under three protocols, by popularity of the target too, and of those that sample negatives also the means
# over $sampled draws, since one of E1 is off by more than models differ; $figures are members of the line
figures() {
    e4=$(evaluate --protocol E4 --cutoffs 10 --beyond --breakdown --quiet "$@")
    e1=$(evaluate --protocol E1 --cutoffs 10 --breakdown --bootstrap 0 --quiet "$@")
    e2=$(evaluate --protocol E2 --cutoffs 10 --breakdown --bootstrap 0 --quiet "$@")
    e1_draws=$(draws E1 "$sampled" "$@")
    e2_draws=$(draws E2 "$sampled" "$@")
    figures="\"E1\":$e1,\"E2\":$e2,\"E4\":$e4,\"E1_draws\":$e1_draws,\"E2_draws\":$e2_draws"
}

# setting NAME OPTIONS...: NAME:OPTION=VALUE,... as gradient_cosine takes it
setting() {
    text=$1 separator=:
    shift
    for word; do
        case $word in *=*) text=$text$separator$word separator=, ;; esac
    done
    echo "$text"
}

# unit NAME SEED NEGATIVES OPTIONS...: one line
unit() {
    name=$1-seed$2 seed=$2 negatives=$3
    shift 3
    set -- $preset --set negatives="$negatives" "$@"
    if [ "$mode" = costs ]; then
        [ "$seed" -ne 1 ] || echo "${name%-seed1} $*"
        return
    fi
    set -- "$@" --epochs "$(epochs_of "$negatives")" $budget --seed "$seed"
    case $mode in
        list) echo "$name $*"; return ;;
        settings) [ "$seed" -ne 1 ] || setting "${name%-seed1}" "$@"; return ;;
    esac
    begin "$name" $file || return 0
    train "" "$@"
    figures --no-baselines
    curve=$(curve)
    finish "\"options\":\"$*\",\"train\":$trained,\"curve\":[$curve],$figures"
}

# Popularity and a first-order Markov chain, once for all units.
baselines() {
    if [ "$mode" = list ]; then echo "baselines"; return; fi
    begin baselines $file || return 0
    figures
    finish "$figures"
}

# Of every setting the least seconds of two epochs and the peak memory of that.
costs() {
    if [ "$mode" = list ]; then echo "costs"; return; fi
    begin costs $file || return 0
    (mode=costs; grid; around) > "$unit/settings"
    while read -r setting options; do
        if time_is_up; then stop_here; fi
        [ ! -s "$unit/cost-$setting" ] || continue
        "$SEQREC" train --data "$DATA/$file" $options --epochs 2 --valid-every 0 --seed 1 --threads "$THREADS" --log "$unit/log" --quiet --json \
            --out "$unit/model" > "$unit/summary" < /dev/null
        awk -v setting="$setting" "$number"'
            FILENAME ~ /log$/ { seconds = number("seconds"); if (!least || seconds < least) least = seconds; next }
            { printf "\"%s\":{\"seconds\":%.9g,\"peak_rss_bytes\":%.0f}\n", setting, least, number("peak_rss_bytes") }
        ' "$unit/log" "$unit/summary" > "$unit/cost-$setting"
        rm -f "$unit/log" "$unit/model"
    done < "$unit/settings"
    finish "\"threads\":$THREADS,\"costs\":{$(cat "$unit"/cost-* | paste -s -d , -)}"
}

# gradient NAME EPOCHS: a training with the full softmax up to here, and how the gradients of all settings point at its weights
gradient() {
    epochs=${EPOCHS:-$2}
    set -- "gradient-$1" $preset --set loss=softmax --set average_epochs=0 --epochs "$epochs" --valid-every 0 --seed 1
    if [ "$mode" = list ]; then echo "$*"; return; fi
    begin "$1" $file || return 0
    shift
    train "" "$@"
    settings=$(mode=settings; grid; around)
    "$GRADIENT" "$unit/$name.safetensors" "$DATA/$file" "$THREADS" 128 "${DRAWS:-20}" $settings > "$unit/gradients"
    finish "\"options\":\"$*\",\"train\":$trained,\"gradients\":[$(paste -s -d , "$unit/gradients")]"
}

grid() {
    unit softmax 1 256 --set loss=softmax # which has no use for the number
    for k in 256 1 4 16 64 1024; do
        unit "sampled_softmax-k$k" 1 $k --set loss=sampled_softmax
        unit "bce-k$k" 1 $k --set loss=bce
        for t in 0.5 0.75 1; do
            unit "gbce-$t-k$k" 1 $k --set loss=gbce --set calibration=$t
        done
    done
}

# changed NAME OPTIONS...: the centre with something changed
changed() {
    changed=$1
    shift
    unit "$changed" 1 256 --set loss=sampled_softmax "$@"
}

around() {
    for alpha in 0.5 0.75 1; do
        changed sampler-popularity-$alpha --set sampler=popularity --set sampler_alpha=$alpha
    done
    for sampler in log_uniform in_batch mixed; do
        changed sampler-$sampler --set sampler=$sampler
    done
    changed sampler-hard_pool-512 --set hard_pool=512
    bucketed
    for rule in exclude_history exclude_target; do
        changed seen-$rule --set seen=$rule
        unit seen-$rule-k16 1 16 --set loss=sampled_softmax --set seen=$rule
    done
    # uniform with classic is no unit: what it subtracts is one constant for all candidates, the target too, and the loss is the centre's.
    changed logq-uniform-corrected --set sampler=uniform --set logq=corrected
    for logq in classic corrected; do
        for sampler in popularity in_batch mixed; do
            changed logq-$sampler-$logq --set sampler=$sampler --set logq=$logq
        done
    done
    changed sharing-batch --set negative_sharing=batch
    unit sharing-batch-k1024 1 1024 --set loss=sampled_softmax --set negative_sharing=batch
}

# Scalable cross-entropy; its buckets of 256 items stand for the negatives.
bucketed() {
    if [ "$mode" = list ] || "$SEQREC" options --markdown | grep '^| .loss. ' | grep -qw sce; then
        unit sampler-sce 1 256 --set loss=sce
    elif [ "$mode" = run ]; then
        echo "SKIP sampler-sce: this program has no loss = sce"
    fi
}

plan() {
    baselines
    costs
    grid
    gradient early 2
    gradient middle 20
    gradient late 60
    for seed in 2 3; do
        unit sampled_softmax-k256 $seed 256 --set loss=sampled_softmax
    done
    around
}

plan
[ "$mode" != run ] || [ ! -f "$OUT" ] || python3 tests/experiments/sampling_report.py "$OUT" "$REPORT"
