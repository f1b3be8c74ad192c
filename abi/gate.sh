#!/bin/sh
# abi: `gate.sh check LIBRARY` compares a built library with the baseline, `gate.sh update LIBRARY` rewrites the baseline.
# HEADERS and BASELINE may name others (selftest.sh does). Any difference fails; 77 where there is no baseline to compare.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
HEADERS=${HEADERS:-$here/../include}
BASELINE=${BASELINE:-$here/libseqrec.so.1-$(uname -m)-linux.abi}

usage() {
    echo "usage: gate.sh check|update LIBRARY" >&2
    exit 2
}
[ $# -eq 2 ] || usage
mode=$1 library=$2

# Without debugging information there are no types to compare and everything would seem well.
if ! readelf -SW "$library" | grep -q '\.debug_info'; then
    echo "abi: $library has no .debug_info; build it with -g" >&2
    exit 1
fi

# One set of flags for both sides: a baseline compared with a library, or with other flags, misses changes of types.
describe() {
    abidw --headers-dir "$HEADERS" --drop-private-types --no-corpus-path --no-comp-dir-path --no-show-locs \
        --type-id-style hash --suppressions "$here/suppr.ini" --out-file "$1" "$library"
}

case $mode in
    update)
        describe "$BASELINE"
        echo "abi: wrote $(basename "$BASELINE"); say what changed under ABI in CHANGELOG.md"
        ;;
    check)
        if [ ! -f "$BASELINE" ]; then
            echo "abi: no baseline $(basename "$BASELINE")" >&2
            exit 77
        fi
        now=$(mktemp)
        trap 'rm -f "$now"' EXIT
        describe "$now"
        result=0
        abidiff --suppressions "$here/suppr.ini" "$BASELINE" "$now" || result=$?
        if [ $result -ne 0 ]; then
            echo "abi: differs from $(basename "$BASELINE") (abidiff $result); an addition is accepted by 'make abi-update'," \
                "anything else needs a new major number" >&2
            exit 1
        fi
        echo "abi: as the baseline"
        ;;
    *) usage ;;
esac
