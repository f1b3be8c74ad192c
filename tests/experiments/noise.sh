#!/bin/sh
# tests: what noise in the training events costs (the study of Rec-Denoiser, Chen et al. 2022): a share of them is replaced at
# random, sasrec and rec-denoiser are trained on the same events with the same budget and evaluated twice, after histories with
# the noise (as the model met them) and after clean ones. The held-out events are never touched. Behind clean histories rec-denoiser
# is also compared with the sasrec of its noise and seed, user by user (against, in its line). That one's model is kept in
# $WORK/reference until then, and trained again with the same options and seed where it is missing, as on another machine; b of the
# comparison then has the figures of the new one. Each unit appends one JSON line to docs/experiments/noise.jsonl; units.sh says how it
# is stopped and goes on. At the end noise_report.py writes the tables.
#   noise.sh [run]   what is missing, then the report
#   noise.sh list    the units, a line each: name, data and training options
# From the environment also EPOCHS (the most of a training), SEEDS and SHARES.
set -eu
cd "$(dirname "$0")/../.."
OUT=${OUT:-docs/experiments/noise.jsonl}
REPORT=${REPORT:-docs/experiments}
. tests/experiments/units.sh
mode=${1:-run}
case $mode in run|list) ;; *) echo "noise: $mode is neither run nor list" >&2; exit 2 ;; esac

arm() { # MODEL
    case $1 in
        sasrec) echo "--preset sasrec --set max_length=50 --set heads=2" ;;
        rec-denoiser) echo "--preset rec-denoiser" ;;
    esac
}

# unit MODEL STUDY DATA SHARE SEED OPTIONS...: one line. The noise has the seed of the unit: each repetition meets other noise, both
# models the same.
unit() {
    model=$1 study=$2 file=$3 share=$4 seed=$5 of=$4-seed$5 noise="--noise $4 --noise-seed $5" base=$2-sasrec-$4-seed$5
    shift 5
    options="$* --seed $seed"
    if [ "$mode" = list ]; then echo "$study-$model-$of $file $noise $(arm "$model") $options"; return; fi
    begin "$study-$model-$of" "$file" || return 0
    source=$DATA/$data
    train "$noise" $(arm "$model") $options
    figures="--protocol E4 --cutoffs 10"
    noisy=$(evaluate $figures --quiet $noise)
    clean=$(evaluate $figures --no-baselines --quiet)
    members="\"study\":\"$study\",\"arm\":\"$model\",\"share\":$share,\"seed\":$seed,\"noise\":\"$noise\",\"options\":\"$(arm "$model") $options\",\"train\":$trained,\"noisy\":$noisy,\"clean\":$clean"
    if [ "$model" = sasrec ]; then
        keep
        finish "$members"
    else
        reference "$base" "$noise" $(arm sasrec) $options
        members="$members,\"against\":$(against $figures)"
        finish "$members"
        rm "$reference"
    fi
}

study() { # NAME DATA OPTIONS...
    name_of_study=$1 file_of_study=$2
    shift 2
    for seed in ${SEEDS:-1 2 3}; do
        for share in ${SHARES:-0 0.05 0.1 0.15 0.2 0.25}; do
            for model in sasrec rec-denoiser; do unit $model "$name_of_study" "$file_of_study" "$share" "$seed" "$@"; done
        done
    done
}

study ml-100k ml-100k.u.data --epochs "${EPOCHS:-200}" --valid-every 10
study beauty beauty.txt --epochs "${EPOCHS:-100}" --valid-every 10 --set dropout=0.5
if [ "$mode" = run ] && [ -f "$OUT" ]; then python3 tests/experiments/noise_report.py "$OUT" "$REPORT"; fi
