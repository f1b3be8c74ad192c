#!/bin/sh
# The small text files that options name (lists, configurations, spaces, ids): read whole, or refused by file and line.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

"$SEQREC" synth --out events.csv --users 100 --items 60 --seed 3 > out 2> err
small="--data events.csv --set dim=8 --set max_length=20 --epochs 1 --threads 1"
run train $small --out m.st
exits 0 "train"
run export --model m.st --out vectors
exits 0 "export"

long=$(head -c 9000 /dev/zero | tr '\0' 1)
folder=$PWD/folder
mkdir "$folder"
# refuses NAME OPTION FIRST ARGUMENTS: with the file of the option, whose first line FIRST is fine, made wrong in each way
refuses() {
    name=$1 option=$2 first=$3
    shift 3
    printf '%s\n1\0002\n' "$first" > wrong.txt
    run "$@" "$option" "${at}wrong.txt"
    exits 1 "$name: a byte of value 0"
    says "wrong.txt: line 2: a byte of value 0" "$name: a byte of value 0 is told by file and line"
    printf '%s\n%s\n' "$first" "$long" > wrong.txt
    run "$@" "$option" "${at}wrong.txt"
    exits 1 "$name: a line that is too long"
    says "wrong.txt: line 2: longer than 8192 bytes" "$name: a line that is too long is told by file and line"
    run "$@" "$option" "$at$folder"
    exits 1 "$name: a folder"
    says "folder: Is a directory" "$name: a folder is told"
}
# both NAME OPTION FIRST ARGUMENTS: that, and that a byte-order mark is none of the line
both() {
    refuses "$@"
    name=$1 option=$2 first=$3
    shift 3
    printf '\357\273\277%s\n' "$first" > marked.txt
    printf '%s\n' "$first" > plain.txt
    "$SEQREC" "$@" "$option" "${at}plain.txt" > plain.out 2> /dev/null
    run "$@" "$option" "${at}marked.txt"
    sed 's/marked.txt/plain.txt/' out > marked.out
    [ -s out ] && cmp -s plain.out marked.out
    verdict $? "$name: a byte-order mark is no part of the first line"
}
at=@
for option in --history --candidates --allow --deny; do
    case $option in
        --history) both "$option" --history 5 recommend --model m.st --json ;;
        *) both "$option" $option 7 recommend --model m.st --history 5 --json ;;
    esac
done
both "--times" --times 100 recommend --model m.st --history 5 --json
at=
both "evaluate --users" --users 7 evaluate --model m.st --data events.csv --no-baselines --bootstrap 0 --json --quiet
both "train --config" --config "learning_rate = 0.01" find-rate --data events.csv --set dim=8 --steps 20 --quiet
refuses "import --ids" --ids "$(head -n 1 vectors.ids.txt)" import --model m.st --vectors vectors.npy --out x.st
{ printf '\357\273\277'; cat vectors.ids.txt; } > marked.txt
run import --model m.st --vectors vectors.npy --ids marked.txt --out y.st --json
parses "import --ids: a byte-order mark is no part of the first line" "r['updated'] == r['items']"

printf 'choice dropout=0.1,0.2\n1\0002\n' > wrong.txt
run tune $small --space wrong.txt --out t
exits 1 "tune --space: a byte of value 0"
says "wrong.txt: line 2: a byte of value 0" "tune --space: a byte of value 0 is told by file and line"
printf '\357\273\277choice dropout=0.1,0.2\n' > marked.txt
run tune $small --valid-every 1 --space marked.txt --trials 1 --out t --quiet
exits 0 "tune --space: a byte-order mark is no part of the first line"
printf 'range learning_rate=1e-4:1e-2 and more\n' > wrong.txt
run tune $small --space wrong.txt --out t
exits 2 "tune --space: words behind an axis"
says "wrong.txt:1: a line is" "tune --space: words behind an axis are told by file and line"

printf '1\n2\nbanana\n' > words.txt
run recommend --model m.st --history @words.txt
exits 1 "a list with a word that is no item"
says "\-\-history: words.txt: line 3: 'banana' is neither" "a list with a word that is no item: file and line told"
run recommend --model m.st --history 1,2,3 --times @words.txt
says "\-\-times: words.txt: line 3: 'banana' is not a whole number" "times with a word that is none: file and line told"

# ---- settings ----
value=$(head -c 1100 /dev/zero | tr '\0' ' ')16
run train $small --set "dim=$value" --out wide.st
exits 0 "--set of more than 1,023 bytes"
run export --model wide.st --out wide --json
parses "--set of more than 1,023 bytes is read whole" "r['width'] == 16"
mkfifo pipe
printf 'preset = sasrec-softmax\ndim = 16\n' > pipe &
run train --data events.csv --config pipe --epochs 1 --out piped.st --json --quiet
exits 0 "train --config of a pipe"
parses "train --config of a pipe: its preset holds" "r['preset'] == 'sasrec-softmax'"
run export --model piped.st --out piped --json
parses "train --config of a pipe: its options hold" "r['width'] == 16"
printf 'dim = 8\npreset = sasrek\n' > wrong.txt
run train --data events.csv --config wrong.txt --out x.st
exits 2 "a preset of the file that is none"
says "wrong.txt:2: " "a preset of the file that is none: file and line told"

# ---- vectors ----
{ cat vectors.npy; printf 1234; } > longer.npy
run import --model m.st --vectors longer.npy --ids vectors.ids.txt --out x.st
exits 1 "import: bytes behind the last row"
says "longer.npy: goes on behind its last row" "import: bytes behind the last row are told"
LC_ALL=C sed "1s/'shape': ([0-9]*, /'shape': (99999999999999, /" vectors.npy > endless.npy
run import --model m.st --vectors endless.npy --ids vectors.ids.txt --out x.st
exits 1 "import: rows that the file does not have"
says "endless.npy: ends before its last row" "import: rows that the file does not have are told"
sed 2s/.*/"$(sed -n 1p vectors.ids.txt)"/ vectors.ids.txt > double.ids.txt
run import --model m.st --vectors vectors.npy --ids double.ids.txt --out x.st
exits 1 "import: an id that comes twice"
says "vectors.npy: .*twice" "import: an id that comes twice: told with the file"
LC_ALL=C sed "1s/'descr': '/'descr': [/" vectors.npy > bare.npy
run import --model m.st --vectors bare.npy --ids vectors.ids.txt --out x.st
exits 1 "import: a type that is no text"
says "bare.npy: must hold values of type" "import: a type that is no text is told"
# The longest header that is read, with nothing behind the last key.
{
    printf '\223NUMPY\001\000\377\017'
    printf "%-4087s'descr':" "{'fortran_order': False, 'shape': (1, 2),"
    printf 12345678
} > ends.npy
run import --model m.st --vectors ends.npy --ids vectors.ids.txt --out x.st
exits 1 "import: a header that ends behind a key"
says "ends.npy: must hold values of type" "import: a header that ends behind a key is told"
[ ! -e x.st ]
verdict $? "import: nothing written after a failure"

finish
