/* serve: what the host is asked and told while paths are found. */
#include <inttypes.h>
#include <string.h>
#include "serve/decoding.h"
#include "serve/slotlist.h"

/* The items of a path so far, to c->ids. */
static void list_items(const sq_decoding *c, const sq_path *p)
{
    for (int64_t h = 0; h < c->step; h++) c->ids[h] = sq_decoding_id(c, p->slots[h]);
}

static int32_t check_answer(const seqrec_decode_mask *m, seqrec_error *error)
{
    SQ_CHECK(m->deny_count >= 0 && (m->deny != NULL || m->deny_count == 0), error, SEQREC_E_ARGUMENT,
             "the mask of path %" PRId64 " in step %" PRId64 " denies %" PRId64 " items%s", m->path, m->step + 1, m->deny_count,
             m->deny == NULL ? " and lists none" : "");
    SQ_CHECK(m->bits_count >= 0 && (m->bits != NULL || m->bits_count == 0), error, SEQREC_E_ARGUMENT,
             "the mask of path %" PRId64 " in step %" PRId64 " has %" PRId64 " bits%s", m->path, m->step + 1, m->bits_count,
             m->bits == NULL ? " and points at none" : "");
    return SEQREC_OK;
}

/* Ids that the model does not have bar nothing. */
static int32_t keep_answer(sq_decoding *c, const seqrec_decode_mask *m, int64_t first, int64_t *next, seqrec_error *error)
{
    const sq_memory *memory = &c->view->model->context->memory;
    int64_t n = 0;
    SQ_TRY(check_answer(m, error));
    SQ_TRY(SQ_GROW(memory, c->banned, first, (size_t)first + (size_t)m->deny_count, error));
    for (int64_t i = 0; i < m->deny_count; i++) {
        const int32_t slot = sq_catalogue_find(c->request.snapshot->parts.catalogue, m->deny[i]);
        if (slot >= 0) c->banned[first + n++] = slot;
    }
    n = n > 0 ? sq_slots_tidy(c->banned + first, n) : 0;
    c->bans[m->path] = (sq_ban){first, n, m->bits, m->bits_first, m->bits_count};
    *next = first + n;
    return SEQREC_OK;
}

int32_t sq_decoding_ask(sq_decoding *c, seqrec_error *error)
{
    int64_t listed = 0;
    for (int64_t i = 0; i < c->count && c->bans != NULL; i++) {
        seqrec_decode_mask m = {.struct_size = sizeof m, .session = c->number, .path = i, .step = c->step, .items = c->ids};
        list_items(c, &c->now[i]);
        const int32_t answer = c->how->mask(c->how->mask_context, &m);
        SQ_CHECK(answer == 0, error, SEQREC_E_CANCELLED, "the mask of path %" PRId64 " in step %" PRId64 " answered %d", i, c->step + 1,
                 (int)answer);
        m.path = i; /* what the host may have written over */
        m.step = c->step;
        SQ_TRY(keep_answer(c, &m, listed, &listed, error));
    }
    return SEQREC_OK;
}

static int32_t tell_of(const sq_decoding *c, int64_t path, int64_t step)
{
    const sq_path *p = &c->now[path < 0 ? 0 : path];
    const seqrec_decoded d = {.struct_size = sizeof d,
                              .session = c->number,
                              .path = path,
                              .step = step,
                              .item = sq_decoding_id(c, p->slots[step]),
                              .log_probability = p->shares[step]};
    return c->how->told(c->how->told_context, &d) != 0;
}

/* Whether all paths have the same item at a place, the same ones in front of it given. */
static int32_t agree(const sq_decoding *c, int64_t step)
{
    for (int64_t i = 1; i < c->count; i++)
        if (c->now[i].slots[step] != c->now[0].slots[step]) return 0;
    return 1;
}

int32_t sq_decoding_tell(sq_decoding *c)
{
    int32_t stop = 0;
    if (c->how->told == NULL) return 0;
    if (c->how->method == SEQREC_DECODE_BEAM)
        for (; !stop && c->settled < c->done && agree(c, c->settled); c->settled++) stop = tell_of(c, -1, c->settled);
    else
        for (int64_t i = 0; !stop && i < c->count; i++) stop = tell_of(c, i, c->step);
    return stop;
}
