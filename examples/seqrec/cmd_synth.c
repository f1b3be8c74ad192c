/* seqrec tool: `synth`, generated events with the best result that is possible on them. */
#include "commands.h"
#include "json_writer.h"
#include "terminal.h"
#include "data_source.h"
#include "output_check.h"
#include "output_file.h"
#include <inttypes.h>
#include <stdio.h>

enum { LONGEST = 50 }; /* the library's default */

static int write_sequence(FILE *to, const seqrec_dataset *dataset, int64_t index)
{
    int64_t user = 0, count = 0;
    const int64_t *items = NULL, *times = NULL;
    seqrec_error error = {0};
    if (seqrec_dataset_sequence(dataset, index, &user, &items, &times, &count, &error) != SEQREC_OK)
        return fail_library("writing", &error);
    for (int64_t i = 0; i < count; i++)
        fprintf(to, "%" PRId64 ",%" PRId64 ",%" PRId64 "\n", user, items[i], times ? times[i] : i);
    return 0;
}

static int write_csv(const char *path, const seqrec_dataset *dataset, int64_t users)
{
    output_file file = {0};
    int outcome = output_open(&file, path);
    if (!outcome) fputs("user_id,item_id,timestamp\n", file.to);
    for (int64_t i = 0; i < users && !outcome; i++)
        outcome = interrupted() ? interrupted() : write_sequence(file.to, dataset, i);
    if (!outcome) outcome = output_commit(&file);
    output_close(&file);
    return outcome;
}

static void print_result(const char *path, const seqrec_dataset_stats *stats, const seqrec_ceiling *ceiling,
                         int64_t seed, int as_json)
{
    json_writer json = {.to = stdout};
    char a[32], b[32], c[32];
    if (!as_json) {
        printf("%s: %s users, %s items, %s events\n", path, grouped(stats->users, a), grouped(stats->items, b),
               grouped(stats->events, c));
        printf("ceiling of the test part (E4, the last event of each user; validation has its own): hr@10 %.4f, ndcg@10 %.4f\n",
               ceiling->hit10, ceiling->ndcg10);
        return;
    }
    emit_object(&json, NULL);
    emit_text(&json, "out", path);
    emit_count(&json, "users", stats->users);
    emit_count(&json, "items", stats->items);
    emit_count(&json, "events", stats->events);
    emit_count(&json, "seed", seed);
    emit_object(&json, "ceiling");
    emit_text(&json, "protocol", "E4");
    emit_count(&json, "users", ceiling->users);
    emit_real(&json, "hr@10", ceiling->hit10);
    emit_real(&json, "ndcg@10", ceiling->ndcg10);
    emit_end(&json, '}');
    emit_end(&json, '}');
}

static int generate(const seqrec_synth *synth, const char *path, int as_json)
{
    seqrec_context *context = NULL;
    seqrec_dataset *dataset = NULL;
    seqrec_ceiling ceiling = {.struct_size = sizeof ceiling};
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    seqrec_error error = {0};
    int outcome = open_context(0, &context);
    if (!outcome && seqrec_dataset_synthesize(context, synth, &dataset, &ceiling, &error) != SEQREC_OK)
        outcome = fail_value("synth", "generating", &error);
    if (!outcome && seqrec_dataset_describe(dataset, &stats, &error) != SEQREC_OK)
        outcome = fail_library("describing", &error);
    if (!outcome) outcome = write_csv(path, dataset, stats.users);
    if (!outcome) print_result(path, &stats, &ceiling, (int64_t)synth->seed, as_json);
    seqrec_dataset_release(dataset);
    seqrec_context_release(context);
    return outcome;
}

/* seqrec_synth takes 0 for the default, so a 0 that was asked for becomes a number that acts as 0; -1 is "not given". */
static double chosen(double given)
{
    return given < 0 ? 0 : given == 0 ? 1e-300 : given;
}

int run_synth(int argc, char **argv)
{
    static const command_text text = {
        "synth", "--out FILE [OPTIONS]",
        "Writes events of users with a hidden, drifting taste as CSV, and tells the best\n"
        "next-item result that the visible history allows."};
    seqrec_synth synth = {.struct_size = sizeof synth};
    const char *path = NULL;
    int64_t seed = 1;
    double drift = -1, markov = -1, zipf = -1;
    int as_json = 0;
    const argument table[] = {
        {"out", ARGUMENT_TEXT, &path, "FILE", "CSV file to write", 0, 0},
        {"users", ARGUMENT_COUNT, &synth.users, "N", "users (default: 2000)", 1, 1e16},
        {"items", ARGUMENT_COUNT, &synth.items, "N", "items (default: 500)", 1, 1e16},
        {"clusters", ARGUMENT_COUNT, &synth.clusters, "N", "hidden tastes (default: 10)", 1, 1e16},
        {"shortest", ARGUMENT_COUNT, &synth.shortest, "N", "fewest events of a user (default: 10)", 1, 1e16},
        {"longest", ARGUMENT_COUNT, &synth.longest, "N", "most events of a user (default: 50)", 1, 1e16},
        {"drift", ARGUMENT_REAL, &drift, "P", "chance that the taste changes (default: 0.05)", 0, 1},
        {"markov", ARGUMENT_REAL, &markov, "P", "chance to follow the item before (default: 0.6)", 0, 1},
        {"zipf", ARGUMENT_REAL, &zipf, "S", "exponent of popularity (default: 1)", 0, 10},
        {"successors", ARGUMENT_COUNT, &synth.successors, "N", "items that may follow one (default: 3)", 1, 1e16},
        {"seed", ARGUMENT_COUNT, &seed, "N", "seed (default: 1)", 0, 9e15},
        {"json", ARGUMENT_FLAG, &as_json, NULL, "print one JSON object", 0, 0},
        {0}};
    int outcome = parse_arguments(&text, table, argc, argv);
    if (outcome != PARSED) return outcome;
    if (!path) return usage_error(text.name, "--out FILE is needed");
    if (synth.shortest > (synth.longest ? synth.longest : LONGEST))
        return usage_error(text.name, "--shortest %lld: is above --longest %lld", (long long)synth.shortest, (long long)(synth.longest ? synth.longest : LONGEST));
    const named_output outputs[] = {{"out", path, OUTPUT_WHOLE, NULL}, {0}};
    catch_signals(); /* to remove the temporary files */
    outcome = check_outputs(text.name, outputs, &(named_file){0}, NULL);
    if (outcome != PARSED) return outcome;
    synth.drift = chosen(drift);
    synth.markov = chosen(markov);
    synth.zipf = chosen(zipf);
    synth.seed = (uint64_t)seed;
    return generate(&synth, path, as_json);
}
