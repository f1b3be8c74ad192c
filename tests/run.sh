#!/bin/sh
# tests: every step of `make test`, or the steps named. Prints each with its seconds, the log of what failed, and at the end what
# failed once more, and alone on a line, 'N passed, M failed, K skipped': test cases where a step has them, else the step.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
JOBS=${JOBS:-2}
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
SOAK_SECONDS=${SOAK_SECONDS:-60}
logs=$BUILD/test-logs
passed=0 failed=0 skipped=0

# tree FOLDER [CC=... CXX=...] OPTIONS...: configures a build tree as said and builds it, or only $targets.
tree() {
    folder=$1
    shift
    if [ -f "$folder/build.ninja" ]; then again=--reconfigure; else again=; fi
    compilers=
    while case ${1:-} in CC=*|CXX=*) true ;; *) false ;; esac; do compilers="$compilers $1"; shift; done
    env $compilers meson setup $again "$folder" "$@" && ninja -C "$folder" -j "$JOBS" ${targets:-}
}

# suites FOLDER OPTIONS...: runs meson's tests of a tree that is built.
suites() {
    folder=$1
    shift
    if ! meson test -C "$folder" --no-rebuild --list "$@" 2> /dev/null | grep -q :; then
        echo "$folder has no such tests: meson configure $folder -Dtests=true"
        return 1
    fi
    ${under:-} meson test -C "$folder" --no-rebuild --print-errorlogs --num-processes "$JOBS" "$@"
}

# Warnings are errors in these two trees and in no user's.
gcc_tree() { tree build-gcc CC=gcc CXX=g++ -Dc_std=c11 -Dwerror=true; }
clang_tree() { tree build-clang CC=clang CXX=clang++ -Dwerror=true; }

step_build() { tree "$BUILD" -Dtests=true -Dexamples=true; }
step_suites() { suites "$BUILD"; }
step_check() { BUILD=$BUILD sh tests/check.sh all; }
step_gcc_c11() { gcc_tree; }
step_clang() { clang_tree && suites build-clang --suite unit; }
step_abi() {
    clang_tree && sh abi/gate.sh check "$BUILD/lib/libseqrec.so" && sh abi/gate.sh check build-clang/lib/libseqrec.so
}
step_abi_selftest() { sh abi/selftest.sh; }
step_install() { gcc_tree && sh tests/install/check_install.sh build-gcc; }

# One process per program, so that leaks and races of all its tests are seen; -O1, with line numbers alone of
# what a debugger asks for, compiles in less than half of the time.
sanitized="-Doptimization=1 -Db_lundef=false -Dexamples=false -Dc_args=['-fno-sanitize-recover=all','-g1'] -Dcpp_args=['-fno-sanitize-recover=all','-g1']"
step_asan() {
    targets=meson-test-prereq tree build-asan CC=gcc -Db_sanitize=address,undefined $sanitized &&
        CK_FORK=no UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1 \
            suites build-asan --timeout-multiplier 5 --suite unit --suite api --suite thread
}
# tsan_tree [TARGETS]: builds all of the tree, or these. under: how its programs are run: gcc 12's TSan cannot place its shadow where
# the kernel randomises addresses by more than 28 bits.
tsan_tree() {
    under=
    if setarch "$(uname -m)" -R true 2> /dev/null; then under="setarch $(uname -m) -R"; fi
    targets="$*" tree build-tsan CC=gcc -Db_sanitize=thread $sanitized
}
step_tsan() {
    tsan_tree tests-thread && CK_FORK=no TSAN_OPTIONS=halt_on_error=1 suites build-tsan --timeout-multiplier 5 --suite thread
}
# Its last line says what was done, and of which seed: SOAK_SEED, or the time.
step_soak() {
    tsan_tree tests/soak_serving && TSAN_OPTIONS=halt_on_error=1 $under build-tsan/tests/soak_serving "$SOAK_SECONDS" ${SOAK_SEED:-}
}

# What multiplies matrices, and threads, with each of Debian's builds of BLIS, but for the one that step suites of this call ran with.
step_flavours() {
    triplet=$(cc -print-multiarch)
    default=$(readlink -f "/usr/lib/$triplet/libblis.so.4")
    for flavour in openmp pthread serial; do
        library=/usr/lib/$triplet/blis-$flavour
        if [ ! -e "$library/libblis.so.4" ]; then echo "no $library"; return 1; fi
        [ "$suites_ran" = no ] || [ "$(readlink -f "$library/libblis.so.4")" != "$default" ] || continue
        echo "BLIS: $flavour"
        LD_LIBRARY_PATH=$library suites "$BUILD" gemm golden losses sce step known eval || return 1
        LD_LIBRARY_PATH=$library suites "$BUILD" --suite thread || return 1
    done
}
step_fuzz() {
    tree build-fuzz CC=clang CXX=clang++ -Dfuzz=true -Dtests=false -Db_sanitize=address,undefined $sanitized &&
        sh tests/fuzz/run_targets.sh build-fuzz "$FUZZ_SECONDS" $((4 * JOBS)) # all at once, each for so long by the clock
}
step_docs() { (cat docs/Doxyfile && echo "OUTPUT_DIRECTORY = $BUILD/docs") | doxygen -; }

# count LOG STATUS: adds what meson says of each program (its cases when it has them), or the step itself.
count() {
    set -- "$2" $(awk '/^Summary of Failures/ { again = 1 }
        /^Ok: / { again = 0 }
        !again && /^ *[0-9]+\/[0-9]+ .* (OK|FAIL|ERROR|TIMEOUT|INTERRUPT|SKIP|UNEXPECTEDPASS|EXPECTEDFAIL) +[0-9.]+s/ {
            good = 1; all = 1
            if (match($0, /[0-9]+(\/[0-9]+)? subtests passed/)) {
                split(substr($0, RSTART, RLENGTH), n, /[\/ ]/); good = n[1]; all = n[2] + 0 > 0 ? n[2] : n[1]
            } else if ($0 !~ / OK /) good = 0
            if ($0 ~ / SKIP /) skip++
            else { if ($0 !~ / OK / && good == all) all++; pass += good; fail += all - good }
        }
        END { print pass + 0, fail + 0, skip + 0 }' "$1")
    if [ "$1" -eq 77 ]; then skipped=$((skipped + 1))
    elif [ $(($2 + $3 + $4)) -eq 0 ]; then
        if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    else
        passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
        [ "$1" -eq 0 ] || [ "$3" -gt 0 ] || failed=$((failed + 1))
    fi
}

# failures STEP LOG: a line for each program and case that failed, or for the step itself; at most twenty.
failures() {
    awk -v step="$1" '/^Summary of Failures/ { exit }
        /^not ok / || /^ *[0-9]+\/[0-9]+ .* (FAIL|ERROR|TIMEOUT|INTERRUPT|UNEXPECTEDPASS) +[0-9.]+s/ {
            sub(/^ */, ""); if (++n <= 20) print "failed: " step ": " $0
        }
        END { if (!n) print "failed: " step }' "$2"
}

run() {
    log=$logs/$1.log
    printf '%-14s ' "$1"
    start=$(date +%s)
    ("step_$1") > "$log" 2>&1
    status=$?
    case $status in 0) verdict=ok ;; 77) verdict=skipped ;; *) verdict=FAILED ;; esac
    printf '%-8s %4d s\n' "$verdict" $(($(date +%s) - start))
    count "$log" $status
    [ $status -ne 0 ] && [ $status -ne 77 ] || return 0
    echo "--- the end of $log"
    tail -n 60 "$log"
    echo "---"
    failures "$1" "$log" >> "$logs/failures"
}

[ $# -gt 0 ] || set -- build suites check gcc_c11 clang abi abi_selftest install asan tsan flavours fuzz docs
case " $* " in *" suites "*) suites_ran=yes ;; *) suites_ran=no ;; esac
mkdir -p "$logs"
: > "$logs/failures"
for name; do run "$name"; done
cat "$logs/failures"
echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/closing-line"
[ $failed -eq 0 ]
