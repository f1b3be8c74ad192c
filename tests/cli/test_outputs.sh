#!/bin/sh
# What the program writes: a file takes its place whole or not at all, and nothing that is there is lost.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

holds() { # FILE TEXT NAME: the file has this text alone
    [ "$(cat "$1")" = "$2" ]
    verdict $? "$3"
}

clean() { # NAME: no temporary is left in the folder
    [ -z "$(find . -name '.seqrec*')" ]
    verdict $? "$1: no temporary is left"
}

small="--data events.csv --set dim=8 --set max_length=10 --epochs 1 --quiet"
tiny() { # ARGUMENTS of seqrec, where a file may have 1,024 bytes: leaves $rc, out and err
    rc=0
    (
        trap '' XFSZ
        ulimit -f 2
        exec "$SEQREC" "$@" > out 2> err
    ) || rc=$?
}

"$SEQREC" synth --out events.csv --users 60 --items 40 --seed 3 > out 2> err
"$SEQREC" train $small --out m.st --log m.jsonl > out 2> err

# ---- what was there stays when a command fails ----
echo old > kept
echo old > kept.npy
echo old > kept.ids.txt
tiny synth --out kept --users 60 --items 40
exits 1 "synth: a disk that is full"
says "kept: cannot be written: File too large" "synth: path and reason are told"
holds kept old "synth: the old file stays"
tiny export --model m.st --out kept
exits 1 "export: a disk that is full"
says "kept.npy: cannot be written: File too large" "export: path and reason are told"
holds kept.npy old "export: the old vectors stay"
holds kept.ids.txt old "export: the old ids stay"
tiny curve --log m.jsonl --out kept
exits 1 "curve: a disk that is full"
says "kept: cannot be written: File too large" "curve: path and reason are told"
holds kept old "curve: the old picture stays"
clean "after failures"
mkdir half.ids.txt
echo old > half.npy
run export --model m.st --out half
exits 1 "export: ids that cannot be written"
says "half.ids.txt: cannot be written: it is a folder, not a regular file" "export: ids that cannot be written: told"
holds half.npy old "export: without ids no vectors"
sed '1!s/^\([0-9]*\),\([0-9]*\)/u\1,it\rem-\2/' events.csv > broken.csv
"$SEQREC" train --data broken.csv --set dim=8 --epochs 1 --quiet --out broken.st > out 2> err
run export --model broken.st --out kept
exits 1 "export: a name with a line end"
says "the name of item 1 holds a line end" "export: a name with a line end is told"
holds kept.npy old "export: a name with a line end is found before anything is written"

# ---- links, pipes, permissions ----
echo old > target
ln -s target link
run synth --out link --users 60 --items 40
exits 0 "synth through a link"
[ -L link ] && [ "$(head -n 1 target)" = user_id,item_id,timestamp ]
verdict $? "synth: the link stays and the file it names is replaced"
ln -s missing nowhere
run curve --log m.jsonl --out nowhere
exits 1 "curve through a link to nowhere"
says "nowhere: cannot be written: the link cannot be followed" "curve through a link to nowhere: told"
mkfifo pipe
run curve --log m.jsonl --out pipe # where opening it would wait for a reader
exits 1 "curve into a pipe"
says "pipe: cannot be written: it is a pipe, not a regular file" "curve into a pipe: told"
[ -p pipe ]
verdict $? "the pipe is still there"
echo old > private
chmod 600 private
run curve --log m.jsonl --out private
[ -n "$(find private -perm 600 -size +1)" ]
verdict $? "the permissions of the file that was there are kept"
(umask 027 && "$SEQREC" curve --log m.jsonl --out fresh > out 2> err)
[ -n "$(find fresh -perm 640)" ]
verdict $? "a new file has the permissions of any new file"
clean "after all"

finish
