/* seqrec tool: `stats`, facts about a file of events. */
#include "commands.h"
#include "data_source.h"
#include "json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const int quantile_percents[5] = {5, 25, 50, 75, 95};

static void print_json(const data_source *source, const seqrec_dataset_stats *stats)
{
    json_writer json = {.to = stdout};
    char text[32];
    emit_object(&json, NULL);
    emit_data(&json, source);
    emit_count(&json, "users", stats->users);
    emit_count(&json, "items", stats->items);
    emit_count(&json, "events", stats->events);
    emit_real(&json, "density", stats->density);
    emit_count(&json, "shortest", stats->shortest);
    emit_count(&json, "longest", stats->longest);
    emit_object(&json, "length_quantiles");
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "%d", quantile_percents[i]);
        emit_real(&json, text, stats->length_quantiles[i]);
    }
    emit_end(&json, '}');
    emit_count(&json, "repeats", stats->repeats);
    emit_count(&json, "ties", stats->ties);
    emit_truth(&json, "timestamps", stats->has_timestamps);
    emit_truth(&json, "values", stats->has_values);
    emit_truth(&json, "names", stats->has_names);
    snprintf(text, sizeof text, "%016" PRIx64, stats->hash);
    emit_text(&json, "hash", text);
    emit_end(&json, '}');
}

static void print_share(const char *name, int64_t count, int64_t events)
{
    char text[32];
    printf("%-18s%s (%.2f %%)\n", name, grouped(count, text), events ? 100.0 * (double)count / (double)events : 0.0);
}

static void print_text(const seqrec_dataset_stats *stats)
{
    char text[32];
    printf("%-18s%s\n", "users", grouped(stats->users, text));
    printf("%-18s%s\n", "items", grouped(stats->items, text));
    printf("%-18s%s\n", "events", grouped(stats->events, text));
    printf("%-18s%.6f\n", "density", stats->density);
    printf("%-18s%s to ", "events per user", grouped(stats->shortest, text));
    printf("%s; quantiles", grouped(stats->longest, text));
    for (int i = 0; i < 5; i++)
        printf(" %d %%: %.4g%s", quantile_percents[i], stats->length_quantiles[i], i < 4 ? "," : "\n");
    print_share("repeats", stats->repeats, stats->events);
    print_share("ties", stats->ties, stats->events);
    printf("%-18stimestamps %s, values %s, names %s\n", "columns", stats->has_timestamps ? "yes" : "no",
           stats->has_values ? "yes" : "no", stats->has_names ? "yes" : "no");
    printf("%-18s%016" PRIx64 "\n", "hash", stats->hash);
}

int run_stats(int argc, char **argv)
{
    static const command_text text = {"stats", "--data FILE [OPTIONS]",
                                      "Counts users, items and events, and shows how long the sequences are."};
    data_source source = {0};
    progress bar = {0};
    int as_json = 0;
    const argument table[] = {DATA_ARGUMENTS(source, "user"),
                              {"json", ARGUMENT_FLAG, &as_json, NULL, "print one JSON object", 0, 0},
                              {"quiet", ARGUMENT_FLAG, &bar.quiet, NULL, "no progress", 0, 0},
                              {0}};
    int outcome = parse_arguments(&text, table, argc, argv);
    if (outcome == PARSED) outcome = check_data_source(text.name, &source);
    if (outcome != PARSED) return outcome;
    if (!source.files.count) return usage_error(text.name, "--data FILE is needed");
    seqrec_context *context = NULL;
    seqrec_dataset *dataset = NULL;
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    seqrec_error error = {0};
    outcome = open_context(0, &context);
    if (!outcome) outcome = read_data(text.name, context, &source, &bar, &dataset);
    if (!outcome && seqrec_dataset_describe(dataset, &stats, &error) != SEQREC_OK)
        outcome = fail_library("describing", &error);
    if (!outcome && as_json)
        print_json(&source, &stats);
    else if (!outcome)
        print_text(&stats);
    seqrec_dataset_release(dataset);
    seqrec_context_release(context);
    free(source.files.at);
    return outcome;
}
