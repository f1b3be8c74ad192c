#!/bin/sh
# The log of a training and the curves drawn from it: one line an epoch, whole after interruptions and resumes.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

small="--set dim=16 --set max_length=20 --quiet"

well_formed() { # FILE NAME: the SVG is XML
    if [ -n "$PYTHON" ]; then "$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$1" 2> err; else grep -q '</svg>' "$1"; fi
    verdict $? "$2"
}

epochs() { # FILE: its epochs, one after another
    sed -n 's/.*"epoch":\([0-9]*\).*/\1/p' "$1" | tr '\n' ' '
}

"$SEQREC" synth --out events.csv --users 200 --items 60 --seed 3 > out 2> err
run train --data events.csv $small --epochs 4 --valid-every 2 --out whole.st --log whole.jsonl --curve whole.svg
exits 0 "train with a log"
[ "$(epochs whole.jsonl)" = "1 2 3 4 " ]
verdict $? "one line an epoch"
cp whole.jsonl out
parses "a line's members" "set(r) == {'epoch', 'targets', 'loss', 'seconds', 'learning_rate', 'metric_name', 'metric', 'improved'}"
head -n 1 whole.jsonl > out
parses "an epoch without validation has no metric" "r['metric'] is None and r['improved'] is False and r['metric_name'] == 'ndcg@10'"

run train --data events.csv $small --epochs 2 --valid-every 2 --out half.st --log half.jsonl --checkpoint half.ckpt
printf '{"epoch":3,"targ' >> half.jsonl # as a process that was killed leaves it
run train --data events.csv --quiet --resume half.ckpt --epochs 4 --out resumed.st --log half.jsonl --curve half.svg
exits 0 "resume with the log"
[ "$(epochs half.jsonl | sed 's/3 3/3/')" = "1 2 3 4 " ] && [ "$(wc -l < half.jsonl)" -eq 5 ]
verdict $? "the log goes on behind a line that was cut short"
timeless() { grep '"targets"' "$1" | sed 's/"seconds":[^,]*,//'; }
timeless whole.jsonl > a
timeless half.jsonl > b
cmp -s a b
verdict $? "but for the seconds, the log is that of a training without interruption"
sed 's/^<text[^>]*bold.*//' whole.svg > a
sed 's/^<text[^>]*bold.*//' half.svg > b
cmp -s a b
verdict $? "the curve of a resumed training shows all its epochs"
run train --data events.csv --quiet --resume half.ckpt --epochs 4 --out resumed.st --log half.jsonl --curve again.svg
cmp -s half.svg again.svg
verdict $? "epochs that are trained again take the place of the earlier ones"
run train --data events.csv $small --epochs 1 --out fresh.st --log half.jsonl
[ "$(epochs half.jsonl)" = "1 " ]
verdict $? "without --resume the log begins anew"
run train --data events.csv $small --epochs 1 --out fresh.st --log missing/log.jsonl
exits 1 "log in a missing folder"

run curve --log whole.jsonl --out curve.svg
exits 0 "curve"
well_formed curve.svg "curve: well-formed"
sed 's/^<text[^>]*bold.*//' curve.svg > b
sed 's/^<text[^>]*bold.*//' whole.svg > a
cmp -s a b
verdict $? "curve: the picture that train draws"
grep -q 'ndcg@10' curve.svg
verdict $? "curve: names the metric"
run curve --log whole.jsonl --out curve.svg --title 'a < b'
grep -q 'a &lt; b' curve.svg
verdict $? "curve: --title"
run curve --log missing.jsonl --out curve.svg
exits 1 "curve of a missing log"
says "missing.jsonl: No such file or directory" "curve of a missing log: told"
printf '{"epoch":1,"loss":"x"}\n{"epoch":2}\n' > lossless.jsonl
run curve --log lossless.jsonl --out curve.svg
exits 1 "curve of epochs without a loss"
run curve --log events.csv --out curve.svg
exits 1 "curve of a file that is no log"
says "has no line of an epoch" "curve of a file that is no log: told"
run curve --out curve.svg
exits 2 "curve without --log"
cat whole.jsonl | "$SEQREC" curve --log /dev/stdin --out piped.svg --title whole.jsonl > out 2> err
"$SEQREC" curve --log whole.jsonl --out curve.svg > out 2> err
cmp -s curve.svg piped.svg
verdict $? "curve of a pipe"
{ cat whole.jsonl; head -c 9 /dev/zero; } > torn.jsonl
run curve --log torn.jsonl --out curve.svg --title whole.jsonl
cmp -s curve.svg piped.svg
verdict $? "curve: zeros as a machine that went down leaves them are passed over"
# A file of 80 MB without a line end, which takes no room on the disk.
dd if=/dev/null of=endless.jsonl bs=1 seek=80000000 2> err
rc=0
(ulimit -v 400000; exec "$SEQREC" curve --log endless.jsonl --out curve.svg > out 2> err) || rc=$?
exits 1 "curve of a line without an end"
says "endless.jsonl: line 1: longer than 67108864 bytes" "curve of a line without an end: told"
rc=0
(ulimit -v 60000; exec "$SEQREC" curve --log endless.jsonl --out curve.svg > out 2> err) || rc=$?
exits 1 "curve: memory that runs out is no end of the log"
says "out of memory" "curve: that memory ran out is told"
rc=0
(ulimit -v 400000; exec "$SEQREC" curve --log /dev/zero --out curve.svg > out 2> err) || rc=$?
exits 1 "curve of a device"
says "/dev/zero: is no regular file" "curve of a device: told"

# ---- what a picture may hold ----
printf '{"epoch":1000000000000000000,"loss":1}\n{"epoch":1000000000000000256,"loss":2}\n' > large.jsonl
rc=0
(ulimit -f 2000; ulimit -t 20; exec "$SEQREC" curve --log large.jsonl --out curve.svg > out 2> err) || rc=$?
exits 0 "curve of epochs that a step does not change"
well_formed curve.svg "curve of epochs that a step does not change: well-formed"
run curve --log whole.jsonl --out curve.svg --title "$(printf 'a\033b \357\277\277 \200')"
well_formed curve.svg "curve: a title with characters that XML lacks is well-formed"
! grep -q "$(printf '\033')" curve.svg && grep -q "$(printf '>a\357\277\275b \357\277\275 \357\277\275<')" curve.svg
verdict $? "curve: U+FFFD stands for what XML lacks"
printf '{"epoch":1,"loss":1,"metric_name":"\\u0001\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244","metric":1}\n' > odd.jsonl
run curve --log odd.jsonl --out curve.svg
exits 0 "curve of a metric with an odd name"
well_formed curve.svg "curve of a metric with an odd name: well-formed"
for pad in '' x; do
    name=$pad$(printf '\303\244%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36).csv
    cp events.csv "$name"
    run train --data "$name" $small --epochs 1 --out x.st --curve curve.svg
    well_formed curve.svg "train: the name of the data is cut between characters (${#pad} before them)"
    grep -q 'on.*'"$(printf '\303\244')</text>" curve.svg
    verdict $? "train: what is left of the name is whole (${#pad} before it)"
done

run train --data events.csv $small --epochs 2 --valid-every 1 --metric gini@5 --out gini.st --json
exits 0 "train by Gini"
parses "train by Gini: the metric is named" "r['metric'] == 'gini@5' and 0 <= r['best_valid'] <= 1"
run train --data events.csv $small --epochs 1 --valid-every 1 --metric mrr --out mrr.st --json
parses "train by MRR" "r['metric'] == 'mrr'"
run train --data events.csv $small --epochs 2 --valid-every 1 --metric loss --out nll.st --json
parses "train by the loss" "r['metric'] == 'loss' and r['best_valid'] > 0"
run train --data events.csv $small --epochs 2 --valid-every 1 --metric novelty@5 --out novelty.st --json
parses "train by novelty" "r['metric'] == 'novelty@5' and r['best_valid'] > 0"
run train --data events.csv $small --epochs 2 --valid-every 1 --metric ece --out ece.st --json
parses "train by calibration" "r['metric'] == 'ece' and r['best_valid'] >= 0"
run train --data events.csv --metric surprise@5 --out x.st
exits 2 "unknown metric"
says "ndcg|hr|mrr|coverage|gini|loss|ece|ece_mass|novelty|diversity|apart_popular" "unknown metric: the others are listed"
run train --data events.csv --metric ndcg@0 --out x.st
exits 2 "cut-off 0"

run train --data events.csv $small --epochs 3 --valid-every 1 --metric ndcg@10 --log two.jsonl --checkpoint two.ckpt --out two.st --quiet
run train --data events.csv --resume two.ckpt --epochs 6 --metric loss --log two.jsonl --curve two.svg --out two.st --quiet
exits 0 "resumed by another metric"
run curve --log two.jsonl --out again.svg
sed 's/^<text[^>]*bold.*//' two.svg > a
sed 's/^<text[^>]*bold.*//' again.svg > b
[ -s a ] && cmp -s a b && [ "$(grep -c '"metric_name":"ndcg@10"' two.jsonl)" -eq 3 ] && [ "$(grep -c '<circle' two.svg)" -le 3 ]
verdict $? "resumed by another metric: the curve has the figures of one"

finish
