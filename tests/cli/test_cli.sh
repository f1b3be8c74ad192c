#!/bin/sh
# The seqrec program's contract: results, JSON, messages, exit codes, Ctrl-C and resume, on small generated data.
# SEQREC_PROGRAM names the program. Prints one line per check; exit 1 when one failed.
. "$(dirname "$0")/shell_checks.sh"

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
for command in train evaluate compare recommend decode synth stats options export import index tune find-rate curve bench; do
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
printf 'epochs = 3\npreset = sasrec\n' > preset.conf
printf 'epochs = 3\n\nseed = 5\n' > seed.conf
for given in "--preset:--preset sasrec" "--seed:--seed 5" "--set seed:--set seed=5" "preset.conf:2. preset:--config preset.conf" \
    "seed.conf:3. seed:--config seed.conf"; do
    run train --data x --out m --resume c ${given##*:}
    exits 2 "--resume with ${given%:*}"
    says "seqrec train: ${given%:*}: --resume takes preset and seed from the checkpoint" "--resume with ${given%:*} is told"
done
for metric in mrr@5 loss@10 ece@1 ece_mass@ apart_popular@20; do
    run train --data x --out m --metric $metric
    exits 2 "metric of no list with a cut-off ($metric)"
    says "$metric: ${metric%@*} is of no list" "metric of no list with a cut-off is told ($metric)"
done
for given in "--seed 1 --set seed=2" "--epochs 1 --set epochs=2" "--valid-every 1 --set valid_every=2" "--metric hr@5 --set metric_kind=mrr"; do
    run train --data x --out m $given
    exits 2 "an option and --set of the same ($given)"
    says "one of them" "an option and --set of the same is told ($given)"
done
run train --data x --out m --epochs 1 --set "epochs = 3"
exits 2 "an option and --set of the same, with blanks"
run train --data x --out m --seed 9007199254740993
exits 2 "a seed beyond its bound"
says "outside 0 .. 9007199254740992" "a seed beyond its bound is told"
run train --help=1
exits 2 "--help with a value"
says "--help takes no value" "--help with a value is told"
run evaluate --data x --no-baselines
exits 2 "nothing to evaluate"
run evaluate --data x --cutoffs 0
exits 2 "cut-off 0"
run compare --data x --model m
exits 2 "compare with one model"
run evaluate --data x --last 0
exits 2 "--last 0"
run recommend --model m
exits 2 "recommend without history"
run recommend --model m --history 1 --mmr 1.5
exits 2 "recommend: --mmr above 1"
run recommend --model m --history 1 --mmr-pool 5
exits 2 "recommend: a pool of nothing to re-rank"
run recommend --model m --history 1 --data x
exits 2 "two histories"
for option in --users-apart "--format bogus" "--user-column 1" "--item zzz" "--value v" "--time t" "--separator ," "--min-value 3" \
    --header --no-header "--kcore 5,5" "--shuffle-ties 1"; do
    run recommend --model m --history 1 $option
    exits 2 "recommend: ${option%% *} without --data"
    says "${option%% *} is of --data FILE" "recommend: ${option%% *} without --data is told"
done
run decode --model m --history 1 --steps 3 --kcore 5,5
exits 2 "decode: --kcore without --data"
run bench --kcore 5,5
exits 2 "bench: --kcore without --data"
run decode --model m --steps 3
exits 2 "decode without history"
run decode --model m --history 1
exits 2 "decode without steps"
run decode --model m --history 1 --steps 3 --width 2
exits 2 "decode: greedy has one path"
run decode --model m --history 1 --steps 3 --method beam --top-p 0.5
exits 2 "decode: a beam is not drawn"
run decode --model m --history 1 --steps 3 --method sample --groups 2
exits 2 "decode: groups are of beams"
run decode --model m --history 1 --steps 3 --method beam --diversity 1
exits 2 "decode: one group is not diverse"
run decode --model m --history 1 --steps 3 --method beam --groups 3
exits 2 "decode: groups of no even width"
says "--width 10 is no multiple of --groups 3" "decode: the width of groups is told"
run decode --model m --history 1 --steps 3 --method sample --top-p 1.5
exits 2 "decode: a probability above 1"
for share in 0 -0.0 1e-999; do
    run decode --model m --history 1 --steps 3 --method sample --top-p $share
    exits 2 "decode: a nucleus of nothing ($share)"
    says "\-\-top-p" "decode: a nucleus of nothing is told ($share)"
done
run decode --model m --history 1 --steps 3 --aggregate mean
exits 2 "decode: unknown aggregation"
run decode --model m --history 1 --steps 3 --best 4
exits 2 "decode: a length without a list"
run decode --model m --history 1 --steps 3 --method dfs
exits 2 "decode: unknown method"
says "must be greedy, beam or sample" "decode: methods are named"
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
printf 'user,item,created_at\n1,2,9\n1,3,8\n' > later.csv
run stats --data later.csv
exits 0 "a header whose times have an unusual name"
says 'warning: .*not read: created_at' "a header whose times have an unusual name is warned of"
run stats --data later.csv --time created_at
[ ! -s err ]
verdict $? "a header whose times are named is not warned of"
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
    --log train.jsonl --curve curve.svg --json
exits 0 "train"
parses "train: JSON" "r['epochs'] == 4 and r['seconds_per_epoch'] > 0 and r['tokens_per_second'] > 0 and r['peak_rss_bytes'] > 1e6 and 0 <= r['best_valid'] <= 1 and r['best_epoch'] in (2, 4) and r['preset'] == 'sasrec-softmax' and r['seed'] == 5 and r['threads'] == 2 and len(r['data_hash']) == 16"
[ "$(wc -l < out)" -eq 1 ]
verdict $? "train: stdout has the JSON only"
[ "$(wc -l < train.jsonl)" -eq 4 ]
verdict $? "train: one line of the log per epoch"
cp train.jsonl out
parses "train: the log is JSON" "r['epoch'] == 4 and r['loss'] > 0 and r['metric'] is not None"
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
run train --data events.csv --out content.safetensors --set gates=content --set gate_estimator=hard_concrete --epochs 1 --json --quiet
parses "train: gates of content" "len(r['gates_open']) == 2 and all(0 <= g <= 1 for g in r['gates_open'])"
run train --data events.csv --preset rec-denoiser $small --epochs 1 --out g1.st
grep -q 'open gates by block: ' out
verdict $? "train: gates in text"
run evaluate --data events.csv --model g.st --noise 0.2 --no-baselines --json
exits 0 "evaluate with the noise of the training"
cp out noisy
run evaluate --data events.csv --model g.st --no-baselines --json
! cmp -s out noisy
verdict $? "evaluate: noise matters"
run evaluate --data events.csv --model g.st --noise 0.2 --seed 7 --kcore 2,3 --no-baselines --json
parses "evaluate: JSON names seed and reading" "r['seed'] == 7 and r['reading'] == '--kcore 2,3 --noise 0.2 --noise-seed 0'"
run evaluate --data events.csv --model g.st --noise 0.2 --no-baselines --noise-seed 4
grep -q '^events.csv --noise 0.2 --noise-seed 4; seed 0$' out
verdict $? "evaluate: text names seed and reading"
run compare --data events.csv --model g.st --model g1.st --noise 0.2 --allow-trained --json
parses "compare ranks behind the noise of the training" "r['a']['hr@10'] == json.load(open('noisy'))['hr@10']"
run evaluate --data events.csv --division last:2:4 --noise-seed 4 --bootstrap 0
grep -q 'held out (last:2:4)' out
verdict $? "evaluate: the numbers of the division are told"
says 'noise-seed: not used' "--noise-seed without --noise is told"
run train --data events.csv --out g.st --noise 2
exits 2 "more noise than events"
run train --data events.csv $small --epochs 1 --out missing/m.st
exits 1 "model into a missing folder"
mkdir folder
for option in --out --checkpoint; do
    run train --data events.csv --set dim=16 --set max_length=20 --epochs 1 --out x.st --valid-every 1 $option folder
    exits 1 "train: $option that is a folder"
    ! grep -q epoch err && [ ! -e x.st ]
    verdict $? "train: $option that is a folder is refused before the training"
done
printf 'preset = sasrec-softmax\nepochs = 2 # short\ndim=16\nmax_length = 20\nvalid_every = 1\n' > good.conf
run train --data events.csv --config good.conf --out c.st --quiet --json
exits 0 "train from a configuration file"
parses "configuration file: preset and options hold" "r['preset'] == 'sasrec-softmax' and r['epochs'] == 2 and r['best_valid'] is not None"
if [ -w /dev/full ]; then
    rc=0
    "$SEQREC" stats --data events.csv > /dev/full 2> err || rc=$?
    exits 1 "full standard output"
fi


# ---- a training that breaks off ----
# Files may have as many bytes as lie between a model and a checkpoint: writing the checkpoint fails.
run train --data events.csv $small --epochs 1 --valid-every 1 --checkpoint size.ckpt --out size.st
limit=$(($(wc -c < size.st) / 512 + 4))
[ $((limit * 512)) -lt "$(wc -c < size.ckpt)" ]
verdict $? "a limit between the sizes of model and checkpoint"
broken() { # ARGUMENTS of train, under that limit
    rc=0
    (
        trap '' XFSZ
        ulimit -f $limit
        exec "$SEQREC" train "$@" > out 2> err
    ) || rc=$?
}
broken --data events.csv $small --epochs 1 --valid-every 1 --checkpoint no.ckpt --out rescued.st --json
exits 1 "train: a checkpoint that cannot be written"
says "no.ckpt" "broken off: the failure is told"
says "rescued.st: .* best weights so far are saved" "broken off: that the best weights are saved is told"
cmp -s size.st rescued.st
verdict $? "broken off: the model file has the weights of the epoch that was validated"
[ ! -s out ]
verdict $? "broken off: nothing on stdout"
run train --data events.csv --quiet --resume size.ckpt --split none --out refused.st
exits 1 "resume under another split"
[ ! -e refused.st ]
verdict $? "a training that was refused at its start writes no model"

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
run evaluate --model all.st --data events.csv --allow-trained --quiet --division leave-one-out --json
parses "evaluate: that ranked events were trained on is told" "r['warnings'] == ['the model was trained on this data with split \"none\": events ranked here may have been seen in training']"
says "events ranked here may have been seen in training" "evaluate: on stderr too"
run evaluate --model m.st --data events.csv --quiet --json --bootstrap 0
parses "evaluate: no warning on the model's own data" "r['warnings'] == []"
[ ! -s err ]
verdict $? "evaluate: nothing on stderr either"
awk -F, 'NR == 1 { print } NR > 1 { print $1 "," $2 + 1000 * (NR % 2) "," $3 }' events.csv > strange.csv
run evaluate --model m.st --data strange.csv --quiet --json --bootstrap 0
parses "evaluate: items that the model lacks are told" "len(r['warnings']) == 2 and r['warnings'][1].startswith('the model lacks ') and 'items of this data' in r['warnings'][1]"
head -n 4000 events.csv > changed.csv
run evaluate --model all.st --data changed.csv --quiet --json
exits 0 "evaluate on a changed copy of the training data"
parses "changed copy: the warning is in the JSON" "len(r['warnings']) == 1 and 'was trained on data' in r['warnings'][0]"
says "warning: the model was trained on data" "changed copy: the warning is told"
run train --data events.csv $small --epochs 1 --split last:3:8 --out last.st --json
parses "train with a split of the last events" "r['split'] == 'last:3:8'"
run evaluate --model last.st --data events.csv --quiet --json
parses "evaluate takes the model's split" "'last events held out' in r['description']"
run evaluate --model last.st --data events.csv --quiet --division last:2:8
exits 1 "evaluate refuses another"
run train --data events.csv $small --epochs 1 --kcore 9999,9999 --out core.st
exits 1 "a core that leaves nothing"
says "events.csv: --kcore 9999,9999 leaves no events" "a core that leaves nothing is told"
run train --data events.csv $small --epochs 1 --kcore 30,6 --out core.st
run evaluate --model core.st --data events.csv --quiet --json
parses "evaluate: another selection of events is told" "len(r['warnings']) == 2 and '--kcore 30,6 in training, not given here' in r['warnings'][1]"
says "--kcore 30,6 in training" "another selection: on stderr too"
run evaluate --model core.st --data events.csv --kcore 030,6 --quiet --json
parses "evaluate: the same selection is told by its numbers" "r['warnings'] == []"
run evaluate --model m.st --data events.csv --last 2 --cold 1 --json --quiet --threads 2
exits 0 "evaluate: --last and --cold alone"
says "--last: not used: there is no --beyond" "evaluate: --last without --beyond is told"
says "--cold: not used: there is no --breakdown" "evaluate: --cold without --breakdown is told"
run evaluate --model m.st --data events.csv --beyond --last 2 --json --quiet --threads 2
exits 0 "evaluate --beyond"
parses "evaluate --beyond: what was there stays, what is new has intervals" "set(json.load(open('first.json'))) <= set(r) and all(r[k] == v for k, v in json.load(open('first.json')).items() if k not in ('ci', 'baselines')) and r['nll'] > 0 and 0 < r['confidence'] < 1 and all(r['ci'][m][0] <= r[m] <= r['ci'][m][1] for m in ('nll', 'ece', 'ece_mass', 'novelty@10', 'diversity@5', 'differ_last1', 'apart_last2', 'apart_popular', 'coverage@10', 'gini@10')) and r['pairs_last2'] <= r['pairs_last1'] and 'pairs_last3' not in r and r['baselines']['markov']['nll'] is None and r['baselines']['popularity']['apart_popular'] == 0"
cp out beyond.json
run evaluate --model m.st --data events.csv --beyond --last 2 --json --quiet --threads 1
cmp -s out beyond.json
verdict $? "evaluate --beyond: same figures at any thread count"
run evaluate --model m.st --data events.csv --beyond --protocol E2
exits 2 "--beyond with sampled candidates"
run evaluate --model m.st --data events.csv --breakdown --cold 60 --json --quiet
exits 0 "evaluate --breakdown"
parses "evaluate --breakdown: every user is in one group of each kind" "all(len(b['decile']) == 10 and len(b['quintile']) == 5 and sum(g['users'] for g in b['decile']) == sum(g['users'] for g in b['quintile']) == b['cold']['users'] + b['warm']['users'] == 300 for b in r['breakdown'].values()) and set(r['breakdown']) == {'model', 'popularity', 'markov'} and r['breakdown']['model']['cold']['most'] <= 60 < r['breakdown']['model']['warm']['least'] and abs(sum(g['users'] * (g['hr@10'] or 0) for g in r['breakdown']['model']['decile']) / 300 - r['hr@10']) < 1e-6"
run evaluate --model m.st --data events.csv --breakdown --beyond --no-baselines
exits 0 "evaluate --breakdown --beyond as text"
grep -q 'decile-10' out && grep -q 'quintile-5' out && grep -q '^cold' out && grep -q '^nll' out
verdict $? "evaluate --breakdown as text: groups and metrics named"
sed -n '2,$p' events.csv | cut -d, -f1 | sort -u | head -n 40 > users.txt
run evaluate --model m.st --data events.csv --users users.txt --json --quiet
exits 0 "evaluate --users"
parses "evaluate --users: only these" "r['users'] == 40 and 'only 40 chosen users' in r['description']"
{ cat users.txt; echo; echo nobody; } > stranger.txt
run evaluate --model m.st --data events.csv --users stranger.txt
exits 1 "evaluate --users: a stranger"
says "stranger.txt: line 42: 'nobody' is no user of events.csv" "evaluate --users: file, line and word told"
: > empty.txt
run evaluate --model m.st --data events.csv --users empty.txt
exits 1 "evaluate --users: nobody"
run evaluate --model m.st --data events.csv --users missing.txt
exits 1 "evaluate --users: missing file"

# ---- two models ----
run train --data events.csv --preset sasrec-softmax $small --epochs 1 --seed 6 --out m2.st
run compare --model m.st --model m2.st --data events.csv --beyond --json --quiet
exits 0 "compare"
parses "compare: figures of both, difference, p and winners" "r['users'] == 300 and r['models'] == ['m.st', 'm2.st'] and r['a']['hr@10'] == json.load(open('first.json'))['hr@10'] and abs(r['difference']['ndcg@10'] - r['a']['ndcg@10'] + r['b']['ndcg@10']) < 1e-8 and r['difference']['ci']['mrr'][0] <= r['difference']['mrr'] <= r['difference']['ci']['mrr'][1] and 0 < r['p']['mrr'] <= 1 and r['wins']['mrr'] + r['losses']['mrr'] + r['ties']['mrr'] == 300 and 'coverage@10' in r['p'] and 'coverage@10' not in r['wins'] and 0 < r['p']['nll'] <= 1"
cp out compared.json
run compare --model m.st --model m2.st --data events.csv --beyond --json --quiet --threads 1
cmp -s out compared.json
verdict $? "compare: same figures at any thread count"
run evaluate --model m.st --data events.csv --no-baselines --breakdown --cold 9 --json --quiet
cp out groups.json
run compare --model m.st --model m2.st --data events.csv --breakdown --cold 9 --bootstrap 200 --json --quiet
exits 0 "compare by groups"
parses "compare: groups of users as evaluate has them, and their difference" "[g['ndcg@10'] for g in r['breakdown']['a']['quintile']] == [g['ndcg@10'] for g in json.load(open('groups.json'))['breakdown']['model']['quintile']] and len(r['breakdown']['difference']['decile']) == 10 and sum(g['mrr'] for g in r['breakdown']['wins']['quintile']) == r['wins']['mrr'] and all(0 < g['mrr'] <= 1 for g in r['breakdown']['p']['quintile']) and r['breakdown']['b']['cold']['users'] + r['breakdown']['difference']['warm']['users'] == 300"
run compare --model m.st --model m2.st --data events.csv --breakdown --cutoffs 5 --bootstrap 200
exits 0 "compare by groups, as text"
grep -q '^ndcg@5, by length of the history' out && [ "$(grep -c '^quintile-[1-5]  *[0-9]* .* \[-*[0-9.]*, -*[0-9.]*\]  *[01]\.[0-9]*' out)" -eq 5 ]
verdict $? "compare: a line for each quintile"
run compare --model m.st --model m.st --data events.csv --protocol E3 --users users.txt --bootstrap 100
exits 0 "compare as text, sampled, chosen users"
grep -q '^ndcg@10  *[0-9.]*  *[0-9.]*  *0.0000 \[0.0000, 0.0000\]  *1.0000  *0  *0  *40$' out
verdict $? "compare: a model does not differ from itself"
run compare --model m.st --model all.st --data events.csv
exits 1 "compare refuses models that saw different events"
says 'split "leave-one-out" and model b with "none"' "compare: both divisions told"
run compare --model m.st --model all.st --data events.csv --allow-trained --bootstrap 0 --json
exits 0 "compare --allow-trained"
parses "compare: that ranked events were trained on is told" "len(r['warnings']) == 1 and r['warnings'][0].startswith('model b was trained on this data with split')"
run compare --model m.st --model m.st --data strange.csv --allow-trained --bootstrap 0 --quiet --json
parses "compare: items that models lack are told" "[w[:13] for w in r['warnings']] == ['both models w', 'model a lacks', 'model b lacks']"
run compare --model m.st --model m2.st --data events.csv --bootstrap 0 --quiet --json
parses "compare: no warning on the models' own data" "r['warnings'] == []"
run compare --model m.st --model m2.st --data changed.csv --bootstrap 0 --quiet --json
exits 0 "compare on a changed copy of the training data"
parses "compare on a changed copy: one warning is in the JSON" "len(r['warnings']) == 1 and 'both models were trained on data' in r['warnings'][0]"
says "warning: both models were trained on data" "compare on a changed copy: it is told"
run compare --model core.st --model core.st --data events.csv --bootstrap 0 --quiet --json
parses "compare: another selection of events is told" "len(r['warnings']) == 2 and '--kcore 30,6 in training, not given here' in r['warnings'][1]"
run compare --model m.st --model missing.st --data events.csv
exits 1 "compare with a missing model"
run train --data pairs.txt $small --epochs 1 --split time:1:2 --out t.st
exits 2 "time split without timestamps is refused"
for split in time:5 last:3 lats:1:3; do
    run train --data events.csv $small --epochs 1 --split $split --out t.st
    exits 2 "--split $split is no split"
    says "split \"$split\"" "--split $split: its text is told"
    run train --data events.csv $small --epochs 1 --noise 0.1 --split $split --out t.st
    exits 2 "--split $split beside --noise is no split"
done
run train --data events.csv $small --epochs 1 --split last:3:4 --out t.st
exits 2 "--split last:3:4 leaves a user one event"
says "LEAST = 4 must be at least two more than EVENTS = 3" "--split last:3:4: value and rule are told"
run train --data events.csv $small --epochs 1 --split last:0:4 --out t.st
says "EVENTS = 0 is below 1" "--split last:0:4: value and rule are told"
for sampler in weights host; do
    run train --data events.csv $small --set sampler=$sampler --set negatives=4 --epochs 1 --out t.st
    exits 2 "--set sampler=$sampler: only a host has it"
    says "sampler = $sampler: its .* are brought by a program that links the library" "--set sampler=$sampler: why is told"
done
printf 'loss = softmax\ncalibration = 0.5\n' > unread.txt
run train --data events.csv $small --config unread.txt --set rotary_base=50 --set 'gate_l0 = 2' --set relative=t5 --set relative_buckets=16 --epochs 1 --out t.st --quiet
exits 0 "options that others leave unread"
says "calibration is set, and not read: it needs loss=gbce" "an option of the file that is not read is told"
says "rotary_base is set, and not read: it needs relative=rotary" "an option of --set that is not read is told"
says "gate_l0 is set, and not read: it needs gates=position|content" "an option of --set with blanks that is not read is told"
! grep -q relative_buckets err
verdict $? "an option that is read is not told"
run train --data events.csv $small --epochs 1 --split none --metric hr@10 --out t.st
exits 2 "--metric without events to validate on"
run train --data events.csv $small --epochs 1 --split none --valid-every 2 --out t.st
exits 2 "--valid-every without events to validate on"
says "\-\-valid-every 2: --split none holds no events out" "--valid-every without events to validate on: the rule is told"
run train --data events.csv $small --epochs 1 --split none --set metric_kind=hr --out t.st --quiet
exits 0 "metric_kind without events to validate on"
says "metric_kind is set, and not read: no events are held out" "metric_kind without events to validate on is told"

# ---- recommendations ----
run recommend --model m.st --history 1,2,3 --k 10 --json
exits 0 "recommend"
parses "recommend: ten items by falling score, none of the history" "len(r['items']) == 10 and not {1, 2, 3} & {i['id'] for i in r['items']} and all(a['score'] >= b['score'] for a, b in zip(r['items'], r['items'][1:]))"
cp out plain.json
run recommend --model m.st --history 1,2,3 --k 10 --mmr 1 --json
[ -s out ] && cmp -s out plain.json
verdict $? "recommend: --mmr 1 is the list by score"
best=$(python3 -c "import json; print(json.load(open('plain.json'))['items'][0]['id'])")
run recommend --model m.st --history 1,2,3 --k 10 --mmr 0.3 --json
parses "recommend: --mmr begins with the best and takes others" "r['items'][0]['id'] == $best and len({i['id'] for i in r['items']}) == 10 and any(a['score'] < b['score'] for a, b in zip(r['items'], r['items'][1:]))"
run recommend --model m.st --history 1,2,3 --k 10 --mmr 0.3 --mmr-pool 10 --json
parses "recommend: --mmr-pool takes these alone" "[i['id'] for i in r['items']] != [i['id'] for i in __import__('json').load(open('plain.json'))['items']] and {i['id'] for i in r['items']} == {i['id'] for i in __import__('json').load(open('plain.json'))['items']}"
run recommend --model m.st --history 1,2,3 --candidates 7,2,9 --mmr 0.5 --k 2 --json
parses "recommend: candidates re-ranked" "len({i['id'] for i in r['items']} & {7, 2, 9}) == 2"
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
run recommend --model m.st --history ''
exits 2 "recommend: empty history"
run recommend --model m.st --history 7,,31
exits 1 "recommend: an empty place in a list"
says "'7,,31' has nothing" "recommend: an empty place in a list is told"
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

# ---- paths ----
run decode --model m.st --history 1,2,3 --steps 5 --json
exits 0 "decode"
parses "decode: one path of new items" "len(r['paths']) == 1 and len({i['id'] for i in r['paths'][0]['items']} - {1, 2, 3}) == 5 and r['paths'][0]['log_probability'] < 0"
best=$(tail -n 1 out | sed 's/.*"items": *\[{"id": *\([0-9]*\).*/\1/')
run recommend --model m.st --history 1,2,3 --k 1 --json
parses "decode: greedy begins with the best item" "r['items'][0]['id'] == $best"
run decode --model m.st --history 1,2,3 --steps 4 --method beam --width 6 --json
parses "decode: a beam by falling probability" "len(r['paths']) == 6 and all(a['log_probability'] >= b['log_probability'] for a, b in zip(r['paths'], r['paths'][1:]))"
run decode --model m.st --history 1,2,3 --steps 2 --method beam --width 6 --groups 6 --diversity 1000 --json
parses "decode: groups begin with different items" "len({p['items'][0]['id'] for p in r['paths']}) == 6 and all(a['log_probability'] >= b['log_probability'] for a, b in zip(r['paths'], r['paths'][1:]))"
run decode --model m.st --history 1,2,3 --steps 4 --method sample --temperature 2 --top-k 20 --top-p 0.9 --seed 5 --json
parses "decode: ten drawn paths" "len(r['paths']) == 10 and len({i['id'] for p in r['paths'] for i in p['items']}) > 4"
cp out drawn.json
run decode --model m.st --history 1,2,3 --steps 4 --method sample --temperature 2 --top-k 20 --top-p 0.9 --seed 5 --json --threads 2
[ -s out ] && cmp -s out drawn.json
verdict $? "decode: a seed gives the same paths, with any number of threads"
for name in rank count relevance; do
    run decode --model m.st --history 1,2,3 --steps 4 --method sample --temperature 2 --width 20 --json --aggregate $name --best 6
    cat > aggregate.py <<'P'
import json, math, sys
r, sums = json.load(open("out")), {}
for path in r["paths"]:
    assert abs(sum(i["log_probability"] for i in path["items"]) - path["log_probability"]) < 1e-6
    for place, i in enumerate(path["items"], 1):
        share = {"rank": 1 / place, "count": 1, "relevance": math.exp(i["log_probability"])}[sys.argv[1]]
        sums[i["id"]] = sums.get(i["id"], 0) + share
best = sorted(sums.values(), reverse=True)[:6]
assert all(abs(i["score"] - s) < 1e-6 and abs(sums[i["id"]] - s) < 1e-6 for i, s in zip(r["list"], best)), (r["list"], best)
assert len(r["list"]) == 6
P
    "$PYTHON" aggregate.py $name 2> err
    verdict $? "decode: one list of paths by $name"
done
run decode --model m.st --history 1,2,3 --steps 4 --method beam --width 5 --aggregate relevance
[ "$(wc -l < out)" -eq 5 ] && grep -q '^ *score  item' out
verdict $? "decode: one list as text"
run decode --model m.st --history 1,2,3 --steps 4 --method sample --temperature 2 --top-k 20 --top-p 0.9 --seed 6 --json
! cmp -s out drawn.json
verdict $? "decode: another seed gives others"
run decode --model m.st --history 1,2,3 --steps 4 --method sample --top-p 0.000001 --width 2 --repeats --keep-seen --json
parses "decode: the smallest nucleus is one item" "r['paths'][0] == r['paths'][1]"
run decode --model m.st --history 1,2,3 --steps 4 --method sample --width 2 --stream --json
exits 0 "decode --stream"
python3 -c "
import json
*told, last = [json.loads(line) for line in open('out')]
paths = last['paths']
assert [(t['place'], t['path']) for t in told] == [(h, i) for h in (1, 2, 3, 4) for i in (1, 2)]
assert all(t['id'] == paths[t['path'] - 1]['items'][t['place'] - 1]['id'] for t in told)
assert all(abs(sum(t['log_probability'] for t in told if t['path'] == i + 1) - p['log_probability']) < 1e-6 for i, p in enumerate(paths))"
verdict $? "decode: --stream tells the items of the paths, place by place"
run decode --model m.st --history 1,2,3 --steps 2 --method beam --width 1 --stream
grep -q '^all paths, item 2: [0-9]' out
verdict $? "decode: what all paths of a beam begin with is told"
run decode --model m.st --history 1,2,3 --allow 4,5,6,7 --deny 5 --steps 3 --json
parses "decode: --allow and --deny" "{i['id'] for i in r['paths'][0]['items']} == {4, 6, 7}"
run decode --model m.st --history 1,2,3 --allow 4,5 --steps 3
exits 1 "decode: too few items for a path"
says "a path of 3 steps without repeats needs 3" "decode: too few items are told"
run decode --model m.st --history 1,2,3 --allow 4,5 --steps 3 --repeats --json
parses "decode: --repeats" "{i['id'] for i in r['paths'][0]['items']} <= {4, 5}"
run decode --model m.st --history 1,987654 --steps 2 --json
parses "decode: unknown ids are counted" "r['skipped'] == 1 and len(r['paths'][0]['items']) == 2"
run decode --model m.st --history 999999 --steps 2
exits 1 "decode: a history of unknown items is no answer"
run decode --model m.st --data events.csv --user "$user" --steps 3 --json
exits 0 "decode for a user of a file"
cp out user.json
run decode --model m.st --history "$history" --steps 3 --json
[ -s out ] && cmp -s out user.json
verdict $? "decode: a user's history typed or read gives the same paths"
run decode --model m.st --history 1,2,3 --steps 3 --method beam
exits 0 "decode as text"

# ---- names ----
sed '1!s/^\([0-9]*\),\([0-9]*\)/u\1,item-\2/' events.csv > named.csv
run train --data named.csv $small --epochs 1 --out named.st --json
exits 0 "train on a file with texts as ids"
run recommend --model named.st --history item-1,item-2 --json
parses "recommend by name" "len(r['items']) == 10 and all(i['name'].startswith('item-') for i in r['items']) and not {'item-1', 'item-2'} & {i['name'] for i in r['items']}"
run recommend --model named.st --data named.csv --user "u$user" --json
parses "recommend for a user by name" "len(r['items']) == 10 and r['skipped'] == 0"
printf 'u1\ta\033[31m\rb\nu1\tc\nu1\td\nu2\tc\nu2\td\n' > control.tsv
run train --data control.tsv --format tsv $small --set negatives=1 --epochs 1 --valid-every 0 --split none --out control.st
run recommend --model control.st --history c --keep-seen --k 3
exits 0 "recommend with control characters in names"
! LC_ALL=C grep -q "$(printf '\033\|\r')" out
verdict $? "recommend: control characters of names are blanks"
sed '1!s/^u//; s/item-//' named.csv > numbers.csv # no number is a name there
run recommend --model named.st --data numbers.csv --user "$user" --json
parses "numbers that nobody is named by are ids" "r['skipped'] == 0"
sed '1!s/^\([^,]*\),item-\([0-9]\),/\1,90\2,/' named.csv > mixed.csv
run train --data mixed.csv $small --epochs 1 --out mixed.st --json
sed -n '1p; /^[^,]*,90[0-9],/p' mixed.csv | sed '1!s/^u//' > single.csv
some=$(sed -n 2p single.csv | cut -d, -f1)
typed=$(awk -F, -v u="$some" '$1 == u { printf "%s%s", n++ ? "," : "", $2 }' single.csv)
run recommend --model mixed.st --history "$typed" --json
cp out typed.json
run recommend --model mixed.st --data single.csv --user "$some" --json
parses "numbers of a file mean the items that they name, as typed ones" "[i['id'] for i in r['items']] == [i['id'] for i in json.load(open('typed.json'))['items']]"
run decode --model named.st --history item-1,item-2 --steps 3 --json
parses "decode by name" "all(i['name'].startswith('item-') for i in r['paths'][0]['items'])"
run evaluate --model named.st --data named.csv --quiet
exits 0 "evaluate with names"
sed 's/^/u/' users.txt > named_users.txt
run evaluate --model named.st --data named.csv --users named_users.txt --json --quiet
parses "evaluate --users by name" "r['users'] == 40"
run evaluate --model named.st --data named.csv --users users.txt --json --quiet
exits 1 "evaluate --users: numbers are no names"

# ---- vectors ----
run export --model named.st --serving served.st --table int8 --json
exits 0 "export --serving"
parses "export --serving: JSON" "r['table'] == 'int8' and r['rows'] == 1 and r['items'] > 0 and r['lost'] == 'optimiser state'"
first=$("$SEQREC" export --model named.st --out first > /dev/null 2>&1 && head -n 1 first.ids.txt | cut -f 1)
"$SEQREC" recommend --model named.st --history "$first" --json > plain.json 2> err &&
    "$SEQREC" recommend --model served.st --history "$first" --json > served.json 2> err &&
    "$SEQREC" recommend --model served.st --map --history "$first" --json > mapped.json 2> err &&
    cmp -s plain.json served.json && cmp -s plain.json mapped.json
verdict $? "recommend: a file for serving, loaded and mapped, gives what the model gives"
if "$SEQREC" index --model named.st --out graph.ann --json > index.json 2> err; then
    "$SEQREC" recommend --model named.st --index graph.ann --history "$first" --json > indexed.json 2> err && cmp -s plain.json indexed.json
    verdict $? "recommend --index: the same list from a small catalogue"
    run recommend --model m.st --index graph.ann --history "$first"
    exits 1 "recommend --index: not for another model"
    run recommend --model named.st --index named.st --history "$first"
    exits 1 "recommend --index: not a model file"
else
    grep -q "no libseqrec-ann" err
    verdict $? "index: a build without it says so"
fi
run index --model m.st
exits 2 "index without --out"
run recommend --model m.st --breadth 9 --history "$first"
exits 2 "recommend --breadth without --index"
run recommend --model named.st --map --history "$first"
exits 1 "recommend --map: not for model files"
run export --model named.st --serving served.st --without-rows
exits 2 "export --without-rows needs a table"
run export --model named.st --serving served.st --table int4
exits 2 "export --table knows its tables"
run export --model named.st --out ''
exits 2 "export --out of an empty name"
says "--out: must not be empty" "export --out of an empty name is told"
run export --model named.st --serving bare.st --table bf16 --without-rows
run export --model bare.st --serving again.st --json
parses "export --serving: what was lost before is still lost" "'bf16' in r['lost']"
run export --model bare.st --out rounded
exits 0 "export of rounded vectors"
says "has lost optimiser state, float32 item vectors (bf16)" "export of rounded vectors says that they are"
run export --model named.st --out vectors --table int8
exits 2 "export --table goes with --serving"
run export --model named.st --longer longer.st --max-length 100
exits 1 "export --longer: not with a table of positions"
says "position is neither none nor reversed" "export --longer: says why"
run train --data named.csv $small --set position=none --epochs 1 --out free.st --json
run export --model free.st --longer longer.st --max-length 30 --json
exits 0 "export --longer"
parses "export --longer: JSON" "r['longer'] == 'longer.st' and r['max_length'] == 30"
run evaluate --model longer.st --data named.csv --quiet
exits 0 "export --longer: the file evaluates"
run export --model free.st --longer longer.st --max-length 10
exits 1 "export --longer: not shorter"
says "max_length = 10 is below the model's 20" "export --longer: says both"
run export --model named.st --longer longer.st
exits 2 "export --longer needs --max-length"
run export --model named.st --out vectors --longer longer.st --max-length 100
exits 2 "export --longer excludes --out"

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
if [ -n "$PYTHON" ]; then
    # A finite vector so long that its products overflow with both signs: its score is no number.
    "$SEQREC" export --model m.st --out huge > out 2> err && "$PYTHON" -c 'import struct
bytes, row = bytearray(open("huge.npy", "rb").read()), [line.strip() for line in open("huge.ids.txt")].index("2")
at = 10 + struct.unpack("<H", bytes[8:10])[0] + row * 64
bytes[at:at + 64] = struct.pack("<16f", *[3.4e38] * 16)
open("huge.npy", "wb").write(bytes)' 2> err
    "$SEQREC" import --model m.st --vectors huge.npy --ids huge.ids.txt --out huge.st > out 2> err
    for candidates in 9,2,7 9,7,2 2,9,7; do
        run recommend --model huge.st --history 1,3,4 --candidates $candidates --json
        parses "recommend: of candidates $candidates the one whose score is no number is last" \
            "[i['id'] for i in r['items']].index(2) == 2 and r['items'][2]['score'] is None and r['items'][0]['score'] >= r['items'][1]['score']"
    done
fi

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
run train $long --quiet --set schedule=cosine --epochs 2 --checkpoint cosine.ckpt --out cosine.st
run train --data events.csv --threads 2 --quiet --resume half.ckpt --set max_length=20 --epochs 4 --out resumed.st
exits 0 "resume with an option of the model as it is"
run train --data events.csv --threads 2 --quiet --resume half.ckpt --set max_length=21 --epochs 4 --out resumed.st
exits 2 "resume with another option of the model"
says "max_length belongs to the model and cannot change in training: it is 20, not 21" "resume with another option of the model: both values are told"
cp m.st kept.st
run train --data events.csv --quiet --epochs 2 --set learning_rate=10 --set batch=8 --out kept.st
[ "$rc" -eq 1 ] && cmp -s m.st kept.st
verdict $? "a training that explodes in its first epoch leaves the model that is there"
says "kept.st: not written: the training broke off before its first epoch was over" "a training that explodes in its first epoch is told"
run train --data events.csv --quiet --resume cosine.ckpt --epochs 4 --out longer.st
exits 2 "resume with more epochs than the cosine has"
says "set schedule_steps" "resume under a cosine: what to set"
run train --data events.csv --quiet --resume cosine.ckpt --epochs 4 --set schedule_steps=0 --out longer.st
exits 0 "resume under a longer cosine"

interrupt() { # SIGNAL ARGUMENTS of train: sends the signal once the first epoch is over; leaves $rc
    signal=$1
    shift
    rm -f live.jsonl
    "$SEQREC" train "$@" --log live.jsonl > out 2> err &
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
# Not where it is ignored, as under nohup: then it is to change nothing.
if [ $((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status 2> /dev/null || echo 0) & 1)) -eq 0 ]; then
    interrupt HUP $more --epochs 100000 --out hup.st
    exits 129 "SIGHUP while training"
    run recommend --model hup.st --history 1,2 --json
    exits 0 "SIGHUP: the model is saved"
fi
cp term.st kept.st
"$SEQREC" train --data more.csv --set dim=256 --set blocks=16 --set batch=16 --threads 1 --quiet --epochs 9 --out kept.st > out 2> err &
job=$!
sleep 1
kill -s INT $job
rc=0
wait $job || rc=$?
exits 130 "Ctrl-C in the first epoch"
says "before the first epoch was over; kept.st is not written" "Ctrl-C in the first epoch: told"
cmp -s kept.st term.st
verdict $? "Ctrl-C in the first epoch: the model that was there stays"
mkfifo log.pipe
head -n 1 log.pipe > first.log &
reader=$!
run train $more --epochs 4 --out piped.st --log log.pipe
wait $reader
exits 1 "train: whoever reads the log ends"
says "log.pipe: cannot be written" "train: whoever reads the log ends: told"
run recommend --model piped.st --history 1,2 --json
exits 0 "train: whoever reads the log ends: the model is saved"
mkfifo quiet.pipe
rc=0
timeout --preserve-status --signal INT --kill-after 20 2 "$SEQREC" train $more --epochs 1 --log quiet.pipe --out piped.st > out 2> err || rc=$?
exits 130 "Ctrl-C while nobody reads the log: one is enough"
cp m.st small.st
rc=0
(ulimit -f 1; exec "$SEQREC" train $more --epochs 1 --out small.st) > out 2> err || rc=$?
exits 1 "train: a file may not grow"
says "small.st.*larger than allowed" "train: a file may not grow: told"
cmp -s m.st small.st
verdict $? "train: a file may not grow: the one that was there stays"

# ---- Ctrl-C while a pipe is waited for ----
waits() { # CODE NAME ARGUMENTS: the program, which waits for the pipe, ends at a signal
    code=$1 name=$2
    shift 2
    "$SEQREC" "$@" > out 2> err &
    job=$!
    sleep 0.5
    tries=0
    while kill -s INT $job 2> /dev/null && [ $tries -lt 20 ]; do # the first may come before it is caught
        sleep 0.5
        tries=$((tries + 1))
    done
    kill -s KILL $job 2> /dev/null
    rc=0
    wait $job 2> /dev/null || rc=$?
    exits "$code" "Ctrl-C: $name"
    says "interrupted" "Ctrl-C: $name: told"
}
mkfifo pipe
waits 130 "train waits for a pipe to be opened" train --data pipe --out x.st --quiet
waits 130 "train waits for a configuration" train --data events.csv --config pipe --out x.st --quiet
waits 130 "batch waits for a pipe to be opened" recommend --model m.st --batch pipe
(head -n 20 events.csv; exec sleep 30) > pipe 2> writer.err &
writer=$!
waits 130 "train waits for more of a pipe" train --data pipe --out x.st --quiet
kill $writer 2> /dev/null

# ---- the rest ----
run options --json
parses "options: JSON" "len(r['options']) > 20 and all(o['name'] and o['help'] for o in r['options']) and {'sasrec', 'sasrec-original', 'sasrec-softmax', 'sasrec-sampled-softmax'} <= set(r['presets'])"
parses "options: bounds are exact" "{o['name']: o['highest'] for o in r['options']}['seed'] == 2 ** 53 and {o['name']: o['highest'] for o in r['options']}['clip_norm'] == 1e30"
run options --markdown
exits 0 "options as Markdown"
grep -q '^| .seed. | integer: 0 to 9007199254740992 |' out && grep -q '^| .clip_norm. | real: 0 to 1e+30 |' out
verdict $? "options as Markdown: both bounds"
run options
exits 0 "options as text"
grep -q '^seed .*integer (0 to 9007199254740992)' out
verdict $? "options as text: both bounds"
run synth --out x.csv --seed 9999999999999999
says "\-\-seed 9999999999999999: must be from 0 to 9e+15" "a number above its bound: both bounds told"
run bench --data events.csv --preset sasrec --json --quiet
exits 0 "bench"
parses "bench: JSON" "r['presets']['sasrec']['tokens_per_second'] > 0 and 0 < r['presets']['sasrec']['score_ms_p50'] <= r['presets']['sasrec']['score_ms_p99']"
run bench --data events.csv --json --quiet
exits 0 "bench of every preset, on few items"
rc=0
timeout --preserve-status --signal INT --kill-after 20 1 "$SEQREC" bench --data events.csv --epochs 1000 --json --quiet > out 2> err || rc=$?
exits 130 "bench: Ctrl-C"
parses "bench: Ctrl-C: one whole object" "r['interrupted']"
run bench --data pairs.txt --json --quiet
exits 0 "bench of every preset, without times"
parses "bench: presets that need times are left out" "'skipped' in r['presets']['hstu-time'] and r['presets']['sasrec']['tokens_per_second'] > 0"
run bench --data events.csv --preset nonsense --json
exits 2 "bench: unknown preset"

finish
