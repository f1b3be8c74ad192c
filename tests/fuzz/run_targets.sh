#!/bin/sh
# fuzz: `run_targets.sh BUILD SECONDS JOBS` runs every fuzz target for that long, JOBS at a time. Starts from the files in
# tests/fuzz/corpus/NAME; a finding is kept in BUILD/findings and printed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) || exit 2
export SECONDS_EACH="$2" here build
mkdir -p "$build/findings"

targets=$(find "$build/tests" -maxdepth 1 -type f -name 'fuzz_*' ! -name '*.*')
if [ -z "$targets" ]; then
    echo "fuzz: no targets"
    exit 77
fi
# One target per line; xargs returns non-zero when one of them does.
printf '%s\n' "$targets" | xargs -P "$3" -n 1 sh -c '
    name=$(basename "$1")
    work=$build/corpus-$name
    mkdir -p "$work"
    seeds=$here/corpus/${name#fuzz_}
    [ -d "$seeds" ] || seeds=
    log=$build/$name.log
    if "$1" -max_total_time="$SECONDS_EACH" -rss_limit_mb=2048 -timeout=10 -artifact_prefix="$build/findings/$name-" \
        -print_final_stats=1 "$work" $seeds > "$log" 2>&1; then
        echo "fuzz: $name: $(sed -n "s/^stat::number_of_executed_units: *//p" "$log") inputs, nothing found"
    else
        echo "fuzz: $name failed:"
        tail -n 40 "$log"
        exit 1
    fi' sh
