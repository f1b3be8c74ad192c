/* experiment: what a model says of the next many events of a user, by several ways of saying it. For a saved model, trained under the
 * split last:HORIZON:LEAST, each user's last HORIZON events are forecast from those before them:
 *   popular   the most popular items           markov    those that followed the newest item most often in training
 *   oneshot   the best items for the next event
 *   greedy    a path, each step its best item  beam      the most probable of the paths that a beam of 10 finds
 *   sample-T  30 drawn paths at temperature T, made one list by reciprocal ranks
 *   mmr-L     the 100 best items for the next event, re-ranked by maximal marginal relevance with this lambda
 * Paths have LIST items, none twice and none of the history. A list is held against the set of the HORIZON events; a path also step by
 * step (of drawn ones the mean; the first three and the last have their list as their path), and so is the model's best item behind the true events
 * before each step ("teacher"). Through seqrec.h only, and a session for each user.
 *   autoregression MODEL DATA THREADS HORIZON LEAST USERS SEED
 * USERS of the users with LEAST events, evenly spread (0: all). One JSON object on stdout; what its members are stands where they are
 * printed. It does not depend on THREADS, but for the milliseconds. Another way (a list, re-ranked) is a function and a row. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "benchtool.h"
#include "horizon_figures.h"

enum { MOST = 32, LIST = 20, WIDTH = 10, ROLLOUTS = 30, POOL = 100, CUTS = 2 };
static const int64_t cuts[CUTS] = {10, 20};

/* ---- what is asked -------------------------------------------------------------------------------------------------- */

typedef struct study {
    seqrec_context *context;
    seqrec_dataset *data;
    seqrec_model *model;
    seqrec_sessions *sessions;
    int64_t threads, horizon, least, seed;
    int64_t item_count, *items; /* [item_count] ids of the data, rising */
    double *popularity;         /* [item_count] log(1 + training events) */
    int64_t *popular;           /* [item_count] places, by falling popularity */
    int64_t pair_count, *pairs; /* [pair_count] place * item_count + place of the next, of each training event with a next one; rising */
    int64_t users, *chosen;     /* [users] sequences of the data */
    struct verdict *verdicts;   /* [users] */
    _Atomic int64_t next;
} study;

/* A user's events, parted. */
typedef struct task {
    int64_t number; /* among the chosen */
    const int64_t *history, *truth, *times; /* times of the truth, or NULL */
    int64_t events;                         /* of the history */
} task;

/* What a decoder said: a list and the paths it was made of. */
typedef struct forecast {
    int64_t list[LIST], listed;
    int64_t paths[ROLLOUTS * LIST], width;
} forecast;

typedef struct worker {
    study *s;
    task t;
    seqrec_session *session;
    float *scores;    /* [item_count] */
    uint8_t *history; /* [item_count] 1: in the history */
    uint8_t *out;     /* [item_count] 1: may not come next */
    forecast said;
} worker;

typedef struct decoder {
    const char *name;
    void (*say)(worker *w, double how);
    double how; /* temperature or lambda */
} decoder;

static void say_popular(worker *w, double unused);
static void say_markov(worker *w, double unused);
static void say_oneshot(worker *w, double unused);
static void say_greedy(worker *w, double unused);
static void say_beam(worker *w, double unused);
static void say_sample(worker *w, double temperature);
static void say_mmr(worker *w, double lambda);

static const decoder decoders[] = {
    {"popular", say_popular, 0}, {"markov", say_markov, 0},       {"oneshot", say_oneshot, 0},     {"greedy", say_greedy, 0},
    {"beam", say_beam, 0},       {"sample-0.5", say_sample, 0.5}, {"sample-0.7", say_sample, 0.7}, {"sample-1", say_sample, 1},
    {"mmr-0.7", say_mmr, 0.7},
};
enum { DECODERS = sizeof decoders / sizeof *decoders, ONESHOT = 2, GREEDY = 3 };

/* ---- what comes out, of one user ------------------------------------------------------------------------------------- */

/* The members with HORIZON or LIST values are by step. */
typedef struct judgement {
    double recall[CUTS], ndcg[CUTS];
    double path_recall[CUTS];
    double hit[MOST], hit_set[MOST]; /* the item is that of the step; is one of the step's instant */
    double popularity[MOST];         /* [LIST] of the path's items */
    double milliseconds;
} judgement;

/* A prediction behind a prefix. A rank of 0: there was none. */
typedef struct prediction {
    double rank, set_rank; /* of the step's item; of the best of its instant, at the instant's first step */
    double nats;           /* that the step's item costs */
    double probability;    /* of the best item */
    int right;
} prediction;

typedef struct verdict {
    judgement of[DECODERS];
    int64_t lists[DECODERS][LIST], listed[DECODERS];
    prediction truly[MOST], made[MOST]; /* behind the true events; behind the greedy path */
    double popularity[MOST]; /* of the true items */
} verdict;

/* ---- the data -------------------------------------------------------------------------------------------------------- */

static int rising(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t place_of(const study *s, int64_t item)
{
    return (const int64_t *)bsearch(&item, s->items, (size_t)s->item_count, sizeof item, rising) - s->items;
}

static int64_t read_user(const study *s, int64_t user, const int64_t **items, const int64_t **times)
{
    int64_t n = 0;
    bench_must(seqrec_dataset_sequence(s->data, user, NULL, items, times, &n, &bench_failure));
    return n;
}

static void count_items(study *s, int64_t users)
{
    const int64_t *items = NULL;
    bench_must(seqrec_dataset_items(s->data, s->items, s->item_count, &s->item_count, &bench_failure));
    for (int64_t u = 0; u < users; u++) {
        int64_t n = read_user(s, u, &items, NULL);
        if (n >= s->least) n -= s->horizon + 1;
        for (int64_t i = 0, before = 0; i < n; i++) {
            const int64_t place = place_of(s, items[i]);
            s->popularity[place]++;
            if (i > 0) s->pairs[s->pair_count++] = before * s->item_count + place;
            before = place;
        }
    }
    qsort(s->pairs, (size_t)s->pair_count, sizeof *s->pairs, rising);
    for (int64_t i = 0; i < s->item_count; i++) s->popularity[i] = log1p(s->popularity[i]);
}

static const double *ranked; /* what by_popularity compares: qsort hands nothing on */

static int by_popularity(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    if (ranked[x] != ranked[y]) return ranked[x] > ranked[y] ? -1 : 1;
    return (x > y) - (x < y);
}

static void choose_users(study *s, int64_t users, int64_t wanted)
{
    const int64_t *items = NULL;
    int64_t eligible = 0;
    for (int64_t u = 0; u < users; u++)
        if (read_user(s, u, &items, NULL) >= s->least) s->chosen[eligible++] = u;
    s->users = wanted > 0 && wanted < eligible ? wanted : eligible;
    for (int64_t i = 0; i < s->users; i++) s->chosen[i] = s->chosen[i * eligible / s->users];
}

static void read_events(study *s, const char *path, int64_t wanted)
{
    seqrec_reader reader = {.struct_size = sizeof reader};
    seqrec_dataset_stats stats = {.struct_size = sizeof stats};
    bench_must(seqrec_dataset_read(s->context, path, &reader, &s->data, &bench_failure));
    bench_must(seqrec_dataset_describe(s->data, &stats, &bench_failure));
    s->item_count = stats.items;
    s->items = bench_alloc((size_t)stats.items * sizeof *s->items);
    s->popularity = calloc((size_t)stats.items, sizeof *s->popularity);
    s->popular = bench_alloc((size_t)stats.items * sizeof *s->popular);
    s->pairs = bench_alloc((size_t)stats.events * sizeof *s->pairs);
    s->chosen = bench_alloc((size_t)stats.users * sizeof *s->chosen);
    count_items(s, stats.users);
    for (int64_t i = 0; i < stats.items; i++) s->popular[i] = i;
    ranked = s->popularity;
    qsort(s->popular, (size_t)stats.items, sizeof *s->popular, by_popularity);
    choose_users(s, stats.users, wanted);
    s->verdicts = calloc((size_t)s->users, sizeof *s->verdicts);
}

/* ---- decoders -------------------------------------------------------------------------------------------------------- */

/* Every thread has failures of its own. */
static void must(int32_t status, const seqrec_error *error)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "autoregression: %s: %s\n", seqrec_status_name(status), error->message);
    exit(EXIT_FAILURE);
}

static const seqrec_filter unseen = {.struct_size = sizeof unseen, .exclude_seen = 1};

static void list_is_path(forecast *f)
{
    memcpy(f->paths, f->list, sizeof f->list);
    f->width = 1;
}

static void say_popular(worker *w, double unused)
{
    (void)unused;
    w->said.listed = 0;
    for (int64_t i = 0; i < w->s->item_count && w->said.listed < LIST; i++)
        if (!w->history[w->s->popular[i]]) w->said.list[w->said.listed++] = w->s->items[w->s->popular[i]];
    list_is_path(&w->said);
}

/* The first pair at or behind `pair`. */
static int64_t find_pair(const study *s, int64_t pair)
{
    int64_t low = 0, high = s->pair_count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (s->pairs[middle] < pair)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* By falling count, equal ones by popularity. */
static void say_markov(worker *w, double unused)
{
    const study *s = w->s;
    const int64_t newest = place_of(s, w->t.history[w->t.events - 1]);
    (void)unused;
    memset(w->scores, 0, (size_t)s->item_count * sizeof *w->scores);
    for (int64_t i = find_pair(s, newest * s->item_count), end = find_pair(s, (newest + 1) * s->item_count); i < end; i++)
        w->scores[s->pairs[i] % s->item_count]++;
    memcpy(w->out, w->history, (size_t)s->item_count);
    for (w->said.listed = 0; w->said.listed < LIST; w->said.listed++) {
        int64_t best = -1;
        for (int64_t i = 0; i < s->item_count; i++) {
            const int64_t place = s->popular[i];
            if (!w->out[place] && (best < 0 || w->scores[place] > w->scores[best])) best = place;
        }
        if (best < 0) break;
        w->out[best] = 1;
        w->said.list[w->said.listed] = s->items[best];
    }
    list_is_path(&w->said);
}

static void say_oneshot(worker *w, double unused)
{
    seqrec_error error = {0};
    (void)unused;
    must(seqrec_session_topk(w->session, LIST, &unseen, w->said.list, NULL, &w->said.listed, &error), &error);
    list_is_path(&w->said);
}

/* The best POOL items for the next event, re-ranked; scores over the pool as 0 .. 1. */
static void say_mmr(worker *w, double lambda)
{
    seqrec_error error = {0};
    int64_t items[POOL], order[LIST], found;
    float scores[POOL];
    double relevance[POOL];
    const int64_t pool = w->s->item_count < POOL ? w->s->item_count : POOL;
    must(seqrec_session_topk(w->session, pool, &unseen, items, scores, &found, &error), &error);
    const double low = found ? (double)scores[found - 1] : 0, range = found ? (double)scores[0] - low : 0;
    for (int64_t i = 0; i < found; i++) relevance[i] = range > 0 ? ((double)scores[i] - low) / range : 1;
    must(seqrec_rerank_mmr(w->s->model, items, relevance, found, lambda, LIST, order, NULL, &error), &error);
    w->said.listed = found < LIST ? found : LIST;
    for (int64_t i = 0; i < w->said.listed; i++) w->said.list[i] = items[order[i]];
    list_is_path(&w->said);
}

/* Paths, of which the first is the list. All have LIST items: their order by probability is that by probability per step. */
static void find_paths(worker *w, int32_t method, int64_t width, double temperature)
{
    seqrec_error error = {0};
    const seqrec_decode how = {.struct_size = sizeof how,
                               .method = method,
                               .steps = LIST,
                               .width = width,
                               .temperature = temperature,
                               .seed = (uint64_t)w->s->seed << 32 | (uint64_t)w->t.number};
    must(seqrec_session_decode(w->session, &how, &unseen, w->said.paths, NULL, &w->said.width, &error), &error);
    memcpy(w->said.list, w->said.paths, sizeof w->said.list);
    w->said.listed = LIST;
}

static void say_greedy(worker *w, double unused)
{
    (void)unused;
    find_paths(w, SEQREC_DECODE_GREEDY, 1, 0);
}

static void say_beam(worker *w, double unused)
{
    (void)unused;
    find_paths(w, SEQREC_DECODE_BEAM, WIDTH, 0);
    w->said.width = 1;
}

static void say_sample(worker *w, double temperature)
{
    seqrec_error error = {0};
    find_paths(w, SEQREC_DECODE_SAMPLE, ROLLOUTS, temperature);
    must(seqrec_aggregate(NULL, w->said.paths, w->said.width, LIST, NULL, SEQREC_AGGREGATE_RANK, LIST, w->said.list, NULL,
                          &w->said.listed, &error),
         &error);
}

/* ---- judging --------------------------------------------------------------------------------------------------------- */

static void judge_path(const worker *w, const int64_t *path, double share, judgement *to)
{
    const int64_t horizon = w->s->horizon;
    for (int c = 0; c < CUTS; c++) to->path_recall[c] += share * horizon_recall(path, LIST, cuts[c], w->t.truth, horizon);
    for (int64_t h = 0; h < LIST; h++) to->popularity[h] += share * w->s->popularity[place_of(w->s, path[h])];
    for (int64_t h = 0; h < horizon && h < LIST; h++) {
        int64_t end, from = horizon_instant(w->t.times, horizon, h, &end);
        to->hit[h] += share * (path[h] == w->t.truth[h]);
        to->hit_set[h] += share * horizon_has(w->t.truth + from, end - from, path[h]);
    }
}

static void judge(worker *w, int d)
{
    verdict *v = &w->s->verdicts[w->t.number];
    judgement *to = &v->of[d];
    const double began = bench_now();
    decoders[d].say(w, decoders[d].how);
    to->milliseconds = 1e3 * (bench_now() - began);
    v->listed[d] = w->said.listed;
    memcpy(v->lists[d], w->said.list, sizeof w->said.list);
    for (int c = 0; c < CUTS; c++) {
        to->recall[c] = horizon_recall(w->said.list, w->said.listed, cuts[c], w->t.truth, w->s->horizon);
        to->ndcg[c] = horizon_ndcg(w->said.list, w->said.listed, cuts[c], w->t.truth, w->s->horizon);
    }
    for (int64_t p = 0; p < w->said.width; p++) judge_path(w, w->said.paths + p * LIST, 1 / (double)w->said.width, to);
}

/* What the model says at step h, behind prefix[0, h); no rank where the prefix has the item already. */
static prediction predict(worker *w, seqrec_session *session, const int64_t *prefix, int64_t h)
{
    const study *s = w->s;
    const int64_t *truth = w->t.truth;
    seqrec_error error = {0};
    prediction p = {0};
    must(seqrec_session_score(session, s->items, s->item_count, w->scores, &error), &error);
    memcpy(w->out, w->history, (size_t)s->item_count);
    for (int64_t i = 0; i < h; i++) w->out[place_of(s, prefix[i])] = 1;
    p.right = horizon_best(w->scores, w->out, s->item_count, &p.probability) == place_of(s, truth[h]);
    int64_t end, from = horizon_instant(w->t.times, s->horizon, h, &end);
    for (int64_t i = h; i < (from == h ? end : h + 1); i++) {
        if (horizon_has(prefix, h, truth[i])) continue;
        const double rank = horizon_rank(w->scores, w->out, s->item_count, place_of(s, truth[i]));
        if (i == h) {
            p.rank = rank;
            p.nats = horizon_nats(w->scores, w->out, s->item_count, place_of(s, truth[h]));
        }
        if (from == h && (p.set_rank == 0 || rank < p.set_rank)) p.set_rank = rank;
    }
    return p;
}

static seqrec_session *open_session(const worker *w)
{
    seqrec_session *session = NULL;
    seqrec_error error = {0};
    must(seqrec_session_open(w->s->sessions, NULL, w->t.history, NULL, w->t.events, SEQREC_UNKNOWN_ERROR, &session, &error), &error);
    return session;
}

/* Walks down a path: a prediction before each of its items. */
static void walk(worker *w, const int64_t *path, prediction *to)
{
    seqrec_session *session = open_session(w);
    seqrec_error error = {0};
    for (int64_t h = 0; h < w->s->horizon; h++) {
        to[h] = predict(w, session, path, h);
        must(seqrec_session_append(session, &path[h], NULL, 1, SEQREC_UNKNOWN_ERROR, &error), &error);
    }
    seqrec_session_release(session);
}

static void mark_history(worker *w)
{
    memset(w->history, 0, (size_t)w->s->item_count);
    for (int64_t i = 0; i < w->t.events; i++) w->history[place_of(w->s, w->t.history[i])] = 1;
}

static void forecast_user(worker *w, int64_t number)
{
    const int64_t *items = NULL, *times = NULL;
    verdict *v = &w->s->verdicts[number];
    const int64_t kept = read_user(w->s, w->s->chosen[number], &items, &times) - w->s->horizon;
    w->t = (task){number, items, items + kept, times ? times + kept : NULL, kept};
    mark_history(w);
    w->session = open_session(w);
    for (int d = 0; d < DECODERS; d++) judge(w, d);
    seqrec_session_release(w->session);
    for (int64_t h = 0; h < w->s->horizon; h++) v->popularity[h] = w->s->popularity[place_of(w->s, w->t.truth[h])];
    walk(w, w->t.truth, v->truly);
    walk(w, v->lists[GREEDY], v->made);
}

static void *work(void *arg)
{
    study *s = arg;
    const size_t items = (size_t)s->item_count;
    worker w = {.s = s, .scores = bench_alloc(items * sizeof *w.scores), .history = bench_alloc(items), .out = bench_alloc(items)};
    for (int64_t u = atomic_fetch_add(&s->next, 1); u < s->users; u = atomic_fetch_add(&s->next, 1)) forecast_user(&w, u);
    free(w.scores);
    free(w.history);
    free(w.out);
    return NULL;
}

static void forecast_all(study *s)
{
    pthread_t *threads = bench_alloc((size_t)s->threads * sizeof *threads);
    for (int64_t i = 0; i < s->threads; i++)
        if (pthread_create(&threads[i], NULL, work, s)) exit(EXIT_FAILURE);
    for (int64_t i = 0; i < s->threads; i++) pthread_join(threads[i], NULL);
    free(threads);
}

/* ---- what is printed: means over the users, summed in their order ------------------------------------------------------ */

static void print_name(const char *name)
{
    printf("%s\"%s\":", name[0] == '{' ? "{" : ",", name[0] == '{' ? name + 1 : name);
}

static void print_real(const char *name, double value)
{
    print_name(name);
    if (isfinite(value))
        printf("%.6g", value);
    else
        printf("null");
}

static void print_list(const char *name, const double *values, int64_t n, double divisor)
{
    print_name(name);
    putchar('[');
    for (int64_t i = 0; i < n; i++) printf("%s%.6g", i ? "," : "", values[i] / divisor);
    putchar(']');
}

/* Mean and standard error of a decoder's figure minus that of oneshot, user by user. `at` is the figure's place in a judgement. */
static void print_difference(const study *s, const char *name, int d, size_t at)
{
    double sum = 0, squares = 0;
    const double n = (double)s->users;
    for (int64_t u = 0; u < s->users; u++) {
        const char *own = (const char *)&s->verdicts[u].of[d], *base = (const char *)&s->verdicts[u].of[ONESHOT];
        const double difference = *(const double *)(own + at) - *(const double *)(base + at);
        sum += difference;
        squares += difference * difference;
    }
    print_name(name);
    printf("[%.6g,%.6g]", sum / n, s->users > 1 ? sqrt((squares / n - sum / n * (sum / n)) / (n - 1)) : 0.0);
}

static int64_t distinct_items(const study *s, int d)
{
    int64_t distinct = 0;
    uint8_t *seen = calloc((size_t)s->item_count, 1);
    for (int64_t u = 0; seen && u < s->users; u++)
        for (int64_t i = 0; i < s->verdicts[u].listed[d]; i++) {
            uint8_t *at = &seen[place_of(s, s->verdicts[u].lists[d][i])];
            distinct += !*at;
            *at = 1;
        }
    free(seen);
    return distinct;
}

static void add_judgement(judgement *to, const judgement *one)
{
    const double *from = (const double *)one;
    double *sum = (double *)to;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++) sum[i] += from[i];
}

static void print_decoder(const study *s, int d)
{
    const double n = (double)s->users;
    const int64_t steps = s->horizon < LIST ? s->horizon : LIST;
    judgement sum;
    memset(&sum, 0, sizeof sum);
    for (int64_t u = 0; u < s->users; u++) add_judgement(&sum, &s->verdicts[u].of[d]);
    printf("%s\"%s\":", d ? "," : "", decoders[d].name);
    print_real("{recall@10", sum.recall[0] / n);
    print_real("recall@20", sum.recall[1] / n);
    print_real("ndcg@10", sum.ndcg[0] / n);
    print_real("ndcg@20", sum.ndcg[1] / n);
    print_difference(s, "recall@20_over_oneshot", d, offsetof(judgement, recall) + sizeof(double));
    print_difference(s, "ndcg@20_over_oneshot", d, offsetof(judgement, ndcg) + sizeof(double));
    print_real("path_recall@10", sum.path_recall[0] / n);
    print_real("path_recall@20", sum.path_recall[1] / n);
    print_list("hit", sum.hit, steps, n);
    print_list("hit_set", sum.hit_set, steps, n);
    print_list("popularity", sum.popularity, LIST, n);
    print_real("distinct", (double)distinct_items(s, d));
    print_real("milliseconds", sum.milliseconds / n);
    putchar('}');
}

/* Behind the true events: hits and places of the best item by step, what the true item costs in nats, its popularity. */
static void print_teacher(const study *s)
{
    const int64_t steps = s->horizon;
    const double n = (double)s->users, all = n * (double)steps;
    double hit[MOST] = {0}, nats[MOST] = {0}, popularity[MOST] = {0}, recall[CUTS] = {0}, ndcg[CUTS] = {0};
    for (int64_t u = 0; u < s->users; u++)
        for (int64_t h = 0; h < steps; h++) {
            const verdict *v = &s->verdicts[u];
            const double rank = v->truly[h].rank;
            hit[h] += v->truly[h].right;
            nats[h] += v->truly[h].nats;
            popularity[h] += v->popularity[h];
            for (int c = 0; c < CUTS; c++) {
                recall[c] += rank > 0 && rank <= (double)cuts[c];
                ndcg[c] += rank > 0 && rank <= (double)cuts[c] ? 1 / log2(1 + rank) : 0;
            }
        }
    print_name("teacher");
    print_real("{recall@10", recall[0] / all);
    print_real("recall@20", recall[1] / all);
    print_real("ndcg@10", ndcg[0] / all);
    print_real("ndcg@20", ndcg[1] / all);
    print_list("hit", hit, steps, n);
    print_list("nats", nats, steps, n);
    print_list("popularity", popularity, steps, n);
    putchar('}');
}

/* The pairs of predictions that both have a rank, by step: how many, the geometric means of the ranks behind the true events and
 * behind the greedy path, the means of the reciprocal ranks and of what the step's item costs. A step without pairs has 0. */
static void print_ranks(const study *s, const char *name, size_t at)
{
    double pairs[MOST] = {0}, logs[2][MOST] = {{0}}, inverse[2][MOST] = {{0}}, nats[2][MOST] = {{0}};
    for (int64_t u = 0; u < s->users; u++)
        for (int64_t h = 0; h < s->horizon; h++) {
            const prediction *by[2] = {&s->verdicts[u].truly[h], &s->verdicts[u].made[h]};
            double rank[2];
            for (int i = 0; i < 2; i++) rank[i] = *(const double *)((const char *)by[i] + at);
            if (!(rank[0] > 0 && rank[1] > 0)) continue;
            pairs[h]++;
            for (int i = 0; i < 2; i++) {
                logs[i][h] += log(rank[i]);
                inverse[i][h] += 1 / rank[i];
                nats[i][h] += by[i]->nats;
            }
        }
    for (int i = 0; i < 2; i++)
        for (int64_t h = 0; h < s->horizon; h++) {
            logs[i][h] = pairs[h] > 0 ? exp(logs[i][h] / pairs[h]) : 0;
            inverse[i][h] = pairs[h] > 0 ? inverse[i][h] / pairs[h] : 0;
            nats[i][h] = pairs[h] > 0 ? nats[i][h] / pairs[h] : 0;
        }
    print_name(name);
    print_list("{pairs", pairs, s->horizon, 1);
    print_list("true", logs[0], s->horizon, 1);
    print_list("made", logs[1], s->horizon, 1);
    print_list("mrr_true", inverse[0], s->horizon, 1);
    print_list("mrr_made", inverse[1], s->horizon, 1);
    print_list("nats_true", nats[0], s->horizon, 1);
    print_list("nats_made", nats[1], s->horizon, 1);
    putchar('}');
}

/* The best item's probability against how often it was right, over all steps. */
static void print_calibration(const study *s)
{
    horizon_bins bins[2];
    double probability[2] = {0}, right[2] = {0};
    const double all = (double)s->users * (double)s->horizon;
    memset(bins, 0, sizeof bins);
    for (int64_t u = 0; u < s->users; u++)
        for (int64_t h = 0; h < s->horizon; h++) {
            const prediction *by[2] = {&s->verdicts[u].truly[h], &s->verdicts[u].made[h]};
            for (int i = 0; i < 2; i++) {
                horizon_predict(&bins[i], by[i]->probability, by[i]->right);
                probability[i] += by[i]->probability;
                right[i] += by[i]->right;
            }
        }
    print_name("calibration");
    print_real("{ece_true", horizon_ece(&bins[0]));
    print_real("ece_made", horizon_ece(&bins[1]));
    print_list("probability", probability, 2, all);
    print_list("right", right, 2, all);
    putchar('}');
}

/* Events that share their time with others of the tail. */
static void print_instants(const study *s)
{
    const int64_t *items = NULL, *times = NULL;
    int64_t instants = 0;
    for (int64_t u = 0; u < s->users; u++) {
        const int64_t n = read_user(s, s->chosen[u], &items, &times);
        for (int64_t h = 0; h < s->horizon; h++) {
            int64_t end;
            instants += horizon_instant(times ? times + n - s->horizon : NULL, s->horizon, h, &end) == h;
        }
    }
    print_name("timed");
    printf(times ? "true" : "false");
    print_real("events_per_instant", (double)(s->users * s->horizon) / (double)instants);
    if (times) print_ranks(s, "set_rank", offsetof(prediction, set_rank));
}

static void print_study(const study *s)
{
    print_real("{users", (double)s->users);
    print_real("items", (double)s->item_count);
    print_real("horizon", (double)s->horizon);
    print_name("decoders");
    putchar('{');
    for (int d = 0; d < DECODERS; d++) print_decoder(s, d);
    putchar('}');
    print_teacher(s);
    print_ranks(s, "rank", offsetof(prediction, rank));
    print_calibration(s);
    print_instants(s);
    puts("}");
}

int main(int argc, char **argv)
{
    static study s;
    if (argc != 8) {
        fprintf(stderr, "usage: autoregression MODEL DATA THREADS HORIZON LEAST USERS SEED\n");
        return 2;
    }
    s.threads = atoi(argv[3]);
    s.horizon = atoi(argv[4]);
    s.least = atoi(argv[5]);
    s.seed = atoi(argv[7]);
    if (s.threads < 1 || s.horizon < 1 || s.horizon > LIST || s.least < s.horizon + 2) {
        fprintf(stderr, "autoregression: THREADS from 1, HORIZON from 1 to %d, LEAST at least 2 above it\n", LIST);
        return 2;
    }
    bench_must(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &s.context, &bench_failure));
    bench_must(seqrec_model_load(s.context, argv[1], &s.model, &bench_failure));
    bench_must(seqrec_sessions_create(s.model, SIZE_MAX, &s.sessions, &bench_failure));
    read_events(&s, argv[2], atoi(argv[6]));
    if (s.users == 0) {
        fprintf(stderr, "autoregression: no user has %lld events\n", (long long)s.least);
        return EXIT_FAILURE;
    }
    forecast_all(&s);
    print_study(&s);
    void *blocks[] = {s.items, s.popularity, s.popular, s.pairs, s.chosen, s.verdicts};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    seqrec_sessions_release(s.sessions);
    seqrec_model_release(s.model);
    seqrec_dataset_release(s.data);
    seqrec_context_release(s.context);
    return EXIT_SUCCESS;
}
