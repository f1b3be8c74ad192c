/* eval: the protocols by name, and the users each of them ranks for. */
#include "eval/protocol.h"
#include <inttypes.h>
#include <string.h>
#include "base/rng.h"

static const sq_protocol table[] = {
    {"E1", "100 uniform negatives drawn with replacement outside the training items", SQ_AGAINST_TRAIN, 0, 0, 10000},
    {"E2", "100 negatives drawn by item count without replacement outside history and target", SQ_AGAINST_POPULAR, 0, 0,
     0},
    {"E3", "100 uniform negatives drawn without replacement outside history and target", SQ_AGAINST_UNIFORM, 0, 0, 0},
    {"E4", "full ranking, history filtered", SQ_AGAINST_ALL, 1, 0, 0},
    {"E5", "full ranking, nothing filtered", SQ_AGAINST_ALL, 0, 0, 0},
    {"E9",
     "global time split, one target per user (the first held-out event, given every event before it), full ranking, "
     "history filtered",
     SQ_AGAINST_ALL, 1, 1, 0},
};

int32_t sq_protocol_find(const char *name, const sq_protocol **out, seqrec_error *error)
{
    if (name == NULL) name = "E4";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0) {
            *out = &table[i];
            return SEQREC_OK;
        }
    }
    return sq_fail(error, SEQREC_E_UNSUPPORTED, "protocol \"%.40s\" is not one of E1, E2, E3, E4, E5, E9", name);
}

/* Whom an evaluation may rank for. */
typedef struct choice {
    const seqrec_dataset *dataset;
    const sq_division *division;
    const sq_protocol *protocol;
    const uint8_t *chosen; /* [users] or NULL: all */
    int32_t valid;
} choice;

/* 1 when the user is chosen and has a target; *one is the case then. */
static int32_t case_of(const choice *from, int64_t user, sq_case *one)
{
    const seqrec_dataset *dataset = from->dataset;
    int64_t train = 0, middle = 0;
    const int64_t events = dataset->offsets[user + 1] - dataset->offsets[user];
    if (from->chosen != NULL && !from->chosen[user]) return 0;
    sq_division_user(from->division, dataset, user, &train, &middle);
    *one = (sq_case){user, train, from->valid ? train : middle, 1};
    return one->history < (from->valid ? middle : events);
}

static int32_t counts(const sq_protocol *protocol, const sq_case *one)
{
    return (protocol->against == SQ_AGAINST_TRAIN ? one->train : one->history) > 0;
}

static void count_cases(const choice *from, sq_cases *cases)
{
    for (int64_t user = 0; user < from->dataset->users; user++) {
        sq_case one;
        if (from->chosen != NULL) cases->chosen += from->chosen[user];
        if (!case_of(from, user, &one)) continue;
        cases->targets++;
        if (!counts(from->protocol, &one)) cases->newcomers++;
    }
}

/* Selection in one pass: the i-th of n is taken with probability (still wanted) / (n - i), which gives every subset of the
 * wanted size the same chance and keeps the order. */
static void fill_cases(const choice *from, uint64_t seed, sq_cases *cases)
{
    const uint64_t key = sq_random_key(seed, SQ_STREAM_EVALUATE, UINT64_MAX);
    int64_t left = cases->targets - cases->newcomers, wanted = cases->count, seen = 0;
    cases->count = 0;
    for (int64_t user = 0; user < from->dataset->users && wanted > 0; user++) {
        sq_case one;
        if (!case_of(from, user, &one) || !counts(from->protocol, &one)) continue;
        const int32_t take = wanted == left || (int64_t)sq_random_below(key, (uint64_t)seen, (uint64_t)left) < wanted;
        if (take) {
            cases->at[cases->count++] = one;
            wanted--;
        }
        left--;
        seen++;
    }
}

int32_t sq_cases_collect(const sq_memory *memory, const seqrec_dataset *dataset, const sq_division *division,
                         const sq_protocol *protocol, const uint8_t *chosen, int32_t valid, uint64_t seed,
                         sq_cases *out, seqrec_error *error)
{
    const choice from = {dataset, division, protocol, chosen, valid};
    SQ_TRY(sq_division_check(division, dataset, error));
    SQ_CHECK(!protocol->by_time || division->kind == SQ_DIVISION_TIME, error, SEQREC_E_ARGUMENT,
             "protocol %s needs a division by time (\"time:SECONDS:SECONDS\")", protocol->name);
    sq_cases cases = {.sequence = dataset->sequence, .offsets = dataset->offsets};
    count_cases(&from, &cases);
    const int64_t asked = chosen != NULL ? cases.chosen : dataset->users;
    if (chosen == NULL) cases.chosen = -1;
    cases.count = cases.targets - cases.newcomers;
    SQ_CHECK(cases.count > 0, error, SEQREC_E_ARGUMENT,
             "none of %" PRId64 " %susers has a %s event with an event before it under this division", asked,
             chosen != NULL ? "chosen " : "", valid ? "validation" : "test");
    if (protocol->most_users > 0 && cases.count > protocol->most_users) cases.count = protocol->most_users;
    cases.at = sq_alloc(memory, (size_t)cases.count, sizeof(sq_case));
    SQ_CHECK(cases.at != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " users to evaluate", cases.count);
    fill_cases(&from, seed, &cases);
    *out = cases;
    return SEQREC_OK;
}

static void join_instant(sq_case *one, const seqrec_dataset *dataset, const sq_division *division, int32_t valid)
{
    int64_t train, middle, end = dataset->offsets[one->user + 1] - dataset->offsets[one->user];
    const int64_t *times = dataset->timestamps + dataset->offsets[one->user], instant = times[one->history];
    int64_t last = one->history + 1;
    sq_division_user(division, dataset, one->user, &train, &middle);
    if (valid) end = middle;
    while (last < end && times[last] == instant) last++;
    while (one->history > train && times[one->history - 1] == instant) one->history--;
    one->targets = last - one->history;
}

int32_t sq_cases_join_instants(sq_cases *cases, const seqrec_dataset *dataset, const sq_division *division, int32_t valid,
                               seqrec_error *error)
{
    int64_t kept = 0;
    SQ_CHECK(dataset->timestamps != NULL, error, SEQREC_E_ARGUMENT,
             "instant_sets: events at the same instant are told by their times, and this dataset has none");
    for (int64_t c = 0; c < cases->count; c++) {
        sq_case one = cases->at[c];
        join_instant(&one, dataset, division, valid);
        if (one.history > 0) cases->at[kept++] = one;
    }
    SQ_CHECK(kept > 0, error, SEQREC_E_ARGUMENT, "instant_sets: no user has an event before the instant of the target");
    cases->newcomers += cases->count - kept;
    cases->count = kept;
    return SEQREC_OK;
}

void sq_cases_free(sq_cases *cases, const sq_memory *memory)
{
    sq_free(memory, cases->at);
    *cases = (sq_cases){0};
}

/* Marks what the map of wanted ids has; `met` [count] by place in the list. */
static void mark_users(const seqrec_dataset *dataset, const sq_idmap *wanted, uint8_t *met, uint8_t *chosen)
{
    for (int64_t user = 0; user < dataset->users; user++) {
        const int32_t place = sq_idmap_find(wanted, dataset->user_ids[user]);
        if (place < 0) continue;
        chosen[user] = 1;
        met[place] = 1;
    }
}

static int32_t choose(const sq_memory *memory, const seqrec_dataset *dataset, const int64_t *ids, int64_t count,
                      sq_idmap *wanted, uint8_t *met, uint8_t *chosen, seqrec_error *error)
{
    int32_t first = 0;
    SQ_CHECK(met != NULL && chosen != NULL, error, SEQREC_E_MEMORY, "no memory to choose among %" PRId64 " users",
             dataset->users);
    SQ_TRY(sq_idmap_reserve(wanted, memory, (size_t)count, error));
    for (int64_t i = 0; i < count; i++) {
        SQ_TRY(sq_idmap_insert(wanted, memory, ids[i], (int32_t)i, &first, error));
        met[i] = first != i; /* a repeat is met with the first */
    }
    mark_users(dataset, wanted, met, chosen);
    for (int64_t i = 0; i < count; i++)
        SQ_CHECK(met[i], error, SEQREC_E_NOT_FOUND, "users[%" PRId64 "] = %" PRId64 " is no user of the dataset", i,
                 ids[i]);
    return SEQREC_OK;
}

int32_t sq_users_choose(const sq_memory *memory, const seqrec_dataset *dataset, const int64_t *ids, int64_t count,
                        uint8_t **out, seqrec_error *error)
{
    sq_idmap wanted = {0};
    uint8_t *met = sq_alloc(memory, (size_t)count, 1);
    uint8_t *chosen = sq_alloc_zero(memory, (size_t)dataset->users, 1);
    const int32_t status = choose(memory, dataset, ids, count, &wanted, met, chosen, error);
    sq_idmap_free(&wanted, memory);
    sq_free(memory, met);
    if (status == SEQREC_OK) {
        *out = chosen;
    } else {
        sq_free(memory, chosen);
    }
    return status;
}
