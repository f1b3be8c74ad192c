#!/bin/sh
# bench: what `make bench` runs, one measurement after another: the library, PyTorch on the same work, where time goes.
# JSON lines go to $BUILD/bench/*.jsonl, tables to stdout. QUICK=1: one repetition of each. ONLY="train torch": these
# parts only (the list below), the figures of the others are of earlier runs. ONNX=1: installs onnxruntime-node under $BUILD by npm
# first; without it part servedonnx says that it is skipped, unless that is there from an earlier run.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-build}
parts="peak train torch flat evaluate read serve servedtorch servedonnx beside batchusers retrieval ann recall faiss kernels gates phases"
ONLY=${ONLY-$parts}
THREADS=2
out=$BUILD/bench
programs=$BUILD/tests
repeats=5 steps=20 torch_steps=5 calls=10000
[ -z "${QUICK:-}" ] || repeats=1 steps=2 torch_steps=1 calls=100
mkdir -p "$out" || exit 2
if [ "$ONLY" = "$parts" ]; then
    rm -f "$out"/*.jsonl
else
    echo "Measured now: ${ONLY:-nothing}; the rest is of earlier runs."
fi

data=${SEQREC_DATA:-../shared/data}/ml-1m.txt
if [ ! -f "$data" ]; then
    echo "There is no $data: the figures are of generated events with ml-1m's counts and lengths."
    data=$out/lookalike.txt
    [ -f "$data" ] || "$programs/bench_train" --lookalike "$data" || exit 1
fi
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u), $(nproc) cores; $(date -u +%Y-%m-%dT%H:%MZ)"
awk '$1 > 0.5 { print "The machine is busy (load " $1 "): the figures below are not to be quoted." }' /proc/loadavg

# Debian's interpreter is the one that has torch.
python() { if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else echo python3; fi; }

# rows PREFIX...: rows of bench_train.
rows() {
    for prefix; do
        "$programs/bench_train" --data "$data" --threads $THREADS --repeats $repeats --steps $steps --only "$prefix" ||
            return 1
    done
}

part_peak() { rows peak; }
part_train() { rows bce- softmax- sampled- gbce- sce- cloze- hstu- shaw- long- literal-; }
part_flat() { rows flat-; }
part_evaluate() { rows evaluate-; }
part_read() { rows read-; }
# The models that part serve trains stay for what is held against it.
served=$out/served
part_serve() {
    rm -rf "$served" && mkdir "$served" && "$programs/bench_serve" --data "$data" --calls $calls --folder "$served"
}
is_served() { [ -f "$served/users.tsv" ] || { echo "bench: part serve comes first" >&2; return 77; }; }
part_servedtorch() {
    is_served || return
    for work in cold batch; do # each with the BLAS that is fastest at it
        "$(python)" tests/reference/bench_torch.py --serve "$served" --threads $THREADS --calls $calls --steps $repeats --blas auto \
            --variants serve-$work,serve-$work-newest || return
    done
}
# The one thing here that is fetched, and only when ONNX=1 asks for it; --ignore-scripts: its CUDA libraries are not.
part_servedonnx() {
    is_served || return
    command -v node > /dev/null || { echo "bench: there is no node: no comparison with onnxruntime" >&2; return 77; }
    modules=$BUILD/onnxruntime/node_modules
    [ -z "${ONNX:-}" ] || [ -d "$modules" ] ||
        npm install --prefix "$BUILD/onnxruntime" --ignore-scripts --no-audit --no-fund onnxruntime-node@1.30.0 >&2 || return 77
    [ -d "$modules" ] || { echo "bench: no onnxruntime-node (ONNX=1 make bench installs it): no comparison" >&2; return 77; }
    "$(python)" tests/reference/serve_torch.py "$served" >&2 || return
    NODE_PATH=$(cd "$modules" && pwd) node tests/reference/serve_onnx.js "$served" $calls $repeats
}
part_beside() {
    mkdir -p "$served" && "$programs/bench_beside" --data "$data" --calls $((5 * calls)) --folder "$served"
}
# A million users, unless QUICK: a minute or two.
part_batchusers() {
    if [ -n "${QUICK:-}" ]; then users=20000; else users=1000000; fi
    "$programs/bench_batchusers" "$BUILD/seqrec" "$out/batchusers.safetensors" $users $THREADS
}
# With ten million items in a mapped file, unless QUICK: that takes 6 GB of memory and of disk for a minute.
part_retrieval() {
    if [ -n "${QUICK:-}" ]; then "$programs/bench_retrieval"; else "$programs/bench_retrieval" "$out/mapped.partial"; fi
}
# A million items that were trained: minutes of training and building, unless QUICK.
part_ann() {
    if [ -n "${QUICK:-}" ]; then "$programs/bench_ann" 20000 $THREADS; else "$programs/bench_ann" 1000000 $THREADS; fi
}
# Trains a table of a million items, unless QUICK: 2 GB and some minutes.
part_recall() {
    if [ -n "${QUICK:-}" ]; then "$programs/bench_recall" --items 50000 --users 10000 --epochs 1; else "$programs/bench_recall"; fi
}
part_faiss() { "$(python)" tests/reference/bench_faiss.py; }
part_kernels() { "$programs/bench_kernels" --json; }
part_gates() { "$programs/bench_gates"; }
part_torch() {
    variants=$(printf '%s,' bce-d50-p0.2 bce-d50-p0 bce-d64-p0.2 bce-d64-p0 softmax-padded-d64-p0.2 \
        softmax-padded-d64-p0 softmax-unpadded-d64-p0.2 softmax-unpadded-d64-p0 cloze-d64-p0.2 gbce-plain-d128-p0.5 \
        gbce-published-d128-p0.5 hstu-published-d50-p0.2 hstu-plain-d50-p0.2)predict-d50
    "$(python)" tests/reference/bench_torch.py --data "$data" --threads $THREADS --steps $torch_steps --blas auto \
        --variants "$variants"
}
# Samples begin after the second that the peak and the reading of the data take.
part_phases() {
    command -v perf > /dev/null || { echo "there is no perf: no table of where the time goes" >&2; return 77; }
    for row in bce-d64-p0.2 softmax-d64-p0.2 sampled-shared-d64-p0.2 sampled-position-d64-p0.2 $(printf 'drawn-%s-d64-p0.2 ' \
        popularity log-uniform in-batch mixed history history-popularity history-log-uniform history-in-batch history-mixed); do
        perf record -q -D 1000 -F 499 -o "$out/perf.data" "$programs/bench_train" --data "$data" --threads $THREADS \
            --repeats $repeats --only $row > /dev/null &&
            perf report -i "$out/perf.data" --stdio --no-children -g none --sort dso,symbol -F overhead,dso,sym \
                -t '|' 2> /dev/null | awk -v name=$row -f tests/bench/phases.awk || return 1
    done
    rm -f "$out"/perf.data*
}

failed=0
for part in $ONLY; do
    case $part in
        serve|beside|batchusers|retrieval|ann|recall|kernels|gates) [ -x "$programs/bench_$part" ] || { echo "bench: no bench_$part is built" >&2; continue; } ;;
    esac
    echo "bench: $part" >&2
    "part_$part" > "$out/$part.partial"
    status=$?
    if [ $status -eq 0 ]; then
        mv "$out/$part.partial" "$out/$part.jsonl"
    else
        rm -f "$out/$part.jsonl"
        cat "$out/$part.partial"
        rm -f "$out/$part.partial"
        [ $status -eq 77 ] || { echo "bench: $part failed with status $status" >&2; failed=1; }
    fi
done
awk -f tests/bench/report.awk "$out"/*.jsonl || failed=1
exit $failed
