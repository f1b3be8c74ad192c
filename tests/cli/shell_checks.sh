# Shell functions of the program's tests: run the program, check exit code, messages and JSON. Sourced, not run.
# SEQREC_PROGRAM names the program. The test goes on in a scratch folder, $DIR, with $SEQREC as an absolute path.
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

finish() { # the test's last line
    echo "1..$count"
    [ $failed -eq 0 ] || { echo "# $failed of $count failed"; exit 1; }
}
