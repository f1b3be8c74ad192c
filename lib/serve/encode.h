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
    int64_t *times, *asks; /* [tokens] of a layout that is dated */
    float *joined;      /* [padded d] of the network when a user vector is more than that or less, else NULL */
} sq_encode_scratch;

/* For passes of up to sq_encode_window(model, longest history) tokens. */
void sq_encode_scratch_take(sq_arena *arena, const seqrec_model *model, int32_t window, sq_encode_scratch *out);
/* Tokens of the pass for a history of n events: its last ones, and with mask = bidirectional [MASK] behind them. */
int32_t sq_encode_window(const seqrec_model *model, int64_t n);

/* A history, oldest event first. */
typedef struct sq_history {
    const int32_t *slots; /* [n] */
    const int64_t *times; /* [n] of a layout that is dated, in order; else not read */
    int64_t n;
    int64_t ask;          /* time of the request, likewise */
    int32_t user;         /* slot of the user table, or -1 for a user without a row (any in a model without users) */
} sq_history;

/* The user vector after a history: what the network makes of the newest event, or with mask =
 * bidirectional of the [MASK] behind it (BERT4Rec, section 3.6). To out [padded length of an item's]: zero when n is 0, with score =
 * cosine divided by its length and the temperature; with item_bias 1 stands where an item has its bias. Its bits depend on weights and history alone. */
void sq_encode(const sq_encoder *encoder, const sq_history *history, sq_encode_scratch *scratch, float *out);

/* The user vectors after each of the events of a history of 1 .. window events, as sq_encode has them for mask = causal when the pass
 * begins there and is asked at the time of the next event, the last at history->ask: out [n][padded length of an item's]. states:
 * scratch [tokens][padded d]. */
void sq_encode_each(const sq_encoder *encoder, const sq_history *history, sq_encode_scratch *scratch, float *states, float *out);
/* out, a user vector as above, from what the network's readout gave, state [padded d] (out itself where the two are of one kind). */
void sq_encode_finish(const sq_encoder *encoder, const float *state, float *out);
#endif
