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

"$SEQREC" synth --out kept --users 20000 --items 500 > out 2> err &
job=$!
waited=0
while kill -0 $job 2> /dev/null && [ -z "$(find . -name '.seqrec*' -size +0)" ] && [ $waited -lt 3000 ]; do
    sleep 0.01
    waited=$((waited + 1))
done
kill -s TERM $job 2> /dev/null # a shell lets what it began in the background ignore SIGINT
rc=0
wait $job || rc=$?
[ "$rc" -eq 0 ] || [ "$(cat kept)" = old ] # 0: it was faster
verdict $? "synth: the old file stays when a signal ends it (exit $rc)"
clean "after a signal"
rm kept

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

# ---- an output is neither an input nor another output ----
apart() { # OUTPUT OTHER ARGUMENTS of seqrec: refused because the file of --OUTPUT is that of --OTHER
    output=$1
    other=$2
    shift 2
    run "$@"
    exits 2 "$1: --$output is the file of --$other"
    says "seqrec $1: --$output [^ ]*: is the same file as --$other [^ ]*; it must be another" "$1: --$output is the file of --$other: told"
}

cp events.csv d.csv
cp events.csv e.csv
ln -s d.csv d.link
ln d.csv d.hard
: > d.conf
train="train --data e.csv --data d.csv --set dim=8 --epochs 1 --quiet"
for option in checkpoint log curve; do
    apart $option data $train --out x.st --$option ./d.csv
    apart $option out $train --out x.st --$option x.st
done
apart out data $train --out d.link
apart log data $train --out x.st --log d.hard
apart curve checkpoint $train --out x.st --checkpoint x --curve "$PWD/x"
apart curve config $train --config d.conf --out x.st --curve d.conf
apart curve data find-rate --data d.csv --steps 20 --curve d.csv
apart out model index --model m.st --out m.st
apart out log curve --log m.jsonl --out m.jsonl
apart serving model export --model m.st --serving m.st
apart longer model export --model m.st --longer m.st --max-length 30
cp m.st m.npy
apart out model export --model m.npy --out m
ln -s two two.npy
ln -s two two.ids.txt
: > two
apart out out export --model m.st --out two
"$SEQREC" export --model m.st --out v > out 2> err
apart out vectors import --model m.st --vectors v.npy --ids v.ids.txt --out v.npy
apart out ids import --model m.st --vectors v.npy --ids v.ids.txt --out v.ids.txt
mkdir search
mv d.csv search/trials.jsonl
apart out data tune --data search/trials.jsonl --format csv --out search --range dropout=0.1:0.5
cmp -s events.csv search/trials.jsonl && cmp -s m.st m.npy && [ ! -e x.st ]
verdict $? "what was named twice is as it was"
run import --model m.st --vectors v.npy --ids v.ids.txt --out m.st
exits 0 "import: the model may be the output"
run train $small --out r.st --checkpoint r.ckpt
run train --data events.csv --quiet --resume r.ckpt --epochs 2 --out r.st --checkpoint r.ckpt --log /dev/null --config /dev/null
exits 0 "train: the checkpoint that is resumed may be the output, and /dev/null may be named twice"

# ---- outputs are tried before the work ----
long=$(printf '%0300d' 0)
ln -s none/m.st astray
mkdir folder
early() { # TEXT ARGUMENTS of train: refused with this text before the training
    text=$1
    shift
    rm -f x.st
    run train --data events.csv --set dim=8 --epochs 1 --valid-every 1 --out x.st "$@"
    [ "$rc" -ne 0 ] && [ ! -e x.st ] && ! grep -q epoch err
    verdict $? "train $(printf %.40s "$*"): refused before the training"
    says "$text" "train $(printf %.40s "$*"): why is told"
}
for option in --out --checkpoint --curve --log; do
    early "$option: must not be empty" $option ""
    early "cannot be written: File name too long" $option "$long"
    early "astray: cannot be written: the link cannot be followed: No such file or directory" $option astray
    early "folder: cannot be written: it is a folder" $option folder
    early "none/x: cannot be written: No such file or directory" $option none/x
done
run find-rate --data events.csv --steps 20 --quiet --curve folder
exits 1 "find-rate: a curve that cannot be written"
[ ! -s out ]
verdict $? "find-rate: a curve that cannot be written is refused before the test"

# ---- the log of a training that is refused, and one that cannot be written ----
echo old > old.jsonl
run train --data missing.csv --set dim=8 --epochs 1 --quiet --out x.st --log old.jsonl
exits 1 "train: missing data"
holds old.jsonl old "train: missing data leaves the old log"
run train --data events.csv --set dim=8 --set heads=3 --epochs 1 --quiet --out x.st --log old.jsonl
exits 2 "train: options that do not go together"
holds old.jsonl old "train: options that do not go together leave the old log"
run train --data events.csv --set dim=8 --epochs 1 --quiet --out x.st --log old.jsonl --split last:2:300
exits 2 "train: a split that leaves nothing to train on"
holds old.jsonl old "train: a split that leaves nothing to train on leaves the old log"
run train --data missing.csv --set dim=8 --epochs 1 --quiet --out x.st --log fresh.jsonl
[ ! -e fresh.jsonl ]
verdict $? "train: missing data makes no new log"
run train $small --out m.st --log old.jsonl
exits 0 "train over an old log"
[ "$(wc -l < old.jsonl)" -eq 1 ] && ! grep -q old old.jsonl
verdict $? "train: a training that begins begins its log"
run train --data events.csv --set dim=8 --valid-every 1 --epochs 2 --quiet --out m.st --checkpoint m.ckpt --log m.jsonl
cp m.jsonl as.jsonl
rm -f x.st
run train --data events.csv --quiet --resume m.ckpt --split none --out x.st --log m.jsonl
exits 1 "train: a refused resumption"
cmp -s as.jsonl m.jsonl && [ ! -e x.st ]
verdict $? "train: a refused resumption writes neither log nor model"
mkfifo stream
cat stream > streamed &
run train $small --out x.st --log stream
wait $!
[ "$(wc -l < streamed)" -eq 1 ]
verdict $? "train: a log into a pipe"
if [ -w /dev/full ]; then
    rm -f x.st
    run train $small --epochs 2 --out x.st --log /dev/full --json
    exits 1 "train: a log that cannot be written"
    [ "$(grep -c . err)" -eq 1 ]
    verdict $? "train: a log that cannot be written is told once"
    says "/dev/full: cannot be written: No space left on device; the log lacks epochs" "train: a log that cannot be written: path and reason"
    [ -s x.st ]
    verdict $? "train: the model is saved without its log"
    parses "train: the result is told without its log" "r['epochs'] == 2"
fi
tiny tune --data events.csv --set dim=8 --epochs 1 --quiet --trials 1 --range dropout=0.1:0.5 --out tiny
exits 1 "tune: a record that cannot be written"
says "tiny/trials.jsonl: cannot be written: File too large" "tune: a record that cannot be written: path and reason"
clean "after all"

finish
