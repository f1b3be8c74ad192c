/* model: options of a model that is to read longer histories than it was trained on. */
#include "model/options.h"
#include <stdio.h>

static int banded(const sq_options *o) { return o->attention_span > 0 && o->attention_span < o->max_length; }

/* The distances that the tables of a model without relative_clip have rows for. */
static int64_t farthest(const sq_options *o)
{
    return (banded(o) ? o->attention_span : o->max_length + (o->user_embedding == SQ_USER_PREFIX)) - 1;
}

int32_t sq_options_lengthen(sq_options *o, int64_t max_length, seqrec_error *error)
{
    const int clips = sq_options_scheme(o)->clips;
    char text[32];
    SQ_CHECK(max_length >= o->max_length, error, SEQREC_E_RANGE,
             "max_length = %lld is below the model's %lld: where less is to be read, give it less", (long long)max_length, (long long)o->max_length);
    if (max_length == o->max_length) return SEQREC_OK;
    SQ_CHECK(o->position == SQ_POSITION_NONE || o->position == SQ_POSITION_REVERSED, error, SEQREC_E_UNSUPPORTED,
             "position is neither none nor reversed: its table has a vector for each of %lld places and none beyond", (long long)o->max_length);
    SQ_CHECK(o->position == SQ_POSITION_NONE || !banded(o) || o->relative_clip > 0, error, SEQREC_E_UNSUPPORTED,
             "position = reversed with attention_span = %lld and relative_clip = 0: its table has a vector for each of %lld places and none beyond",
             (long long)o->attention_span, (long long)o->max_length);
    SQ_CHECK(o->gates != SQ_GATES_POSITION, error, SEQREC_E_UNSUPPORTED,
             "gates = position: there is one for each pair of %lld places and none beyond", (long long)o->max_length);
    SQ_CHECK(!clips || farthest(o) > 0, error, SEQREC_E_UNSUPPORTED, "max_length = 1: no distance was trained");
    if (clips && (o->relative_clip == 0 || o->relative_clip > farthest(o))) o->relative_clip = farthest(o);
    if (o->attention == SQ_ATTENTION_HSTU && o->hstu_length == 0) o->hstu_length = o->max_length;
    if (o->mixer == SQ_MIXER_SPECTRAL) o->spectral_window = sq_options_window(o);
    snprintf(text, sizeof text, "%lld", (long long)max_length);
    return sq_options_set(o, "max_length", text, error);
}
