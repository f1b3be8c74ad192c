/* layer: input embedding of one packed sequence, with its user's vector where the model has one. */
#ifndef SQ_EMBEDDING_H
#define SQ_EMBEDDING_H
#include "tensor/kernels.h"

typedef int32_t (*sq_position_rule)(int32_t t, int32_t n);

/* Where the vector U of a sequence's user goes: nowhere, onto every event, behind every event's vector (SSE-PT), or into a
 * token of its own in front of the window, which has no position. */
enum { SQ_EMBED_PLAIN, SQ_EMBED_ADD_USER, SQ_EMBED_JOIN_USER, SQ_EMBED_PREFIX_USER };

/* How items and positions become the input of the first block: dropout(norm(scale * E[item] + P[rule(t, n)])) (SASRec, eq. 1,
 * without the norm; BERT4Rec with it), with the rows of its time from a calendar, with user_scale * U added, or behind scale * E[item] (positions then have both widths). */
typedef struct sq_embedding {
    const sq_kernels *kernels;
    float scale;
    const float *positions; /* [max_length][width], or NULL */
    sq_position_rule rule;
    const float *calendar; /* [SQ_CALENDAR_ROWS][width], or NULL */
    const int64_t *dates;  /* [n] with a calendar: the times at which the events of the sequence at hand stand */
    const float *gain, *bias; /* of the layer norm; NULL: none */
    float epsilon;
    size_t d, width; /* true and padded */
    sq_dropout dropout;
    int32_t place;         /* SQ_EMBED_* */
    const float *user;     /* U of the sequence at hand, [padded user_width]; NULL when plain */
    float user_scale;
    size_t item_width;     /* floats of an item's vector that are input: where a joined U begins */
    int32_t biased;        /* 1: behind them stands the item's bias, which is none */
    size_t user_width;
} sq_embedding;

/* Tokens of a window of n events. */
static inline int32_t sq_embed_tokens(const sq_embedding *embedding, int32_t n)
{
    return n + (embedding->place == SQ_EMBED_PREFIX_USER);
}
/* The first of them that is an event. */
static inline int32_t sq_embed_first(const sq_embedding *embedding) { return embedding->place == SQ_EMBED_PREFIX_USER; }

/* What the norm of the tokens leaves for the backward pass: sum [tokens][width] is its input, NULL where no backward pass comes; mean,
 * rstd [tokens]. Not used without a norm. */
typedef struct sq_embedding_saved {
    float *sum, *mean, *rstd;
} sq_embedding_saved;

/* The share of the tokens from `token` on. */
static inline sq_embedding_saved sq_embedding_saved_at(const sq_embedding *e, const sq_embedding_saved *s, int32_t token)
{
    if (!e->gain) return (sq_embedding_saved){0};
    return (sq_embedding_saved){s->sum ? s->sum + (size_t)token * e->width : NULL, s->mean + token, s->rstd + token};
}

/* Gradients that a pass adds to, each where the embedding has the parameter. */
typedef struct sq_embedding_grads {
    float *positions, *calendar, *gain, *bias;
} sq_embedding_grads;

/* x [tokens][width]; items [n]: vectors of the items; first = row of the dropout mask of token 0. */
void sq_embed_fwd(const sq_embedding *embedding, const float *const *items, int32_t n, uint64_t first,
                  const sq_embedding_saved *saved, float *x);
/* dx [tokens][width]: gradient of x on entry, of the sum of item and position on exit; item rows get scale * dx, positions and calendar += dx. */
void sq_embed_bwd(const sq_embedding *embedding, int32_t n, uint64_t first, const sq_embedding_saved *saved, float *dx,
                  const sq_embedding_grads *grads);
/* From dx as sq_embed_bwd left it: du [padded user_width] = gradient of U. Not for a plain embedding. */
void sq_embed_user_bwd(const sq_embedding *embedding, int32_t n, const float *dx, float *du);
#endif
