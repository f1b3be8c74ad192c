/* data: how the events of a user divide into training, validation and test. */
#include "data/dataset.h"
#include <string.h>
#include "base/text.h"

/* "NUMBER:NUMBER"; 0 when the text is something else. */
static int32_t parse_pair(const char *text, int64_t *first, int64_t *second)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL) return 0;
    return sq_parse_int64(text, (size_t)(colon - text), first) == SEQREC_OK &&
           sq_parse_int64(colon + 1, strlen(colon + 1), second) == SEQREC_OK;
}

int32_t sq_division_parse(const char *text, sq_division *out, seqrec_error *error)
{
    sq_division made = {.kind = SQ_DIVISION_LEAVE_ONE_OUT};
    if (text != NULL && strcmp(text, "none") == 0) {
        made.kind = SQ_DIVISION_NONE;
    } else if (text != NULL && strncmp(text, "time:", 5) == 0) {
        made.kind = SQ_DIVISION_TIME;
        SQ_CHECK(parse_pair(text + 5, &made.valid_from, &made.test_from), error, SEQREC_E_FORMAT,
                 "split \"%.80s\": a time split is written time:SECONDS:SECONDS", text);
        SQ_CHECK(made.valid_from <= made.test_from, error, SEQREC_E_ARGUMENT,
                 "split \"%.80s\": the test may not start before the validation", text);
    } else if (text != NULL && strncmp(text, "last:", 5) == 0) {
        made.kind = SQ_DIVISION_LAST;
        SQ_CHECK(parse_pair(text + 5, &made.last, &made.least), error, SEQREC_E_FORMAT,
                 "split \"%.80s\": a split of the last events is written last:EVENTS:LEAST", text);
        SQ_CHECK(made.last >= 1, error, SEQREC_E_ARGUMENT, "split \"%.80s\": EVENTS = %lld is below 1: nothing would be held out", text,
                 (long long)made.last);
        SQ_CHECK(made.least > made.last && made.least - made.last >= 2, error, SEQREC_E_ARGUMENT,
                 "split \"%.80s\": LEAST = %lld must be at least two more than EVENTS = %lld: who has fewer is trained on whole", text,
                 (long long)made.least, (long long)made.last);
    } else if (text != NULL && strcmp(text, "leave-one-out") != 0) {
        return sq_fail(error, SEQREC_E_UNSUPPORTED,
                       "split \"%.80s\" is none of leave-one-out, none, time:SECONDS:SECONDS, last:EVENTS:LEAST", text);
    }
    if (made.kind == SQ_DIVISION_LAST && made.last == 1 && made.least == 3) made = (sq_division){.kind = SQ_DIVISION_LEAVE_ONE_OUT};
    *out = made;
    return SEQREC_OK;
}

int32_t sq_division_same(const sq_division *a, const sq_division *b)
{
    if (a->kind != b->kind) return 0;
    if (a->kind == SQ_DIVISION_LAST) return a->last == b->last && a->least == b->least;
    return a->kind != SQ_DIVISION_TIME || (a->valid_from == b->valid_from && a->test_from == b->test_from);
}

int32_t sq_division_check(const sq_division *division, const seqrec_dataset *dataset, seqrec_error *error)
{
    SQ_CHECK(division->kind != SQ_DIVISION_TIME || dataset->timestamps != NULL, error, SEQREC_E_ARGUMENT,
             "a time split needs timestamps, and this dataset has none");
    return SEQREC_OK;
}

/* Number of the first n times, which rise, that lie before `from`. */
static int64_t before(const int64_t *times, int64_t n, int64_t from)
{
    int64_t low = 0;
    while (low < n) {
        int64_t middle = low + (n - low) / 2;
        if (times[middle] < from) {
            low = middle + 1;
        } else {
            n = middle;
        }
    }
    return low;
}

void sq_division_user(const sq_division *division, const seqrec_dataset *dataset, int64_t user, int64_t *train,
                      int64_t *valid)
{
    int64_t start = dataset->offsets[user], n = dataset->offsets[user + 1] - start;
    *train = *valid = n;
    if (division->kind == SQ_DIVISION_LEAVE_ONE_OUT && n >= 3) {
        *train = n - 2;
        *valid = n - 1;
    } else if (division->kind == SQ_DIVISION_LAST && n >= division->least) {
        *valid = n - division->last;
        *train = *valid - 1;
    } else if (division->kind == SQ_DIVISION_TIME) {
        *train = before(dataset->timestamps + start, n, division->valid_from);
        *valid = before(dataset->timestamps + start, n, division->test_from);
    }
}
