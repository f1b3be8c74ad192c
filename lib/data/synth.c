/* data: the synthetic generator; synth.h states the process. */
#include <math.h>
#include <string.h>
#include "data/synth.h"
#include "base/rng.h"

/* Counters of the world's key: each use has a range of its own. */
enum { DRAW_TASTE = 1, DRAW_PERMUTATION = 2, DRAW_SUCCESSOR = 3, DRAW_USES = 4 };

#define FIRST_SECOND INT64_C(1577836800) /* 2020-01-01 */
#define YEAR INT64_C(31536000)
#define DAY INT64_C(86400)

static int64_t or_default(int64_t asked, int64_t standard)
{
    return asked == 0 ? standard : asked;
}

static int32_t check_counts(const seqrec_synth *with, seqrec_error *error)
{
    const struct {
        const char *name;
        int64_t value, low, high;
    } counts[] = {{"users", with->users, 1, INT32_MAX},
                  {"items", with->items, 2, INT32_MAX / 2},
                  {"clusters", with->clusters, 1, with->items},
                  {"shortest", with->shortest, 1, INT32_MAX},
                  {"longest", with->longest, with->shortest, INT32_MAX},
                  {"successors", with->successors, 1, SQ_SYNTH_SUCCESSORS}};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        SQ_CHECK(counts[c].value >= counts[c].low && counts[c].value <= counts[c].high, error, SEQREC_E_RANGE,
                 "synth.%s = %lld is not in %lld..%lld", counts[c].name, (long long)counts[c].value,
                 (long long)counts[c].low, (long long)counts[c].high);
    }
    SQ_CHECK(with->longest <= INT32_MAX / with->users, error, SEQREC_E_RANGE,
             "%lld users with up to %lld events are more than %d events", (long long)with->users,
             (long long)with->longest, INT32_MAX);
    return SEQREC_OK;
}

int32_t sq_synth_check(const seqrec_synth *asked, seqrec_synth *out, seqrec_error *error)
{
    seqrec_synth made = {.struct_size = sizeof made,
                         .users = or_default(asked->users, 2000),
                         .items = or_default(asked->items, 500),
                         .clusters = or_default(asked->clusters, 10),
                         .shortest = or_default(asked->shortest, 10),
                         .longest = or_default(asked->longest, 50),
                         .drift = asked->drift == 0 ? 0.05 : asked->drift,
                         .markov = asked->markov == 0 ? 0.6 : asked->markov,
                         .zipf = asked->zipf == 0 ? 1.0 : asked->zipf,
                         .successors = or_default(asked->successors, 3),
                         .seed = asked->seed};
    SQ_TRY(check_counts(&made, error));
    SQ_CHECK(made.drift >= 0 && made.drift <= 1, error, SEQREC_E_RANGE, "synth.drift = %g is not in 0..1", made.drift);
    SQ_CHECK(made.markov >= 0 && made.markov <= 1, error, SEQREC_E_RANGE, "synth.markov = %g is not in 0..1",
             made.markov);
    SQ_CHECK(made.zipf >= 0 && made.zipf <= 10, error, SEQREC_E_RANGE, "synth.zipf = %g is not in 0..10", made.zipf);
    *out = made;
    return SEQREC_OK;
}

static uint64_t counter(uint64_t use, uint64_t index)
{
    return index * DRAW_USES + use;
}

static void place_items(sq_world *world)
{
    int64_t items = world->with.items, tastes = world->with.clusters;
    for (int64_t z = 0; z <= tastes; z++) world->pool_starts[z] = 0;
    for (int64_t i = 0; i < items; i++) {
        int64_t own = i % tastes, other = -1;
        if (tastes > 1) {
            other = (int64_t)sq_random_below(world->key, counter(DRAW_TASTE, (uint64_t)i), (uint64_t)tastes - 1);
            other += other >= own;
        }
        world->member[i][0] = (sq_membership){(int32_t)own, 0};
        world->member[i][1] = (sq_membership){(int32_t)other, -1};
        world->pool_starts[own + 1]++;
        if (other >= 0) world->pool_starts[other + 1]++;
    }
    for (int64_t z = 0; z < tastes; z++) world->pool_starts[z + 1] += world->pool_starts[z];
    for (int64_t i = 0; i < items; i++) {
        for (int m = 0; m < 2; m++) {
            int32_t z = world->member[i][m].taste;
            if (z >= 0) world->pool[world->pool_starts[z]++] = (int32_t)i;
        }
    }
    for (int64_t z = tastes; z > 0; z--) world->pool_starts[z] = world->pool_starts[z - 1];
    world->pool_starts[0] = 0;
    for (int64_t z = 0; z < tastes; z++) {
        for (int64_t at = world->pool_starts[z]; at < world->pool_starts[z + 1]; at++) {
            sq_membership *member = world->member[world->pool[at]];
            member[member[0].taste != z].rank = (int32_t)(at - world->pool_starts[z]);
        }
    }
}

static int64_t pool_size(const sq_world *world, int64_t taste)
{
    return world->pool_starts[taste + 1] - world->pool_starts[taste];
}

static int32_t weigh(sq_world *world, const sq_memory *memory, seqrec_error *error)
{
    int64_t largest = 0;
    for (int64_t z = 0; z < world->with.clusters; z++) {
        int64_t size = pool_size(world, z);
        SQ_CHECK(size > world->with.successors, error, SEQREC_E_RANGE,
                 "synth: a taste has %lld items, too few for %lld successors; take more items or fewer clusters",
                 (long long)size, (long long)world->with.successors);
        if (size > largest) largest = size;
    }
    world->weight_sums = sq_alloc(memory, (size_t)largest + 1, sizeof(double));
    SQ_CHECK(world->weight_sums != NULL, error, SEQREC_E_MEMORY, "no memory for %lld weights", (long long)largest);
    world->weight_sums[0] = 0;
    for (int64_t r = 0; r < largest; r++)
        world->weight_sums[r + 1] = world->weight_sums[r] + pow((double)(r + 1), -world->with.zipf);
    return SEQREC_OK;
}

static void name_items(sq_world *world)
{
    for (int64_t i = 0; i < world->with.items; i++) {
        int64_t j = (int64_t)sq_random_below(world->key, counter(DRAW_PERMUTATION, (uint64_t)i), (uint64_t)i + 1);
        world->ids[i] = world->ids[j];
        world->ids[j] = i + 1;
    }
}

static int32_t fill_world(sq_world *world, const sq_memory *memory, seqrec_error *error)
{
    size_t items = (size_t)world->with.items, tastes = (size_t)world->with.clusters;
    world->pool_starts = sq_alloc(memory, tastes + 1, sizeof *world->pool_starts);
    world->pool = sq_alloc(memory, 2 * items, sizeof *world->pool);
    world->member = sq_alloc(memory, items, sizeof *world->member);
    world->ids = sq_alloc_zero(memory, items, sizeof *world->ids);
    SQ_CHECK(world->pool_starts != NULL && world->pool != NULL && world->member != NULL && world->ids != NULL, error,
             SEQREC_E_MEMORY, "no memory for %lld synthetic items", (long long)world->with.items);
    place_items(world);
    name_items(world);
    return weigh(world, memory, error);
}

int32_t sq_world_create(const sq_memory *memory, const seqrec_synth *with, sq_world *out, seqrec_error *error)
{
    sq_world made = {.with = *with, .key = sq_random_key(with->seed, SQ_STREAM_SYNTH, 0)};
    int32_t status = fill_world(&made, memory, error);
    if (status != SEQREC_OK) {
        sq_world_free(&made, memory);
        return status;
    }
    *out = made;
    return SEQREC_OK;
}

void sq_world_free(sq_world *world, const sq_memory *memory)
{
    sq_free(memory, world->pool_starts);
    sq_free(memory, world->pool);
    sq_free(memory, world->member);
    sq_free(memory, world->weight_sums);
    sq_free(memory, world->ids);
    *world = (sq_world){0};
}

double sq_world_popularity(const sq_world *world, int32_t item, int32_t m)
{
    sq_membership member = world->member[item][m];
    double weight = world->weight_sums[member.rank + 1] - world->weight_sums[member.rank];
    return weight / world->weight_sums[pool_size(world, member.taste)];
}

/* Draws without replacement by drawing again: the pool is larger than what is drawn. */
void sq_world_successors(const sq_world *world, int32_t item, int32_t m, int32_t *out)
{
    sq_membership member = world->member[item][m];
    uint64_t key = sq_random_key(world->key, DRAW_SUCCESSOR, (uint64_t)item * 2 + (uint64_t)m), draw = 0;
    uint64_t size = (uint64_t)pool_size(world, member.taste);
    for (int64_t s = 0; s < world->with.successors;) {
        int32_t other = world->pool[world->pool_starts[member.taste] + (int64_t)sq_random_below(key, draw++, size)];
        int32_t taken = other == item;
        for (int64_t before = 0; before < s; before++) taken |= out[before] == other;
        if (!taken) out[s++] = other;
    }
}

/* One user's random numbers. */
typedef struct stream {
    uint64_t key, next;
} stream;

static double draw_unit(stream *from)
{
    return sq_random_unit(from->key, from->next++);
}

static int64_t draw_below(stream *from, int64_t n)
{
    return (int64_t)sq_random_below(from->key, from->next++, (uint64_t)n);
}

static int32_t draw_popular(const sq_world *world, stream *from, int64_t taste)
{
    int64_t low = 0, high = pool_size(world, taste) - 1;
    double at = draw_unit(from) * world->weight_sums[high + 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (world->weight_sums[middle + 1] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return world->pool[world->pool_starts[taste] + low];
}

static int32_t draw_successor(const sq_world *world, stream *from, int32_t item, int64_t taste)
{
    int32_t successors[SQ_SYNTH_SUCCESSORS];
    sq_world_successors(world, item, world->member[item][0].taste != taste, successors);
    return successors[draw_below(from, world->with.successors)];
}

static void draw_sequence(const sq_world *world, stream *from, int32_t *items, int64_t n)
{
    int64_t tastes = world->with.clusters, taste = draw_below(from, tastes);
    items[0] = draw_popular(world, from, taste);
    for (int64_t t = 1; t < n; t++) {
        int32_t changes = draw_unit(from) < world->with.drift && tastes > 1;
        if (changes) {
            int64_t other = draw_below(from, tastes - 1);
            taste = other + (other >= taste);
        }
        if (!changes && draw_unit(from) < world->with.markov) {
            items[t] = draw_successor(world, from, items[t - 1], taste);
        } else {
            items[t] = draw_popular(world, from, taste);
        }
    }
}

static int32_t repeats_at_the_end(const int32_t *items, int64_t n)
{
    for (int64_t t = 0; t + 1 < n; t++) {
        if (items[t] == items[n - 1]) return 1;
    }
    return 0;
}

static stream stream_of(const sq_world *world, int64_t user)
{
    return (stream){sq_random_key(world->with.seed, SQ_STREAM_SYNTH, (uint64_t)user + 1), 0};
}

int64_t sq_world_length(const sq_world *world, int64_t user)
{
    stream from = stream_of(world, user);
    return world->with.shortest + draw_below(&from, world->with.longest - world->with.shortest + 1);
}

void sq_world_user(const sq_world *world, int64_t user, int32_t *items, int64_t *times)
{
    stream from = stream_of(world, user);
    int64_t n = sq_world_length(world, user), now = FIRST_SECOND;
    from.next = 1; /* 0 is the length */
    now += draw_below(&from, YEAR);
    for (int64_t t = 0; t < n; t++, now += 1 + draw_below(&from, DAY)) times[t] = now;
    for (int attempt = 0; attempt < SQ_SYNTH_ATTEMPTS; attempt++) {
        draw_sequence(world, &from, items, n);
        if (!repeats_at_the_end(items, n)) return;
    }
}

/* Columns of all users' events. */
typedef struct generation {
    sq_world world;
    int32_t *user, *item;
    int64_t *times;
} generation;

static int32_t generate(seqrec_context *context, generation *into, seqrec_dataset **out, seqrec_error *error)
{
    const sq_world *world = &into->world;
    const sq_memory *memory = &context->memory;
    int64_t events = 0, at = 0;
    for (int64_t u = 0; u < world->with.users; u++) events += sq_world_length(world, u);
    into->user = sq_alloc(memory, (size_t)events, sizeof *into->user);
    into->item = sq_alloc(memory, (size_t)events, sizeof *into->item);
    into->times = sq_alloc(memory, (size_t)events, sizeof *into->times);
    SQ_CHECK(into->user != NULL && into->item != NULL && into->times != NULL, error, SEQREC_E_MEMORY,
             "no memory for %lld synthetic events", (long long)events);
    for (int64_t u = 0; u < world->with.users; u++) {
        int64_t n = sq_world_length(world, u);
        sq_world_user(world, u, into->item + at, into->times + at);
        for (int64_t t = 0; t < n; t++) into->user[at + t] = (int32_t)u;
        at += n;
    }
    sq_build build = {.users = world->with.users,
                      .items = world->with.items,
                      .events = events,
                      .item_ids = world->ids,
                      .user = into->user,
                      .item = into->item,
                      .timestamps = into->times};
    return sq_dataset_build(context, &build, out, error);
}

int32_t sq_dataset_synthesize(seqrec_context *context, const seqrec_synth *synth, seqrec_dataset **out,
                              seqrec_ceiling *ceiling, seqrec_error *error)
{
    const sq_memory *memory = &context->memory;
    generation into = {{{0}, 0, NULL, NULL, NULL, NULL, NULL}, NULL, NULL, NULL};
    seqrec_synth with;
    seqrec_dataset *made = NULL;
    SQ_TRY(sq_synth_check(synth, &with, error));
    SQ_TRY(sq_world_create(memory, &with, &into.world, error));
    int32_t status = generate(context, &into, &made, error);
    if (status == SEQREC_OK && ceiling != NULL) status = sq_world_ceiling(&into.world, made, ceiling, error);
    sq_free(memory, into.user);
    sq_free(memory, into.item);
    sq_free(memory, into.times);
    sq_world_free(&into.world, memory);
    if (status != SEQREC_OK) {
        sq_dataset_release(made);
        return status;
    }
    *out = made;
    return SEQREC_OK;
}
