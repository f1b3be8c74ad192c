/* serve: the user vector of one history. */
#ifndef SQ_ENCODE_H
#define SQ_ENCODE_H
#include "model/model.h"

/* What histories are encoded with; borrows everything it points to. */
typedef struct sq_encoder {
    sq_network network;
    sq_embedding embedding;
    const sq_catalogue *catalogue;
    const sq_catalogue *users;
} sq_encoder;

/* For the model as a snapshot of it, with settled weights, has it. */
sq_encoder sq_encoder_of(const seqrec_model *model, const sq_snapshot *snapshot);

/* Working memory of one thread. */
typedef struct sq_encode_scratch {
    sq_workspace work;
    const float **rows; /* [window] */
    float *joined;      /* [padded d] of the network when a user vector is more than that or less, else NULL */
} sq_encode_scratch;

/* For passes of up to sq_encode_window(model, longest history) tokens. */
void sq_encode_scratch_take(sq_arena *arena, const seqrec_model *model, int32_t window, sq_encode_scratch *out);
/* Tokens of the pass for a history of n events: its last ones, and with mask = bidirectional [MASK] behind them. */
int32_t sq_encode_window(const seqrec_model *model, int64_t n);

/* The user vector after the items in slots[n], oldest first: what the network makes of the newest event, or with mask =
 * bidirectional of the [MASK] behind it (BERT4Rec, section 3.6). To out [padded length of an item's]: zero when n is 0, with score =
 * cosine divided by its length and the temperature; with item_bias 1 stands where an item has its bias. user: slot of the user table, or -1 for a user without a row (any in a model
 * without users). Its bits depend on weights, slots and user alone. */
void sq_encode(const sq_encoder *encoder, const int32_t *slots, int64_t n, int32_t user, sq_encode_scratch *scratch,
               float *out);
/* out, a user vector as above, from what the network's readout gave, state [padded d] (out itself where the two are of one kind). */
void sq_encode_finish(const sq_encoder *encoder, const float *state, float *out);
#endif
