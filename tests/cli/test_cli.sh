#!/bin/sh
# The seqrec program's contract: results, JSON, messages, exit codes, Ctrl-C and resume, on small generated data.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
SEQREC=${SEQREC_PROGRAM:-build/seqrec}
[ -x "$SEQREC" ] || { echo "SEQREC_PROGRAM=$SEQREC is no program"; exit 2; }
case $SEQREC in /*) ;; *) SEQREC=$PWD/$SEQREC ;; esac
DIR=$(mktemp -d) || exit 2
trap 'rm -rf "$DIR"' EXIT
cd "$DIR" || exit 2
PYTHON=$(command -v python3 || true)
count=0
failed=0

verdict() { # RESULT NAME: RESULT is 0 when the check holds
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $count - $2"
    else
        failed=$((failed + 1))
        echo "not ok $count - $2"
        sed 's/^/#   out: /' out | tail -n 5
        sed 's/^/#   err: /' err | tail -n 5
    fi
}

run() { # ARGUMENTS of seqrec: leaves $rc, out and err
    rc=0
    "$SEQREC" "$@" > out 2> err || rc=$?
}

exits() { # CODE NAME
    [ "$rc" -eq "$1" ]
    verdict $? "$2 (exit $rc, expected $1)"
}

says() { # PATTERN NAME: stderr has it
    grep -q -e "$1" err
    verdict $? "$2"
}

parses() { # NAME [CONDITION on the object r]: the last line of stdout is one JSON object for which it holds
    if [ -n "$PYTHON" ]; then
        tail -n 1 out | "$PYTHON" -c 'import json, sys
try:
    r = json.loads(sys.stdin.read(), parse_constant=lambda s: 1 / 0)
    good = isinstance(r, dict) and eval(sys.argv[1])
except Exception as problem:
    good = print(repr(problem), file=sys.stderr)
sys.exit(0 if good else 1)' "${2:-True}" 2>> err
    else
        tail -n 1 out | grep -q '^{.*}$'
    fi
    verdict $? "$1"
}

small="--set dim=16 --set max_length=20 --quiet"

# ---- usage ----
run
exits 2 "without arguments: usage"
says "Usage: seqrec COMMAND" "without arguments: short help on stderr"
run --help
exits 0 "--help"
run --version
exits 0 "--version"
grep -q '^seqrec [0-9]*\.[0-9]*\.[0-9]*$' out
verdict $? "--version prints the version"
for command in train evaluate recommend synth stats options export import bench; do
    run $command --help
    exits 0 "$command --help"
done
run trian
exits 2 "unknown command"
says "did you mean 'train'" "unknown command: nearest name"
run train --dta x
exits 2 "unknown option"
says "unknown option --dta; did you mean --data?" "unknown option: nearest name"
run train --data
exits 2 "option without value"
says "\-\-data needs a value" "option without value: named"
run train --data --out x
exits 2 "option in place of a value"
run train stray
exits 2 "argument that is no option"
run train --out m
exits 2 "train without --data"
run train --data events.csv
exits 2 "train without --out"
run train --data x --out m --threads 0
exits 2 "threads below their bound"
says "\-\-threads 0: must be from 1 to 256" "threads: option and rule"
run train --data x --out m --threads two
exits 2 "threads that are no number"
run train --json=1 --data x --out m
exits 2 "flag with a value"
run train --data x --out m --preset sasrek
exits 2 "unknown preset"
says "sasrec" "unknown preset: names one"
run train --data x --out m --set dimm=16
exits 2 "unknown library option"
says "dim" "unknown library option: names the nearest"
run train --data x --out m --set dim=abc
exits 2 "library option that is no number"
run train --data x --out m --set dim=0
exits 2 "library option out of bounds"
run train --data x --out m --set dim
exits 2 "--set without ="
run train --data x --out m --kcore 5
exits 2 "--kcore with one number"
run train --data x --out m --resume c --preset sasrec
exits 2 "--resume with --preset"
run evaluate --data x --no-baselines
exits 2 "nothing to evaluate"
run evaluate --data x --cutoffs 0
exits 2 "cut-off 0"
run recommend --model m
exits 2 "recommend without history"
run recommend --model m --history 1 --data x
exits 2 "two histories"
run synth --out x.csv --drift 2
exits 2 "synth: chance above 1"
run options --json --markdown
exits 2 "two forms of output"
printf 'dim = 16\n# a comment\nblokcs = 2\n' > bad.conf
run train --data x --out m --config bad.conf
exits 2 "configuration file with an unknown option"
says "bad.conf:3:" "configuration file: line named"
printf 'dim 16\n' > bad.conf
run train --data x --out m --config bad.conf
exits 2 "configuration file with a line without ="
run train --data x --out m --config missing.conf
exits 1 "missing configuration file"

# ---- data ----
run synth --out events.csv --users 300 --items 80 --seed 3 --json
exits 0 "synth"
parses "synth: JSON with the ceiling" "0 < r['ceiling']['hr@10'] <= 1 and 0 < r['ceiling']['ndcg@10'] <= r['ceiling']['hr@10']"
[ "$(head -n 1 events.csv)" = user_id,item_id,timestamp ]
verdict $? "synth: header of the CSV"
"$SEQREC" synth --out again.csv --users 300 --items 80 --seed 3 > out 2> err && cmp -s events.csv again.csv
verdict $? "synth: same seed, same bytes"
run synth --out missing/events.csv
exits 1 "synth into a missing folder"
run stats --data events.csv --json
exits 0 "stats"
parses "stats: JSON" "r['users'] == 300 and r['items'] <= 80 and r['events'] > 300 and 0 < r['density'] and len(r['length_quantiles']) == 5 and 'repeats' in r and 'ties' in r"
run stats --data events.csv
exits 0 "stats as text"
run stats --data missing.csv
exits 1 "missing file"
says "missing.csv" "missing file: named"
{ sed -n 1,4p events.csv; echo 7; sed -n '5,$p' events.csv; } > broken.csv
run stats --data broken.csv
exits 1 "malformed line"
says "broken.csv: line 5" "malformed line: file and number told"
run stats --data events.csv --format nonsense
exits 2 "unknown format"
run stats --data events.csv --kcore 5,5 --json
exits 0 "k-core"
cut -d, -f1,2 events.csv | tail -n +2 | tr , ' ' > pairs.txt
run stats --data pairs.txt --json
parses "pairs: same users as the CSV" "r['users'] == 300 and not r['timestamps']"

# ---- training ----
run train --data events.csv --preset sasrec-softmax $small --epochs 4 --valid-every 2 --seed 5 --threads 2 --out m.st \
    --metrics metrics.jsonl --curve curve.svg --json
exits 0 "train"
parses "train: JSON" "r['epochs'] == 4 and r['seconds_per_epoch'] > 0 and r['tokens_per_second'] > 0 and r['peak_rss_bytes'] > 1e6 and 0 <= r['best_valid'] <= 1 and r['best_epoch'] in (2, 4) and r['preset'] == 'sasrec-softmax' and r['seed'] == 5 and r['threads'] == 2 and len(r['data_hash']) == 16"
[ "$(wc -l < out)" -eq 1 ]
verdict $? "train: stdout has the JSON only"
[ "$(wc -l < metrics.jsonl)" -eq 4 ]
verdict $? "train: one line of metrics per epoch"
cp metrics.jsonl out
parses "train: metrics are JSON" "r['epoch'] == 4 and r['loss'] > 0 and r['metric'] is not None"
if [ -n "$PYTHON" ]; then
    "$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' curve.svg 2> err
    verdict $? "train: the curve is well-formed"
fi
run train --data events.csv --preset sasrec-softmax --set dim=16 --set max_length=20 --epochs 4 --valid-every 2 --seed 5 \
    --threads 1 --out m1.st
exits 0 "train with text output"
cmp -s m.st m1.st
verdict $? "train: same bytes at 1 and 2 threads"
! grep -q "$(printf '[\r\033]')" out err
verdict $? "no carriage return or escape where there is no terminal"
grep -q ndcg err
verdict $? "progress lines on stderr"
run train --data events.csv --preset rec-denoiser $small --epochs 2 --noise 0.2 --out g.st --json
exits 0 "train with gates and noise"
parses "train: gates and noise" "r['preset'] == 'rec-denoiser' and r['noise'] == 0.2 and len(r['gates_open']) == 2 and all(0 <= g <= 1 for g in r['gates_open'])"
run train --data events.csv --preset rec-denoiser $small --epochs 1 --out g1.st
grep -q 'open gates by block: ' out
verdict $? "train: gates in text"
run evaluate --data events.csv --model g.st --noise 0.2 --no-baselines --json
exits 0 "evaluate with the noise of the training"
cp out noisy
run evaluate --data events.csv --model g.st --no-baselines --json
! cmp -s out noisy
verdict $? "evaluate: noise matters"
run train --data events.csv --out g.st --noise 2
exits 2 "more noise than events"
run train --data events.csv $small --epochs 1 --out missing/m.st
exits 1 "model into a missing folder"
printf 'preset = sasrec-softmax\nepochs = 2 # short\ndim=16\nmax_length = 20\nvalid_every = 1\n' > good.conf
run train --data events.csv --config good.conf --out c.st --quiet --json
exits 0 "train from a configuration file"
parses "configuration file: preset and options hold" "r['preset'] == 'sasrec-softmax' and r['epochs'] == 2 and r['best_valid'] is not None"
if [ -w /dev/full ]; then
    rc=0
    "$SEQREC" stats --data events.csv > /dev/full 2> err || rc=$?
    exits 1 "full standard output"
fi

# ---- evaluation ----
run evaluate --model m.st --data events.csv --protocol E4 --split test --json --quiet
exits 0 "evaluate"
parses "evaluate: JSON" "r['protocol'] == 'E4' and r['description'] and r['users'] == 300 and 0 <= r['ndcg@10'] <= r['hr@10'] <= 1 and 0 < r['mrr'] <= 1 and r['ci']['hr@10'][0] <= r['hr@10'] <= r['ci']['hr@10'][1] and all(0 <= r['baselines'][b]['hr@10'] <= 1 for b in ('popularity', 'markov'))"
cp out first.json
run evaluate --model m.st --data events.csv --json --quiet --threads 1
[ -s out ] && cmp -s out first.json
verdict $? "evaluate: E4 and test are the defaults, same figures at any thread count"
run evaluate --model m.st --data events.csv --cutoffs 3,7 --bootstrap 0 --json --quiet
parses "evaluate: chosen cut-offs, no intervals" "'hr@3' in r and 'ndcg@7' in r and 'hr@10' not in r and r['ci'] == {}"
run evaluate --model m.st --data events.csv --no-baselines --json --quiet
parses "evaluate: without baselines" "'baselines' not in r and 'hr@10' in r"
run evaluate --data events.csv --json --quiet
parses "evaluate: baselines alone" "'hr@10' not in r and r['users'] == 300 and 'hr@10' in r['baselines']['markov']"
run evaluate --model m.st --data events.csv --split valid
exits 0 "evaluate as text"
grep -q E4 out && grep -q popularity out && grep -q markov out && grep -q 'hr@10' out
verdict $? "evaluate as text: protocol, rows and metrics named"
for protocol in E1 E2 E3 E5; do
    run evaluate --model m.st --data events.csv --protocol $protocol --json --quiet
    parses "evaluate: $protocol" "r['protocol'] == '$protocol' and 0 <= r['hr@10'] <= 1"
done
run evaluate --model m.st --data events.csv --protocol E77
exits 2 "unknown protocol"
run train --data events.csv $small --epochs 1 --split none --out all.st --json
exits 0 "train on everything"
run evaluate --model all.st --data events.csv
exits 1 "evaluate refuses events the model was trained on"
run evaluate --model all.st --data events.csv --allow-trained --quiet --division leave-one-out
exits 0 "--allow-trained overrides"
run train --data pairs.txt $small --epochs 1 --split time:1:2 --out t.st
[ "$rc" -ne 0 ]
verdict $? "time split without timestamps is refused"

# ---- recommendations ----
run recommend --model m.st --history 1,2,3 --k 10 --json
exits 0 "recommend"
parses "recommend: ten items by falling score, none of the history" "len(r['items']) == 10 and not {1, 2, 3} & {i['id'] for i in r['items']} and all(a['score'] >= b['score'] for a, b in zip(r['items'], r['items'][1:]))"
run recommend --model m.st --history 999999 --k 10 --json
exits 1 "recommend: a history of unknown items is no answer"
run recommend --model m.st --history 1,2,3 --k 1000 --keep-seen --json
parses "recommend: --keep-seen, and k above the catalogue" "{1, 2, 3} <= {i['id'] for i in r['items']} and len(r['items']) <= 80"
run recommend --model m.st --history 1,2,3 --allow 4,5,6 --deny 5 --json
parses "recommend: --allow and --deny" "{i['id'] for i in r['items']} == {4, 6}"
printf '4\n6\n' > ids.txt
run recommend --model m.st --history 1,2,3 --allow @ids.txt --json
parses "recommend: list from a file" "{i['id'] for i in r['items']} == {4, 6}"
run recommend --model m.st --history 1,2,3 --candidates 7,2,9 --json
parses "recommend: candidates, seen ones too" "{i['id'] for i in r['items']} == {7, 2, 9}"
run recommend --model m.st --history 1,987654 --json
parses "recommend: unknown ids are counted" "r['skipped'] == 1 and len(r['items']) == 10"
says "skipped" "recommend: unknown ids are told"
run recommend --model m.st --history banana
exits 1 "recommend: a word that is no item"
run recommend --model m.st --history ,
exits 2 "recommend: empty history"
user=$(sed -n 2p events.csv | cut -d, -f1)
history=$(sed -n "s/^$user,\([0-9]*\),.*/\1/p" events.csv | paste -s -d, -)
run recommend --model m.st --data events.csv --user "$user" --json
exits 0 "recommend for a user of a file"
cp out user.json
run recommend --model m.st --history "$history" --json
[ -s out ] && cmp -s out user.json
verdict $? "recommend: a user's history typed or read gives the same list"
run recommend --model m.st --data events.csv --user 99999999
exits 1 "recommend: unknown user"
run recommend --model m.st --history 1,2,3
exits 0 "recommend as text"

# ---- names ----
sed '1!s/^\([0-9]*\),\([0-9]*\)/u\1,item-\2/' events.csv > named.csv
run train --data named.csv $small --epochs 1 --out named.st --json
exits 0 "train on a file with texts as ids"
run recommend --model named.st --history item-1,item-2 --json
parses "recommend by name" "len(r['items']) == 10 and all(i['name'].startswith('item-') for i in r['items']) and not {'item-1', 'item-2'} & {i['name'] for i in r['items']}"
run recommend --model named.st --data named.csv --user "u$user" --json
parses "recommend for a user by name" "len(r['items']) == 10 and r['skipped'] == 0"
run evaluate --model named.st --data named.csv --quiet
exits 0 "evaluate with names"

# ---- vectors ----
run export --model named.st --out vectors --json
exits 0 "export"
parses "export: JSON" "r['width'] == 16 and r['items'] == sum(1 for _ in open('vectors.ids.txt'))"
if [ -n "$PYTHON" ] && "$PYTHON" -c 'import numpy' 2> /dev/null; then
    "$PYTHON" -c 'import numpy
v = numpy.load("vectors.npy")
assert v.dtype == numpy.float32 and v.shape == (sum(1 for _ in open("vectors.ids.txt")), 16) and abs(v).max() > 0' 2> err
    verdict $? "export: NumPy reads the matrix"
fi
run import --model named.st --vectors vectors.npy --ids vectors.ids.txt --out same.st --json
exits 0 "import"
parses "import: all updated" "r['added'] == 0 and r['updated'] == r['items']"
"$SEQREC" export --model same.st --out again > out 2> err && cmp -s vectors.npy again.npy && cmp -s vectors.ids.txt again.ids.txt
verdict $? "import: export gives the same bytes"
sed '1s/.*/777777\tbrand new/' vectors.ids.txt > new.ids.txt
run import --model named.st --vectors vectors.npy --ids new.ids.txt --out new.st --json
parses "import: a new item is added" "r['added'] == 1"
run recommend --model new.st --history item-1,item-2 --k 1000 --json
parses "import: the new item is recommended under its name" "any(i['id'] == 777777 and i['name'] == 'brand new' for i in r['items'])"
head -n 3 vectors.ids.txt > few.ids.txt
run import --model named.st --vectors vectors.npy --ids few.ids.txt --out x.st
exits 1 "import: too few ids"
run train --data events.csv --set dim=8 --set max_length=20 --quiet --epochs 1 --out narrow.st
run import --model narrow.st --vectors vectors.npy --ids vectors.ids.txt --out x.st
exits 1 "import: vectors of another width"
run import --model named.st --vectors events.csv --ids vectors.ids.txt --out x.st
exits 1 "import: no .npy file"
[ ! -e x.st ]
verdict $? "import: nothing written after a failure"

# ---- broken files ----
head -c 1000 m.st > cut.st
run recommend --model cut.st --history 1
exits 1 "truncated model"
says "cut.st" "truncated model: file named"
: > empty.st
run evaluate --model empty.st --data events.csv
exits 1 "empty model"
run recommend --model missing.st --history 1
exits 1 "missing model"
run train --data events.csv --resume m.st --out x.st --quiet
exits 1 "resume from a model that is no checkpoint"

# ---- resume and Ctrl-C ----
long="--data events.csv --set dim=16 --set max_length=20 --set batch=16 --threads 1"
run train $long --quiet --epochs 4 --valid-every 1 --out whole.st
run train $long --quiet --epochs 2 --valid-every 1 --checkpoint half.ckpt --out half.st
run train --data events.csv --threads 2 --quiet --resume half.ckpt --epochs 4 --out resumed.st --json
exits 0 "resume"
parses "resume: counts the epochs of both runs" "r['epochs'] == 4"
cmp -s whole.st resumed.st
verdict $? "resume: same model file as without interruption"

interrupt() { # SIGNAL ARGUMENTS of train: sends the signal once the first epoch is over; leaves $rc
    signal=$1
    shift
    rm -f live.jsonl
    "$SEQREC" train "$@" --metrics live.jsonl > out 2> err &
    job=$!
    waited=0
    while [ ! -s live.jsonl ] && [ $waited -lt 100 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -s "$signal" $job
    rc=0
    wait $job || rc=$?
}

"$SEQREC" synth --out more.csv --users 1500 --items 80 --seed 4 > out 2> err
more="--data more.csv --set dim=16 --set max_length=20 --set batch=16 --threads 1 --quiet --valid-every 1"
interrupt INT $more --epochs 100000 --out stopped.st --checkpoint stopped.ckpt --json
exits 130 "Ctrl-C while training"
parses "Ctrl-C: the result is told" "r['interrupted'] and r['epochs'] >= 1 and r['epochs'] < 100000"
run recommend --model stopped.st --history 1,2 --json
exits 0 "Ctrl-C: the model is saved"
interrupt INT $more --epochs 6 --out early.st --checkpoint early.ckpt
exits 130 "Ctrl-C early"
run train --data more.csv --quiet --resume early.ckpt --epochs 6 --out late.st
exits 0 "resume after Ctrl-C"
run train $more --epochs 6 --out straight.st
cmp -s late.st straight.st
verdict $? "resume after Ctrl-C: same model file as without"
interrupt TERM $more --epochs 100000 --out term.st
exits 143 "SIGTERM while training"

# ---- the rest ----
run options --json
parses "options: JSON" "len(r['options']) > 20 and all(o['name'] and o['help'] for o in r['options']) and {'sasrec', 'sasrec-original', 'sasrec-softmax', 'sasrec-sampled-softmax'} <= set(r['presets'])"
run options --markdown
exits 0 "options as Markdown"
run options
exits 0 "options as text"
run bench --data events.csv --preset sasrec --json --quiet
exits 0 "bench"
parses "bench: JSON" "r['presets']['sasrec']['tokens_per_second'] > 0 and 0 < r['presets']['sasrec']['score_ms_p50'] <= r['presets']['sasrec']['score_ms_p99']"
run bench --data events.csv --preset nonsense --json
exits 2 "bench: unknown preset"

echo "1..$count"
[ $failed -eq 0 ] || { echo "# $failed of $count failed"; exit 1; }
