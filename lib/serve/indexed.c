/* serve: the best items of one user by the model's index. */
#include "serve/indexed.h"
#include "serve/slotlist.h"

enum {
    FIRST_MORE = 32, /* candidates beyond twice the list */
    WIDER = 4,       /* times as many at the next try */
    BREADTHS = 4,    /* times the index's breadth at most, ... */
    SCAN_SHARE = 64  /* ... or one item in so many: beyond, scoring all items is no slower */
};

/* Marks set, which are no fewer than the items that they let in. */
static int64_t marks_of(const seqrec_filter *filter)
{
    const int64_t words = filter->bits_count / 64, rest = filter->bits_count % 64;
    int64_t set = 0;
    for (int64_t i = 0; i < words; i++) set += __builtin_popcountll(filter->bits[i]);
    if (rest > 0) set += __builtin_popcountll(filter->bits[words] & (((uint64_t)1 << rest) - 1));
    return set;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

sq_indexed sq_indexed_plan(const sq_cover *cover, const sq_scoring *scoring, const seqrec_filter *filter, int64_t best)
{
    const sq_indexed scanned = {0};
    if (cover == NULL || filter->allow != NULL || best == 0) return scanned;
    const int64_t breadth = cover->index->host.breadth, items = scoring->catalogue->count, covered = items - cover->side_count;
    const int64_t most = larger(BREADTHS * breadth, items / SCAN_SHARE);
    double want = (double)larger(breadth, 2 * best + FIRST_MORE);
    if (filter->bits != NULL) {
        const int64_t marks = marks_of(filter);
        if (marks < items) want *= (double)items / (double)larger(marks, 1);
    }
    if (want > (double)most || want > (double)covered) return scanned;
    return (sq_indexed){.cover = cover, .scoring = scoring, .filter = filter, .best = best, .want = (int64_t)want, .most = most};
}

void sq_indexed_pass(const sq_cover *cover, const seqrec_filter *filter, int64_t n)
{
    if (cover != NULL && filter->allow == NULL) atomic_fetch_add_explicit(&cover->index->scanned, n, memory_order_relaxed);
}

/* ---- one user --------------------------------------------------------------------------------------------------------- */

/* Scores items and offers them. */
static void offer(const sq_indexed *indexed, const float *user, const int32_t *slots, int64_t n, sq_seat *seat, sq_topk *heap)
{
    for (int64_t i = 0; i < n; i += SQ_SCORED_ITEMS) {
        const int64_t some = n - i < SQ_SCORED_ITEMS ? n - i : SQ_SCORED_ITEMS;
        sq_score_slots(indexed->scoring, user, 1, slots + i, (size_t)some, &seat->scoring, seat->scores, 0);
        for (int64_t j = 0; j < some; j++) sq_topk_push(heap, seat->scores[j], slots[i + j]);
    }
}

static int32_t may_enter(const sq_indexed *indexed, int32_t slot)
{
    const sq_slots *slots = indexed->scoring->catalogue->slots[slot / SQ_CHUNK_ROWS];
    const int32_t row = slot % SQ_CHUNK_ROWS;
    return slots->live[row] && (indexed->filter->bits == NULL || sq_filter_marks(indexed->filter, slots->id[row]));
}

/* Of slots[n], in place and rising, those of items that may be recommended. */
static int64_t sift(const sq_indexed *indexed, const int32_t *seen, int64_t seen_count, int32_t *slots, int64_t n)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (may_enter(indexed, slots[i])) slots[kept++] = slots[i];
    kept = sq_slots_without(slots, kept, indexed->deny, indexed->denied);
    return sq_slots_without(slots, kept, seen, seen_count);
}

/* What the index names: items that are there as it knows them, and may be recommended; -1 when it failed. *given: how many it named. */
static int64_t search(const sq_indexed *indexed, const float *user, int64_t want, const int32_t *seen, int64_t seen_count, int32_t *slots,
                      int64_t *given)
{
    const sq_cover *cover = indexed->cover;
    const int64_t end = (int64_t)indexed->scoring->catalogue->chunks * SQ_CHUNK_ROWS;
    int64_t n = 0, kept = 0;
    if (cover->index->host.search(cover->index->host.context, user, want, slots, &n) != SEQREC_OK || n < 0 || n > want) return -1;
    *given = n;
    for (int64_t i = 0; i < n; i++)
        if (slots[i] >= 0 && slots[i] < end) slots[kept++] = slots[i];
    kept = sq_slots_tidy(slots, kept);
    kept = sq_slots_without(slots, kept, cover->side, cover->side_count);
    return sift(indexed, seen, seen_count, slots, kept);
}

/* The items beside the index, through room for a few. */
static void offer_side(const sq_indexed *indexed, const float *user, const int32_t *seen, int64_t seen_count, sq_seat *seat, sq_topk *heap)
{
    const sq_cover *cover = indexed->cover;
    int32_t some[256];
    for (int64_t i = 0; i < cover->side_count;) {
        int64_t n = 0;
        for (; i < cover->side_count && n < 256; i++) some[n++] = cover->side[i];
        offer(indexed, user, some, sift(indexed, seen, seen_count, some, n), seat, heap);
    }
}

/* A zero vector has the same score for every item: which come first is not for an index to say. */
static int32_t is_zero(const float *user, size_t width)
{
    for (size_t i = 0; i < width; i++)
        if (user[i] != 0) return 0;
    return 1;
}

static int32_t fill(const sq_indexed *indexed, const float *user, const int32_t *seen, int64_t seen_count, sq_seat *seat, int32_t *slots,
                    sq_topk *heap)
{
    sq_index *index = indexed->cover->index;
    int64_t want = indexed->want + seen_count + indexed->denied, given = 0;
    if (is_zero(user, indexed->scoring->width)) return 0;
    for (int32_t last = 0; !last; want *= WIDER) {
        if (want >= indexed->most) {
            want = indexed->most;
            last = 1;
        }
        const int64_t n = search(indexed, user, want, seen, seen_count, slots, &given);
        if (n < 0) atomic_fetch_add_explicit(&index->failed, 1, memory_order_relaxed);
        if (n < 2 * indexed->best && (n < 0 || given < want)) return 0;
        if (n < 2 * indexed->best) continue;
        offer(indexed, user, slots, n, seat, heap);
        offer_side(indexed, user, seen, seen_count, seat, heap);
        return 1;
    }
    return 0;
}

int32_t sq_indexed_fill(const sq_indexed *indexed, const float *user, const int32_t *seen, int64_t n, sq_seat *seat, int32_t *slots,
                        sq_topk *heap)
{
    sq_index *index = indexed->cover->index;
    const int32_t filled = fill(indexed, user, seen, n, seat, slots, heap);
    atomic_fetch_add_explicit(filled ? &index->searched : &index->scanned, 1, memory_order_relaxed);
    return filled;
}
