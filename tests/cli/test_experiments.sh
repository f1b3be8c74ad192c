#!/bin/sh
# The experiments on a few generated events: units that stop and go on, gradients, forecasts, the reports of what has run.
# SEQREC_PROGRAM names the program, SEQREC_GRADIENT, SEQREC_AUTOREGRESSION and SEQREC_INNER those of the gradients, forecasts and inner places. Prints one
# line per check; exit 1 when one failed.
experiments=$(cd "$(dirname "$0")/../experiments" && pwd)
GRADIENT=${SEQREC_GRADIENT:-build/tests/gradient_cosine}
case $GRADIENT in /*) ;; *) GRADIENT=$PWD/$GRADIENT ;; esac
AUTOREGRESSION=${SEQREC_AUTOREGRESSION:-build/tests/autoregression}
case $AUTOREGRESSION in /*) ;; *) AUTOREGRESSION=$PWD/$AUTOREGRESSION ;; esac
INNER=${SEQREC_INNER:-build/tests/inner_places}
case $INNER in /*) ;; *) INNER=$PWD/$INNER ;; esac
. "$(dirname "$0")/shell_checks.sh"
[ -n "$PYTHON" ] || { echo "1..0 # SKIP no python3"; exit 77; }

mkdir data
"$SEQREC" synth --out data/ml-1m.txt --users 300 --items 1100 --seed 3 > out 2> err
export SEQREC GRADIENT AUTOREGRESSION INNER SEQREC_DATA="$DIR/data" REPORT="$DIR" THREADS=1

experiment() { # SCRIPT OUT NAME=VALUE...: leaves $rc, out and err
    script=$1 lines=$2
    shift 2
    rc=0
    env OUT="$DIR/$lines" WORK="$DIR/work" "$@" sh "$experiments/$script" > out 2> err || rc=$?
}

holds() { # FILE NAME CONDITION on the list `all` of its lines, by unit `by`
    "$PYTHON" -c 'import json, sys
all = [json.loads(line) for line in open(sys.argv[1])]
by = {line.get("unit"): line for line in all}
sys.exit(0 if eval(sys.argv[2]) else 1)' "$1" "$3" 2>> err
    verdict $? "$2"
}

one="ONLY=sampled_softmax-k64-seed1 EPOCHS=40"
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
holds parts.jsonl "its summary is that of the whole training" "all[0]['train']['epochs'] == 40 and \
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
experiment sampling.sh costs.jsonl ONLY=costs
exits 0 "sampling: costs"
holds costs.jsonl "sampling: seconds and bytes of each setting" "len(all[0]['costs']) > 50 and 'bce-k1' in all[0]['costs'] and \
min(c['seconds'] for c in all[0]['costs'].values()) > 0 and min(c['peak_rss_bytes'] for c in all[0]['costs'].values()) > 1e6"
cat costs.jsonl >> lines.jsonl
experiment sampling.sh lines.jsonl ONLY=baselines
experiment sampling.sh lines.jsonl ONLY=gradient-early EPOCHS=1 DRAWS=2
exits 0 "sampling: gradients"
holds lines.jsonl "sampling: the full softmax points at itself" "all[-1]['gradients'][0]['setting'] == 'softmax' and \
abs(all[-1]['gradients'][0]['all']['cosine'] - 1) < 1e-5 and abs(all[-1]['gradients'][0]['all']['ratio'] - 1) < 1e-5"
planned=$(sh "$experiments/sampling.sh" list | wc -l)
[ "$planned" -le 60 ] && grep -q "^\*\*8 of $planned units have run\*\*; without a line so far: softmax-seed1, " sampling.md
verdict $? "report: says what has not run"
grep -q '^| bce | [01]\.[0-9]* | - | - |' sampling.md
verdict $? "report: a figure where a unit has run, none elsewhere"
for picture in orders seconds cost bytes gradients; do
    "$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' sampling-$picture.svg 2> err
    verdict $? "report: sampling-$picture.svg is well-formed"
done
[ "$(grep -o '<circle' sampling-cost.svg | wc -l)" -eq 5 ] && [ "$(grep -o '<circle' sampling-orders.svg | wc -l)" -eq 10 ]
verdict $? "report: every unit is a point of accuracy over seconds"
mkdir around tail
sed 's/"unit":"bce-k1-seed1"/"unit":"sharing-batch-seed1"/' lines.jsonl > around.jsonl
"$PYTHON" "$experiments/sampling_report.py" around.jsonl around > out 2> err
grep -q '| best validation within [0-9]* s |' around/sampling.md && grep -q '^| sharing-batch | [01]\.[0-9]* | - | [01]\.[0-9]* | ' around/sampling.md
verdict $? "report: validation at equal seconds around the centre"
sed 's/"unit":"bce-k1-seed1"/"unit":"sampler-sce-seed1"/' lines.jsonl > tail.jsonl
"$PYTHON" "$experiments/sampling_report.py" tail.jsonl tail > out 2> err
grep -q '>sampler-sce<' tail/sampling-tail.svg && grep -q '<polyline' tail/sampling-tail.svg
verdict $? "report: hits by popularity are drawn"
sh "$experiments/sampling.sh" list > out 2> err
! grep -q '^logq-uniform-classic' out && grep -q '^logq-uniform-corrected' out && grep -q 'no logq-uniform-classic: it subtracts' sampling.md
verdict $? "sampling: a classic logQ over uniform negatives is no unit"

for script in accuracy sampling correction noise; do
    sh "$experiments/$script.sh" list 2> err | cut -d " " -f 1 > out
    [ "$(sort -u out | wc -l)" -eq "$(wc -l < out)" ] && [ "$(wc -l < out)" -gt 40 ]
    verdict $? "$script: a list of the units, none twice"
    sh "$experiments/$script.sh" lst > out 2> err
    [ $? -eq 2 ] && grep -q "^$script: lst is " err && [ ! -s out ]
    verdict $? "$script: a word that is no mode"
done

awk -F, 'BEGIN { OFS = "\t" } NR > 1 { print $1, $2, 3, 880000000 + 1000 * int(NR / 2) + int(NR / 7) % 5 * 86400 }' data/ml-1m.txt > data/ml-100k.u.data
experiment time.sh time.jsonl ONLY=seed1 EPOCHS=2
exits 0 "time: one seed of every arm"
holds time.jsonl "time: what a line has" "len(all) == 9 and by['hstu-time-seed1']['against']['protocol'] == 'E4' and \
by['hstu-seed1']['E4']['hr@10'] == by['hstu-seed1']['hidden']['hr@10'] and 'request_time' not in by['hstu-seed1']['E4']"
grep -q '^| tisasrec | 1 | [01]' out && grep -q '^| tisasrec, hidden | [+-][0-9.]* \[.*\] | [+-][0-9.]* ± [0-9.]* | [+-][0-9.]* ± ' out
verdict $? "time: rows of the tables"

noise() { # ONLY SEEDS [SHARE]
    experiment noise.sh noise.jsonl ONLY="$1" SHARES="${3:-0.2}" SEEDS="$2" EPOCHS=1
}
noise ml-100k-sasrec 1
exits 0 "noise: the model that the other is compared with"
rm work/reference/ml-100k-sasrec-0.2-seed1.safetensors
verdict $? "noise: it is kept"
noise ml-100k 1
grep -q '^again .*/ml-100k-sasrec-0.2-seed1' out
verdict $? "noise: it is trained again where it is missing"
noise ml-100k 2
[ "$rc" -eq 0 ] && ! grep -q '^again ' out && ! ls work/reference | grep -q ml-100k-sasrec
verdict $? "noise: it is kept until the other has been compared"
holds noise.jsonl "noise: the comparison is behind clean histories" "len(all) == 4 and min(\
by['ml-100k-rec-denoiser-0.2-seed' + s]['against'][side][f] == by['ml-100k-' + model + '-0.2-seed' + s]['clean'][f] \
for s in '12' for f in ('hr@10', 'ndcg@10') for side, model in (('a', 'rec-denoiser'), ('b', 'sasrec')))"
noise ml-100k "1 2" 0
grep -q '^| 20 % | 2 | 0[.0-9]* / 0[.0-9]* | 0[.0-9]* / 0[.0-9]* | [+-][0-9.]* ± [0-9.]* | [+-][0-9.]* ± [0-9.]* | [0-9]* % | [0-9]* % |$' noise.md &&
    grep -q '^| 0 % | 0[.0-9]* / 0[.0-9]* | 0[.0-9]* / 0[.0-9]* | 0[.0-9]* / 0[.0-9]* | 0[.0-9]* / 0[.0-9]* |$' noise.md
verdict $? "noise: rows of the tables"
holds noise.jsonl "noise: their difference is a mean over the seeds" "'| %+.4f ± ' % (\
sum(by['ml-100k-rec-denoiser-0.2-seed' + s]['against']['difference']['hr@10'] for s in '12') / 2) in open('noise.md').read()"
grep -q 'ml-100k' noise.md && "$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' noise-ml-100k.svg 2> err
verdict $? "noise: the picture is well-formed"

experiment paired.sh paired.jsonl SEEDS=1 EPOCHS=2 DRAWS=2
exits 0 "paired: one seed of every arm"
holds paired.jsonl "paired: what a line has" "len(all) == 22 and 'figures' not in by['strength-decay-0.98-seed1'] and \
' --set known_power=' + max(('0.25', '0.5', '1'), key=lambda p: by['strength-known-predicted-' + p + '-seed1']['train']['best_valid']) + ' ' in \
by['known-predicted-seed1']['options'] and by['sse-pt-seed1']['against']['protocol'] == 'E1' and \
by['spectral-seed1']['reference'] == 'softmax-post' and 'against' not in by['softmax-seed1'] and \
by['rec-denoiser-seed1']['against']['a']['hr@10'] == by['rec-denoiser-seed1']['figures']['hr@10']"
grep -q '^| rec-denoiser-seed1 | 0[.0-9]* | 0.* | sasrec-50 | [+-][0-9.]* \[[0-9., -]*\] | [+-][0-9.]* \[[0-9., -]*\] | ' out
verdict $? "paired: a row of the table"
holds paired.jsonl "paired: draws of the negatives" "'E1_draws' not in by['hstu-seed1'] and 'against_draws' not in by['fuxi-seed1'] and \
by['sasrec-original-seed1']['E1_draws']['draws'] == by['sse-pt-seed1']['against_draws']['draws'] == 2 and \
max(abs(by['sse-pt-seed1']['against_draws']['difference'][f] - by['sse-pt-seed1']['E1_draws']['model'][f] + \
by['sasrec-original-seed1']['E1_draws']['model'][f]) for f in ('hr@10', 'ndcg@10')) < 1e-7"
grep -q '^| rec-denoiser over sasrec-50 | 1 | 0.* / 0.* | 0.* / 0.* | [+-][0-9.]* ± [0-9.]* | [+-][0-9.]* ± [0-9.]* |$' out &&
    grep -q '^| sse-pt over sasrec-original, 2 draws | 1 | 0' out && grep -q '^| sse-pt-seed1, 2 draws | 0.* | sasrec-original | [+-]' out
verdict $? "paired: a row of a pair"
sed -n 's/^\(| rec-denoiser over sasrec-50 |\) 1 |/\1 2 |/p' out > row
sed 's/-seed1/-seed2/g' paired.jsonl | cat paired.jsonl - > twice.jsonl
"$PYTHON" "$experiments/paired_report.py" twice.jsonl > out 2> err
grep -qxF -f row out
verdict $? "paired: seeds do not narrow an interval over users"

rc=3
calls=0
while [ "$rc" -eq 3 ] && [ $calls -lt 60 ]; do
    experiment best.sh best.jsonl TRIALS=3 EPOCHS=3 SEEDS="1 2" LIMIT=2
    calls=$((calls + 1))
done
exits 0 "best: a search in parts, and two seeds of what it found"
holds best-ml-1m.jsonl "best: the record of the search" "[u.get('rung') for u in all[1:]] == [1, 1, 1, 2] and \
not [u for u in all[1:] if u['epochs'] != 3 ** (u['rung'] - 1) and 'position = reversed' not in (u['error'] or '')] and all[0]['search']['method'] == 'halving'"
sed 's/relative=/relative=no-/' best.jsonl > other.jsonl
cp best-ml-1m.jsonl other-ml-1m.jsonl
experiment best.sh other.jsonl TRIALS=3 EPOCHS=3 SEEDS="1 2 3"
exits 1 "best: seeds of what another search found are not added to"
experiment best.sh best.jsonl TRIALS=4 EPOCHS=3 SEEDS="1 2"
exits 0 "best: nothing is searched when all seeds have their line"
holds best.jsonl "best: what a line has" "list(by) == ['best-ml-1m-seed1', 'best-ml-1m-seed2'] and all[0]['E1']['protocol'] == 'E1' and \
all[1]['E4']['baselines']['markov']['hr@10'] > 0 and '--set relative=' in all[0]['options']"

# ---- positions ----
mkdir plain
awk -F, 'NR > 1 { print $1, $2 }' data/ml-1m.txt > plain/ml-1m.txt
cp plain/ml-1m.txt plain/beauty.txt
positions() { experiment correction.sh correction.jsonl SEQREC_DATA="$DIR/plain" EPOCHS=2 ONLY="$1"; }
positions end-L200-seed1
exits 0 "positions: the table that others are compared with"
export MACHINE="another machine"
positions reversed-L200-seed1
unset MACHINE
exits 0 "positions: an arm of windows of 200 events"
positions beauty-sampled_softmax-reversed
exits 0 "positions: the other table is trained where it is missing"
mkdir -p work/fifth.txt/fifth.txt.part # where mv cannot put a file
positions fifth-sampled_softmax-literal-L50-seed1
[ "$rc" -ne 0 ] && ! grep -q '"unit":"fifth' correction.jsonl
verdict $? "positions: events of a study that cannot be written end it"
rm -r work/fifth.txt work/fifth.txt.part
positions fifth-sampled_softmax-literal-L50-seed1
positions ml-1m-sampled_softmax-t5-L50-seed1
holds correction.jsonl "positions: what a line has" "len(all) == 22 and \
len(by['stop-sampled_softmax-reversed-L200-seed1']['against_end']['breakdown']['difference']['quintile'][0]['ci']['ndcg@10']) == 2 and {'against_end', 'inner'} <= \
set(by['heldout-sampled_softmax-reversed-L200-seed1']) and set(by['ml-1m-sampled_softmax-reversed-L200-seed1']['newest']) == {'20', '50'} and \
set(by['ml-1m-sampled_softmax-t5-L50-seed1']['longer']) == {'100', '200'} and \
by['ml-1m-sampled_softmax-reversed-L200-seed1']['machine'] == 'another machine' and 'machine' not in by['ml-1m-sampled_softmax-t5-L50-seed1'] and \
by['fifth-sampled_softmax-literal-L50-seed1']['train']['users'] == 60 and by['heldout-sampled_softmax-end-L200-seed1']['train']['users'] == 270"
awk '{ if ($1 != user) { user = $1; n = 0 } item[++n] = $2; if (user % 10 == 3 && n > 2) for (i = 1; i <= n; i++) print 1000 * user + n, item[i] }' \
    plain/ml-1m.txt > left.txt
cut -d ' ' -f 1 left.txt | sort -u > asked.txt
cut -d ' ' -f 2 plain/ml-1m.txt | sort -u | sed 's/^/1 /' >> left.txt # so that all items are ranked
"$SEQREC" evaluate --data left.txt --users asked.txt --model work/reference/heldout-sampled_softmax-end-L200-seed1.safetensors --protocol E4 --cutoffs 10 --no-baselines \
    --allow-trained --json --quiet > evaluated.jsonl 2> err
holds correction.jsonl "positions: every inner place is ranked as one user's last event is" "max(abs(by['heldout-sampled_softmax-end-L200-seed1']['inner']['model'][f] - \
json.load(open('evaluated.jsonl'))[f]) for f in ('hr@10', 'ndcg@10')) < 1e-5"
holds correction.jsonl "positions: groups of places and their differences" "not [of for of in \
map(by['heldout-sampled_softmax-reversed-L200-seed1']['inner'].get, ('model', 'difference')) if \
abs(sum(g['places'] * g['ndcg@10'] for g in of['groups'] if g['places']) - of['places'] * of['ndcg@10']) > 1e-3 * of['places'] or \
not of['ci']['ndcg@10'][0] <= of['ndcg@10'] <= of['ci']['ndcg@10'][1]]"
"$SEQREC" synth --out long.csv --users 5 --items 1100 --shortest 202 --longest 230 --seed 3 > out 2> err
"$INNER" work/reference/heldout-sampled_softmax-end-L200-seed1.safetensors long.csv > older.jsonl 2> err
holds older.jsonl "positions: answers with older events in front" "all[0]['older']['users'] == 5 and \
[row['older'] for row in all[0]['older']['rows']] == [0, 1, 10, 50, 150] and all[0]['older']['rows'][0]['changed'] == 0 and \
all[0]['older']['rows'][0]['overlap@10'] == 1 and 0 < all[0]['older']['rows'][1]['changed'] < all[0]['older']['rows'][4]['changed']"
mkdir older
sed 's/"older":{"users":0/"older":{"users":5/' correction.jsonl > older.jsonl
"$PYTHON" "$experiments/correction_report.py" older.jsonl older > out 2> err
grep -A4 '^What older events change: the 5' older/correction.md | grep -q '^| end | [0-9]* / [0-9]* | '
verdict $? "positions: what older events change is a table"
grep -q '^| reversed | 3 | [01]\.[0-9]* | [01]\.[0-9]* | [+-][0-9.]* ± [0-9.]* | [+-]' correction.md && grep -q '^| \*markov\* | - | [01]' correction.md
verdict $? "positions: rows of the page"
grep -A4 '^Minus end, of each fifth:' correction.md | grep -q '^| reversed | [+-][0-9.]* ± [0-9.]* | [+-]'
verdict $? "positions: gains by fifths have their intervals"
for picture in ml-1m-softmax-200-E4 heldout-sampled_softmax-200-inner; do
    "$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' correction-$picture.svg 2> err
    verdict $? "positions: correction-$picture.svg is well-formed"
done

! grep -l "$DIR" ./*.jsonl > out
verdict $? "lines have no path of this machine"

# ---- forecasts ----
mkdir long
"$SEQREC" synth --out events.csv --users 60 --items 80 --shortest 25 --longest 45 --seed 5 > out 2> err
awk -F, 'NR > 1 { print $1, $2 }' events.csv > long/ml-1m.txt
awk -F, 'BEGIN { OFS = "\t" } NR > 1 { print $1, $2, 3, 880000000 + 86400 * int(NR / 3) }' events.csv > long/ml-100k.u.data
forecasts() {
    experiment autoregression.sh forecasts.jsonl SEQREC_DATA="$DIR/long" ONLY=-softmax EPOCHS=3
}
forecasts
exits 0 "autoregression: one model"
holds forecasts.jsonl "autoregression: a line for each study whose data is there" "list(by) == ['ml-1m-softmax', 'ml-100k-softmax']"
holds forecasts.jsonl "autoregression: what a line has" "min(u['train']['split'] == 'last:20:30' and u['E4']['ndcg@10'] > 0 \
and len(u['forecast']['decoders']) == 9 and u['forecast']['users'] > 20 for u in by.values())"
holds forecasts.jsonl "autoregression: events at one instant" "by['ml-100k-softmax']['forecast']['timed'] and \
2 < by['ml-100k-softmax']['forecast']['events_per_instant'] < 3 and not by['ml-1m-softmax']['forecast']['timed'] and \
min(d['hit'] == d['hit_set'] for d in by['ml-1m-softmax']['forecast']['decoders'].values()) and \
min(a <= b for d in by['ml-100k-softmax']['forecast']['decoders'].values() for a, b in zip(d['hit'], d['hit_set']))"
grep -q '^\*\*2 of 18 units have run\*\*; without a line so far: beauty-softmax, ' autoregression.md
verdict $? "autoregression: the page says what has not run"
grep -q '^| softmax | sample-0.7 | [01]\.[0-9]* |' autoregression.md && grep -q 'events to an instant' autoregression.md
verdict $? "autoregression: rows of the page"
for picture in ml-1m-ranks ml-1m-hits ml-100k-popularity; do
    "$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' autoregression-$picture.svg 2> err
    verdict $? "autoregression: autoregression-$picture.svg is well-formed"
done
printf '\n## What this says\n\nBy hand.\n' >> autoregression.md
cp autoregression.md written.md
forecasts
grep -q 'have ml-1m-softmax' out && cmp -s autoregression.md written.md
verdict $? "autoregression: conclusions are kept"

"$SEQREC" train --data long/ml-1m.txt --preset sasrec-softmax --set dim=16 --split last:5:30 --epochs 15 --out far.st --quiet > out 2> err
"$AUTOREGRESSION" far.st long/ml-1m.txt 1 5 30 0 1 > far.json 2> err
"$AUTOREGRESSION" far.st long/ml-1m.txt 3 5 30 0 1 > threads.json 2>> err
"$AUTOREGRESSION" far.st long/ml-100k.u.data 1 5 30 0 1 > timed.json 2>> err
sed 's/"milliseconds":[^}]*//g' far.json > a
sed 's/"milliseconds":[^}]*//g' threads.json > b
[ -s a ] && cmp -s a b
verdict $? "forecasts: the same figures at any number of threads"
cat > by_program.py <<'P'
# Lists, paths and places once more, by recommend, decode and evaluate; the figures from their definitions.
import json, math, subprocess, sys
seqrec, H = sys.argv[1], 5
said = json.load(open("far.json"))
def call(*arguments):
    return [json.loads(line) for line in subprocess.run([seqrec, *arguments, "--model", "far.st", "--json"], check=True,
                                                        capture_output=True, text=True).stdout.splitlines()]
users = {}
for line in open("long/ml-1m.txt"):
    user, item = line.split()
    users.setdefault(user, []).append(int(item))
everyone, users = users, {u: events for u, events in users.items() if len(events) >= 30}
with open("before.txt", "w") as out:
    for u, events in users.items():
        out.write(" ".join([u] + [str(i) for i in events[:-H]]) + "\n")
def same(a, b, what):
    assert abs(a - b) < 2e-5 * max(1, abs(b)), (what, a, b)
def check(name, lists):
    recall, ndcg, hit = 0, 0, [0] * H
    for events, items in zip(users.values(), lists):
        truth = events[-H:]
        recall += len(set(items[:10]) & set(truth)) / len(set(truth))
        ndcg += sum(1 / math.log2(2 + i) for i, item in enumerate(items[:20]) if item in truth) / \
            sum(1 / math.log2(2 + i) for i in range(len(set(truth))))
        hit = [n + (item == true) for n, item, true in zip(hit, items, truth)]
    figures, n = said["decoders"][name], len(users)
    same(figures["recall@10"], recall / n, name + " recall")
    same(figures["ndcg@20"], ndcg / n, name + " ndcg")
    for h in range(H):
        same(figures["hit"][h], hit[h] / n, name + " hit")
count, pairs = {}, {}
for u, events in everyone.items():
    kept = events[:-H - 1] if u in users else events
    for i, item in enumerate(kept):
        count[item] = count.get(item, 0) + 1
        if i: pairs[kept[i - 1], item] = pairs.get((kept[i - 1], item), 0) + 1
def counted(score):
    return [sorted(set(catalogue) - set(events[:-H]), key=lambda item: (score(events[-H - 1], item), item))[:20]
            for events in users.values()]
catalogue = {item for events in everyone.values() for item in events}
check("popular", counted(lambda last, item: -count.get(item, 0)))
check("markov", counted(lambda last, item: (-pairs.get((last, item), 0), -count.get(item, 0))))
assert said["users"] == len(users) and max(said["decoders"]["oneshot"]["hit"]) > 0
check("oneshot", [[i["id"] for i in line["items"]] for line in call("recommend", "--batch", "before.txt", "--k", "20", "--quiet")])
def paths(*how):
    return [[i["id"] for i in call("decode", "--history", ",".join(map(str, events[:-H])), "--steps", "20", *how)[0]["paths"][0]["items"]]
            for events in users.values()]
greedy = paths()
check("greedy", greedy)
check("mmr-0.7", [[i["id"] for i in line["items"]] for line in (call("recommend", "--history", ",".join(map(str, events[:-H])), "--k", "20",
                 "--mmr", "0.7", "--mmr-pool", str(len(catalogue)))[0] for events in users.values())])
check("beam", paths("--method", "beam"))
with open("chosen.txt", "w") as out:
    out.write("\n".join(users))
report = call("evaluate", "--data", "long/ml-1m.txt", "--users", "chosen.txt", "--beyond", "--no-baselines", "--quiet")[-1]
same(said["rank"]["mrr_true"][0], report["mrr"], "mrr of the first step")
same(said["teacher"]["nats"][0], report["nll"], "nats of the first step")
same(said["rank"]["mrr_made"][0], report["mrr"], "both prefixes are empty at the first step")

def ranks(prefixes, h, members):
    """Of the best of each user's members(u) behind prefix[0, h); None where the prefix has them all."""
    with open("behind.txt", "w") as out:
        for (u, events), prefix in zip(users.items(), prefixes):
            out.write(" ".join([u] + [str(i) for i in events[:-H] + prefix[:h]]) + "\n")
    found = []
    for (u, events), prefix, line in zip(users.items(), prefixes,
                                         call("recommend", "--batch", "behind.txt", "--k", "1000", "--keep-seen", "--quiet")):
        scores = {i["id"]: i["score"] for i in line["items"]}
        gone = set(events[:-H]) | set(prefix[:h])
        found.append(min((1 + sum(s > scores[m] for i, s in scores.items() if i != m and i not in gone)
                          for m in members(u) if m not in prefix[:h]), default=None))
    return found
def check_ranks(figures, h, members):
    pairs = [(a, b) for a, b in zip(ranks([e[-H:] for e in users.values()], h, members), ranks(greedy, h, members)) if a and b]
    same(figures["pairs"][h], len(pairs), "pairs")
    for i, key in enumerate(("true", "made")):
        same(figures[key][h], math.exp(sum(math.log(p[i]) for p in pairs) / len(pairs)) if pairs else 0, "ranks " + key)
        same(figures["mrr_" + key][h], sum(1 / p[i] for p in pairs) / len(pairs) if pairs else 0, "mrr " + key)
timed, times = json.load(open("timed.json")), {}
for line in open("long/ml-100k.u.data"):
    user, _, _, time = line.split()
    times.setdefault(user, []).append(int(time))
def instant(h):
    def members(u):
        tail = times[u][-H:]
        return [] if h and tail[h - 1] == tail[h] else [i for i, t in zip(users[u][-H:], tail) if t == tail[h]]
    return members
for h in range(H):
    check_ranks(said["rank"], h, lambda u: [users[u][h - H]])
    check_ranks(timed["set_rank"], h, instant(h))
assert said["rank"]["pairs"] != timed["set_rank"]["pairs"] and timed["rank"] == said["rank"]
same(said["calibration"]["right"][0], sum(said["teacher"]["hit"]) / H, "hits of the teacher")
same(said["calibration"]["right"][1], sum(said["decoders"]["greedy"]["hit"]) / H, "hits of the greedy path")
P
"$PYTHON" by_program.py "$SEQREC" 2> err
verdict $? "forecasts: what recommend, decode and evaluate give"
"$AUTOREGRESSION" far.st long/ml-1m.txt 1 5 6 0 1 > out 2> err && rc=0 || rc=$?
exits 2 "forecasts: users too short for their horizon"
"$AUTOREGRESSION" far.st long/ml-1m.txt 1 5 300 0 1 > out 2> err && rc=0 || rc=$?
exits 1 "forecasts: nobody is long enough"

"$SEQREC" synth --out few.csv --users 300 --items 40 --seed 3 > out 2> err
"$SEQREC" train --data few.csv --set dim=16 --epochs 3 --out model.st --quiet > out 2> err
popular=loss=sampled_softmax,negatives=32,seen=keep,sampler=popularity,sampler_alpha=1
rc=0
"$GRADIENT" model.st few.csv 1 50 4 \
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
for form in joint separate; do
    "$SEQREC" train --data few.csv --set dim=16 --set loss=softmax --set targets=3 --set target_form=$form --epochs 2 --out several.st --quiet > out 2> err
    rc=0
    "$GRADIENT" several.st few.csv 1 50 2 shared:loss=sampled_softmax,sampler=host,negatives=40,negative_sharing=batch,seen=keep \
        one:targets=1,loss=softmax > gradients 2> err || rc=$?
    sed 's/"setting"/"unit"/' gradients > gradients.jsonl
    holds gradients.jsonl "gradients: several targets, $form: all items as negatives are the full softmax, one target is not" \
        "min(by['shared'][p]['cosine'] for p in ('all', 'items', 'network')) > 1 - 1e-5 and by['one']['all']['cosine'] < 0.99"
done
"$GRADIENT" model.st few.csv 1 50 4 wrong:loss=none > out 2> err && rc=0 || rc=$?
exits 1 "gradients: an option that is wrong"
says "is not one of" "gradients: the option's rule is told"

finish
