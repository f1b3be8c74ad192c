#!/bin/sh
# Several --data files: joined they are one file with all their lines, in every command that reads events.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

"$SEQREC" synth --out events.csv --users 200 --items 60 --seed 3 > out 2> err
# Cut in the middle of a user, so that one user is in two files.
head -n 2501 events.csv > first.csv
{ head -n 1 events.csv; sed -n '2502,$p' events.csv; } > second.csv
shared=$(sed -n 2501p events.csv | cut -d, -f1)
[ "$shared" = "$(sed -n 2p second.csv | cut -d, -f1)" ]
verdict $? "the cut is inside a user"

run stats --data events.csv --json
sed 's/"data":"[^"]*"//' out > whole.json
run stats --data first.csv --data second.csv --json
exits 0 "stats of two files"
parses "stats: both files are named" "r['data'] == ['first.csv', 'second.csv']"
sed 's/"data":\[[^]]*\]//' out > joined.json
cmp -s whole.json joined.json
verdict $? "stats: same facts and same hash as of one file"
run stats --data first.csv --data second.csv --users-apart --json
parses "stats: with --users-apart the shared user is two" "r['users'] == 201 and r['items'] <= 60"
run stats --data events.csv --kcore 12,20 --json
sed 's/"data":"[^"]*"//' out > whole.json
run stats --data first.csv --data second.csv --kcore 12,20 --json
sed 's/"data":\[[^]]*\]//' out > joined.json
cmp -s whole.json joined.json
verdict $? "stats: the k-core is that of the whole"

recipe="--set dim=16 --set max_length=20 --quiet --epochs 2 --valid-every 1"
run train --data events.csv $recipe --out whole.st
run train --data first.csv --data second.csv $recipe --out joined.st --json
exits 0 "train on two files"
cmp -s whole.st joined.st
verdict $? "train: same model file as of one file"
run evaluate --model whole.st --data events.csv --json --quiet
sed 's/"data":"[^"]*"//' out > whole.json
run evaluate --model whole.st --data first.csv --data second.csv --json --quiet
exits 0 "evaluate on two files"
sed 's/"data":\[[^]]*\]//' out > joined.json
cmp -s whole.json joined.json
verdict $? "evaluate: same figures as on one file"
run recommend --model whole.st --data events.csv --user "$shared" --json
cp out whole.json
run recommend --model whole.st --data first.csv --data second.csv --user "$shared" --json
[ -s out ] && cmp -s out whole.json
verdict $? "recommend: the history of a user who is in both files"

sed '1!s/^\([0-9]*\),\([0-9]*\)/u\1,item-\2/' second.csv > named.csv
run stats --data first.csv --data named.csv
exits 2 "names and numbers are not mixed"
says "parts\[1\] has names of items and parts\[0\] has numbers" "the message says which file has names"
cut -d, -f1,2 second.csv > untimed.csv
run stats --data first.csv --data untimed.csv
exits 2 "times and no times are not mixed"
run stats --data first.csv --data missing.csv
exits 1 "a missing second file"
says "missing.csv" "the missing file is named"
[ "$(grep -o missing.csv err | wc -l)" -eq 1 ]
verdict $? "the missing file is named once"
run stats --data first.csv --data untimed.csv --time timestamp
exits 1 "a second file without the column"
says "untimed.csv: timestamp column" "a second file without the column is named"
run stats --data first.csv --data untimed.csv --time 3
exits 2 "a second file with fewer columns"
says "untimed.csv: timestamp column 3" "a second file with fewer columns is named"
{ head -n 3 first.csv; echo broken; } > e
run stats --data first.csv --data e
says "seqrec: e: line 4" "a file is named although its name occurs in the message"
run recommend --model e --history 1
says "seqrec: e: " "a model file is named although its name occurs in the message"

finish
