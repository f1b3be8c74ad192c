/* serve: a session as bytes: its events and its user; everything else follows from them. Little-endian, in this order: "SQSESSN1",
 * a sum over the model options, 1 or 0 for a user, the user, the number of events, the events (item, time), XXH3-64 of all before. */
#include <string.h>
#include "model/checksum.h"
#include "serve/session.h"

enum { FIELDS = 4, BEFORE = 8 * (1 + FIELDS), AFTER = 8, PER_EVENT = 16 };
static const char magic[] = "SQSESSN1";

/* Options of model scope that are not at their initial values: an option that a later version adds does not change it. */
static uint64_t sum_of_options(const seqrec_model *model)
{
    sq_checksum sum;
    char text[64];
    sq_checksum_start(&sum);
    for (int32_t i = 0; i < sq_option_count; i++) {
        const sq_option *option = &sq_option_table[i];
        if (option->scope != SQ_SCOPE_MODEL) continue;
        const size_t bytes = sq_option_text(&model->options, option, text, sizeof text);
        if (strcmp(text, option->initial) == 0) continue;
        sq_checksum_add(&sum, option->name, strlen(option->name) + 1);
        sq_checksum_add(&sum, text, (bytes < sizeof text ? bytes : sizeof text - 1) + 1);
    }
    return sq_checksum_value(&sum);
}

static void put(unsigned char *to, uint64_t value)
{
    for (int32_t i = 0; i < 8; i++) to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *from)
{
    uint64_t value = 0;
    for (int32_t i = 0; i < 8; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static void write(const seqrec_session *s, const sq_session_view *v, unsigned char *to)
{
    unsigned char *at = to + BEFORE;
    memcpy(to, magic, 8);
    put(to + 8, sum_of_options(v->model));
    put(to + 16, (uint64_t)s->has_user);
    put(to + 24, (uint64_t)s->user);
    put(to + 32, (uint64_t)s->count);
    for (int64_t e = 0; e < s->count; e++, at += PER_EVENT) {
        put(at, (uint64_t)s->events[e].item);
        put(at + 8, (uint64_t)s->events[e].time);
    }
    put(at, sq_checksum_of(to, (size_t)(at - to)));
}

int32_t sq_session_save(seqrec_session *s, void *out, size_t out_bytes, size_t *needed, seqrec_error *error)
{
    sq_session_view v;
    SQ_TRY(sq_session_enter(s, &v, error));
    const size_t bytes = BEFORE + (size_t)s->count * PER_EVENT + AFTER;
    int32_t status = SEQREC_OK;
    if (needed != NULL) *needed = bytes;
    if (out_bytes >= bytes)
        write(s, &v, out);
    else
        status = sq_fail(error, SEQREC_E_RANGE, "the session has %zu bytes, room is for %zu", bytes, out_bytes);
    sq_session_leave(s, &v);
    return status;
}

static int32_t check(const seqrec_model *model, const unsigned char *from, size_t bytes, seqrec_error *error)
{
    SQ_CHECK(bytes >= BEFORE + AFTER && memcmp(from, magic, 8) == 0, error, SEQREC_E_FORMAT,
             "byte 0: no session, which begins with %s and has %d bytes or more", magic, BEFORE + AFTER);
    const uint64_t events = get(from + 32);
    SQ_CHECK((bytes - BEFORE - AFTER) % PER_EVENT == 0 && (bytes - BEFORE - AFTER) / PER_EVENT == events, error, SEQREC_E_FORMAT,
             "byte 32: %llu events do not make %zu bytes", (unsigned long long)events, bytes);
    SQ_CHECK(get(from + bytes - AFTER) == sq_checksum_of(from, bytes - AFTER), error, SEQREC_E_FORMAT,
             "byte %zu: the checksum is not that of the bytes before it", bytes - AFTER);
    SQ_CHECK(get(from + 16) <= 1, error, SEQREC_E_FORMAT, "byte 16: %llu, neither 0 nor 1", (unsigned long long)get(from + 16));
    SQ_CHECK(get(from + 16) == 1 || get(from + 24) == 0, error, SEQREC_E_FORMAT, "byte 24: user %lld where there is none",
             (long long)get(from + 24));
    SQ_CHECK(get(from + 8) == sum_of_options(model), error, SEQREC_E_ARGUMENT,
             "the session is of another model: the options of model scope are not those of the pool's");
    return SEQREC_OK;
}

static int32_t read_events(seqrec_session *s, const unsigned char *from, seqrec_error *error)
{
    const int64_t events = (int64_t)get(from + 32);
    SQ_TRY(SQ_GROW(&s->pool->context->memory, s->events, 0, events, error));
    from += BEFORE;
    for (; s->count < events; from += PER_EVENT)
        s->events[s->count++] = (sq_event){(int64_t)get(from), (int64_t)get(from + 8)};
    return SEQREC_OK;
}

static int32_t restore(seqrec_sessions *pool, const seqrec_model *model, const unsigned char *from, size_t bytes,
                       seqrec_session **out, seqrec_error *error)
{
    SQ_TRY(check(model, from, bytes, error));
    const int64_t user = (int64_t)get(from + 24);
    seqrec_session *s = NULL;
    SQ_TRY(sq_session_create(pool, get(from + 16) ? &user : NULL, &s, error));
    const int32_t status = read_events(s, from, error);
    if (status != SEQREC_OK) {
        sq_session_release(s);
        return status;
    }
    sq_session_counted(s);
    *out = s;
    return SEQREC_OK;
}

int32_t sq_session_restore(seqrec_sessions *pool, const void *bytes, size_t count, seqrec_session **out, seqrec_error *error)
{
    sq_lock_take(&pool->lock);
    seqrec_model *model = sq_model_retain(pool->model);
    sq_lock_give(&pool->lock);
    const int32_t status = restore(pool, model, bytes, count, out, error);
    sq_model_release(model);
    return status;
}
