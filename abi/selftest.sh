#!/bin/sh
# abi: proves that gate.sh sees what it must. A library of empty functions is made from the real header and map, broken on
# purpose in one way at a time, and compared with the unbroken one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# stub DIRECTORY: an empty body for each function of DIRECTORY/include/seqrec/.
stub() {
    {
        echo '#include "seqrec.h"'
        awk '/^SEQREC_API/ { open = 1; text = "" }
            open { text = text " " $0 }
            open && /;$/ {
                gsub(/SEQREC_API|SEQREC_MUST_CHECK/, "", text); sub(/;$/, "", text)
                print text, (text ~ /^ *void +[a-z]/ ? "{ }" : "{ return 0; }"); open = 0
            }' "$1"/include/seqrec/*.h
    } > "$1/stub.c"
}

# fresh NAME: an unbroken copy of header, map and functions under $scratch/NAME.
fresh() {
    copy=$scratch/$1
    mkdir -p "$copy/include"
    cp -R "$here/../include/seqrec.h" "$here/../include/seqrec" "$copy/include/"
    cp "$here/seqrec.map" "$copy/"
    stub "$copy"
}

# build COMPILER FLAGS...: makes $copy/libseqrec.so of what is there.
build() {
    compiler=$1
    shift
    "$compiler" -w "$@" -fPIC -shared -I "$copy/include" -Wl,--version-script="$copy/seqrec.map" \
        -Wl,-soname,libseqrec.so.1 -o "$copy/libseqrec.so" "$copy/stub.c"
}

# change FILE SED-SCRIPT: edits and insists that something changed.
change() {
    cp "$1" "$scratch/before"
    sed -i "$2" "$1"
    if cmp -s "$1" "$scratch/before"; then
        echo "abi-selftest: '$2' no longer matches anything in $(basename "$1")" >&2
        exit 2
    fi
}

# expect pass|fail WHAT: runs the gate on $copy and compares.
expect() {
    if HEADERS=$copy/include BASELINE=$scratch/baseline.abi sh "$here/gate.sh" check "$copy/libseqrec.so" \
        > "$copy/log" 2>&1; then got=pass; else got=fail; fi
    if [ $got = "$1" ]; then
        echo "abi-selftest: $2: $got, as it must"
    else
        echo "abi-selftest: $2: $got, and must $1" >&2
        sed 's/^/    /' "$copy/log" >&2
        failures=$((failures + 1))
    fi
}

# swap_fields A B: exchanges two neighbouring int32_t fields.
swap_fields() {
    change "$copy/include/seqrec/core.h" "/^    int32_t $1;/{h;d;};/^    int32_t $2;/{G;}"
}

fresh baseline
build gcc -g -O2
HEADERS=$copy/include BASELINE=$scratch/baseline.abi sh "$here/gate.sh" update "$copy/libseqrec.so" > "$scratch/log"

fresh unchanged-gcc
build gcc -g -O2
expect pass "unchanged, gcc"

if command -v clang > /dev/null; then
    fresh unchanged-clang
    build clang -g -O2
    expect pass "unchanged, clang"
fi

fresh symbol-removed
change "$copy/stub.c" '/ seqrec_topk(/d'
change "$copy/seqrec.map" '/ seqrec_topk;/d'
build gcc -g -O2
expect fail "a symbol removed"

fresh symbol-added
change "$copy/include/seqrec/core.h" 's/^SEQREC_API int32_t seqrec_version(void);/&\nSEQREC_API int32_t seqrec_added(void);/'
change "$copy/seqrec.map" 's/^ *seqrec_version;/&\nseqrec_added;/'
stub "$copy"
build gcc -g -O2
expect fail "a symbol added without a new baseline"

fresh symbol-demoted
change "$copy/seqrec.map" '/ seqrec_topk;/d'
change "$copy/seqrec.map" 's/ seqrec_evaluate;/&\nseqrec_topk;/'
build gcc -g -O2
expect fail "a symbol moved to SEQREC_EXPERIMENTAL"

fresh fields-swapped
swap_fields exclude_seen unknown_items
build gcc -g -O2
expect fail "two fields swapped"

fresh field-retyped
change "$copy/include/seqrec/core.h" 's/^    int32_t exclude_seen;/    float exclude_seen;/'
build gcc -g -O2
expect fail "an int32_t made float"

fresh field-widened
change "$copy/include/seqrec/core.h" 's/^    int32_t unknown_items;/    int64_t unknown_items;/'
build gcc -g -O2
expect fail "a field widened"

fresh parameter-retyped
change "$copy/include/seqrec/core.h" 's/^SEQREC_API int64_t seqrec_items_count(/SEQREC_API int32_t seqrec_items_count(/'
stub "$copy"
build gcc -g -O2
expect fail "a return type narrowed"

fresh without-g
build gcc -O2
expect fail "a library without -g"

fresh experimental-changed
change "$copy/include/seqrec/evaluations.h" 's/^SEQREC_API void seqrec_report_release(.*/SEQREC_API int64_t seqrec_report_release(float x);/'
change "$copy/include/seqrec/datasets.h" 's/^    double hit10, ndcg10;/    float hit10; double ndcg10;/'
stub "$copy"
build gcc -g -O2
expect pass "an experimental function and struct changed"

fresh experimental-moved
change "$copy/seqrec.map" '/ seqrec_report_metric;/d'
change "$copy/include/seqrec/evaluations.h" 's/^SEQREC_API void seqrec_report_release(.*/&\nSEQREC_API int32_t seqrec_report_count(void);/'
change "$copy/seqrec.map" 's/^ *seqrec_report_release;/&\nseqrec_report_count;/'
stub "$copy"
change "$copy/stub.c" '/[ *]seqrec_report_metric(/d'
build gcc -g -O2
expect pass "an experimental symbol removed and another added"

[ $failures -eq 0 ] || exit 1
