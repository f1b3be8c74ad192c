#!/bin/sh
# The commands of the README's section "Command line", run as they stand there on data they generate themselves.
# SEQREC_PROGRAM (or SEQREC) names the program. Exit 1 when a command fails or the section has none.
set -eu
readme=$(cd "$(dirname "$0")/../.." && pwd)/README.md
program=${SEQREC_PROGRAM:-${SEQREC:-build/seqrec}}
case $program in /*) ;; *) program=$PWD/$program ;; esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

awk '/^## / { here = /Command line/ } here && /^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$readme" > commands
[ "$(grep -c '^seqrec ' commands)" -ge 5 ] || { echo "README.md has no five commands of seqrec" >&2; exit 1; }

while read -r name arguments; do
    [ "$name" = seqrec ] || { echo "not a command of seqrec: $name $arguments" >&2; exit 1; }
    # The README's arguments hold no blanks inside.
    "$program" $arguments > out 2> err < /dev/null || { echo "failed: seqrec $arguments" >&2; cat err >&2; exit 1; }
    [ -s out ] || { echo "said nothing: seqrec $arguments" >&2; exit 1; }
    echo "ok: seqrec $arguments"
done < commands
