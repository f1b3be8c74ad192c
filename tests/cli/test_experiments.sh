#!/bin/sh
# The experiments on a few generated events: units that stop and go on, gradients, the report of what has run.
# SEQREC_PROGRAM names the program, SEQREC_GRADIENT that of the gradients. Prints one line per check; exit 1 when one failed.
experiments=$(cd "$(dirname "$0")/../experiments" && pwd)
GRADIENT=${SEQREC_GRADIENT:-build/tests/gradient_cosine}
case $GRADIENT in /*) ;; *) GRADIENT=$PWD/$GRADIENT ;; esac
. "$(dirname "$0")/shell_checks.sh"
[ -n "$PYTHON" ] || { echo "1..0 # SKIP no python3"; exit 77; }

mkdir data
"$SEQREC" synth --out data/ml-1m.txt --users 300 --items 40 --seed 3 > out 2> err
export SEQREC GRADIENT SEQREC_DATA="$DIR/data" REPORT="$DIR" THREADS=1

experiment() { # SCRIPT OUT NAME=VALUE...: leaves $rc, out and err
    script=$1 lines=$2
    shift 2
    rc=0
    env OUT="$DIR/$lines" WORK="$DIR/work" "$@" sh "$experiments/$script" > out 2> err || rc=$?
}

holds() { # FILE NAME CONDITION on the list `all` of its lines, by unit `by`
    "$PYTHON" -c 'import json, sys
all = [json.loads(line) for line in open(sys.argv[1])]
by = {line["unit"]: line for line in all}
sys.exit(0 if eval(sys.argv[2]) else 1)' "$1" "$3" 2>> err
    verdict $? "$2"
}

one="ONLY=sampled_softmax-k64-seed1 EPOCHS=80"
experiment sampling.sh whole.jsonl $one
exits 0 "a unit in one call"
experiment sampling.sh parts.jsonl $one LIMIT=1
exits 3 "a unit whose time is up"
calls=1
while [ "$rc" -eq 3 ] && [ $calls -lt 100 ]; do
    experiment sampling.sh parts.jsonl $one LIMIT=1
    calls=$((calls + 1))
done
exits 0 "the unit goes on in the next calls"
cat whole.jsonl parts.jsonl > both.jsonl
holds both.jsonl "its figures are those of a unit in one call" "all[0]['E4'] == all[1]['E4'] and all[0]['E1'] == all[1]['E1']"
holds both.jsonl "and so is its curve" "[p[::2] for p in all[0]['curve']] == [p[::2] for p in all[1]['curve']]"
holds parts.jsonl "its summary is that of the whole training" "all[0]['train']['epochs'] == 80 and \
all[0]['train']['seconds'] > 0.9 * all[0]['curve'][-1][1] and not all[0]['train']['interrupted']"
[ -z "$(ls work)" ]
verdict $? "nothing is left of units that are done"

experiment sampling.sh lines.jsonl ONLY=k1-seed1 EPOCHS=4
exits 0 "sampling: losses with one negative"
holds lines.jsonl "sampling: a line each" "list(by) == [loss + '-k1-seed1' for loss in \
('sampled_softmax', 'bce', 'gbce-0.5', 'gbce-0.75', 'gbce-1')]"
holds lines.jsonl "sampling: what a line has" "all[0]['curve'][0][0] == 4 and all[0]['train']['peak_rss_bytes'] > 0 and \
len(all[0]['E2']['breakdown']['model']['decile']) == 10 and all[0]['E4']['nll'] > 0 and ' --set loss=bce ' in all[1]['options']"
experiment sampling.sh lines.jsonl ONLY=k1-seed1 EPOCHS=4
holds lines.jsonl "sampling: units that have their line are skipped" "len(all) == 5"
experiment sampling.sh lines.jsonl ONLY=baselines
experiment sampling.sh lines.jsonl ONLY=gradient-early EPOCHS=1 DRAWS=2
exits 0 "sampling: gradients"
holds lines.jsonl "sampling: the full softmax points at itself" "all[-1]['gradients'][0]['setting'] == 'softmax' and \
abs(all[-1]['gradients'][0]['all']['cosine'] - 1) < 1e-5 and abs(all[-1]['gradients'][0]['all']['ratio'] - 1) < 1e-5"
planned=$(sh "$experiments/sampling.sh" list | wc -l)
[ "$planned" -le 60 ] && grep -q "^\*\*7 of $planned units have run\*\*; without a line so far: softmax-seed1, " sampling.md
verdict $? "report: says what has not run"
grep -q '^| bce | [01]\.[0-9]* | - | - |' sampling.md
verdict $? "report: a figure where a unit has run, none elsewhere"
for picture in seconds bytes gradients; do
    "$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' sampling-$picture.svg 2> err
    verdict $? "report: sampling-$picture.svg is well-formed"
done

awk -F, 'BEGIN { OFS = "\t" } NR > 1 { print $1, $2, 3, 880000000 + 1000 * int(NR / 2) + int(NR / 7) % 5 * 86400 }' data/ml-1m.txt > data/ml-100k.u.data
experiment time.sh time.jsonl ONLY=seed1 EPOCHS=2
exits 0 "time: one seed of every arm"
holds time.jsonl "time: what a line has" "len(all) == 7 and by['hstu-time-seed1']['against']['protocol'] == 'E4' and \
by['hstu-seed1']['E4']['hr@10'] == by['hstu-seed1']['hidden']['hr@10'] and 'request_time' not in by['hstu-seed1']['E4']"
grep -q '^| tisasrec | 1 | [01]' out
verdict $? "time: a row of the table"

experiment paired.sh paired.jsonl SEEDS=1 EPOCHS=2
exits 0 "paired: one seed of every arm"
holds paired.jsonl "paired: what a line has" "len(all) == 11 and by['sse-pt-seed1']['against']['protocol'] == 'E1' and \
by['spectral-seed1']['reference'] == 'softmax-post' and 'against' not in by['softmax-seed1'] and \
by['rec-denoiser-seed1']['against']['a']['hr@10'] == by['rec-denoiser-seed1']['figures']['hr@10']"
grep -q '^| rec-denoiser-seed1 | 0.* | sasrec-50 | [+-][0-9.]* \[[0-9., -]*\] | [+-][0-9.]* \[[0-9., -]*\] | ' out
verdict $? "paired: a row of the table"

"$SEQREC" train --data data/ml-1m.txt --set dim=16 --epochs 3 --out model.st --quiet > out 2> err
popular=loss=sampled_softmax,negatives=32,seen=keep,sampler=popularity,sampler_alpha=1
rc=0
"$GRADIENT" model.st data/ml-1m.txt 1 50 4 \
    shared:loss=sampled_softmax,sampler=host,negatives=40,negative_sharing=batch,seen=keep \
    own:loss=sampled_softmax,sampler=host,negatives=40,seen=keep few:loss=sampled_softmax,negatives=2,seen=keep \
    popular:$popular corrected:$popular,logq=corrected > gradients 2> err || rc=$?
exits 0 "gradients of a model"
sed 's/"setting"/"unit"/' gradients > gradients.jsonl
holds gradients.jsonl "gradients: all items as negatives are the full softmax" "min(by[n][p][f] for n in ('shared', 'own') \
for p in ('all', 'items', 'network') for f in by[n][p]) > 1 - 1e-5 and by['shared']['all']['ratio'] < 1 + 1e-5"
holds gradients.jsonl "gradients: few negatives are not" "by['few']['all']['single_cosine'] < by['few']['all']['cosine'] < 0.999"
holds gradients.jsonl "gradients: the correction takes away what popularity puts in" \
"by['corrected']['all']['expected_cosine'] > 0.99 and by['popular']['all']['expected_cosine'] < by['corrected']['all']['expected_cosine']"
"$GRADIENT" model.st data/ml-1m.txt 1 50 4 wrong:loss=none > out 2> err && rc=0 || rc=$?
exits 1 "gradients: an option that is wrong"
says "is not one of" "gradients: the option's rule is told"

finish
