/* serve: which events of a session its next read goes by. */
#include "serve/sessionwindow.h"

const char *sq_session_hindrance(const seqrec_model *model)
{
    const sq_options *o = &model->options;
    const sq_layout *l = &model->layout;
    if (o->position == SQ_POSITION_END) return "position = end: every event moves the places of all before it";
    if (l->bidirectional) return "mask = bidirectional: every event is seen by all before it";
    if (l->window) return "mixer = spectral: its filters keep no keys and values";
    if (l->placed) return "position_place = attention: places within the window are part of keys and values";
    if (o->gates != SQ_GATES_NONE) return "gates: they go by places within the window, or by what all its events hold";
    if (l->channels > 1) return "channels = apart: each channel weighs the events of the window anew";
    if (l->timed == SQ_TIME_INTERVALS) return "time = intervals: they count from the window's first event, in a unit that every event may change";
    if (l->dated && o->user_embedding == SQ_USER_PREFIX)
        return "time or calendar with user_embedding = prefix: the user's token has the time of the window's first event";
    return "";
}

int32_t sq_session_rule(const seqrec_model *model)
{
    const sq_options *o = &model->options;
    if (*sq_session_hindrance(model) != 0) return SEQREC_SESSION_RECOMPUTES;
    if (o->position == SQ_POSITION_START || o->user_embedding == SQ_USER_PREFIX) return SEQREC_SESSION_HALVES;
    return SEQREC_SESSION_SLIDES;
}

int32_t sq_session_redoes(const seqrec_model *model)
{
    const sq_layout *l = &model->layout;
    const int asks = l->timed == SQ_TIME_BIAS || model->options.calendar;
    return l->dated && (l->bidirectional || (asks && model->options.time_request));
}

static int64_t first_of_window(int64_t length, int64_t n)
{
    const int64_t dropped = length - length / 2;
    return n <= length ? 0 : (n - length + dropped - 1) / dropped * dropped;
}

int64_t sq_session_first(const seqrec_model *model, int64_t n)
{
    const int64_t length = model->layout.length, reach = model->layout.blocks * (sq_session_span(model) - 1) + 1;
    if (sq_session_rule(model) == SEQREC_SESSION_HALVES) return first_of_window(length, n);
    if (sq_session_rule(model) == SEQREC_SESSION_SLIDES) return n > reach ? n - reach : 0;
    return n > length - model->layout.bidirectional ? n - (length - model->layout.bidirectional) : 0;
}
