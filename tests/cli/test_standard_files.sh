#!/bin/sh
# Standard input, output or error that is closed: no file of the program may take its place.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

"$SEQREC" synth --out events.csv --users 100 --items 60 --seed 3 > out 2> err
small="--data events.csv --set dim=8 --set max_length=20 --epochs 2 --valid-every 1 --threads 1"
json_lines() { # FILE NAME: every line is an object
    grep -vq '^{.*}$' "$1"
    [ $? -ne 0 ] && [ -s "$1" ]
    verdict $? "$2"
}

rc=0
"$SEQREC" train $small --out m.st --log log.jsonl > out 2>&- || rc=$?
: > err
exits 0 "train with standard error closed"
json_lines log.jsonl "the log has no messages"
rc=0
"$SEQREC" tune $small --choice dropout=0.1,0.2 --trials 2 --out tuned > out 2>&- || rc=$?
exits 0 "tune with standard error closed"
json_lines tuned/trials.jsonl "the record of a search has no messages"
rc=0
"$SEQREC" train $small --out m.st --log log.jsonl 0<&- 1>&- 2>&- || rc=$?
exits 1 "all closed: results that cannot be written are a failure"
json_lines log.jsonl "all closed: the log has neither results nor messages"
rc=0
"$SEQREC" stats --data events.csv 2> err 1>&- || rc=$?
exits 1 "standard output closed"
says "cannot write to standard output" "standard output closed: told"
rc=0
"$SEQREC" recommend --model m.st --batch - > out 2> err 0<&- || rc=$?
exits 1 "standard input closed"
says "standard input: Bad file descriptor" "standard input closed: told"

finish
