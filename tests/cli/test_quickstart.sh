#!/bin/sh
# The first program that a new user runs: `make quickstart`, all of it. SEQREC_PROGRAM names the program. Prints one line per check; exit 1
# when one failed.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$(dirname "$0")/shell_checks.sh"

: > err
OUT="$DIR/quickstart" SEQREC="$SEQREC" timeout 170 sh "$ROOT/examples/quickstart.sh" > out 2> err
verdict $? "quickstart ends well, in less than three minutes"
grep -q '^== 5\|^== Done' out
verdict $? "all of its parts"
for figure in hr@10 ndcg@10; do
    grep "^$figure *best possible" out > line
    awk '{ gsub(/[:%,]/, " "); for (i = 1; i <= NF; i++) if ($i ~ /^[0-9.]+$/) n[++k] = $i }
        END { exit !(k == 3 && n[1] > 0 && n[1] < 1 && n[2] > n[3] && n[2] > 50 && n[2] <= 105 && n[3] > 0) }' line
    verdict $? "$figure: best possible, the model's share, and a smaller one of the Markov chain"
done
[ "$(grep -c '^user [0-9]*, last events: [0-9 ]*$' out)" -eq 3 ]
verdict $? "recommendations for three users"
grep -q '</svg>' quickstart/curve.svg && [ -s quickstart/model.safetensors ] && [ -s quickstart/train.jsonl ]
verdict $? "the curve, the model and the log"
finish
