/* data: the hash that tells whether two datasets hold the same events. */
#ifndef SQ_CONTENT_HASH_H
#define SQ_CONTENT_HASH_H
#include "data/dataset.h"

/* XXH3-64 over little-endian int64: users, items, user ids, item ids, offsets, the events' item ids, timestamps if any; then of the
 * names of users and of items, where there are some, the offsets and the bytes. */
uint64_t sq_dataset_hash(const seqrec_dataset *dataset);
/* Of the values alone; 0 where there are none. */
uint64_t sq_dataset_values_hash(const seqrec_dataset *dataset);
#endif
