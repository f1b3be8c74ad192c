#!/bin/sh
# recommend --batch: the lists are those of single calls, in order and in constant memory; what a line may look like; Ctrl-C.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"
[ -n "$PYTHON" ] || { echo "1..0 # SKIP no python3"; exit 77; }

small="--set dim=16 --set max_length=20 --quiet"
"$SEQREC" synth --out events.csv --users 300 --items 80 --seed 3 > out 2> err
"$SEQREC" train --data events.csv --preset sasrec-softmax $small --epochs 1 --out m.st > out 2> err
"$SEQREC" export --model m.st --serving served.st > out 2> err

# ---- the lists ----
sed 1d events.csv | awk -F, '{ h[$1] = h[$1] " " $2; if (!($1 in place)) { place[$1] = ++n; user[n] = $1 } }
    END { for (i = 1; i <= 25; i++) print user[i] h[user[i]] }' > histories.txt
echo "stranger 1 987654 2" >> histories.txt # an item that the model lacks
alike() { # NAME ARGUMENTS: each line of --batch has what a single call has
    what=$1
    shift
    : > single.jsonl
    while read -r user items; do
        "$SEQREC" recommend --model m.st --history "$(echo "$items" | tr ' ' ,)" "$@" --json >> single.jsonl 2> err
    done < histories.txt
    run recommend --model m.st --batch histories.txt "$@" --json --quiet
    exits 0 "$what"
    sed 's/^{"user":"[^"]*",/{/' out > batch.jsonl
    [ "$(wc -l < out)" -eq 26 ] && cmp -s single.jsonl batch.jsonl
    verdict $? "$what: line by line what single calls give"
}
alike "recommend --batch"
cut -d' ' -f1 histories.txt > wanted
sed 's/^{"user":"\([^"]*\)".*/\1/' out > got
cmp -s wanted got
verdict $? "recommend --batch: users in the order of the lines"
tail -n 1 out | grep -q '"skipped":1}$' && grep -q '1 items are not in the model and were skipped' err
verdict $? "recommend --batch: unknown items are counted by line and told"
alike "recommend --batch with filters" --k 4 --keep-seen --allow 4,5,6,7,8,987654 --deny 5
printf 'u\377 1 2\n' > latin.txt
run recommend --model m.st --batch latin.txt --json --quiet
exits 1 "recommend --batch: a user that is not UTF-8"
says "latin.txt: line 1: the user is not UTF-8 at its byte 2" "recommend --batch: a user that is not UTF-8 is told"
run recommend --model m.st --batch histories.txt --json --quiet
cp out whole.jsonl
for how in "--block 1" "--block 7 --threads 3" "--block 1000"; do
    run recommend --model m.st --batch histories.txt --json --quiet $how
    [ -s out ] && cmp -s out whole.jsonl
    verdict $? "recommend --batch $how: the same bytes"
done
run recommend --model served.st --map --batch histories.txt --json --quiet
cmp -s out whole.jsonl
verdict $? "recommend --batch --map: the same bytes"
rc=0
"$SEQREC" recommend --model m.st --batch - --json --quiet < histories.txt > out 2> err || rc=$?
exits 0 "recommend --batch -: standard input"
cmp -s out whole.jsonl
verdict $? "recommend --batch -: the same bytes"
cat histories.txt | "$SEQREC" recommend --model m.st --batch - --json > out 2> err
cmp -s out whole.jsonl
verdict $? "recommend --batch - from a pipe: the same bytes"
run recommend --model m.st --batch histories.txt --k 3 --quiet
"$PYTHON" -c 'import json, sys
for text, line in zip(open("out"), open("whole.jsonl")):
    cells, o = text.rstrip("\n").split("\t"), json.loads(line)
    best = o["items"][:3]
    good = cells[0] == o["user"] and cells[1::2] == [str(i["id"]) for i in best] and \
        cells[2::2] == ["%.4f" % i["score"] for i in best]
    if not good: sys.exit(1)' 2>> err
verdict $? "recommend --batch as text: user, then items and scores behind tabs"

# ---- lines ----
lines() { # FORMAT of printf, ARGUMENTS: runs --batch on it
    printf "$1" > lines.txt
    shift
    run recommend --model m.st --batch lines.txt --json --quiet "$@"
}
lines 'a 1 2\nb 3\n'
cp out plain.jsonl
lines '\n\na 1 2\n \t\nb 3\n\n'
exits 0 "empty lines"
cmp -s out plain.jsonl
verdict $? "empty lines are no users"
lines 'a 1 2\r\nb 3\r\n'
cmp -s out plain.jsonl
verdict $? "CR LF"
lines '\357\273\277a\t1  2\nb 3'
cmp -s out plain.jsonl
verdict $? "byte order mark, tabs, no line end at the end"
lines 'a, 1 ,2\nb,3\n' --separator ,
cmp -s out plain.jsonl
verdict $? "--separator"
lines ''
exits 0 "an empty file"
[ ! -s out ]
verdict $? "an empty file gives nothing"
lines 'a 987654 987655\nb 3\n'
exits 0 "a history of unknown items"
sed -n 2p plain.jsonl > second
head -n 1 out | grep -q '^{"user":"a","items":\[\],"skipped":2}$' && sed 1d out | cmp -s - second
verdict $? "a history of unknown items has an empty list, the next its own"
says '1 users have no item of the model' "a history of unknown items is told"
refused() { # NAME PATTERN FORMAT ARGUMENTS
    what=$1 pattern=$2
    shift 2
    lines "$@"
    exits 1 "$what"
    says "$pattern" "$what: line and rule are told"
    cmp -s out plain.jsonl
    verdict $? "$what: what came before is answered, and nothing behind"
}
refused "a word that is no item" "lines.txt: line 4: 'banana' is neither the name of an item" 'a 1 2\n\nb 3\nc 1 banana\nd 4\n'
refused "a user without items" 'lines.txt: line 3: a user without items' 'a 1 2\nb 3\nc\nd 4\n'
refused "an empty item" 'lines.txt: line 3: an empty item' 'a,1,2\nb,3\nc,1,,2\nd,4\n' --separator ,
refused "an empty user" 'lines.txt: line 3: an empty user' 'a,1,2\nb,3\n,1\nd,4\n' --separator ,
refused "a zero byte" 'lines.txt: line 3: a byte of value 0' 'a 1 2\nb 3\nc 1\0002\nd 4\n'
refused "a bad line behind full blocks" 'lines.txt: line 3: a user without items' 'a 1 2\nb 3\nc\nd 4\n' --block 1
run recommend --model m.st --batch missing.txt
exits 1 "a missing file"
says 'missing.txt: No such file' "a missing file is named"
run recommend --model m.st --batch histories.txt --history 1
exits 2 "--batch with --history"
run recommend --model m.st --batch histories.txt --candidates 1
exits 2 "--batch with --candidates"
run recommend --model m.st --batch histories.txt --format csv
exits 2 "--batch with --format csv"
run recommend --model m.st --history 1 --block 5
exits 2 "--block without --batch"
if [ -w /dev/full ]; then
    rc=0
    "$SEQREC" recommend --model m.st --batch histories.txt --quiet > /dev/full 2> err || rc=$?
    exits 1 "full standard output"
fi

printf '987654\n5\n' > deny.txt
lines 'a 1 2\nb 987655\nc 3\n' --deny @deny.txt
cp out whole.list
parses "the unknown ids of a list are of every line" "r['skipped'] == 1"
sed -n 2p out | grep -q '^{"user":"b","items":\[\],"skipped":2}$'
verdict $? "the unknown ids of a list are of a line without any item of the model too"
lines 'a 1 2\nb 987655\nc 3\n' --deny @deny.txt --block 1
[ -s out ] && cmp -s out whole.list
verdict $? "the unknown ids of a list are counted alike in blocks of any size"

# ---- names and users ----
sed '1!s/^\([0-9]*\),\([0-9]*\)/u\1,item \2/' events.csv > named.csv
"$SEQREC" train --data named.csv --preset sse-pt $small --epochs 1 --out named.st > out 2> err
user=$(sed -n 2p named.csv | cut -d, -f1)
history=$(sed -n "s/^$user,\(item [0-9]*\),.*/\1/p" named.csv | paste -s -d '|' -)
printf '%s|%s\nsomebody|item 1|item 2\n' "$user" "$history" > named.txt
run recommend --model named.st --data named.csv --user "$user" --json
cp out known.json
run recommend --model named.st --history 'item 1,item 2' --json
cat known.json out > single.jsonl
run recommend --model named.st --batch named.txt --separator '|' --json --quiet
exits 0 "names, and a model with users"
sed 's/^{"user":"[^"]*",/{/' out > batch.jsonl
cmp -s single.jsonl batch.jsonl
verdict $? "names, and a model with users: what single calls give"
run recommend --model named.st --batch named.txt --separator '|' --k 1 --quiet
tr '\t' / < out | grep -q "^somebody/item [0-9]*/-*[0-9.]*$"
verdict $? "as text: items by name"

# Numbers among the words of a file are names; the model numbers users and items from 1 as they come.
sed '1!{s/^1,/bob,/; s/,1,/,lamp,/}' events.csv | grep -v -e '^3,' -e ',12,' > mixed.csv
"$SEQREC" train --data mixed.csv --preset sse-pt $small --set learning_rate=0.05 --epochs 1 --out mixed.st > out 2> err
printf '3 4 5 lamp\nsomebody 4 5 lamp\n' > lines.txt
run recommend --model mixed.st --batch lines.txt --json --quiet
sed 's/^{"user":"[^"]*",/{/' out | sort -u > alike
[ "$(wc -l < out)" -eq 2 ] && [ "$(wc -l < alike)" -eq 1 ]
verdict $? "a number that is no user's name is nobody, where users have names"
printf 'bob 4 12 5 lamp\nbob 4 5 lamp\n' > lines.txt
run recommend --model mixed.st --batch lines.txt --json --quiet
sed 's/"skipped":1/"skipped":0/' out | sort -u > alike
[ "$(wc -l < out)" -eq 2 ] && head -n 1 out | grep -q '"skipped":1}' && [ "$(wc -l < alike)" -eq 1 ]
verdict $? "a number that is no item's name is unknown, where numbers are names"
run recommend --model mixed.st --history 4,12,5,lamp --json
cp out with.json
run recommend --model mixed.st --history 4,5,lamp --json
sed 's/"skipped":1/"skipped":0/' with.json | cmp -s - out && grep -q '"skipped":1}' with.json
verdict $? "--history: a number that is no item's name is unknown, where numbers are names"
run recommend --model mixed.st --history 4,5 --deny 12 --json
parses "--deny: a number that is no item's name is unknown, where numbers are names" "r['skipped'] == 1"
run recommend --model mixed.st --history 4,5 --candidates lamp,12
exits 1 "--candidates: a number that is no item's name"
says "\-\-candidates: '12' is no item of the model" "--candidates: an unknown item is told as it is written"
run recommend --model named.st --history 1,2 --json
cp out numbers.json
"$SEQREC" export --model named.st --out vectors > out 2> err
pair=$(awk -F'\t' '$1 == 1 || $1 == 2 { name[$1] = $2 } END { print name[1] "," name[2] }' vectors.ids.txt)
run recommend --model named.st --history "$pair" --json
[ -s out ] && cmp -s numbers.json out
verdict $? "--history: ids are taken where no item has a number for its name"

"$SEQREC" train --data events.csv --preset hstu-time $small --set negatives=8 --epochs 1 --out timed.st > out 2> err
run recommend --model timed.st --batch histories.txt
exits 2 "a model with time"
says "its lines have no times, and a model with time = bias reads them" "a model with time needs seconds, and the lines have none"
run recommend --model timed.st --history 1,2
exits 2 "--history without --times, a model with time"
says "\-\-times T,... is needed: a model with time = bias" "--history without --times: the option is named"
run decode --model timed.st --history 1,2 --steps 2
exits 2 "decode: --history without --times, a model with time"
cut -d, -f1,2 events.csv > untimed.csv
user=$(sed -n 2p events.csv | cut -d, -f1)
run recommend --model timed.st --data untimed.csv --user "$user"
exits 1 "events without times, a model with time"
says "untimed.csv: the events have no times, and a model with time = bias reads them" "events without times: the file is named"
untimed="untimed.csv: the events have no times, and a model with time = bias reads them"
for command in "evaluate --model timed.st" "compare --model named.st --model timed.st" "train --preset hstu-time --epochs 1 --out t.st" \
    "find-rate --preset hstu-time --steps 20"; do
    run $command --data untimed.csv
    exits 1 "events without times: ${command%% *}"
    says "$untimed" "events without times: ${command%% *} names the file"
done
run recommend --model timed.st --history 1,2 --times 5,6 --request-time 9
exits 0 "--history with --times"
[ ! -s err ]
verdict $? "--history with --times: nothing is remarked"
run recommend --model named.st --history 1,2 --times 5,6 --request-time 9 --json
cmp -s numbers.json out
verdict $? "--times for a model that reads none"
says "\-\-times: not used" "--times for a model that reads none is told"
says "\-\-request-time: not used" "--request-time for a model that reads none is told"
"$SEQREC" train --data events.csv --preset hstu-time --set time_request=false $small --set negatives=8 --epochs 1 --out own.st --quiet > out 2> err
run recommend --model own.st --history 1,2 --times 5,6 --request-time 9
says "\-\-request-time: not used: the model does not read when it is asked" "--request-time for a model that looks back from events is told"
run recommend --model own.st --history 1,2 --times 5,6 --request-time 3
exits 0 "--request-time that is not read may be early"
! grep -q '\-\-times' err
verdict $? "--times for a model that looks back from events are used"
run evaluate --model named.st --data named.csv --hide-request-time --quiet
says "\-\-hide-request-time: not used: no model reads when it is asked" "--hide-request-time for a model that reads none is told"
run compare --model timed.st --model timed.st --data events.csv --hide-request-time --quiet
exits 0 "compare --hide-request-time"
[ ! -s err ]
verdict $? "compare --hide-request-time of models that read times: nothing is remarked"

# ---- memory ----
cat > peak.py <<'P'
import os, random, subprocess, sys
draw = random.Random(1)
for users, name in ((20000, "few.txt"), (200000, "many.txt")):
    with open(name, "w") as out:
        for u in range(users):
            out.write(f"u{u} " + " ".join(str(draw.randint(1, 80)) for _ in range(draw.randint(1, 8))) + "\n")
    with open(name + ".out", "wb") as out:
        child = subprocess.Popen([sys.argv[1], "recommend", "--model", "m.st", "--batch", name, "--k", "3", "--quiet"], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
    with open(name + ".out", "rb") as text:
        print(status, sum(1 for _ in text) - users, usage.ru_maxrss)
P
"$PYTHON" peak.py "$SEQREC" > out 2> err
# Kilobytes, with 180,000 users more between: 10 bytes a user would show.
awk '$1 || $2 { bad = 1 } { peak[NR] = $3 } END { exit bad || NR != 2 || peak[2] - peak[1] > 1536 }' out
verdict $? "200,000 users in the memory of 20,000"

# ---- Ctrl-C ----
# The pipe stays open in this shell: what comes through it ends with a signal only.
begin() { # runs --batch on the pipe, as $job
    rm -f pipe out
    mkfifo pipe
    "$SEQREC" recommend --model m.st --batch - --k 3 --block 10 < pipe > out 2> err &
    job=$!
    exec 3> pipe
}
wait_for_lines() {
    waited=0
    while [ ! -s out ] && [ $waited -lt 100 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
}
interrupt() { # SIGNAL: leaves $rc
    kill -s "$1" $job
    rc=0
    wait $job || rc=$?
    exec 3>&-
}
for signal in INT TERM; do
    begin
    cat many.txt >&3 2> /dev/null &
    writer=$!
    wait_for_lines
    interrupt $signal
    wait $writer || true
    exits $([ $signal = INT ] && echo 130 || echo 143) "SIG$signal"
    lines=$(wc -l < out)
    [ "$lines" -gt 0 ] && [ "$lines" -lt 200000 ] && head -n "$lines" many.txt.out | cmp -s - out
    verdict $? "SIG$signal: whole lines, those of the first users"
    says "interrupted behind $lines users" "SIG$signal: how many users are written is told"
done
begin
sleep 0.3
interrupt INT
exits 130 "Ctrl-C while nothing comes"
# Nobody reads what the program writes, so that the first signal cannot end it.
mkfifo full
"$SEQREC" recommend --model m.st --batch many.txt --quiet > full 2> err &
job=$!
exec 4< full
sleep 1
kill -s INT $job
sleep 0.3
kill -s TERM $job
(sleep 5; kill -s KILL $job 2> /dev/null) &
late=$!
rc=0
wait $job || rc=$?
exec 4<&-
kill $late 2> /dev/null || true
exits 143 "a second signal ends at once, also another one than the first"
begin
echo a 1 2 >&3
wait_for_lines
[ "$(wc -l < out)" -eq 1 ]
verdict $? "a line is answered before the next one comes"
interrupt INT

finish
