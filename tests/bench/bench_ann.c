/* bench: the best ten of a table by a graph of libseqrec-ann, on items that were trained: events of the generator, sampled softmax. One
 * JSON object on stdout. `bench_ann [ITEMS [THREADS]]`: a million items and two threads for training and building by default. */
#include <string.h>
#include "benchtool.h"
#include "seqrec_ann.h"

enum { DIM = 64, BEST = 10, ASKED = 1000, LONGEST = 50 };

static seqrec_context *context;
static seqrec_model *model;
static seqrec_dataset *events;
static int64_t exact[ASKED * BEST], best[ASKED * BEST];

static void set(seqrec_config *config, const char *name, const char *value)
{
    bench_must(seqrec_config_set(config, name, value, &bench_failure));
}

/* One user for five items, of 35 events on average: three epochs of them give a table its structure, as in bench_recall. */
static double train(int64_t items, int32_t threads)
{
    const seqrec_synth synth = {.struct_size = sizeof synth, .users = items / 5, .items = items, .clusters = 1 + items / 1000,
                                .shortest = 20, .longest = LONGEST, .zipf = 0.5, .seed = 1};
    const seqrec_fit fit = {.struct_size = sizeof fit, .split = "none"};
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    bench_must(seqrec_context_create(NULL, NULL, threads, NULL, NULL, &context, &bench_failure));
    bench_must(seqrec_dataset_synthesize(context, &synth, &events, NULL, &bench_failure));
    bench_must(seqrec_config_create(NULL, &config, &bench_failure));
    bench_must(seqrec_config_preset(config, "sasrec-sampled-softmax", &bench_failure));
    set(config, "dim", "64");
    set(config, "max_length", "50");
    set(config, "epochs", "3");
    set(config, "valid_every", "0");
    set(config, "average_epochs", "0");
    set(config, "negative_sharing", "batch"); /* own ones of each position would come from memory, a million rows of it */
    bench_must(seqrec_model_create(context, config, &model, &bench_failure));
    bench_must(seqrec_trainer_create(model, config, &trainer, &bench_failure));
    const double start = bench_now();
    bench_must(seqrec_trainer_fit(trainer, events, &fit, NULL, &bench_failure));
    seqrec_trainer_release(trainer);
    seqrec_config_release(config);
    return bench_now() - start;
}

/* Lists for a thousand users, one call each; the median of their seconds. */
static double ask(int64_t *to)
{
    static double seconds[ASKED];
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    bench_must(seqrec_dataset_describe(events, &stats, &bench_failure));
    for (int64_t i = 0; i < ASKED; i++) {
        const int64_t *items;
        int64_t n, found;
        bench_must(seqrec_dataset_sequence(events, i * (stats.users / ASKED), NULL, &items, NULL, &n, &bench_failure));
        const int64_t offsets[] = {0, n};
        const seqrec_batch one = {.struct_size = sizeof one, .sequences = 1, .offsets = offsets, .items = items};
        const double start = bench_now();
        bench_must(seqrec_topk(model, &one, BEST, &filter, to + i * BEST, NULL, &found, &bench_failure));
        seconds[i] = bench_now() - start;
    }
    return bench_median(seconds, ASKED);
}

static double recall(void)
{
    int64_t shared = 0;
    for (int64_t u = 0; u < ASKED; u++)
        for (int64_t i = 0; i < BEST; i++)
            for (int64_t j = 0; j < BEST; j++) shared += best[u * BEST + i] == exact[u * BEST + j];
    return (double)shared / (ASKED * BEST);
}

int main(int argc, char **argv)
{
    const int64_t items = argc > 1 ? atoll(argv[1]) : 1000000;
    const int32_t threads = argc > 2 ? atoi(argv[2]) : 2;
    static const int64_t breadths[] = {64, 128, 256, 512};
    const double training = train(items, threads), plainly = ask(exact);
    for (int32_t i = 0; i < 4; i++) {
        static seqrec_ann *ann;
        static double building;
        static char path[] = "bench_ann.partial";
        seqrec_ann_options options = {.struct_size = sizeof options, .threads = threads};
        seqrec_ann_info info = {.struct_size = sizeof info};
        seqrec_index_info use = {.struct_size = sizeof use};
        const double start = bench_now();
        if (i == 0) {
            bench_must(seqrec_ann_build(model, &options, &ann, &bench_failure));
            building = bench_now() - start;
            bench_must(seqrec_ann_save(ann, path, &bench_failure));
        }
        seqrec_ann_release(ann);
        bench_must(seqrec_ann_load(model, path, breadths[i], &ann, &bench_failure));
        bench_must(seqrec_ann_attach(ann, model, &bench_failure));
        (void)ask(best);
        const double one = ask(best);
        bench_must(seqrec_ann_describe(ann, &info, &bench_failure));
        bench_must(seqrec_model_describe_index(model, &use, &bench_failure));
        printf("{\"bench\":\"ann\",\"name\":\"breadth-%lld\",\"items\":%lld,\"dim\":%d,\"k\":%d,\"training_seconds\":%.1f,\"build_seconds\":%.1f,"
               "\"bytes\":%zu,\"exact_ms\":%.4f,\"p50_ms\":%.4f,\"recall\":%.4f,\"scanned\":%lld}\n",
               (long long)breadths[i], (long long)items, DIM, BEST, training, building, info.bytes, 1e3 * plainly, 1e3 * one, recall(),
               (long long)use.scanned);
        fflush(stdout);
        if (i < 3) continue;
        seqrec_ann_release(ann);
        remove(path);
    }
    seqrec_model_release(model);
    seqrec_dataset_release(events);
    seqrec_context_release(context);
    return EXIT_SUCCESS;
}
