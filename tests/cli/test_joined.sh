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

# ---- users kept apart, by name ----
# alice and bob are in both files, with histories of their own; carol is in the second.
"$SEQREC" synth --out one.csv --users 40 --items 30 --seed 5 > out 2> err
"$SEQREC" synth --out two.csv --users 40 --items 30 --seed 6 > out 2> err
name_users() { # FILE: its users 1, 2, 3 are alice, bob and $1, the others u4, u5, ...
    sed "1!{s/^1,/alice,/; s/^2,/bob,/; s/^3,/$2,/; s/^\\([0-9]\\)/u\\1/}" "$1"
}
name_users one.csv dave > a.csv
name_users two.csv carol > b.csv
users="--preset sse-pt --set dim=8 --set max_length=20 --set learning_rate=0.05 --quiet"
run train --data a.csv --data b.csv --users-apart $users --epochs 2 --out apart.st
exits 0 "train with users who are kept apart"
order() { sed 1d "$1" | cut -d, -f1 | awk '!($0 in seen) { seen[$0] = 1; print }'; }
{ order a.csv; order b.csv; } > numbers # line N has the name of user N
first=$(grep -nx alice numbers | cut -d: -f1 | head -n 1)
second=$(grep -nx alice numbers | cut -d: -f1 | tail -n 1)
carol=$(grep -nx carol numbers | cut -d: -f1)
both="--data a.csv --data b.csv --users-apart"
of_line() { # USER FILE NAME: what --batch gives for the number, behind the history of the user of that name in the file
    echo "$1 $(awk -F, -v who="$3" '$1 == who { printf "%s ", $2 }' "$2")" > line.txt
    "$SEQREC" recommend --model apart.st --batch line.txt --json --quiet 2> err | sed 's/^{"user":"[^"]*",/{/' > wanted.json
}
for case in "$first a.csv alice" "$second b.csv alice" "$carol b.csv carol"; do
    set -- $case
    of_line "$1" "$2" "$3"
    run recommend --model apart.st $both --user "$1" --json
    [ -s out ] && cmp -s wanted.json out
    verdict $? "users apart: user $1 has the history and the vector of that number"
done
run recommend --model apart.st $both --user carol --json
[ -s out ] && cmp -s wanted.json out
verdict $? "users apart: a name that one user has is that user, with the vector of the number"
of_line stranger b.csv carol
[ -s out ] && ! cmp -s wanted.json out
verdict $? "users apart: the vector is not the default one"
run recommend --model apart.st $both --user alice
exits 1 "users apart: a name of two users"
says "a.csv and 1 more: 'alice' is the name of several users: give one of the numbers $first, $second" "users apart: the numbers of a name are told"
run decode --model apart.st $both --user alice --steps 2
exits 1 "decode: a name of two users"
run decode --model apart.st $both --user "$second" --steps 2
exits 0 "decode: a user who is kept apart, by number"
run recommend --model apart.st $both --user 9999
exits 1 "users apart: a number of nobody"
says "has no user 9999" "users apart: a number of nobody is told"

run train --data b.csv $users --epochs 2 --out others.st
"$SEQREC" recommend --model others.st --data b.csv --user carol --json > carol.json 2> err
run recommend --model others.st $both --user carol --json
[ -s out ] && ! cmp -s carol.json out
verdict $? "users apart: a name that the model learnt from other data is another user"
run recommend --model others.st $both --user "$first" --json # a row that has a name
cp out number.json
of_line stranger a.csv alice
"$SEQREC" recommend --model others.st --batch line.txt --json --quiet 2> err | sed 's/^{"user":"[^"]*",/{/' > wanted.json
cmp -s wanted.json number.json
verdict $? "users apart: the number of a user whom the model knows by name is not that user"

printf '%s\ncarol\n' "$second" > chosen.txt
run evaluate --model apart.st $both --users chosen.txt --json --quiet --no-baselines --bootstrap 0
exits 0 "evaluate --users: numbers, and a name that one user has"
parses "evaluate --users: both are counted" "r['users'] == 2"
printf 'carol\nalice\n' > chosen.txt
run evaluate --model apart.st $both --users chosen.txt
exits 1 "evaluate --users: a name of two users"
says "chosen.txt: line 2: 'alice' is the name of several users: give one of the numbers $first, $second" "evaluate --users: line and numbers are told"
printf 'carol\n9999\n' > chosen.txt
run evaluate --model apart.st $both --users chosen.txt
says "chosen.txt: line 2: '9999' is no user of a.csv" "evaluate --users: a number of nobody is told"

finish
