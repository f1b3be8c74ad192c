/* serve: the user vector of one history. */
#ifndef SQ_ENCODE_H
#define SQ_ENCODE_H
#include "model/model.h"

/* What histories are encoded with; borrows everything it points to. */
typedef struct sq_encoder {
    sq_network network;
    sq_embedding embedding;
    const sq_catalogue *catalogue;
} sq_encoder;

/* weights: settled weights of the model, catalogue: the item vectors that belong to it. */
sq_encoder sq_encoder_of(const seqrec_model *model, const sq_weights *weights, const sq_catalogue *catalogue);

/* Working memory of one thread. */
typedef struct sq_encode_scratch {
    sq_workspace work;
    const float **rows; /* [window] */
} sq_encode_scratch;

/* For windows of up to sq_encode_window(model, longest history) events. */
void sq_encode_scratch_take(sq_arena *arena, const seqrec_model *model, int32_t window, sq_encode_scratch *out);
/* Events of a history of n that the model sees. */
int32_t sq_encode_window(const seqrec_model *model, int64_t n);

/* The user vector after the items in slots[n], oldest first, to out [padded d]: zero when n is 0, with score = cosine divided
 * by its length and the temperature. Its bits depend on weights and slots alone. */
void sq_encode(const sq_encoder *encoder, const int32_t *slots, int64_t n, sq_encode_scratch *scratch, float *out);
#endif
