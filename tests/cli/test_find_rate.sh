#!/bin/sh
# The learning-rate range test: its rates, its reading of the curve, and that it sees the training part only.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

"$SEQREC" synth --out events.csv --users 400 --items 60 --shortest 12 --seed 3 > out 2> err
small="--data events.csv --preset sasrec-softmax --set dim=16 --set max_length=20 --quiet"

run find-rate $small --steps 100 --from 1e-5 --to 1 --json --curve rate.svg
exits 0 "find-rate"
cp out whole.json
parses "a point for each step, its rates rising by the same factor from --from to --to" \
    "len(r['points']) == r['steps'] and abs(r['points'][0]['rate'] / 1e-5 - 1) < 1e-8 and all(abs(b['rate'] / a['rate'] - 1e5 ** (1 / 99)) < 1e-6 for a, b in zip(r['points'], r['points'][1:]))"
parses "the loss begins at that of a uniform guess over 60 items" "abs(r['points'][0]['loss'] - __import__('math').log(60)) < 0.3"
[ -z "$PYTHON" ] || { tail -n 1 whole.json | "$PYTHON" -c '
import json, math, sys
r = json.loads(sys.stdin.read())
rate, loss, smoothed = ([p[k] for p in r["points"]] for k in ("rate", "loss", "smoothed"))
mean = 0
for i, l in enumerate(loss):
    mean = 0.9 * mean + 0.1 * l
    assert abs(mean / (1 - 0.9 ** (i + 1)) - smoothed[i]) < 1e-6, i
steps, first, window = 100, 10, 5
lowest = min(range(first, len(rate)), key=lambda i: smoothed[i])
def slope(i): return (smoothed[i + window] - smoothed[i - window]) / math.log(rate[i + window] / rate[i - window])
best = min((i for i in range(first + window, len(rate) - window) if i <= lowest), key=slope)
assert slope(best) < 0 and r["suggestion"] == rate[best], (best, r["suggestion"])' 2> err; verdict $? "smoothing and suggestion are as the manual defines them"; }
run find-rate $small --steps 100 --from 1e-5 --to 1 --json --threads 1
[ -s out ] && cmp -s out whole.json
verdict $? "same figures at any number of threads"
grep -q 'learning rate' rate.svg && grep -q 'stroke-dasharray' rate.svg
verdict $? "the curve marks the suggestion"

# Held-out events are other items in another order: nothing of the test may change. The training part is all of a user but two.
awk -F, 'NR == 1 { print; next } { if (NR > 2 && $1 != user) flush(); user = $1; line[++n] = $0 } END { flush() }
    function flush(  i, a, b) { for (i = 1; i <= n - 2; i++) print line[i]; split(line[n - 1], a, ","); split(line[n], b, ",")
        print a[1] "," b[2] "," a[3]; print b[1] "," a[2] "," b[3]; n = 0 }' events.csv > other.csv
! cmp -s events.csv other.csv && [ "$(wc -l < events.csv)" -eq "$(wc -l < other.csv)" ]
verdict $? "the other file differs in held-out events"
run find-rate --data other.csv --preset sasrec-softmax --set dim=16 --set max_length=20 --quiet --steps 100 --from 1e-5 --to 1 --json
sed 's/"data":"[^"]*"//' out > a
sed 's/"data":"[^"]*"//' whole.json > b
[ -s a ] && cmp -s a b
verdict $? "held-out events are not read"
run find-rate --data other.csv --preset sasrec-softmax --set dim=16 --set max_length=20 --quiet --steps 100 --from 1e-5 --to 1 --json --split none
sed 's/"data":"[^"]*"//' out > a
! cmp -s a b
verdict $? "with --split none they are"
run find-rate $small --steps 100 --from 1e-5 --to 1 --json --split last:1:3
[ -s out ] && cmp -s out whole.json
verdict $? "--split last:1:3 is leave-one-out"

run find-rate $small --steps 60 --to 10 --set learning_rate=0.5 --set schedule=cosine --set warmup_steps=1000 --json
parses "a loss that explodes ends the test early" "r['stopped'] in ('diverged', 'not finite') and r['steps'] < 60 and len(r['points']) == r['steps']"
run find-rate $small --steps 40 --from 1e-12 --to 1e-11 --json
parses "rates that do nothing: done to the end" "r['stopped'] is None and r['steps'] == 40"
for preset in sasrec sasrec-sampled-softmax; do
    run find-rate --data events.csv --preset $preset --set dim=16 --set sampler=popularity --set negatives=1 --steps 30 --quiet
    exits 0 "find-rate of $preset as text, with popularity negatives"
done
grep -q 'rate.*smoothed loss' out && [ "$(grep -c '^[0-9]' out)" -ge 20 ]
verdict $? "text: a line for each step"
# Each preset on few events with times and users; what it needs beside is brought along.
"$SEQREC" synth --out few.csv --users 40 --items 60 --shortest 12 --longest 20 --seed 3 > out 2> err
for preset in $("$SEQREC" options --json | "${PYTHON:-false}" -c 'import json, sys; print(*json.load(sys.stdin)["presets"])'); do
    run find-rate --data few.csv --preset $preset --set negatives=20 --steps 20 --json --quiet
    parses "find-rate of $preset" "r['steps'] == 20 and r['points'][0]['loss'] > 0"
done
for option in accumulate=3 known_items=predicted user_embedding=prefix; do
    run find-rate $small --set $option --steps 20 --json
    parses "find-rate with $option" "r['steps'] == 20 and all(p['loss'] is not None for p in r['points'])"
done
run find-rate $small --set event_weights=values --steps 20
exits 1 "find-rate with event_weights=values and events without"
says "events.csv: the events have no values, and event_weights = values weighs by them" "find-rate with event_weights=values and events without: why not"
awk -F, 'NR == 1 { print "user_id,item_id,rating,timestamp" } NR > 1 { print $1 "," $2 "," NR % 5 "," $3 }' few.csv > rated.csv
run find-rate --data rated.csv --preset sasrec --set dim=16 --quiet --set event_weights=values --steps 20 --json
parses "find-rate with event_weights=values" "all(p['loss'] is not None for p in r['points'])"
cp out weighted.json
run find-rate --data rated.csv --preset sasrec --set dim=16 --quiet --steps 20 --json
! cmp -s out weighted.json
verdict $? "find-rate with event_weights=values weighs"
for option in sampler=weights sampler=host; do
    run find-rate $small --set loss=sampled_softmax --set $option --steps 20
    exits 2 "find-rate with $option"
    says "are brought by a program that links the library" "find-rate with $option: why not"
done
run find-rate $small --set loss=softmax --set sampler=host --steps 20
exits 0 "find-rate with a sampler that the loss does not read"
says "sampler is set, and not read" "find-rate with a sampler that is not read: it is told"
run find-rate $small --set schedule=cosine --set schedule_steps=100 --steps 20
! grep -q "not read" err
verdict $? "find-rate: what the test itself leaves out is not told as unread"
run find-rate $small --from 1 --to 0.1
exits 2 "--from above --to"
run find-rate $small --steps 3
exits 2 "too few steps"
run find-rate $small --split time:5
exits 2 "a split that is none"
run find-rate $small --split last:2:3
exits 2 "a split that leaves nothing to train on"
run find-rate $small --split time:200:100
exits 2 "a split whose test starts before its validation is refused, as by train"
says "may not start before" "a split whose test starts before its validation: the rule is told"
cut -d, -f1,2 events.csv | tail -n +2 | tr , ' ' > pairs.txt
run find-rate --data pairs.txt --set dim=8 --quiet --split time:1:2
exits 2 "a split by time of events without times"
run find-rate --steps 30
exits 2 "find-rate without --data"

finish
