/* serve: which events of a session its next read goes by. It depends on the model and on how many events there are, so that a
 * session is a function of its events, however they came. */
#ifndef SQ_SESSIONWINDOW_H
#define SQ_SESSIONWINDOW_H
#include "model/model.h"

/* SEQREC_SESSION_*: what the model's idea of places leaves of a cache when an event comes. */
int32_t sq_session_rule(const seqrec_model *model);
/* Why that is nothing: the option and the reason; "" when something is left. */
const char *sq_session_hindrance(const seqrec_model *model);

/* 1: what the newest event becomes hangs on when the session is asked, or what [MASK] does. */
int32_t sq_session_redoes(const seqrec_model *model);

/* Most tokens that a token sees, itself included. */
static inline int64_t sq_session_span(const seqrec_model *model)
{
    const int64_t most = model->layout.length + (model->options.user_embedding == SQ_USER_PREFIX);
    return model->layout.span > 0 && model->layout.span < most ? (int64_t)model->layout.span : most;
}

/* The first of n events that is taken in. SEQREC_SESSION_SLIDES: the first that what the newest `span` tokens have in any block goes
 * back to. SEQREC_SESSION_HALVES: of the window, which grows to max_length events and then drops its older half. */
int64_t sq_session_first(const seqrec_model *model, int64_t n);
#endif
