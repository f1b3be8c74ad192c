/* model: keys and values of the newest tokens of one sequence in every block, so that the next token costs one row. */
#ifndef SQ_TOKENCACHE_H
#define SQ_TOKENCACHE_H
#include "attention/attention.h"
#include "model/parameters.h"

/* A ring of rows for each block: keys, then values. Token t lies in row (t - first) % capacity; rotary keys are turned by t. */
typedef struct sq_token_cache {
    float *at; /* [blocks][2][capacity][hp] */
    int64_t capacity;
    int64_t first; /* the first token that was taken in */
    int64_t next;  /* the token to come */
} sq_token_cache;

static inline size_t sq_token_cache_floats(const sq_layout *layout, int64_t capacity)
{
    return (size_t)layout->blocks * 2 * (size_t)capacity * (size_t)layout->hp;
}
/* Keys (which = 0) or values (1) of a block. */
static inline float *sq_token_cache_rows(const sq_token_cache *cache, const sq_layout *layout, int32_t block, int32_t which)
{
    return cache->at + (size_t)(2 * block + which) * (size_t)cache->capacity * (size_t)layout->hp;
}
/* Copies the tokens of a ring that has not come round into the larger one at `at`, and makes the cache that. */
void sq_token_cache_move(sq_token_cache *cache, const sq_layout *layout, float *at, int64_t capacity);

/* Tokens of branches behind a cached sequence. Branches that have a beginning in common share its tokens. */
typedef struct sq_branches {
    sq_token_cache store;     /* token i lies in row i */
    const int32_t *const *trails; /* [rows of a pass][depth] the tokens of each row's branch before it, oldest first */
    int32_t depth;
    int64_t kept; /* the rows of the pass become tokens kept, kept + 1, ... */
} sq_branches;

/* How the tokens of a pass join a cached sequence; borrows the cache. */
typedef struct sq_extension {
    sq_token_cache *cache;
    int64_t span;  /* a token sees so many, itself included; the ring has room for one fewer at least, or for all */
    int32_t apart; /* 0: the rows follow one another and stay in the cache; 1: each is the next token by itself, of a branch */
    const sq_branches *branches; /* apart: NULL: all branches begin here, and nothing stays */
    const float **keys, **values; /* [span] rows that the query at hand sees */
    float *cosines, *sines;       /* rotary: [tokens][dh / 2] of the places of the rows */
    int64_t *times; /* time = bias: [span + tokens] of the tokens from place `timed_from` on, and of the event behind the last */
    int64_t *asks;  /* [tokens] what the rows look back from */
    int64_t timed_from;
    uint16_t *index; /* [span] of the query at hand */
    sq_head_scratch head;
} sq_extension;
void sq_extension_take(sq_arena *arena, const sq_layout *layout, int64_t span, int32_t tokens, sq_extension *out);
/* The place of row i of a pass. */
static inline int64_t sq_extension_place(const sq_extension *x, int64_t i)
{
    return x->cache->next + (!x->apart ? i : x->branches ? x->branches->depth : 0);
}
/* Before the pass of n rows. */
void sq_extension_turn(const sq_layout *layout, const sq_options *options, int32_t n, sq_extension *extension);
#endif
