/* example: users with vectors of their own, who differ where their histories do not; one joins while the model serves, one asks to be
 * forgotten; negatives of the host's own choice. */
#include <seqrec.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { USERS = 40, EVENTS = 12, ITEMS = 60, STEPS = 200, SHORTEST = 2 };
enum { CLIMBER = 2, CLIMBER_TOO = 4, DIVER = 3, NEWCOMER = 1000 };

static seqrec_error failure;

/* Ends the program when a call failed: enough for an example, not for a service. */
static void must(int32_t status)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "%s: %s\n", seqrec_status_name(status), failure.message);
    exit(1);
}

/* Users with an even id climb from item to item, the others dive. At an item both have been at, the history does not tell. */
static int64_t direction(int64_t user) { return user % 2 ? -1 : 1; }

static int64_t around(int64_t item) { return (item % ITEMS + ITEMS) % ITEMS; }

/* Sequences of two events: one that both kinds of users have, and where they went from there. */
static void fill_batch(int64_t step, int64_t *offsets, int64_t *users, int64_t *items)
{
    for (int64_t s = 0; s <= USERS * EVENTS; s++) offsets[s] = s * SHORTEST;
    for (int64_t s = 0; s < USERS * EVENTS; s++) {
        users[s] = s % USERS;
        items[SHORTEST * s] = around(s * 7 + step);
        items[SHORTEST * s + 1] = around(items[SHORTEST * s] + direction(users[s]));
    }
}

/* The host's negatives: the first ones lie around the target, which a model has most trouble to tell from it, the others anywhere. Option
 * `seen` leaves out the target itself. */
static int32_t choose_negatives(void *context, const seqrec_negatives *request)
{
    uint64_t *state = context;
    const int64_t near = request->k / 3;
    for (int64_t at = 0; at < request->rows * request->k; at++) {
        const int64_t target = request->targets[at / request->k], j = at % request->k;
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        request->items[at] = j < near ? around(target + j - near / 2) : (int64_t)(*state >> 33) % ITEMS;
    }
    return 0;
}

static void train(seqrec_trainer *trainer)
{
    static int64_t offsets[USERS * EVENTS + 1], users[USERS * EVENTS], items[SHORTEST * USERS * EVENTS];
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = USERS * EVENTS, .offsets = offsets, .items = items, .users = users};
    seqrec_step_stats stats = {.struct_size = sizeof stats};
    uint64_t state = 1;
    must(seqrec_trainer_set_negatives(trainer, choose_negatives, &state, &failure));
    for (int64_t step = 0; step < STEPS; step++) {
        fill_batch(step, offsets, users, items);
        must(seqrec_trainer_step(trainer, &batch, &stats, &failure));
        if (step % 50 == 0 || step == STEPS - 1) printf("step %3" PRId64 "  loss %.4f\n", stats.step, stats.loss);
    }
    must(seqrec_trainer_set_negatives(trainer, NULL, NULL, &failure)); /* state ends here */
    must(seqrec_trainer_publish(trainer, &failure));
}

/* The best item for a user who has just been at item 30. */
static int64_t next(const seqrec_model *model, int64_t user)
{
    const int64_t history[] = {30}, offsets[] = {0, 1};
    seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history, .users = &user};
    seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    int64_t item = -1, found = 0;
    must(seqrec_topk(model, &batch, 1, &filter, &item, NULL, &found, &failure));
    printf("user %4" PRId64 ": from 30 to %" PRId64 "\n", user, item);
    return item;
}

/* Who has no row yet is answered by the model's default vector; the newcomer starts where a user with the same taste is. */
static void join(seqrec_model *model, int64_t id, int64_t like)
{
    float *vector = malloc((size_t)seqrec_users_width(model) * sizeof *vector);
    if (!vector) exit(1);
    must(seqrec_users_get(model, &like, 1, vector, &failure));
    must(seqrec_users_put(model, &id, 1, vector, &failure));
    free(vector);
}

static seqrec_model *create_model(seqrec_context *context, seqrec_config *config)
{
    int64_t ids[ITEMS];
    seqrec_model *model = NULL;
    must(seqrec_config_preset(config, "sasrec-sampled-softmax", &failure));
    must(seqrec_config_set(config, "dim", "32", &failure));
    must(seqrec_config_set(config, "max_length", "20", &failure));
    must(seqrec_config_set(config, "learning_rate", "0.005", &failure));
    must(seqrec_config_set(config, "user_embedding", "added", &failure));
    must(seqrec_config_set(config, "sampler", "host", &failure));
    must(seqrec_config_set(config, "negatives", "15", &failure));
    must(seqrec_config_set(config, "seen", "exclude_target", &failure));
    must(seqrec_model_create(context, config, &model, &failure));
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    must(seqrec_items_put(model, ids, ITEMS, NULL, &failure));
    must(seqrec_users_put(model, ids, USERS, NULL, &failure)); /* users 0 to 39 */
    return model;
}

int main(void)
{
    const int64_t gone = CLIMBER;
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    seqrec_trainer *trainer = NULL;
    must(seqrec_context_create(NULL, NULL, 2, NULL, NULL, &context, &failure));
    must(seqrec_config_create(NULL, &config, &failure));
    seqrec_model *model = create_model(context, config);
    must(seqrec_trainer_create(model, config, &trainer, &failure));
    train(trainer);

    int good = next(model, CLIMBER) == 31;
    good &= next(model, DIVER) == 29;
    join(model, NEWCOMER, DIVER);
    good &= next(model, NEWCOMER) == 29;
    must(seqrec_users_forget(model, &gone, 1, &failure));
    printf("forgotten, a stranger now: ");
    next(model, CLIMBER); /* by the default vector, as for anybody whom the model does not know */
    good &= seqrec_users_get(model, &gone, 1, (float[64]){0}, &failure) == SEQREC_E_NOT_FOUND;
    good &= next(model, CLIMBER_TOO) == 31;

    seqrec_trainer_release(trainer);
    seqrec_model_release(model);
    seqrec_config_release(config);
    seqrec_context_release(context);
    puts(good ? "every answer was as expected" : "an answer was not as expected");
    return good ? 0 : 1;
}
