# bench: sums a perf report (overhead|library|symbol) of a training row by kind of work; one JSON line.
BEGIN {
    FS = "|"
    kinds = split("products|attention softmax|layer norms|dropout and activation|loss|negatives|rows and optimizer|" \
                  "biases, residuals, copies|rest", kind, "|")
}

function kind_of(symbol) {
    if (symbol ~ /^(tile|sq_product|sq_gemm|bli_|product)/) return 1
    if (symbol ~ /^attend_/) return 2
    if (symbol ~ /^norm/) return 3
    if (symbol ~ /^(dropout|relu|gelu)/) return 4
    if (symbol ~ /^(sq_bce|bce_|softmax|sq_softmax|sq_sampled|sampled_|sq_shared|sq_step_loss|table_panel|exp|max$)/ ||
        symbol ~ /^(dot|gather_dots|compute_logits|axpy|scale|__log|__exp|__ieee754|logistic|sq_logistic|sq_soft)/)
        return 5
    if (symbol ~ /^(draw|sq_sampler|sq_uniform|sq_popularity|sq_alias|sq_in_batch|sq_mixed|random64|list_refused|redraw|attempt_again|find|mark)/) return 6
    if (symbol ~ /^(adam|gather_axpy|spread_axpy|row_gradient|walk_part|update|replay|count_chunk|scatter_chunk|carry_chunk|sq_row|sq_step)/ ||
        symbol ~ /^(commit_piece|reduce_piece|look_up|max_abs|not_fit|flush|push|sort|sq_sort)/)
        return 7
    if (symbol ~ /^(add$|fill_rows|column_sums|transpose|embed|sq_embed|join_heads|__mem|mem)/) return 8
    return 9
}

/^ *[0-9.]+%/ {
    symbol = $3
    sub(/^ *\[[^]]*\] */, "", symbol)
    if ($2 ~ /bench_train/) next # the loop that measures the peak
    share = $1 + 0
    sum[kind_of(symbol)] += share
    all += share
}

END {
    if (!all) exit 1
    printf "{\"bench\":\"phases\",\"name\":\"%s\"", name
    for (i = 1; i <= kinds; i++) printf ",\"%s\":%.1f", kind[i], 100 * sum[i] / all
    print "}"
}
