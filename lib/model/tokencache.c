/* model: cached keys and values, and what a pass that joins them works with. */
#include "model/tokencache.h"
#include <math.h>
#include <string.h>

void sq_token_cache_move(sq_token_cache *cache, const sq_layout *l, float *at, int64_t capacity)
{
    sq_token_cache to = {.at = at, .capacity = capacity, .first = cache->first, .next = cache->next};
    const size_t floats = (size_t)(cache->next - cache->first) * (size_t)l->hp;
    for (int32_t b = 0; b < l->blocks && floats > 0; b++)
        for (int32_t which = 0; which < 2; which++)
            memcpy(sq_token_cache_rows(&to, l, b, which), sq_token_cache_rows(cache, l, b, which), floats * sizeof *at);
    *cache = to;
}

void sq_extension_take(sq_arena *arena, const sq_layout *l, int64_t span, int32_t tokens, sq_extension *out)
{
    const size_t half = l->scheme->rotates ? (size_t)l->dh / 2 : 0;
    *out = (sq_extension){.span = span};
    out->keys = SQ_TAKE(arena, const float *, (size_t)span);
    out->values = SQ_TAKE(arena, const float *, (size_t)span);
    out->cosines = SQ_TAKE(arena, float, (size_t)tokens * half);
    out->sines = SQ_TAKE(arena, float, (size_t)tokens * half);
    const size_t dated = l->dated ? (size_t)tokens : 0;
    out->times = SQ_TAKE(arena, int64_t, dated ? (size_t)span + dated : 0);
    out->asks = SQ_TAKE(arena, int64_t, dated);
    out->index = SQ_TAKE(arena, uint16_t, l->timed ? (size_t)span : 0);
    const int32_t columns = l->columns > l->time_columns ? l->columns : l->time_columns;
    sq_head_row_take(arena, (size_t)span, (size_t)columns, &out->head);
}

static void turn(const sq_layout *l, const sq_options *o, int64_t t, float *cosines, float *sines)
{
    const int32_t half = l->dh / 2;
    if (t < l->length) { /* the table has these places */
        memcpy(cosines, l->cosines + t * half, (size_t)half * sizeof *cosines);
        memcpy(sines, l->sines + t * half, (size_t)half * sizeof *sines);
        return;
    }
    for (int32_t e = 0; e < half; e++) {
        const double angle = sq_rotary_angle(t, e, half, o->rotary_base);
        cosines[e] = (float)cos(angle);
        sines[e] = (float)sin(angle);
    }
}

void sq_extension_turn(const sq_layout *l, const sq_options *o, int32_t n, sq_extension *x)
{
    const size_t half = (size_t)l->dh / 2;
    if (!l->scheme->rotates) return;
    for (int32_t i = 0; i < n; i++)
        turn(l, o, sq_extension_place(x, i), x->cosines + (size_t)i * half, x->sines + (size_t)i * half);
}
