#!/bin/sh
# Hyper-parameter search: what is drawn, that a search goes on where it was killed, and that validation alone decides.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

holds() { # FILE NAME CONDITION on the list of objects r: its lines behind the first
    [ -n "$PYTHON" ] || return 0
    "$PYTHON" -c 'import json, math, sys
r = [json.loads(line) for line in open(sys.argv[1])][1:]
sys.exit(0 if eval(sys.argv[2]) else 1)' "$1" "$3" 2> err
    verdict $? "$2"
}

results() { # FOLDER: its results without what depends on time and place, in one order
    sed -n 's/"seconds":[^,]*,//; /^{"trial".*}}$/p' "$1/trials.jsonl" | sort
}

same_results() { # FOLDER FOLDER NAME
    results "$1" > a
    results "$2" > b
    [ -s a ] && cmp -s a b
    verdict $? "$3"
}

"$SEQREC" synth --out events.csv --users 200 --items 60 --seed 3 > out 2> err
space="--range learning_rate=1e-4:1e-1:log --range dim=8:32:int:8 --choice dropout=0.1,0.5"
common="--preset sasrec-softmax --set max_length=20 --set schedule=cosine --valid-every 1 --quiet"
search="--data events.csv $common $space"

# ---- usage ----
refused() { # PART NAME ARGUMENTS: exit 2, and stderr has the part
    part=$1
    name=$2
    shift 2
    run tune --data events.csv --out x "$@"
    [ "$rc" -eq 2 ] && grep -q -e "$part" err
    verdict $? "$name"
}
refused "nothing to search" "no space"
refused "dim = 0 is outside 1 .. 4096" "range below an option's bounds" --range dim=0:8
refused "dim = 9999 is outside" "range above an option's bounds" --range dim=8:9999
refused 'no option "dimm"; the nearest is "dim"' "range of an unknown option" --range dimm=1:8
refused "loss is a choice: use --choice" "range of a choice" --range loss=1:2
refused '"hinge" is not one of bce' "unknown value of a choice" --choice loss=bce,hinge
refused "0.5 must be below 0.1" "range that falls" --range dropout=0.5:0.1
refused "log needs a lower end above 0" "log from 0" --range dropout=0:0.5:log
refused "'step' is none of log, int" "unknown word" --range dim=8:16:step
refused "'0' is none of log, int" "step 0" --range dim=8:16:int:0
refused "must be NAME=LOW:HIGH" "range without bounds" --range dim=8
refused "must be NAME=VALUES" "axis without values" --choice dropout
refused "dim is there twice" "option twice" --range dim=8:16 --choice dim=8,16
refused "epochs is the same for all trials" "the budget as an axis" --range epochs=1:5
refused "halving needs --epochs" "halving without epochs" --range dim=8:16 --method halving
refused "must be random or halving" "unknown method" --range dim=8:16 --method grid
refused "no validation to select by" "split none" --range dim=8:16 --split none
refused "brought by a program that links the library" "a host's sampler" --range dim=8:16 --set sampler=host
refused "brought by a program that links the library" "a host's sampler among the choices" --choice sampler=uniform,host --set negatives=2 --set loss=bce
refused "no validation to select by" "valid_every 0" --range dim=8:16 --valid-every 0
run tune --data events.csv $small --epochs 1 --trials 3 --range calibration=0.1:0.9 --choice loss=bce,softmax --set rotary_base=50 --out unread --quiet
exits 0 "options that no trial reads"
says "calibration is set, and not read: it needs loss=gbce" "an axis that no trial reads is told"
says "rotary_base is set, and not read: it needs relative=rotary" "an option that no trial reads is told"
run tune --data events.csv $small --epochs 1 --trials 6 --range calibration=0.1:0.9 --choice loss=bce,gbce --set negatives=2 --out read --quiet
! grep -q "not read" err
verdict $? "options that some trial reads are not told"
printf 'range dim=8:16 # width\n\nchoise dropout=0.1,0.2\n' > space.txt
refused "space.txt:3: a line is" "broken line of a space" --space space.txt
[ ! -e x ]
verdict $? "wrong usage leaves no folder behind"

# ---- what is drawn: options that do not go together end a trial before it trains ----
run tune --data events.csv --out drawn --trials 600 --set dim=7 --set heads=2 --quiet --json \
    --range learning_rate=1e-4:1e-1:log --range dropout=0.1:0.5 --range negatives=10:31:int:5 --range batch=2:200:log \
    --choice wiring=post_norm,pre_norm,original
exits 1 "all trials fail"
says "heads = 2 must divide dim = 7" "the reason is told"
holds drawn/trials.jsonl "each trial is recorded with its reason" "len(r) == 600 and [x['trial'] for x in r] == list(range(1, 601)) and all(x['metric'] is None and 'heads' in x['error'] for x in r)"
holds drawn/trials.jsonl "log: within bounds, a third of the draws in each decade" \
    "(lambda v: min(v) >= 1e-4 and max(v) <= 1e-1 and all(150 < sum(10.0 ** (-4 + k) <= x < 10.0 ** (-3 + k) for x in v) < 250 for k in range(3)))([float(x['options']['learning_rate']) for x in r])"
holds drawn/trials.jsonl "linear: within bounds, half of the draws in each half" \
    "(lambda v: min(v) >= 0.1 and max(v) <= 0.5 and 250 < sum(x < 0.3 for x in v) < 350)([float(x['options']['dropout']) for x in r])"
holds drawn/trials.jsonl "int with a step: the grid, each point about as often" \
    "(lambda v: set(v) == {'10', '15', '20', '25', '30'} and all(80 < v.count(x) < 160 for x in set(v)))([x['options']['negatives'] for x in r])"
holds drawn/trials.jsonl "an integer option in the logarithm: whole numbers, half of them below the geometric mean" \
    "(lambda v: min(v) >= 2 and max(v) <= 200 and 240 < sum(x < 20 for x in v) < 360)([int(x['options']['batch']) for x in r])"
holds drawn/trials.jsonl "choice: each value about as often" \
    "(lambda v: all(150 < v.count(x) < 250 for x in ('post_norm', 'pre_norm', 'original')))([x['options']['wiring'] for x in r])"
run tune --data events.csv --out fewer --trials 40 --set dim=7 --set heads=2 --quiet --range dropout=0.1:0.5
holds fewer/trials.jsonl "a draw does not depend on the other axes" "[x['options']['dropout'] for x in r] == [json.loads(l)['options']['dropout'] for l in list(open('drawn/trials.jsonl'))[1:41]]"
run tune --data events.csv --out seeded --trials 40 --set dim=7 --set heads=2 --quiet --range dropout=0.1:0.5 --seed 7
results fewer > a
results seeded > b
! cmp -s a b
verdict $? "another seed, other draws"

# ---- random ----
run tune $search --epochs 2 --trials 4 --out random --json --threads 2
exits 0 "random search"
parses "random: JSON, the best first" "r['method'] == 'random' and r['metric'] == 'ndcg@10' and r['trainings'] == 4 and not r['interrupted'] and [x['metric'] for x in r['results']] == sorted((x['metric'] for x in r['results']), reverse=True) and all(x['epochs'] == 2 for x in r['results'])"
cp out first.json
run tune $search --epochs 2 --trials 4 --out again --threads 1
exits 0 "random search as text"
grep -q '^trial .*ndcg@10' out && tail -n 1 out | grep -q '^seqrec train --data events.csv '
verdict $? "text: a table, and the line that trains the winner"
same_results random again "same results at any number of threads"
run tune $search --epochs 2 --trials 4 --out random --json
[ -s out ] && cmp -s out first.json && [ "$(wc -l < random/trials.jsonl)" -eq 5 ]
verdict $? "a search that is done trains nothing more"
run tune $search --epochs 2 --trials 6 --out random --json
parses "more trials go on from those there are" "r['trainings'] == 6"
run tune $search --epochs 3 --trials 4 --out random
exits 2 "a folder of another search"
says "was begun with epochs = 2, not 3" "a folder of another search: the difference is told"
run tune $search --set beta1=0.8 --epochs 2 --out random
says "beta1 = 0.9, not 0.8" "a folder of a search with another option"
# older FOLDER: a copy of the search without the options beta1 and time_unit, as a version wrote it that had neither
older() {
    mkdir "$1"
    sed '1s/"beta1":"[^"]*",//; 1s/"time_unit":"[^"]*",//' random/trials.jsonl > "$1/trials.jsonl"
}
older older
run tune $search --epochs 2 --trials 6 --out older --json
! cmp -s older/trials.jsonl random/trials.jsonl && [ "$rc" -eq 0 ] && [ "$(wc -l < older/trials.jsonl)" -eq 7 ]
verdict $? "a record that is older than an option goes on: the option is at its default there"
run tune $search --set beta1=0.8 --epochs 2 --out older
says "beta1 = 0.9, not 0.8" "a record that is older than an option is another search than one that sets it"
run tune $search --choice beta1=0.8,0.9 --epochs 2 --out older
says "space.beta1 = nothing, not beta1=0.8,0.9" "a record without an axis is another search"
run tune $search --epochs 2 --trials 3 --metric gini@5 --out gini --json
parses "by Gini the lowest is the best" "[x['metric'] for x in r['results']] == sorted(x['metric'] for x in r['results'])"
ls random | grep -q ckpt
[ $? -ne 0 ]
verdict $? "no checkpoint is left behind"

# ---- the winner's line ----
train_winner() { # NAME: runs the line in out.json, whose best validation must be the search's
    [ -n "$PYTHON" ] || return 0
    line=$("$PYTHON" -c 'import json; print(json.load(open("out.json"))["train"])')
    eval "run ${line#seqrec } --quiet --json"
    "$PYTHON" -c 'import json
search, train = json.load(open("out.json")), json.loads(open("out").read())
best = search["results"][0]
assert train["best_valid"] == best["metric"] and train["best_epoch"] == best["best_epoch"], (search, train)' 2>> err
    verdict $? "$1"
}
printf 'range learning_rate=1e-4:1e-1:log\nchoice dropout=0.1,0.5 # both\n' > space.txt
cp events.csv "it's my data.csv"
run tune --data "it's my data.csv" $common --space space.txt --epochs 2 --trials 3 --out "a folder" --json
exits 0 "space from a file, names with blanks"
cp out out.json
train_winner "random: the line trains the winner to the same metric"
awk -F, -v OFS=, 'NR > 1 { $3 = 0 } { print }' events.csv > tied.csv
run tune --data tied.csv --shuffle-ties 7 $common $space --epochs 2 --trials 2 --out tied --json
cp out out.json
train_winner "events at one instant: the line draws their order as the search did"

# ---- halving ----
halving="$search --method halving --trials 9 --epochs 9"
run tune $halving --out halved --json
exits 0 "halving"
cp out out.json
holds halved/trials.jsonl "9 trials to epoch 1, 3 to epoch 3, 1 to epoch 9" "[(x['rung'], x['epochs']) for x in r] == [(1, 1)] * 9 + [(2, 3)] * 3 + [(3, 9)]"
holds halved/trials.jsonl "the best third of each rung goes on" \
    "all({x['trial'] for x in r if x['rung'] == k + 1} == {x['trial'] for x in sorted((x for x in r if x['rung'] == k), key=lambda x: -x['metric'])[:n]} for k, n in ((1, 3), (2, 1)))"
train_winner "halving: the winner, trained in pieces, is what its line trains at once"
run tune $search --method halving --trials 8 --eta 2 --epochs 9 --valid-every 2 --out multiples
holds multiples/trials.jsonl "rungs end with a validation" "[(x['rung'], x['epochs']) for x in r] == [(1, 2)] * 8 + [(2, 4)] * 4 + [(3, 9)] * 2"

# ---- the test part ----
awk -F, 'NR == 1 { print; next } NR > 2 && $1 != user { print last } NR > 2 && $1 == user { print line }
    { user = $1; line = $0; last = $1 "," ($2 % 60 + 1) "," $3 } END { print last }' events.csv > other.csv
! cmp -s events.csv other.csv && [ "$(wc -l < events.csv)" -eq "$(wc -l < other.csv)" ]
verdict $? "the other file differs in test events"
run tune --data other.csv $common $space --method halving --trials 9 --epochs 9 --out other --quiet
same_results halved other "other test events, same results: they are not read"

# ---- interruptions ----
wait_for() { # LINES FILE: until the file has so many
    waited=0
    while [ "$(cat "$2" 2> /dev/null | wc -l)" -lt "$1" ] && [ $waited -lt 200 ]; do
        sleep 0.05
        waited=$((waited + 1))
    done
}
"$SEQREC" tune $halving --out killed > out 2> err &
job=$!
wait_for 4 killed/trials.jsonl
kill -9 $job
wait $job 2> /dev/null
[ "$(wc -l < killed/trials.jsonl)" -lt 14 ]
verdict $? "killed before its end"
printf '{"trial":4,"rung":1,"ep' >> killed/trials.jsonl
run tune $halving --out killed
exits 0 "a search that was killed in the middle of a line goes on"
same_results halved killed "after the kill: same results as without"

"$SEQREC" tune $halving --set batch=2 --out stopped > out 2> err &
job=$!
wait_for 11 stopped/trials.jsonl
run tune $halving --set batch=2 --out stopped
exits 1 "a folder in use"
says "another search is at work" "a folder in use: told"
kill -s INT $job
rc=0
wait $job || rc=$?
[ "$rc" -eq 130 ]
verdict $? "Ctrl-C ends a search with 130"
mkdir foreign
for checkpoint in stopped/*.ckpt; do cp "$checkpoint" foreign; done
for checkpoint in stopped/*.ckpt; do echo junk > "$checkpoint"; done
run tune $halving --set batch=2 --out stopped
exits 0 "goes on after Ctrl-C"
says "is of no use; the trial is trained again" "survivors go on from their checkpoints, which are missed when broken"
run tune $halving --set batch=2 --out straight
same_results stopped straight "after Ctrl-C and with broken checkpoints: same results as without"
ls foreign/*.ckpt > out 2> err
verdict $? "there are checkpoints to be mistaken for one's own"
run tune $halving --out foreign
says "is of no use" "checkpoints of another search are not taken up"
same_results halved foreign "checkpoints of another search change nothing"

# ---- values of events ----
awk -F, -v OFS=, 'NR == 1 { print $0, "rating", "weight"; next } { print $0, NR % 5 + 1, NR % 3 + 1 }' events.csv > rated.csv
awk -F, -v OFS=, 'NR == 9 { $4 = 6 - $4 + 1 } { print }' rated.csv > edited.csv
valued="$common --set dim=8 --choice dropout=0.1,0.5 --epochs 1 --trials 2 --set event_weights=values"
run tune --data rated.csv --value rating $valued --out valued
exits 0 "a search by the values of events"
run tune --data rated.csv --value rating $valued --out valued
exits 0 "the same search by the values of events goes on"
run tune --data rated.csv --value weight $valued --out valued
exits 2 "another column of values is another search"
says "was begun with data_values = " "another column of values is another search: the difference is told"
run tune --data edited.csv --value rating $valued --out valued
exits 2 "an edited column of values is another search"
plain="$common --set dim=8 --choice dropout=0.1,0.5 --epochs 1 --trials 2"
run tune --data rated.csv --value rating $plain --out unvalued
run tune --data edited.csv --value rating $plain --out unvalued
exits 0 "values that nothing learns by are not of the search"
axis="$common --set dim=8 --choice event_weights=none,values --epochs 1 --trials 2"
run tune --data rated.csv --value rating $axis --out axis
run tune --data rated.csv --value weight $axis --out axis
exits 2 "another column of values is another search, where values are tried"
run tune --data rated.csv --value rating $common --set dim=8 --choice dropout=0.1,0.5 --method halving --trials 3 --epochs 3 \
    --set event_weights=values --out pieces
[ "$rc" -eq 0 ] && ! grep -q 'is of no use' err
verdict $? "a trial that learns by values goes on from its own checkpoint"
slow="$common --set dim=8 --choice dropout=0.1,0.5 --method halving --trials 9 --epochs 9 --set batch=2 --set event_weights=values"
"$SEQREC" tune --data rated.csv --value rating $slow --out lost > out 2> err &
job=$!
wait_for 3 lost/trials.jsonl
kill -s INT $job
wait $job || true
ls lost/*.ckpt > out 2> err
verdict $? "there are checkpoints of other values"
rm lost/trials.jsonl
"$SEQREC" tune --data rated.csv --value weight $slow --out lost > out 2> err &
job=$!
wait_for 2 lost/trials.jsonl
kill -s INT $job
wait $job || true
says "trial-1.ckpt: is of no use" "checkpoints of other values are not taken up"

run tune --data rated.csv --value rating $common --set "dropout = 0.2" --choice dropout=0.1,0.5 --trials 1 --epochs 1 --out both
exits 2 "an option that is varied and set"
says "dropout is varied and set by --set" "an option that is varied and set is told"
run tune --data rated.csv --value rating $common --set dim=8 --choice dropout=0.1,0.5 --trials 1 --epochs 1 --split last:x --out split
exits 2 "a split that is none"
run tune --data rated.csv --value rating $common --set dim=8 --choice dropout=0.1,0.5 --trials 1 --epochs 1 --split last:1:3 --out split
exits 0 "a split that is none has begun no search"
run tune --data events.csv --separator=, --trials 1 --epochs 1 --set dim=8 --choice dropout=0.1 --out pasted --quiet
grep -q -e '--separator ,' out
verdict $? "the line to paste has the separator"

finish
