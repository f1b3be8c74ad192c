/* unit: serving for as long as is asked: eight readers and one writer of items, weights and models, each of which draws what it does from
 * a seed. Prints what was done on one line; status 1 when an answer named what was gone, or showed a state that never was.
 * `soak_serving SECONDS [SEED]`. */
#include "soak_stage.h"

enum { STEPS = 4, BEAM = 3, LISTED = 12, LISTED_STEADY = 9 };

/* ---- filters ------------------------------------------------------------------------------------------------------------ */

enum { FILTER_NONE, FILTER_ALLOW, FILTER_DENY, FILTER_SEEN, FILTERS };

/* Steady items and a few that may be gone. */
typedef struct drawn_filter {
    int64_t kind, ids[LISTED];
    seqrec_filter view;
} drawn_filter;

static void draw_filter(dice *d, int64_t kinds, drawn_filter *f)
{
    const int64_t first = throw_of(d, STEADY);
    *f = (drawn_filter){.kind = throw_of(d, kinds), .view = {.struct_size = sizeof f->view}};
    for (int64_t i = 0; i < LISTED_STEADY; i++) f->ids[i] = (first + 3 * i) % STEADY;
    for (int64_t i = LISTED_STEADY; i < LISTED; i++) f->ids[i] = STEADY + throw_of(d, PASSING);
    f->view.exclude_seen = f->kind == FILTER_SEEN;
    if (f->kind == FILTER_ALLOW) {
        f->view.allow = f->ids;
        f->view.allow_count = LISTED;
    } else if (f->kind == FILTER_DENY) {
        f->view.deny = f->ids;
        f->view.deny_count = LISTED;
    }
}

/* At least so many items of n that stay are left, `seen` of which the filter may leave out. */
static int64_t left_by(const drawn_filter *f, int64_t n, int64_t seen)
{
    return f->kind == FILTER_ALLOW ? LISTED_STEADY : f->kind == FILTER_DENY ? n - LISTED_STEADY : f->kind == FILTER_SEEN ? n - seen : n;
}

static int has(const int64_t *list, int64_t n, int64_t item)
{
    while (n > 0 && list[n - 1] != item) n--;
    return n > 0;
}

static int64_t faults_of_filter(const drawn_filter *f, const int64_t *items, int64_t n, const int64_t *seen, int64_t seen_count)
{
    int64_t faults = 0;
    for (int64_t i = 0; i < n; i++)
        faults += f->kind == FILTER_ALLOW  ? !has(f->ids, LISTED, items[i])
                  : f->kind == FILTER_DENY ? has(f->ids, LISTED, items[i])
                  : f->kind == FILTER_SEEN ? has(seen, seen_count, items[i])
                                           : 0;
    return faults;
}

/* ---- reads -------------------------------------------------------------------------------------------------------------- */

/* One call reads one state: the first and the last of three histories are the same, and so are their answers. */
static int64_t read_whole_histories(reader *r, dice *d)
{
    const int64_t a = throw_of(d, STEADY), b = STEADY + throw_of(d, PASSING), offsets[] = {0, 3, 5, 8};
    const int64_t histories[] = {a, b, 3, b, 5, a, b, 3};
    int64_t before[PASSING], items[3 * ALL], found[3], faults = 0;
    float scores[3 * ALL], vectors[3 * DIM];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 3, .offsets = offsets, .items = histories};
    drawn_filter f;
    (void)r;
    draw_filter(d, FILTERS, &f);
    turns_read(before);
    if (seqrec_topk(stage.models[2], &batch, ALL, &f.view, items, scores, found, NULL) != SEQREC_OK) return 1;
    for (int64_t s = 0; s < 3; s++) {
        const int64_t *list = items + s * ALL, events = offsets[s + 1] - offsets[s];
        faults += (found[s] < left_by(&f, STEADY + 2, events)) + faults_of_list(list, scores + s * ALL, found[s], STEADY, ALL, before);
        faults += faults_of_filter(&f, list, found[s], histories + offsets[s], events);
    }
    faults += found[0] != found[2] || memcmp(items, items + 2 * ALL, (size_t)found[0] * sizeof *items) != 0 ||
              memcmp(scores, scores + 2 * ALL, (size_t)found[0] * sizeof *scores) != 0;
    faults += seqrec_encode(stage.models[2], &batch, NULL, vectors, NULL) != SEQREC_OK;
    return faults + (memcmp(vectors, vectors + 2 * DIM, DIM * sizeof *vectors) != 0);
}

/* A session that is about to be read: a steady one, or one that gets an event first. */
typedef struct chosen {
    seqrec_session *session;
    int64_t i, is_steady, history[HISTORY];
} chosen;

static int64_t choose(reader *r, dice *d, chosen *c)
{
    const int64_t event = throw_of(d, STEADY + PASSING);
    *c = (chosen){.i = throw_of(d, EACH), .is_steady = throw_of(d, 2)};
    c->session = c->is_steady ? r->steady[c->i] : r->growing[c->i];
    history_of(r, c->i, c->history);
    if (c->is_steady || r->grown[c->i] == LONGEST) return 0;
    r->grown[c->i]++;
    return seqrec_session_append(c->session, &event, NULL, 1, SEQREC_UNKNOWN_SKIP, NULL) != SEQREC_OK;
}

/* Scores of steady items for a steady session are those of one of the two models, all of them. */
static int64_t is_mixed(const reader *r, int64_t i, const int64_t *items, const float *scores, int64_t n)
{
    int64_t other[2] = {0};
    for (int32_t m = 0; m < 2; m++)
        for (int64_t e = 0; e < n; e++) other[m] += items[e] < STEADY && scores[e] != r->scores[m][i][items[e]];
    return other[0] > 0 && other[1] > 0;
}

static int64_t read_lists(reader *r, dice *d)
{
    int64_t before[PASSING], items[STEADY], found = 0;
    float scores[STEADY];
    drawn_filter f;
    chosen c;
    int64_t faults = choose(r, d, &c);
    draw_filter(d, FILTERS, &f);
    turns_read(before);
    if (seqrec_session_topk(c.session, STEADY, &f.view, items, scores, &found, NULL) != SEQREC_OK) return faults + 1;
    const int64_t least = left_by(&f, STEADY + 2, c.is_steady ? HISTORY : STEADY); /* the pair is no event */
    faults += (found < (least < STEADY ? least : STEADY)) + faults_of_list(items, scores, found, STEADY, ALL, before);
    faults += faults_of_filter(&f, items, found, c.history, HISTORY);
    return faults + (c.is_steady && is_mixed(r, c.i, items, scores, found));
}

/* The last two have the same vector in every state. */
static int64_t read_scores(reader *r, dice *d)
{
    int64_t items[STEADY + 2];
    float scores[STEADY + 2];
    chosen c;
    int64_t faults = choose(r, d, &c);
    for (int64_t i = 0; i < STEADY; i++) items[i] = i;
    items[STEADY] = PAIR;
    items[STEADY + 1] = PAIR + 1;
    if (seqrec_session_score(c.session, items, STEADY + 2, scores, NULL) != SEQREC_OK) return faults + 1;
    for (int64_t i = 0; i < STEADY + 2; i++) faults += !isfinite(scores[i]);
    faults += scores[STEADY] != scores[STEADY + 1];
    return faults + (c.is_steady && is_mixed(r, c.i, items, scores, STEADY));
}

/* Paths of items that are all different. */
static int64_t read_paths(reader *r, dice *d)
{
    chosen c;
    drawn_filter f;
    int64_t before[PASSING], items[BEAM * STEPS], found = 0, faults = choose(r, d, &c);
    double log_probabilities[BEAM];
    const int32_t method = (int32_t)throw_of(d, 3);
    const int64_t width = method == SEQREC_DECODE_GREEDY ? 1 : BEAM;
    const seqrec_decode how = {.struct_size = sizeof how, .method = method, .steps = STEPS, .width = width,
                               .seed = (uint64_t)throw_of(d, 1000)};
    draw_filter(d, c.is_steady ? FILTERS : FILTER_SEEN, &f); /* a growing one may have seen nearly all */
    turns_read(before);
    if (seqrec_session_decode(c.session, &how, &f.view, items, log_probabilities, &found, NULL) != SEQREC_OK) return faults + 1;
    faults += (found != width) + faults_of_items(items, found * STEPS, STEADY, ALL, before);
    faults += faults_of_filter(&f, items, found * STEPS, c.history, HISTORY);
    for (int64_t p = 0; p < found; p++) {
        faults += !(log_probabilities[p] <= 0) || !isfinite(log_probabilities[p]);
        for (int64_t i = 1; i < STEPS; i++) faults += has(items + p * STEPS, i, items[p * STEPS + i]);
    }
    return faults;
}

/* A session that nothing is appended to has the vector of one model or of the other, bit for bit. */
static int64_t faults_of_vector(const reader *r, seqrec_session *session, int64_t i)
{
    float vector[DIM];
    if (seqrec_session_encode(session, vector, NULL) != SEQREC_OK) return 1;
    return memcmp(vector, r->vectors[0][i], sizeof vector) != 0 && memcmp(vector, r->vectors[1][i], sizeof vector) != 0;
}

static int64_t read_vectors(reader *r, dice *d)
{
    const int64_t i = throw_of(d, EACH);
    const int64_t next[] = {throw_of(d, STEADY), throw_of(d, STEADY)};
    float ahead[2 * DIM];
    int64_t faults = faults_of_vector(r, r->steady[i], i);
    if (seqrec_session_ahead(r->steady[i], next, 2, ahead, NULL) != SEQREC_OK) return faults + 1;
    for (int64_t e = 0; e < 2 * DIM; e++) faults += !isfinite(ahead[e]);
    return faults;
}

/* Whole rows, of one update: two items whose vectors are always the same, one that may be gone, and scores of the two. */
static int64_t read_rows(reader *r, dice *d)
{
    const seqrec_model *model = stage.models[throw_of(d, 2)];
    const int64_t passing = throw_of(d, PASSING), id = STEADY + passing, pair[] = {PAIR, PAIR + 1}, offsets[] = {0, 3};
    const int64_t history[] = {throw_of(d, STEADY), 1, 2};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    int64_t before[PASSING];
    float rows[2 * DIM], scores[2];
    (void)r;
    int64_t faults = seqrec_items_get(model, pair, 2, rows, NULL) != SEQREC_OK;
    for (int64_t i = 1; i < 2 * DIM; i++) faults += rows[i] != rows[0];
    faults += seqrec_score(model, &batch, pair, NULL, 2, NULL, scores, NULL) != SEQREC_OK;
    faults += scores[0] != scores[1];
    turns_read(before);
    const int32_t status = seqrec_items_get(model, &id, 1, rows, NULL);
    if (status == SEQREC_E_NOT_FOUND) return faults;
    faults += (status != SEQREC_OK) + is_gone(passing, before[passing]);
    for (int64_t i = 1; i < DIM; i++) faults += rows[i] != rows[0];
    return faults;
}

/* ---- sessions that come and go ------------------------------------------------------------------------------------------ */

/* Saves a session and restores it, which is refused where another model came between the two: their options are not the same. */
static int64_t copy_session(seqrec_session *session, seqrec_session **out)
{
    unsigned char bytes[48 + 16 * LONGEST], again[48 + 16 * LONGEST];
    size_t size = 0, size_again = 0;
    int32_t status = SEQREC_E_ARGUMENT;
    for (int32_t n = 0; n < 1000 && status == SEQREC_E_ARGUMENT; n++) {
        if (seqrec_session_save(session, bytes, sizeof bytes, &size, NULL) != SEQREC_OK) return 1;
        status = seqrec_session_restore(stage.pool, bytes, size, out, NULL);
    }
    if (status != SEQREC_OK || seqrec_session_save(*out, again, sizeof again, &size_again, NULL) != SEQREC_OK) return 1;
    return size != size_again || memcmp(bytes + 16, again + 16, size - 24) != 0; /* but for the model, and the sum over all */
}

/* The session goes, and another with its events takes its place; what was evicted answers nothing more. */
static int64_t move_session(seqrec_session **place)
{
    seqrec_session *copy = NULL;
    float vector[DIM];
    int64_t faults = copy_session(*place, &copy);
    if (copy == NULL) return faults;
    faults += seqrec_session_evict(*place, NULL) != SEQREC_OK;
    faults += seqrec_session_encode(*place, vector, NULL) != SEQREC_E_STATE;
    seqrec_session_release(*place);
    *place = copy;
    return faults;
}

static int64_t reopen_session(const reader *r, int64_t i, seqrec_session **place)
{
    seqrec_session *session = NULL;
    if (open_session(r, i, &session) != SEQREC_OK) return 1;
    seqrec_session_release(*place);
    *place = session;
    return 0;
}

static int64_t visit(const reader *r, int64_t i)
{
    seqrec_session *session = NULL;
    if (open_session(r, i, &session) != SEQREC_OK) return 1;
    const int64_t faults = faults_of_vector(r, session, i);
    seqrec_session_release(session);
    return faults;
}

static int64_t renew(reader *r, dice *d)
{
    const int64_t what = throw_of(d, 5), i = throw_of(d, EACH);
    int64_t faults = faults_of_pool(2 * EACH * READERS, READERS);
    if (what == 0) faults += visit(r, i);
    if (what == 1) faults += move_session(&r->steady[i]);
    if (what == 2) faults += reopen_session(r, i, &r->steady[i]);
    if (what == 3) faults += move_session(&r->growing[i]);
    if (what == 4) {
        faults += reopen_session(r, i, &r->growing[i]);
        r->grown[i] = HISTORY;
    }
    return faults + faults_of_vector(r, r->steady[i], i);
}

/* ---- a reader's round --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int64_t (*read)(reader *r, dice *d);
} kinds[] = {{"batches", read_whole_histories}, {"lists", read_lists}, {"scores", read_scores}, {"decodes", read_paths},
             {"vectors", read_vectors},         {"rows", read_rows},   {"renewals", renew}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* About one round in fifty renews a session. */
static int64_t read_something(void *own, int64_t round)
{
    reader *r = own;
    dice d = dice_of(r->index, round);
    const int64_t kind = throw_of(&d, 50) == 0 ? KINDS - 1 : throw_of(&d, KINDS - 1);
    const int64_t faults = kinds[kind].read(r, &d);
    r->done[kind]++;
    if (faults > 0 && r->first_fault < 0) {
        r->first_fault = round;
        fprintf(stderr, "soak: seed %llu: reader %lld: the first fault is in round %lld: %s\n", (unsigned long long)stage.seed,
                (long long)r->index, (long long)round, kinds[kind].name);
    }
    return faults;
}

/* ---- the writer --------------------------------------------------------------------------------------------------------- */

/* Thing i comes, or goes where it is there. */
static void turn(int64_t i, float value)
{
    const int64_t id = STEADY + i, is_there = atomic_load(&crowd.turn[i]) % 2;
    float rows[2 * DIM];
    fill_rows(value, rows);
    if (!is_there) atomic_fetch_add(&crowd.turn[i], 1);
    for (int32_t m = 0; m < 3; m++)
        must(is_there ? seqrec_items_remove(stage.models[m], &id, 1, &failure)
                      : seqrec_items_put(stage.models[m], &id, 1, m < 2 ? rows : NULL, &failure));
    if (is_there) atomic_fetch_add(&crowd.turn[i], 1);
    stage.changes += 3;
}

static void change(int64_t i, float value)
{
    const int64_t id = STEADY + i;
    float rows[2 * DIM];
    fill_rows(value, rows);
    if (atomic_load(&crowd.turn[i]) % 2 == 0) return;
    for (int32_t m = 0; m < 2; m++) must(seqrec_items_update(stage.models[m], &id, 1, rows, &failure));
    stage.changes += 2;
}

static void write_something(int64_t step)
{
    dice d = dice_of(READERS, step);
    const int64_t what = throw_of(&d, 32), i = throw_of(&d, PASSING), m = throw_of(&d, 3), table = throw_of(&d, 3);
    const float value = (float)throw_of(&d, 97) / 97;
    if (what < 12) turn(i, value);
    if (what >= 12 && what < 16) change(i, value);
    if (what >= 16 && what < 22) {
        change_pair(value);
        stage.changes += 4;
    }
    if (what >= 22 && what < 27) must(seqrec_sessions_swap(stage.pool, stage.models[++stage.swaps % 2], &failure));
    if (what >= 27 && what < 31) {
        must(step_and_publish(stage.trainer, STEADY, NULL));
        stage.publishes++;
    }
    if (what == 31) {
        must(seqrec_model_quantise(stage.models[m], (int32_t)table, &failure));
        stage.tables++;
    }
}

static void write_on(void)
{
    for (int64_t step = 0; now() < stage.ends; step++) write_something(step);
}

/* ---- the program -------------------------------------------------------------------------------------------------------- */

static int64_t soak(double seconds, uint64_t seed, int64_t done[READERS][KINDS])
{
    static reader owners[READERS];
    beside_reader readers[READERS] = {{0}};
    set_stage(seed);
    for (int64_t i = 0; i < READERS; i++) {
        open_sessions(&owners[i], i, done[i]);
        readers[i] = (beside_reader){.round = read_something, .own = &owners[i]};
    }
    stage.ends = now() + seconds;
    int64_t faults = read_beside(readers, READERS, write_on);
    faults += faults_of_pool(2 * EACH * READERS, 0);
    for (int64_t i = 0; i < READERS; i++) close_sessions(&owners[i]);
    faults += faults_of_pool(0, 0);
    clear_stage();
    return faults;
}

int main(int count, char **words)
{
    static int64_t done[READERS][KINDS];
    const double seconds = count > 1 ? atof(words[1]) : 0;
    const uint64_t seed = count > 2 ? strtoull(words[2], NULL, 10) : (uint64_t)time(NULL);
    if (!(seconds > 0) || count > 3) {
        fprintf(stderr, "usage: soak_serving SECONDS [SEED]\n");
        return 2;
    }
    const int64_t faults = soak(seconds, seed, done);
    printf("soak: seed %llu, %g s, %d readers:", (unsigned long long)seed, seconds, READERS);
    for (int32_t k = 0; k < KINDS; k++) {
        int64_t sum = 0;
        for (int64_t i = 0; i < READERS; i++) sum += done[i][k];
        printf(" %lld %s%s", (long long)sum, kinds[k].name, k + 1 < KINDS ? "," : ";");
    }
    printf(" 1 writer: %lld changes of items, %lld publishes, %lld swaps, %lld tables; %lld faults\n", (long long)stage.changes,
           (long long)stage.publishes, (long long)stage.swaps, (long long)stage.tables, (long long)faults);
    return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
