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

/* 1 when the user has a target; *one is the case then. */
static int32_t case_of(const seqrec_dataset *dataset, const sq_division *division, int32_t valid, int64_t user,
                       sq_case *one)
{
    int64_t train = 0, middle = 0;
    const int64_t events = dataset->offsets[user + 1] - dataset->offsets[user];
    sq_division_user(division, dataset, user, &train, &middle);
    *one = (sq_case){user, train, valid ? train : middle};
    return one->history < (valid ? middle : events);
}

static int32_t counts(const sq_protocol *protocol, const sq_case *one)
{
    return (protocol->against == SQ_AGAINST_TRAIN ? one->train : one->history) > 0;
}

static void count_cases(const seqrec_dataset *dataset, const sq_division *division, const sq_protocol *protocol,
                        int32_t valid, sq_cases *cases)
{
    for (int64_t user = 0; user < dataset->users; user++) {
        sq_case one;
        if (!case_of(dataset, division, valid, user, &one)) continue;
        cases->targets++;
        if (!counts(protocol, &one)) cases->newcomers++;
    }
}

/* Selection in one pass: the i-th of n is taken with probability (still wanted) / (n - i), which gives every subset of the
 * wanted size the same chance and keeps the order. */
static void fill_cases(const seqrec_dataset *dataset, const sq_division *division, const sq_protocol *protocol,
                       int32_t valid, uint64_t seed, sq_cases *cases)
{
    const uint64_t key = sq_random_key(seed, SQ_STREAM_EVALUATE, UINT64_MAX);
    int64_t left = cases->targets - cases->newcomers, wanted = cases->count, seen = 0;
    cases->count = 0;
    for (int64_t user = 0; user < dataset->users && wanted > 0; user++) {
        sq_case one;
        if (!case_of(dataset, division, valid, user, &one) || !counts(protocol, &one)) continue;
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
                         const sq_protocol *protocol, int32_t valid, uint64_t seed, sq_cases *out, seqrec_error *error)
{
    SQ_TRY(sq_division_check(division, dataset, error));
    SQ_CHECK(!protocol->by_time || division->kind == SQ_DIVISION_TIME, error, SEQREC_E_ARGUMENT,
             "protocol %s needs a division by time (\"time:SECONDS:SECONDS\")", protocol->name);
    sq_cases cases = {.sequence = dataset->sequence, .offsets = dataset->offsets};
    count_cases(dataset, division, protocol, valid, &cases);
    cases.count = cases.targets - cases.newcomers;
    SQ_CHECK(cases.count > 0, error, SEQREC_E_ARGUMENT,
             "none of %" PRId64 " users has a %s event with an event before it under this division", dataset->users,
             valid ? "validation" : "test");
    if (protocol->most_users > 0 && cases.count > protocol->most_users) cases.count = protocol->most_users;
    cases.at = sq_alloc(memory, (size_t)cases.count, sizeof(sq_case));
    SQ_CHECK(cases.at != NULL, error, SEQREC_E_MEMORY, "no memory for %" PRId64 " users to evaluate", cases.count);
    fill_cases(dataset, division, protocol, valid, seed, &cases);
    *out = cases;
    return SEQREC_OK;
}

void sq_cases_free(sq_cases *cases, const sq_memory *memory)
{
    sq_free(memory, cases->at);
    *cases = (sq_cases){0};
}
