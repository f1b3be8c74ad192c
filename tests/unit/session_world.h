/* unit: models of every scheme of places, sessions on them, and passes over whole histories to compare with. */
#ifndef SESSION_WORLD_H
#define SESSION_WORLD_H
#include <stdio.h>
#include "network_pass.h"

enum { ITEMS = 90, MOST = 60, WIDEST = 64 };

static seqrec_error failure;

static inline void good(int32_t status)
{
    if (status != SEQREC_OK) ck_abort_msg("%s: %s", seqrec_status_name(status), failure.message);
}

typedef struct scheme {
    int32_t rule;
    const char *settings; /* "name=value name=value" on top of sasrec with two blocks and max_length 9 */
} scheme;

#define SLIDES SEQREC_SESSION_SLIDES
#define HALVES SEQREC_SESSION_HALVES
#define RECOMPUTES SEQREC_SESSION_RECOMPUTES
static const scheme schemes[] = {
    {SLIDES, "position=none"},
    {SLIDES, "position=none wiring=pre_norm tied_output=false heads=2"},
    {SLIDES, "position=none wiring=original attention_output=false"},
    {SLIDES, "position=none relative=shaw heads=2"},
    {SLIDES, "position=none relative=shaw relative_clip=3"},
    {SLIDES, "position=none relative=bias"},
    {SLIDES, "position=none relative=t5 heads=2 wiring=pre_norm residual_gate=true activation=swiglu ffn_dim=40"},
    {SLIDES, "position=none relative=alibi heads=2 activation=gelu score=cosine"},
    {SLIDES, "position=none relative=rotary heads=2 item_bias=true"},
    {SLIDES, "position=reversed"},
    {SLIDES, "position=none attention=hstu wiring=pre_norm relative=bias norm_affine=false score=cosine"},
    {SLIDES, "position=none attention=hstu wiring=pre_norm relative=shaw heads=2"},
    {SLIDES, "position=none attention=hstu wiring=pre_norm relative=rotary heads=2"},
    {SLIDES, "position=none user_embedding=added embedding_norm=true"},
    {SLIDES, "position=none user_embedding=concatenated user_dim=6 relative=t5 heads=2"},
    {SLIDES, "position=none blocks=0"},
    {SLIDES, "position=none blocks=3 head=transform max_length=1"},
    {HALVES, "position=start"},
    {HALVES, "position=start attention=hstu wiring=pre_norm relative=bias norm_affine=false"},
    {HALVES, "position=start relative=rotary heads=2 max_length=8"},
    {HALVES, "position=start max_length=1"},
    {HALVES, "position=start user_embedding=concatenated final_norm=false"},
    {HALVES, "position=none user_embedding=prefix relative=t5"},
    {HALVES, "position=start user_embedding=prefix relative=rotary"},
    {SLIDES, "position=none relative=shaw heads=2 head_dim=14 attention_span=4"},
    {SLIDES, "position=reversed attention_span=3"},
    {HALVES, "position=start attention=hstu wiring=pre_norm heads=2 head_dim=5 attention_span=4"},
    {RECOMPUTES, "position=end"},
    {RECOMPUTES, "position=start position_place=attention"},
    {RECOMPUTES, "position=end user_embedding=added relative=t5 tied_output=false"},
    {RECOMPUTES, "position=end user_embedding=prefix"},
    {RECOMPUTES, "position=start mask=bidirectional objective=cloze"},
    {RECOMPUTES, "position=none mixer=spectral spectral_window=4"},
    {RECOMPUTES, "position=none gates=position"},
    {RECOMPUTES, "position=none gates=content gate_estimator=hard_concrete"},
    {RECOMPUTES, "position=start attention=hstu wiring=pre_norm relative=bias norm_affine=false final_norm=false score=cosine "
                 "channels=apart activation=swiglu ffn_dim=40"}, /* fuxi's */
    {RECOMPUTES, "position=none attention=hstu wiring=pre_norm relative=bias channels=apart heads=2 blocks=3 attention_span=4"},
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

static inline sq_options options_of(const char *settings)
{
    sq_options o = small_options("sasrec");
    o.dim = 20;
    o.max_length = 9;
    small_set(&o, settings);
    return o;
}

/* With the users 1, 2, 3 where the model has any. */
static inline small_model open_model(const char *settings, const seqrec_allocator *host)
{
    const sq_options o = options_of(settings);
    const int64_t users[] = {1, 2, 3};
    small_model s = small_open_with(host, &o, 0, ITEMS);
    small_weights(&s);
    if (o.user_embedding != SQ_USER_NONE) good(seqrec_users_put(s.model, users, 3, NULL, &failure));
    return s;
}

static inline int64_t item_at(int64_t e) { return (e * e * 7 + e * 3 + 11) % ITEMS; }

static inline void fill_items(int64_t *items)
{
    for (int64_t e = 0; e < MOST; e++) items[e] = item_at(e);
}

static const int64_t user_two = 2;

/* The vector of n items as a history. */
static inline void vector_of(const small_model *s, const int64_t *items, int64_t n, float *out)
{
    const int64_t offsets[] = {0, n};
    const seqrec_batch batch = {
        .struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = items, .users = &user_two};
    good(seqrec_encode(s->model, &batch, NULL, out, &failure));
}

static inline seqrec_sessions *pool_on(const small_model *s, size_t bytes)
{
    seqrec_sessions *pool = NULL;
    good(seqrec_sessions_create(s->model, bytes, &pool, &failure));
    return pool;
}

static inline seqrec_session *session_of(seqrec_sessions *pool, const int64_t *items, int64_t n)
{
    seqrec_session *session = NULL;
    good(seqrec_session_open(pool, &user_two, items, NULL, n, SEQREC_UNKNOWN_SKIP, &session, &failure));
    return session;
}

static inline void append(seqrec_session *session, const int64_t *items, int64_t n)
{
    good(seqrec_session_append(session, items, NULL, n, SEQREC_UNKNOWN_ERROR, &failure));
}

static inline void encode(seqrec_session *session, float *out) { good(seqrec_session_encode(session, out, &failure)); }

static inline void expect_near(const float *a, const float *b, int64_t n, const char *what, int64_t at)
{
    double size = 1;
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs((double)b[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)a[i] - (double)b[i]) <= 1e-5 * size, "%s after %d events: %g and %g", what, (int)at,
                      (double)a[i], (double)b[i]);
}

static inline int64_t dim_of(const small_model *s) { return s->model->layout.part; }

static inline seqrec_session *copy_of(seqrec_sessions *pool, seqrec_session *session)
{
    unsigned char bytes[64 + 16 * MOST];
    size_t needed = 0;
    seqrec_session *copy = NULL;
    good(seqrec_session_save(session, bytes, sizeof bytes, &needed, &failure));
    good(seqrec_session_restore(pool, bytes, needed, &copy, &failure));
    return copy;
}
#endif
