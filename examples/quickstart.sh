#!/bin/sh
# What `make quickstart` runs: sample data, training, evaluation, recommendations and the training curve.
# SEQREC names the program (build/seqrec), OUT the folder for the files (build/quickstart).
set -eu
SEQREC=${SEQREC:-build/seqrec}
OUT=${OUT:-build/quickstart}
mkdir -p "$OUT"

say() {
    printf '\n== %s\n' "$1"
}

# The number called $1 in the JSON of file $2: its first place there, or its $3rd.
number() {
    tr ',{' '\n\n' < "$2" | sed -n "s/^\"$1\":\([0-9.eE+-]*\).*/\1/p" | sed -n "${3:-1}p"
}

# What the model and the Markov chain reach of the best possible $1. The evaluation has model, popularity, markov in turn.
compare() {
    awk -v name="$1" -v best="$(number "$1" "$OUT/synth.json")" -v model="$(number "$1" "$OUT/evaluation.json")" \
        -v markov="$(number "$1" "$OUT/evaluation.json" 3)" 'BEGIN {
        printf "%-8s best possible %.4f: the model reaches %.0f %% of it, the Markov chain %.0f %%\n", name, best,
            100 * model / best, 100 * markov / best }'
}

say "1. Sample data: users with a hidden taste that drifts"
"$SEQREC" synth --out "$OUT/events.csv" --users 3000 --items 400 --markov 0.3 --drift 0.03 --seed 1 --json > "$OUT/synth.json"
"$SEQREC" stats --data "$OUT/events.csv"

say "2. Training: SASRec with softmax over the catalogue"
"$SEQREC" train --data "$OUT/events.csv" --preset sasrec-softmax --set max_length=50 --set learning_rate=0.003 \
    --set dropout=0.1 --set epochs=60 --set patience=6 --seed 1 --out "$OUT/model.safetensors" \
    --log "$OUT/train.jsonl" --curve "$OUT/curve.svg"

say "3. Evaluation on each user's last event"
"$SEQREC" evaluate --model "$OUT/model.safetensors" --data "$OUT/events.csv"
"$SEQREC" evaluate --model "$OUT/model.safetensors" --data "$OUT/events.csv" --bootstrap 0 --quiet --json \
    > "$OUT/evaluation.json"
printf '\nWith only the visible history to go by:\n'
compare 'hr@10'
compare 'ndcg@10'

say "4. Recommendations"
for user in $(sed -n '2,$p' "$OUT/events.csv" | cut -d, -f1 | uniq | sed -n 1,3p); do
    printf 'user %s, last events:' "$user"
    sed -n "s/^$user,\([^,]*\),.*/ \1/p" "$OUT/events.csv" | tail -n 8 | tr -d '\n'
    printf '\n'
    "$SEQREC" recommend --model "$OUT/model.safetensors" --data "$OUT/events.csv" --user "$user" --k 5
done

say "Done"
echo "model     $OUT/model.safetensors"
echo "curve     $OUT/curve.svg"
echo "log       $OUT/train.jsonl"
