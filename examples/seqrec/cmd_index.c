/* seqrec tool: `index`, a graph of a model's items for approximate search. */
#include "commands.h"
#include "data_source.h"
#include "index_file.h"
#include "json_writer.h"
#include "output_check.h"
#include "serving_file.h"
#include "terminal.h"

static const command_text text = {"index", "--model MODEL --out INDEX [OPTIONS]",
                                  "Builds a graph of a model's item vectors, by which `recommend --index` finds the best items of large\n"
                                  "catalogues without looking at all. It goes with the items of this model alone."};

enum { LINKS = 16 }; /* the library's default */

typedef struct index_run {
    const char *model_path, *out;
    index_options options;
    int mapped, as_json;
    seqrec_context *context;
    seqrec_model *model;
    index_facts facts;
} index_run;

static int parse(index_run *run, int argc, char **argv)
{
    const argument table[] = {
        {"model", ARGUMENT_TEXT, &run->model_path, "MODEL", "model file", 0, 0},
        {"out", ARGUMENT_TEXT, &run->out, "INDEX", "file to write", 0, 0},
        {"links", ARGUMENT_COUNT, &run->options.links, "N", "of an item to others (default: 16)", 2, 100},
        {"breadth", ARGUMENT_COUNT, &run->options.build_breadth, "N", "candidates for these links (default: 200)", 2, 10000},
        {"seed", ARGUMENT_COUNT, &run->options.seed, "N", "of the layers (default: 0)", 0, 1e15},
        {"map", ARGUMENT_FLAG, &run->mapped, NULL, "leave the vectors of a file for serving in the file", 0, 0},
        {"threads", ARGUMENT_COUNT, &run->options.threads, "N", "threads (default: 1; with more the graph hangs on their timing)", 1, 256},
        {"json", ARGUMENT_FLAG, &run->as_json, NULL, "print one JSON object", 0, 0},
        {0}};
    return parse_arguments(&text, table, argc, argv);
}

static int check_arguments(const index_run *run)
{
    const named_file inputs[] = {{"model", run->model_path}, {0}};
    const named_output outputs[] = {{"out", run->out, OUTPUT_WHOLE, NULL}, {0}};
    if (!run->model_path || !run->out)
        return usage_error(text.name, "--%s is needed", run->model_path ? "out INDEX" : "model MODEL");
    const int64_t links = run->options.links ? run->options.links : LINKS, breadth = run->options.build_breadth;
    if (breadth && breadth < links)
        return usage_error(text.name, "--breadth %lld: is below --links %lld", (long long)breadth, (long long)links);
    return check_outputs(text.name, outputs, inputs, NULL);
}

static void print_result(const index_run *run)
{
    json_writer json = {.to = stdout};
    if (!run->as_json) {
        printf("%lld items in %s, %.1f MB, %.1f s\n", (long long)run->facts.items, run->out, 1e-6 * run->facts.bytes, run->facts.seconds);
        return;
    }
    emit_object(&json, NULL);
    emit_count(&json, "items", run->facts.items);
    emit_text(&json, "index", run->out);
    emit_count(&json, "bytes", (int64_t)run->facts.bytes);
    emit_real(&json, "seconds", run->facts.seconds);
    emit_end(&json, '}');
}

int run_index(int argc, char **argv)
{
    index_run run = {0};
    int outcome = parse(&run, argc, argv);
    if (outcome == PARSED) outcome = check_arguments(&run);
    if (outcome != PARSED) return outcome;
    outcome = open_context(1, &run.context);
    if (!outcome) outcome = load_model(run.context, run.model_path, run.mapped, &run.model);
    if (!outcome) outcome = write_index(run.model, &run.options, run.out, &run.facts);
    if (!outcome) print_result(&run);
    seqrec_model_release(run.model);
    seqrec_context_release(run.context);
    return outcome;
}
