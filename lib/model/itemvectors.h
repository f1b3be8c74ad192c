/* model: the scored vectors of all items at one moment, for whoever builds an index of them. */
#ifndef SQ_ITEMVECTORS_H
#define SQ_ITEMVECTORS_H
#include "model/model.h"

struct seqrec_vectors {
    _Atomic int64_t references;
    sq_catalogue *catalogue;
    int32_t cosine; /* 1: read with length 1 */
};

int32_t sq_vectors_open(const seqrec_model *model, seqrec_vectors **out, seqrec_error *error);
void sq_vectors_release(seqrec_vectors *vectors);
/* Slots first .. first + n - 1 of those that the table has: out [n][dim] (zero where no item lives), live [n] or NULL. */
void sq_vectors_read(const seqrec_vectors *vectors, int64_t first, int64_t n, float *out, uint8_t *live);
/* XXH3 of the shape, and of slot, id and scored vector of every item. */
uint64_t sq_vectors_checksum(const seqrec_vectors *vectors);
#endif
