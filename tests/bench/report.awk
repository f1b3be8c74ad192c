# bench: the tables of `make bench` from its JSON lines, and the figures held against what the project promises.

# The value of a key in the current line, without quotes; "" when it is not there.
function field(key,    at, text) {
    at = index($0, "\"" key "\":")
    if (!at) return ""
    text = substr($0, at + length(key) + 3)
    sub(/^ */, "", text)
    if (text ~ /^"/) { sub(/^"/, "", text); sub(/".*/, "", text) }
    else sub(/[,}].*/, "", text)
    return text
}

function title(text) { printf "\n%s\n", text }

function megabytes(bytes) { return bytes == "" ? "" : sprintf("%.0f MB", bytes / 1e6) }

# One promise: `got` (none: "") is at least or at most `bar`.
function promise(text, got, how, bar, unit,    verdict) {
    if (got == "") verdict = "not measured"
    else if (how == "least") verdict = got + 0 >= bar + 0 ? "met" : "NOT MET"
    else verdict = got + 0 <= bar + 0 ? "met" : "NOT MET"
    printf "%-62s %10s  at %-5s %8s  %s\n", text, got == "" ? "-" : sprintf("%.3g%s", got, unit), how, bar unit, verdict
}

function ratio(theirs, ours) { return theirs == "" || ours == "" ? "" : theirs / ours }

{ kind = field("bench"); name = field("name") }

kind == "peak" {
    if (!(name in seen)) peaks[++peak_count] = name
    seen[name]
    peak[name, field("threads")] = field("gflops")
}

kind == "train" {
    trained[++train_count] = name
    seconds[name] = field("seconds_per_epoch")
    rate[name] = field("targets_per_second")
    gflops[name] = field("gflops")
    if (field("peak_gflops") + 0 > best_peak + 0) best_peak = field("peak_gflops")
    rss[name] = field("peak_rss_bytes")
    window = field("window")
    stride[name] = field("stride")
    data = field("data") ", " field("threads") " threads"
}

field("variant") != "" {
    torch[field("variant")] = field("seconds_per_epoch")
    torch_rss[field("variant")] = field("peak_rss_bytes")
    torch_name = "PyTorch " field("torch")
    blas = $0
    if (!sub(/.*"blas": *\["/, "", blas)) blas = "no separate BLAS"
    sub(/".*/, "", blas)
    if (field("p50_seconds") != "") predict = 1e3 * field("p50_seconds")
}

kind == "flat" {
    flats[++flat_count] = name
    step[name] = field("seconds_per_step")
    items[name] = field("items")
    fresh[name] = field("allocations_in_warm_steps")
    flat_rss[name] = field("peak_rss_bytes")
}

kind == "evaluate" {
    evaluations[++evaluation_count] = sprintf("%-26s %9d users %9s resamples %8.2f s", name, field("users"),
                                              field("resamples"), field("seconds"))
    if (field("seconds") + 0 > evaluation + 0) evaluation = field("seconds")
}

kind == "read" {
    million = field("lines_per_second") / 1e6
    reads[++read_count] = sprintf("%-26s %9d lines %8.1f M lines/s", name, field("lines"), million)
    if (reading == "" || million < reading) reading = million
}

kind == "serve" {
    serves[++serve_count] = name
    serve_line[name] = sprintf("%-26s %8d items, d %3d, %4d users, %d threads: p50 %9.4f ms, p99 %9.4f ms, at most %9.4f ms, mean %9.4f ms, %8.0f/s", name, field("items"),
                               field("dim"), field("users"), field("threads"), field("p50_ms"), field("p99_ms"), field("max_ms"), field("mean_ms"),
                               field("users_per_second"))
    p50[name] = field("p50_ms")
    p99[name] = field("p99_ms")
    users_rate[name] = field("users_per_second")
    if (name ~ /^topk-d[0-9]+$/ && p50[name] + 0 > serving + 0) serving = p50[name]
}

kind == "sessions" {
    held_sessions[++held_session_count] = sprintf("%-26s d %3d, %d events each: %s before, %s behind them, %s at most; events %s, caches %s of %d, %d dropped",
                                                  name, field("dim"), field("events"), megabytes(field("resident_before")),
                                                  megabytes(field("resident_bytes")), megabytes(field("peak_rss_bytes")),
                                                  megabytes(field("event_bytes")), megabytes(field("cache_bytes")), field("cached"),
                                                  field("dropped"))
    if (field("sessions") + 0 >= 100000) sessions_memory = field("peak_rss_bytes") / 1e6
}

kind == "peer" {
    peers[++peer_count] = name
    peer_line[name] = sprintf("%-26s %-16s %4d users, %d threads: p50 %9.4f ms, p99 %9.4f ms, %8.0f/s, %5.1f %% of our ten", name,
                              (name ~ /^torch/ ? "PyTorch " : "onnxruntime ") field("version"), field("users"), field("threads"),
                              field("p50_ms"), field("p99_ms"), field("users_per_second"), 100 * field("agreement"))
    p50[name] = field("p50_ms")
    users_rate[name] = field("users_per_second")
    if (agreement == "" || field("agreement") + 0 < agreement + 0) agreement = field("agreement")
}

kind == "beside" {
    besides[++beside_count] = sprintf("%-26s alone p50 %8.4f ms, p99 %8.4f ms; beside p50 %8.4f ms, p99 %8.4f ms: %.2f; %d changes, %d publishes, %d swaps",
                                      name, field("alone_p50_ms"), field("alone_p99_ms"), field("p50_ms"), field("p99_ms"),
                                      field("ratio"), field("writes"), field("publishes"), field("swaps"))
    beside[name] = field("ratio")
}

kind == "batchusers" {
    batch_lists[++batch_list_count] = sprintf("%-26s %8d items, d %3d, 1 to %d events, %d threads: %8.2f s, %8.0f/s, %.1f MB at most", name,
                                              field("items"), field("dim"), field("longest"), field("threads"), field("seconds"),
                                              field("users_per_second"), field("peak_rss_bytes") / 1e6)
    streamed[field("users")] = field("peak_rss_bytes")
}

kind == "recall" {
    trained_recalls[++trained_recall_count] = sprintf("%-26s %9d items, %6d queries: recall %.4f", name, field("items"), field("queries"),
                                                      field("recall"))
    trained_recall[name] = field("recall")
}

kind == "retrieval" {
    retrievals[++retrieval_count] = name
    retrieval_ms[name] = field("p50_ms")
    retrieval_rate[name] = field("gb_per_second")
    retrieval_bandwidth[name] = field("bandwidth")
    recalls[name] = field("recall")
    batch_ms[name] = field("batch_ms")
    if (field("product_gflops") != "") product_share[name] = 100 * field("gflops") / field("product_gflops")
    retrieval_items[name] = field("items")
    held[name] = field("resident_bytes")
}

kind == "ann" {
    anns[++ann_count] = sprintf("%-26s %9d %7.2f ms %31s %7s %10.2f ms %8.0f s %9s", name, field("items"), field("p50_ms"), "", field("recall"),
                                field("exact_ms"), field("build_seconds"), megabytes(field("bytes")))
    if (field("items") + 0 >= 1000000 && field("recall") + 0 >= 0.97 && (ann_ms == "" || field("p50_ms") + 0 < ann_ms + 0)) ann_ms = field("p50_ms")
    if (field("items") + 0 >= 1000000) ann_large = 1
}

kind == "faiss" {
    faiss_name = "faiss " field("version")
    faiss_ms = field("p50_ms")
    faiss_batch = field("batch_ms")
}

kind == "gates" {
    gates[++gates_count] = sprintf("%-24s length %3d: %3.0f %% closed, %.2f of the time without gates", name, field("length"),
                                   100 * field("closed"), field("ratio"))
}

kind == "kernel" {
    if (!(name in rate_unit)) kernels[++kernel_count] = name
    rate_unit[name] = field("unit")
    table = field("table")
    if (!(table in table_peak)) kernel_tables[++kernel_table_count] = table
    table_peak[table] = field("peak_gflops")
    kernel_rate[name, table] = field("rate")
}

kind == "phases" {
    phases[++phase_count] = name
    line = $0
    sub(/^[^,]*,[^,]*,/, "", line)
    gsub(/[{}]/, "", line)
    parts = split(line, part, ",\"")
    for (i = 1; i <= parts; i++) {
        gsub(/"/, "", part[i])
        colon = match(part[i], /:[0-9.]*$/)
        phase_kind[i] = substr(part[i], 1, colon - 1)
        phase[phase_count, i] = substr(part[i], colon + 1)
    }
}

function train_line(name, theirs,    other) {
    if (torch[theirs] != "")
        other = sprintf("%8.2f s %6.1fx %9s  %s", torch[theirs], torch[theirs] / seconds[name],
                        megabytes(torch_rss[theirs]), theirs)
    printf "%-26s %8.2f %9.0f %8.1f %7.1f%% %9s  %s\n", name, seconds[name], rate[name], gflops[name],
        share(name), megabytes(rss[name]), other
}

function kernel_line(name,    i, got) {
    printf "%-34s %-8s", name, rate_unit[name]
    for (i = 1; i <= kernel_table_count; i++) {
        got = kernel_rate[name, kernel_tables[i]]
        if (got == "") continue
        printf " %9.1f %5s", got,
            rate_unit[name] != "GFLOP/s" ? "" : sprintf("%3.0f %%", 100 * got / table_peak[kernel_tables[i]])
    }
    print ""
}

function retrieval_line(name) {
    printf "%-26s %9d %7.2f ms %8.1f %4.0f %% %7s", name, retrieval_items[name], retrieval_ms[name], retrieval_rate[name],
        100 * retrieval_rate[name] / retrieval_bandwidth[name], recalls[name]
    if (batch_ms[name] != "") printf " %7.1f ms %4.0f %%", batch_ms[name], product_share[name]
    if (held[name] != "") printf " %27s", megabytes(held[name])
    print ""
}

function tables(    i, j, n, theirs) {
    if (peak_count) title("Multiply-adds in registers, GFLOP/s of 1 and 2 threads")
    for (i = 1; i <= peak_count; i++) printf "%-26s %8.1f %8.1f\n", peaks[i], peak[peaks[i], 1], peak[peaks[i], 2]
    if (train_count) {
        title("Training: " data sprintf(", peak %.1f GFLOP/s; ", best_peak) \
              (torch_name == "" ? "no PyTorch beside it" : "beside it " torch_name " on " blas))
        printf "%-26s %8s %9s %8s %8s %9s  %10s %7s %9s\n", "", "s/epoch", "targets/s", "GFLOP/s", "of peak", "memory",
            torch_name == "" ? "" : "theirs", torch_name == "" ? "" : "ratio", torch_name == "" ? "" : "memory"
        for (i = 1; i <= train_count; i++) {
            theirs = trained[i]
            sub(/^softmax-/, "softmax-padded-", theirs)
            sub(/^gbce-/, "gbce-published-", theirs)
            sub(/^hstu-/, "hstu-published-", theirs)
            train_line(trained[i], theirs)
            if (sub(/-published-/, "-plain-", theirs) && torch[theirs] != "") train_line(trained[i], theirs)
            if (sub(/-padded-/, "-unpadded-", theirs) && torch[theirs] != "") train_line(trained[i], theirs)
        }
    }
    if (flat_count) title("A step of sampled softmax, d 64, 128 x 200 events, 256 negatives")
    for (i = 1; i <= flat_count; i++) {
        n = flats[i]
        printf "%-26s %9d items %9.1f ms %9s %5d allocations in the timed steps\n", n, items[n], 1e3 * step[n],
            megabytes(flat_rss[n]), fresh[n]
    }
    if (evaluation_count) title("Evaluation, E4")
    for (i = 1; i <= evaluation_count; i++) print evaluations[i]
    if (read_count) title("Reading")
    for (i = 1; i <= read_count; i++) print reads[i]
    if (gates_count) title("Attention with closed gates, one head of 64")
    for (i = 1; i <= gates_count; i++) print gates[i]
    if (serve_count) {
        title("Serving, histories of 200 events; -long: 400")
        if (predict != "") printf "%s, d 50, one user, one thread: p50 %.3f ms\n", torch_name, predict
    }
    for (i = 1; i <= serve_count; i++) print serve_line[serves[i]]
    if (p50["ahead-t5"] != "")
        printf "A hundred candidates one by one, times one pass: %.3g with a call for each, %.3g with a copy of the session for each\n",
            ratio(p50["ahead-t5-single"], p50["ahead-t5"]), ratio(p50["ahead-t5-copies"], p50["ahead-t5"])
    if (held_session_count) title("Open sessions in a pool with a budget, each read once: memory of the process")
    for (i = 1; i <= held_session_count; i++) print held_sessions[i]
    if (peer_count) title("The same weights and windows elsewhere; -newest: the last block for the newest event alone")
    for (i = 1; i <= peer_count; i++) print peer_line[peers[i]]
    if (beside_count) title("Calls alone and beside a thread that changes items without a pause")
    for (i = 1; i <= beside_count; i++) print besides[i]
    if (batch_list_count) title("seqrec recommend --batch of users that come as they are read: memory of the program")
    for (i = 1; i <= batch_list_count; i++) print batch_lists[i]
    if (retrieval_count) {
        title("The best 10 of a table, d 64, one thread; of the bandwidth of memory, of a matrix product")
        printf "%-26s %9s %10s %8s %6s %7s %10s %6s %9s\n", "", "items", "one user", "GB/s", "of it", "recall", "128 users", "of it", "resident"
    }
    for (i = 1; i <= retrieval_count; i++) retrieval_line(retrievals[i])
    if (faiss_name != "") printf "%-26s %9d %7.2f ms %31.1f ms\n", faiss_name, 1000000, faiss_ms, faiss_batch
    if (ann_count) {
        title("The best 10 of a trained table by a graph, d 64, one thread, histories of 50 events taken in")
        printf "%-26s %9s %10s %31s %7s %13s %10s %9s\n", "", "items", "one user", "", "recall", "without it", "built in", "links and"
    }
    for (i = 1; i <= ann_count; i++) print anns[i]
    if (trained_recall_count) title("The best 10 of trained vectors, against all of float32")
    for (i = 1; i <= trained_recall_count; i++) print trained_recalls[i]
    if (kernel_count) {
        title("Kernels on one core, and their share of its multiply-adds")
        printf "%-43s", ""
        for (i = 1; i <= kernel_table_count; i++) printf " %9s %5s", kernel_tables[i], ""
        printf "\n%-34s %-8s", "multiply-adds in registers", "GFLOP/s"
        for (i = 1; i <= kernel_table_count; i++) printf " %9.1f %5s", table_peak[kernel_tables[i]], ""
        print ""
    }
    for (i = 1; i <= kernel_count; i++) kernel_line(kernels[i])
    if (phase_count) {
        title("Where the time of training goes, per cent of all samples")
        printf "%-28s", ""
        for (i = 1; i <= phase_count; i++) printf " %24s", phases[i]
        print ""
        for (j = 1; j <= parts; j++) {
            printf "%-28s", phase_kind[j]
            for (i = 1; i <= phase_count; i++) printf " %24.1f", phase[i, j]
            print ""
        }
    }
}

# Per cent of the best peak that was seen: one measured while something else ran would flatter.
function share(name) { return 100 * gflops[name] / best_peak }

function times(theirs, ours) {
    return ratio(torch[theirs], seconds[ours])
}

# How many bytes more than a tenth of them a million users take.
function batch_growth() { return streamed[1000000] == "" ? "" : streamed[1000000] - streamed[100000] }

# Per cent of a row's time that a kind of work takes.
function part_of(name, what,    i, j) {
    for (i = 1; i <= phase_count; i++)
        for (j = 1; j <= parts; j++)
            if (phases[i] == name && phase_kind[j] == what) return phase[i, j]
    return ""
}

function promises(    i, n, most, flat, warm, large) {
    title("Promises")
    promise("BCE d 50, dropout 0.2, times PyTorch", times("bce-d50-p0.2", "bce-d50-p0.2"), "least", 10, "x")
    promise("BCE d 64, dropout 0.2, times PyTorch", times("bce-d64-p0.2", "bce-d64-p0.2"), "least", 10, "x")
    promise("BCE d 50, dropout 0, times PyTorch", times("bce-d50-p0", "bce-d50-p0"), "least", 5, "x")
    promise("BCE d 64, dropout 0, times PyTorch", times("bce-d64-p0", "bce-d64-p0"), "least", 5, "x")
    promise("softmax d 64, times PyTorch on padded logits", times("softmax-padded-d64-p0.2", "softmax-d64-p0.2"),
            "least", 8, "x")
    promise("softmax d 64, times PyTorch without padding", times("softmax-unpadded-d64-p0.2", "softmax-d64-p0.2"),
            "least", 4, "x")
    promise("gBCE d 128, 256 negatives, times gSASRec's code", times("gbce-published-d128-p0.5", "gbce-d128-p0.5"), "least", 40,
            "x")
    promise("gBCE d 128, 256 negatives, memory", rss["gbce-d128-p0.5"] == "" ? "" : rss["gbce-d128-p0.5"] / 1e6, "most", 600,
            " MB")
    promise("BERT4Rec d 64, times PyTorch", times("cloze-d64-p0.2", "cloze-d64-p0.2"), "least", 8, "x")
    promise("sampled softmax, 256 shared negatives, times BCE, d 128",
            ratio(seconds["sampled-shared-d128-p0.2"], seconds["bce-d128-p0.2"]), "most", 1.3, "x")
    promise("sampled softmax, 256 shared negatives, times BCE, d 64",
            ratio(seconds["sampled-same-d64-p0.2"], seconds["bce-d64-p0.2"]), "most", 1.45, "x")
    promise("HSTU d 50, 128 negatives a position, times its published code", times("hstu-published-d50-p0.2", "hstu-d50-p0.2"),
            "least", 20, "x")
    promise("Shaw's terms cut at 64, times absolute positions", ratio(seconds["shaw-d64-p0.2"], seconds["bce-d64-p0.2"]), "most",
            1.3, "x")
    promise("every prefix by itself, times one pass, shares of the mean window",
            seconds["literal-d64-p0.2"] == "" ? "" : ratio(seconds["literal-d64-p0.2"] * stride["literal-d64-p0.2"],
                                                           seconds["bce-d64-p0.2"] * window), "most", 0.6, "")
    promise("windows of 2,277 events, times the cost of their arithmetic",
            ratio(gflops["bce-d64-p0.2"], gflops["long-d64-p0.2"]), "most", 1.25, "x")
    for (i = 1; i <= train_count; i++) {
        n = trained[i]
        if (n ~ /^hstu-/) promise(n ", share of the multiply-add peak", share(n), "least", 25, "%")
        if (n ~ /^(shaw|long|literal)-/) promise(n ", share of the multiply-add peak", share(n), "least", 40, "%")
        if (n ~ /^(bce|softmax)-d64/) promise(n ", share of the multiply-add peak", share(n), "least", 45, "%")
        if (n ~ /^(bce|softmax)-/ && rss[n] / 1e6 > most) most = rss[n] / 1e6
    }
    promise("most memory of the rows with BCE and softmax", most, "most", 400, " MB")
    large = items["flat-shared-large"]
    flat = large + 0 < 10000000 ? "" : ratio(step["flat-shared-large"], step["flat-shared-small"])
    promise("a step on 10000000 items, times one on 100000, negatives shared by the batch", flat, "most", 1.5, "x")
    flat = items["flat-position-large"] + 0 < 10000000 ? "" : ratio(step["flat-position-large"], step["flat-position-small"])
    promise("the same with own negatives for each position", flat, "most", 1.5, "x")
    promise("256 negatives a position, share of drawing them alike", part_of("sampled-position-d64-p0.2", "negatives"), "most", 5, "%")
    promise("the same drawn by popularity", part_of("drawn-popularity-d64-p0.2", "negatives"), "most", 5, "%")
    promise("the same drawn log-uniformly", part_of("drawn-log-uniform-d64-p0.2", "negatives"), "most", 5, "%")
    promise("the same drawn from the batch", part_of("drawn-in-batch-d64-p0.2", "negatives"), "most", 5, "%")
    promise("the same drawn from both", part_of("drawn-mixed-d64-p0.2", "negatives"), "most", 5, "%")
    promise("the same drawn alike, without the history", part_of("drawn-history-d64-p0.2", "negatives"), "most", 5, "%")
    promise("without the history, drawn by popularity", part_of("drawn-history-popularity-d64-p0.2", "negatives"), "most", 5, "%")
    promise("without the history, drawn log-uniformly", part_of("drawn-history-log-uniform-d64-p0.2", "negatives"), "most", 5, "%")
    promise("without the history, drawn from the batch", part_of("drawn-history-in-batch-d64-p0.2", "negatives"), "most", 5, "%")
    promise("without the history, drawn from both", part_of("drawn-history-mixed-d64-p0.2", "negatives"), "most", 5, "%")
    for (n in fresh) warm += fresh[n]
    promise("allocations in warm steps", warm, "most", 0, "")
    promise("full E4 evaluation", evaluation, "most", 3, " s")
    promise("one user of 200 events over 3,416 items, p50 on one thread", serving, "most", 0.5, " ms")
    promise("append and recommend, p50", p50["append-t5"], "most", 0.06, " ms")
    promise("append and recommend, p99", p99["append-t5"], "most", 0.2, " ms")
    promise("recommend from 200 raw events, p50", p50["cold-t5"], "most", 0.4, " ms")
    promise("recommend from 200 raw events, times onnxruntime", ratio(p50["onnx-cold"], p50["cold-t5"]), "least", 2.5, "x")
    promise("20 steps of the best item behind a session, p50", p50["greedy-t5"], "most", 1, " ms")
    promise("a beam of 10 over 20 steps, p50", p50["beam-t5"], "most", 10, " ms")
    promise("100,000 open sessions of 200 events, most memory", sessions_memory, "most", 2000, " MB")
    promise("users a second on 2 threads, times PyTorch", ratio(users_rate["batch-t5-2"], users_rate["torch-batch"]), "least", 8, "x")
    promise("users a second on 2 threads, times onnxruntime", ratio(users_rate["batch-t5-2"], users_rate["onnx-batch"]), "least", 4, "x")
    promise("the same ten of PyTorch and onnxruntime", agreement, "least", 0.999, "")
    promise("append and recommend beside a writer, p99 times alone", beside["append"], "most", 1.5, "x")
    promise("recommend beside a writer, p99 times alone", beside["cold"], "most", 1.5, "x")
    promise("recommend --batch, 1,000,000 users' memory above 100,000's",
            batch_growth() == "" ? "" : batch_growth() / 1e6, "most", 4, " MB")
    promise("one user over 1,000,000 items, times faiss", ratio(faiss_ms, retrieval_ms["float32"]), "least", 1, "x")
    promise("one user over 1,000,000 items, times the bandwidth's limit",
            ratio(retrieval_bandwidth["float32"], retrieval_rate["float32"]), "most", 1.2, "x")
    promise("one user over 1,000,000 items, int8 times float32", ratio(retrieval_ms["float32"], retrieval_ms["int8"]), "least", 3, "x")
    promise("recall at 10 of int8", recalls["int8"], "least", 0.99, "")
    promise("recall at 10 of int8, trained vectors", trained_recall["int8"], "least", 0.99, "")
    promise("128 users over 1,000,000 items, share of the matrix product", product_share["float32"], "least", 70, "%")
    promise("one user over 10,000,000 items in a mapped file, int8", retrieval_ms["int8-mapped"], "most", 60, " ms")
    promise("resident memory of those", held["int8-mapped"] == "" ? "" : held["int8-mapped"] / 1e6, "most", 1000, " MB")
    promise("one user over 1,000,000 items by a graph, recall .97 and more", ann_large && ann_ms == "" ? 1e9 : ann_ms, "most", 1, " ms")
    promise("reading, the slowest of the formats, million lines a second", reading, "least", 3, "")
}

END { tables(); promises() }
