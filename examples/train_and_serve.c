/* example: a host that brings its own batches, trains step by step, serves, and changes the catalogue while it serves. */
#include <seqrec.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { USERS = 64, EVENTS = 30, ITEMS = 100, STEPS = 150, LIST = 5 };

static seqrec_error failure;

/* Ends the program when a call failed: enough for an example, not for a service. */
static void must(int32_t status)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "%s: %s\n", seqrec_status_name(status), failure.message);
    exit(1);
}

/* One batch of this "shop": everybody walks through the catalogue, each from another item and with another stride. The
 * ids are the host's own, here from 1000 on. */
static void fill_batch(int64_t step, int64_t *offsets, int64_t *items)
{
    for (int64_t user = 0; user <= USERS; user++) offsets[user] = user * EVENTS;
    for (int64_t at = 0; at < USERS * EVENTS; at++) {
        int64_t user = at / EVENTS, event = at % EVENTS;
        items[at] = 1000 + (user * 7 + step * 13 + event * (1 + user % 3)) % ITEMS;
    }
}

static void train(seqrec_trainer *trainer)
{
    int64_t offsets[USERS + 1], items[USERS * EVENTS];
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = USERS, .offsets = offsets, .items = items};
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    for (int64_t step = 0; step < STEPS; step++) {
        fill_batch(step, offsets, items);
        must(seqrec_trainer_step(trainer, &batch, &stats, &failure));
        if (step % 50 == 0 || step == STEPS - 1) printf("step %3" PRId64 "  loss %.4f\n", stats.step, stats.loss);
    }
    must(seqrec_trainer_publish(trainer, &failure)); /* from here on readers see the trained weights */
}

/* Prints the list and tells whether `wanted` is in it. */
static int recommend(const seqrec_model *model, const char *what, int64_t wanted)
{
    const int64_t history[] = {1010, 1012, 1014, 1016}, offsets[] = {0, 4};
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    int64_t items[LIST], found = 0;
    int present = 0;
    must(seqrec_topk(model, &batch, LIST, &filter, items, NULL, &found, &failure));
    printf("%-24s", what);
    for (int64_t i = 0; i < found; i++) {
        printf(" %" PRId64, items[i]);
        present |= items[i] == wanted;
    }
    putchar('\n');
    return present;
}

/* A new item gets the vector of the best one: until it is trained it is recommended where that one is. */
static void add_like(seqrec_model *model, int64_t id, int64_t like)
{
    float *vector = malloc((size_t)seqrec_items_width(model) * sizeof *vector);
    if (!vector) exit(1);
    must(seqrec_items_get(model, &like, 1, vector, &failure));
    must(seqrec_items_put(model, &id, 1, vector, &failure));
    free(vector);
}

static seqrec_model *create_model(seqrec_context *context, seqrec_config *config)
{
    int64_t ids[ITEMS];
    seqrec_model *model = NULL;
    must(seqrec_config_preset(config, "sasrec-softmax", &failure));
    must(seqrec_config_set(config, "dim", "32", &failure));
    must(seqrec_config_set(config, "max_length", "50", &failure));
    must(seqrec_model_create(context, config, &model, &failure));
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = 1000 + i;
    must(seqrec_items_put(model, ids, ITEMS, NULL, &failure));
    return model;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "train_and_serve.safetensors";
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    must(seqrec_context_create(NULL, NULL, 2, NULL, NULL, &context, &failure));
    must(seqrec_config_create(NULL, &config, &failure));
    seqrec_model *model = create_model(context, config), *loaded = NULL;
    must(seqrec_trainer_create(model, config, &trainer, &failure));

    train(trainer);
    int good = recommend(model, "after training:", 1018);
    add_like(model, 5000, 1018);
    good &= recommend(model, "with item 5000 added:", 5000);
    const int64_t gone = 1018;
    must(seqrec_items_remove(model, &gone, 1, &failure));
    good &= !recommend(model, "with item 1018 removed:", 1018);

    must(seqrec_model_save(model, path, &failure));
    must(seqrec_model_load(context, path, &loaded, &failure));
    good &= recommend(loaded, "from the file:", 5000);

    seqrec_model_release(loaded);
    seqrec_trainer_release(trainer);
    seqrec_model_release(model);
    seqrec_config_release(config);
    seqrec_context_release(context);
    puts(good ? "every list was as expected" : "a list was not as expected");
    return good ? 0 : 1;
}
