/* eval: the best items of every user of a pass. */
#ifndef SQ_LISTS_H
#define SQ_LISTS_H
#include <stdint.h>

typedef struct sq_lists {
    int64_t count;  /* users */
    int64_t length; /* places of a list */
    int32_t *items; /* [count][length] dense indices, best first, -1 behind the last */
} sq_lists;

static inline const int32_t *sq_list(const sq_lists *lists, int64_t user)
{
    return lists->items + user * lists->length;
}

/* Entries among the first k of a list. */
static inline int64_t sq_list_entries(const sq_lists *lists, int64_t user, int64_t k)
{
    const int32_t *items = sq_list(lists, user);
    int64_t n = 0;
    while (n < k && n < lists->length && items[n] >= 0) n++;
    return n;
}
#endif
