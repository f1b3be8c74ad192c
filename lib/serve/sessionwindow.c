/* serve: which events of a session its next read goes by. */
#include "serve/sessionwindow.h"

int32_t sq_session_rule(const seqrec_model *model)
{
    const sq_options *o = &model->options;
    const sq_layout *l = &model->layout;
    if (l->timed == SQ_TIME_INTERVALS || (l->dated && o->user_embedding == SQ_USER_PREFIX)) return SEQREC_SESSION_RECOMPUTES;
    if (l->channels > 1 || l->placed || l->bidirectional || l->window || o->gates != SQ_GATES_NONE || o->position == SQ_POSITION_END)
        return SEQREC_SESSION_RECOMPUTES;
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
