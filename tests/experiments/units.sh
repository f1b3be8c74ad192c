# tests: what the experiments share. A unit is a model that is trained and evaluated, and one JSON line of $OUT. Sourced, not run.
# A unit that has its line is skipped, so a stopped experiment goes on where it was, also on another machine; on the same machine
# an interrupted training goes on from its checkpoint in $WORK, bit for bit as if it had not been interrupted. Selection is by the
# validation metric alone; the test split is read once per unit. From the environment:
#   OUT          the lines; the experiment has a default
#   WORK         folder of the units under way (build/experiments/ and the name of OUT)
#   LIMIT        seconds for this call, 0 (default) for no end: the training that is under way then is saved and the script ends
#                with status 3; call it again until it ends with 0. Evaluations, and what follows a training, are not cut short.
#   ONLY         only units with this in their name
#   MACHINE      words on where a unit ran, kept in its line (machine), for seconds that do not compare with those of others
#   SEQREC, SEQREC_DATA, THREADS
SEQREC=${SEQREC:-build/seqrec}
DATA=${SEQREC_DATA:-../shared/data}
THREADS=${THREADS:-2}
ONLY=${ONLY:-}
LIMIT=${LIMIT:-0}
WORK=${WORK:-build/experiments/$(basename "$OUT" .jsonl)}
# The library is the one beside the program: a line's commit would be wrong for another that the environment leads to.
unset LD_LIBRARY_PATH
began=$(date +%s)
trap 'exit 130' INT
trap 'exit 143' TERM

last() { tail -n 1 "$1"; }

# for awk: the number behind a key that a line of JSON has once
number='function number(key,    text) { text = $0; sub(".*\"" key "\":", "", text); return text + 0 }'

time_left() { echo $((began + LIMIT - $(date +%s))); }

time_is_up() { [ "$LIMIT" -gt 0 ] && [ "$(time_left)" -le 0 ]; }

stop_here() {
    echo "stop $name: the time is up; the next call goes on with it"
    exit 3
}

# bounded COMMAND...: interrupts it when the time is up
bounded() {
    if [ "$LIMIT" -gt 0 ]; then
        left=$(time_left)
        [ "$left" -gt 0 ] || left=1
        timeout --foreground --preserve-status --signal INT "$left" "$@"
    else
        "$@"
    fi
}

version() {
    commit=$(git rev-parse --short HEAD 2> /dev/null || echo unknown)
    git diff --quiet HEAD -- lib include examples/seqrec 2> /dev/null || commit="$commit+changes"
    echo "$commit"
}

# begin NAME DATA: whether this unit is to be run; its folder is $unit then
begin() {
    name=$1 data=$2 unit=$WORK/$1
    case $name in *"$ONLY"*) ;; *) return 1 ;; esac
    if [ -f "$OUT" ] && grep -q "\"unit\":\"$name\"" "$OUT"; then
        echo "have $name"
        return 1
    fi
    if [ ! -f "$DATA/$data" ]; then
        echo "SKIP $name: no $DATA/$data"
        return 1
    fi
    if time_is_up; then stop_here; fi
    mkdir -p "$unit"
    version >> "$unit/commits"
}

# What a checkpoint in the unit's folder belongs to; a training with other options starts anew.
claim() {
    if [ "$(cat "$unit/options" 2> /dev/null)" != "$1" ]; then
        rm -f "$unit"/*
        echo "$1" > "$unit/options"
        version > "$unit/commits"
    fi
}

# The summary of the last part of the training, with the seconds of all parts and the largest peak; parts that were killed have
# none. A training in one part has its summary as it is.
whole() {
    awk "$number"'
        { seconds += number("seconds"); summary = $0 }
        number("peak_rss_bytes") > peak { peak = number("peak_rss_bytes") }
        END {
            if (NR > 1) {
                sub(/"seconds":[^,]*/, sprintf("\"seconds\":%.9g", seconds), summary)
                sub(/"peak_rss_bytes":[^,]*/, sprintf("\"peak_rss_bytes\":%.0f", peak), summary)
            }
            print summary
        }' "$unit/parts"
}

# train READING OPTIONS...: trains the unit's model; READING are options of the data, which a resumed training needs again.
# $trained is the summary, $unit/log the epochs.
train() {
    reading=$1
    shift
    claim "$reading $*"
    if [ -f "$unit/checkpoint" ]; then
        echo "on   $name: seqrec train --data $data $reading $*"
        set -- --resume "$unit/checkpoint"
    else
        echo "run  $name: seqrec train --data $data $reading $*"
        rm -f "$unit/parts"
    fi
    status=0
    if ! grep -qs '"interrupted":false' "$unit/parts"; then
        bounded "$SEQREC" train --data "$DATA/$data" $reading "$@" --threads "$THREADS" --checkpoint "$unit/checkpoint" \
            --log "$unit/log" --out "$unit/$name.safetensors" --json >> "$unit/parts" || status=$?
    fi
    if [ "$status" -eq 130 ] && time_is_up; then stop_here; fi
    [ "$status" -eq 0 ] || exit "$status"
    trained=$(whole)
}

# evaluate OPTIONS...: the report of the unit's model, or of the baselines alone when it has none
evaluate() {
    [ ! -f "$unit/$name.safetensors" ] || set -- --model "$unit/$name.safetensors" "$@"
    "$SEQREC" evaluate --data "$DATA/$data" "$@" --threads "$THREADS" --json > "$unit/report"
    last "$unit/report"
}

# reference NAME READING OPTIONS...: $reference is the model of $source that others are compared with, trained again where it is missing.
# NAME is that of its own unit, which keeps it with `keep`; READING as in train.
reference() {
    reference=$WORK/reference/$1.safetensors
    reading=$2
    shift 2
    [ -f "$reference" ] && return 0
    mkdir -p "$WORK/reference"
    echo "again $reference"
    [ ! -f "$reference.state" ] || set -- --resume "$reference.state"
    bounded "$SEQREC" train --data "$source" $reading "$@" --threads "$THREADS" --checkpoint "$reference.state" \
        --out "$reference.part" --quiet || {
        time_is_up && stop_here
        exit 1
    }
    rm -f "$reference.state"
    mv "$reference.part" "$reference"
}

# The unit's model, as a reference.
keep() {
    mkdir -p "$WORK/reference"
    cp "$unit/$name.safetensors" "$WORK/reference/$name.safetensors"
}

# against OPTIONS...: the unit's model minus $reference, user by user
against() {
    "$SEQREC" compare --model "$unit/$name.safetensors" --model "$reference" --data "$source" "$@" --threads "$THREADS" --json \
        --quiet > "$unit/compared"
    last "$unit/compared"
}

# draws PROTOCOL N OPTIONS...: of the unit's model, if it has one, and the baselines, means of HR@10 and NDCG@10 over N draws of the negatives, seeds 0 to N - 1,
# in which every row meets the same ones
draws() {
    rm -f "$unit/draws"
    protocol=$1 count=$2
    shift 2
    for draw in $(seq 0 $((count - 1))); do
        evaluate --protocol "$protocol" --seed "$draw" --bootstrap 0 --quiet "$@" >> "$unit/draws"
        echo >> "$unit/draws"
    done
    python3 -c '
import json, sys
reports = [json.loads(line) for line in sys.stdin if line.strip()]
rows = [dict(r.get("baselines", {}), **({"model": r} if "hr@10" in r else {})) for r in reports]
mean = lambda row, figure: round(sum(r[row][figure] for r in rows) / len(rows), 9)
print(json.dumps({"draws": len(rows), **{row: {f: mean(row, f) for f in ("hr@10", "ndcg@10")} for row in rows[0]}}))
' < "$unit/draws"
}

# against_draws PROTOCOL N: as against, means over N draws of the negatives, also of the ends of the intervals, which therefore keep
# the chance of a single draw
against_draws() {
    rm -f "$unit/draws"
    for draw in $(seq 0 $(($2 - 1))); do
        against --protocol "$1" --cutoffs 10 --seed "$draw" >> "$unit/draws"
        echo >> "$unit/draws"
    done
    python3 -c '
import json, sys
found = [json.loads(line) for line in sys.stdin if line.strip()]
figures = ("hr@10", "ndcg@10")
mean = lambda values: round(sum(values) / len(found), 9)
means = {row: {f: mean([r[row][f] for r in found]) for f in figures} for row in ("a", "b", "difference")}
means["difference"]["ci"] = {f: [mean([r["difference"]["ci"][f][end] for r in found]) for end in (0, 1)] for f in figures}
print(json.dumps({"draws": len(found), **means}))
' < "$unit/draws"
}

# finish MEMBERS: writes the line, without paths of this machine, and clears the folder. The shell overlooks a command that fails within the
# words of another or before the last within one assignment: one $(...) for each assignment.
finish() {
    mkdir -p "$(dirname "$OUT")"
    printf '{"unit":"%s","commit":"%s","data":"%s",%s%s}\n' "$name" "$(awk '!seen[$0]++' "$unit/commits" | paste -s -d , -)" \
        "$data" "${MACHINE:+\"machine\":\"$MACHINE\",}" "$1" | sed "s|$unit/||g; s|$DATA/||g; s|$WORK/||g" >> "$OUT"
    rm -r "$unit"
}
