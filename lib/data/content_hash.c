/* data: the hash that tells whether two datasets hold the same events. */
#include "data/content_hash.h"
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define BLOCK 512

/* Numbers on their way into the hash. */
typedef struct feed {
    XXH3_state_t state;
    size_t used;
    unsigned char bytes[BLOCK * 8];
} feed;

static void flush(feed *to)
{
    (void)XXH3_64bits_update(&to->state, to->bytes, to->used);
    to->used = 0;
}

static inline void put_number(feed *to, int64_t number)
{
    uint64_t bits = (uint64_t)number;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    memcpy(to->bytes + to->used, &bits, 8);
    to->used += 8;
    if (to->used == sizeof to->bytes) flush(to);
}

static void put_numbers(feed *to, const int64_t *numbers, int64_t count)
{
    for (int64_t i = 0; i < count; i++) put_number(to, numbers[i]);
}

/* Texts whose numbers are those of their order, so that the numbers alone say nothing of them. */
static void put_names(feed *to, const sq_names *names)
{
    if (names->offsets == NULL || names->count == 0) return;
    put_numbers(to, names->offsets, names->count + 1);
    flush(to);
    (void)XXH3_64bits_update(&to->state, names->bytes, (size_t)names->offsets[names->count]);
}

uint64_t sq_dataset_hash(const seqrec_dataset *dataset)
{
    feed to;
    to.used = 0;
    (void)XXH3_64bits_reset(&to.state);
    put_number(&to, dataset->users);
    put_number(&to, dataset->items);
    put_numbers(&to, dataset->user_ids, dataset->users);
    put_numbers(&to, dataset->item_ids, dataset->items);
    put_numbers(&to, dataset->offsets, dataset->users + 1);
    for (int64_t e = 0; e < dataset->events; e++) put_number(&to, dataset->item_ids[dataset->sequence[e]]);
    if (dataset->timestamps != NULL) put_numbers(&to, dataset->timestamps, dataset->events);
    put_names(&to, &dataset->user_names);
    put_names(&to, &dataset->item_names);
    flush(&to);
    return XXH3_64bits_digest(&to.state);
}

uint64_t sq_dataset_values_hash(const seqrec_dataset *dataset)
{
    feed to;
    if (dataset->values == NULL) return 0;
    to.used = 0;
    (void)XXH3_64bits_reset(&to.state);
    for (int64_t e = 0; e < dataset->events; e++) {
        uint32_t bits;
        memcpy(&bits, &dataset->values[e], sizeof bits);
        put_number(&to, bits);
    }
    flush(&to);
    return XXH3_64bits_digest(&to.state);
}
