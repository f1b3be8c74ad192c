/* seqrec tool: which user of the data a word means, one rule for all commands. */
#include "data_users.h"
#include "arguments.h"
#include "terminal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_users(const void *a, const void *b)
{
    const data_user *x = a, *y = b;
    const int by_name = x->name && y->name ? strcmp(x->name, y->name) : 0;
    return by_name ? by_name : x->id < y->id ? -1 : x->id > y->id;
}

int open_data_users(data_users *users, const seqrec_dataset *dataset, int apart)
{
    seqrec_error error = {0};
    seqrec_dataset_stats facts = {.struct_size = sizeof facts};
    if (seqrec_dataset_describe(dataset, &facts, &error) != SEQREC_OK) return fail_library("describing", &error);
    *users = (data_users){malloc((size_t)(facts.users + 1) * sizeof *users->at), facts.users, dataset, apart};
    if (!users->at) return fail("out of memory");
    for (int64_t i = 0; i < users->count; i++) {
        users->at[i].name = NULL;
        if (seqrec_dataset_sequence(dataset, i, &users->at[i].id, NULL, NULL, NULL, &error) != SEQREC_OK)
            return fail_library("describing", &error);
        (void)seqrec_dataset_user_name(dataset, users->at[i].id, &users->at[i].name, NULL);
    }
    qsort(users->at, (size_t)users->count, sizeof *users->at, compare_users);
    return 0;
}

static int is_named(const data_users *users)
{
    return users->count > 0 && users->at[0].name;
}

static int has_number(const data_users *users, int64_t id)
{
    const data_user wanted = {NULL, id};
    const char *name = NULL;
    if (is_named(users)) return seqrec_dataset_user_name(users->dataset, id, &name, NULL) == SEQREC_OK;
    return bsearch(&wanted, users->at, (size_t)users->count, sizeof *users->at, compare_users) != NULL;
}

/* Where the first user of that name stands, or would. */
static int64_t first_of_name(const data_users *users, const char *name)
{
    int64_t low = 0, high = users->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (strcmp(users->at[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int is_called(const data_users *users, int64_t at, const char *name)
{
    return at < users->count && !strcmp(users->at[at].name, name);
}

int find_data_user(const data_users *users, const char *word, int64_t *id)
{
    const int named = is_named(users);
    if ((users->apart || !named) && read_count(word, id) && has_number(users, *id)) return USER_FOUND;
    if (!named) return USER_UNKNOWN;
    const int64_t at = first_of_name(users, word);
    if (!is_called(users, at, word)) return USER_UNKNOWN;
    *id = users->at[at].id;
    return is_called(users, at + 1, word) ? USER_AMBIGUOUS : USER_FOUND;
}

const char *namesakes(const data_users *users, const char *name, char out[NAMESAKES_BYTES])
{
    size_t used = 0;
    out[0] = 0;
    for (int64_t at = first_of_name(users, name); is_called(users, at, name); at++) {
        if (used + 30 > NAMESAKES_BYTES) {
            snprintf(out + used, NAMESAKES_BYTES - used, ", ...");
            break;
        }
        used += (size_t)snprintf(out + used, NAMESAKES_BYTES - used, "%s%lld", used ? ", " : "", (long long)users->at[at].id);
    }
    return out;
}

void close_data_users(data_users *users)
{
    free(users->at);
}
