/* unit: serving for as long as is asked: eight readers of every kind and one writer of items, weights and models. Prints what was done
 * on one line; status 1 when an answer named what was gone, or showed a state that never was. `soak_serving SECONDS`. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "beside_writer.h"

enum { READERS = 8, EACH = 4, STEADY = 40, PAIR = STEADY + PASSING, ALL = PAIR + 2, DIM = 8, STEPS = 4, BEAM = 3 };

/* Items 0 .. STEADY - 1 stay, STEADY + i is thing i of those that come and go, PAIR and PAIR + 1 change together. Sessions are answered
 * by models[0] and models[1] in turn, whose weights stay; models[2] is trained. */
static struct {
    seqrec_context *context;
    seqrec_model *models[3];
    seqrec_sessions *pool;
    seqrec_trainer *trainer;
    double ends;
    int64_t changes, publishes, swaps;
} stage;

typedef struct reader {
    int64_t index, lists, decodes, vectors;
    seqrec_session *sessions[EACH];
    float expected[2][EACH][DIM]; /* the vectors that models[0] and models[1] give */
} reader;

static seqrec_error failure;

static void must(int32_t status)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "soak: %s: %s\n", seqrec_status_name(status), failure.message);
    exit(2);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the stage -------------------------------------------------------------------------------------------------------- */

static seqrec_model *new_model(const char *position)
{
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    int64_t ids[STEADY + 2];
    must(seqrec_config_create(NULL, &config, &failure));
    must(seqrec_config_set(config, "dim", "8", &failure));
    must(seqrec_config_set(config, "max_length", "6", &failure));
    must(seqrec_config_set(config, "relative", "t5", &failure));
    must(seqrec_config_set(config, "position", position, &failure));
    must(seqrec_model_create(stage.context, config, &model, &failure));
    seqrec_config_release(config);
    for (int64_t i = 0; i < STEADY; i++) ids[i] = i;
    ids[STEADY] = PAIR;
    ids[STEADY + 1] = PAIR + 1;
    must(seqrec_items_put(model, ids, STEADY + 2, NULL, &failure));
    return model;
}

static void change_pair(float value)
{
    float vectors[2 * DIM];
    for (int64_t i = 0; i < 2 * DIM; i++) vectors[i] = value;
    must(seqrec_items_update(stage.models[0], (int64_t[]){PAIR, PAIR + 1}, 2, vectors, &failure));
}

static void set_stage(void)
{
    seqrec_config *config = NULL;
    must(seqrec_context_create(NULL, NULL, 2, NULL, NULL, &stage.context, &failure));
    stage.models[0] = new_model("none");
    stage.models[1] = new_model("start");
    stage.models[2] = new_model("end");
    change_pair(0);
    must(seqrec_sessions_create(stage.models[0], 20000, &stage.pool, &failure));
    must(seqrec_model_config(stage.models[2], &config, &failure));
    must(seqrec_trainer_create(stage.models[2], config, &stage.trainer, &failure));
    seqrec_config_release(config);
    turns_begin();
}

static void clear_stage(void)
{
    seqrec_trainer_release(stage.trainer);
    seqrec_sessions_release(stage.pool);
    for (int32_t m = 0; m < 3; m++) seqrec_model_release(stage.models[m]);
    seqrec_context_release(stage.context);
}

static void open_sessions(reader *r, int64_t index)
{
    r->index = index;
    for (int64_t i = 0; i < EACH; i++) {
        int64_t history[12];
        for (int64_t e = 0; e < 12; e++) history[e] = (index * 5 + i * 3 + e * 7) % STEADY;
        must(seqrec_session_open(stage.pool, NULL, history, NULL, 12, SEQREC_UNKNOWN_ERROR, &r->sessions[i], &failure));
    }
    for (int32_t m = 1; m >= 0; m--) {
        must(seqrec_sessions_swap(stage.pool, stage.models[m], &failure));
        for (int64_t i = 0; i < EACH; i++) must(seqrec_session_encode(r->sessions[i], r->expected[m][i], &failure));
    }
}

static void close_sessions(reader *r)
{
    for (int64_t i = 0; i < EACH; i++) seqrec_session_release(r->sessions[i]);
}

/* ---- readers ---------------------------------------------------------------------------------------------------------- */

/* One call reads one state: the first and the last of three histories are the same, and so are their answers. */
static int64_t read_whole_histories(void *own, int64_t round)
{
    reader *r = own;
    const int64_t a = round % STEADY, b = STEADY + round % PASSING, offsets[] = {0, 3, 5, 8};
    const int64_t histories[] = {a, b, 3, b, 5, a, b, 3};
    int64_t before[PASSING], items[3 * ALL], found[3], faults = 0;
    float scores[3 * ALL], vectors[3 * DIM];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 3, .offsets = offsets, .items = histories};
    turns_read(before);
    if (seqrec_topk(stage.models[2], &batch, ALL, NULL, items, scores, found, NULL) != SEQREC_OK) return 1;
    for (int64_t s = 0; s < 3; s++)
        faults += (found[s] < STEADY + 2) + faults_of_list(items + s * ALL, scores + s * ALL, found[s], STEADY, ALL, before);
    faults += found[0] != found[2] || memcmp(items, items + 2 * ALL, (size_t)found[0] * sizeof *items) != 0 ||
              memcmp(scores, scores + 2 * ALL, (size_t)found[0] * sizeof *scores) != 0;
    faults += seqrec_encode(stage.models[2], &batch, NULL, vectors, NULL) != SEQREC_OK;
    r->lists += 3;
    r->vectors += 3;
    return faults + (memcmp(vectors, vectors + 2 * DIM, DIM * sizeof *vectors) != 0);
}

static int64_t append(const reader *r, seqrec_session *session, int64_t round)
{
    const int64_t event = (round + r->index) % (STEADY + PASSING);
    return seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_SKIP, NULL) != SEQREC_OK;
}

static int64_t read_lists(void *own, int64_t round)
{
    reader *r = own;
    seqrec_session *session = r->sessions[round % EACH];
    int64_t before[PASSING], items[STEADY], found = 0, faults = append(r, session, round);
    float scores[STEADY];
    turns_read(before);
    if (seqrec_session_topk(session, STEADY, NULL, items, scores, &found, NULL) != SEQREC_OK) return faults + 1;
    r->lists++;
    return faults + (found != STEADY) + faults_of_list(items, scores, found, STEADY, ALL, before);
}

/* Greedy paths and beams, of items that are all different. */
static int64_t read_paths(void *own, int64_t round)
{
    reader *r = own;
    seqrec_session *session = r->sessions[round % EACH];
    const int64_t width = round % 2 ? BEAM : 1;
    const seqrec_decode how = {.struct_size = sizeof how, .method = round % 2 ? SEQREC_DECODE_BEAM : SEQREC_DECODE_GREEDY,
                               .steps = STEPS, .width = width};
    int64_t before[PASSING], items[BEAM * STEPS], found = 0, faults = append(r, session, round);
    double log_probabilities[BEAM];
    turns_read(before);
    if (seqrec_session_decode(session, &how, NULL, items, log_probabilities, &found, NULL) != SEQREC_OK) return faults + 1;
    faults += (found != width) + faults_of_items(items, found * STEPS, STEADY, ALL, before);
    for (int64_t p = 0; p < found; p++) {
        faults += !(log_probabilities[p] <= 0) || !isfinite(log_probabilities[p]);
        for (int64_t i = 1; i < STEPS; i++)
            for (int64_t j = 0; j < i; j++) faults += items[p * STEPS + i] == items[p * STEPS + j];
    }
    r->decodes++;
    return faults;
}

/* Whole rows, of one update: scores of two items whose vectors are always the same, and the vectors themselves. */
static int64_t read_pair(int64_t round)
{
    const int64_t pair[] = {PAIR, PAIR + 1}, history[] = {round % STEADY, 1, 2}, offsets[] = {0, 3};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    float rows[2 * DIM], scores[2];
    int64_t faults = seqrec_items_get(stage.models[0], pair, 2, rows, NULL) != SEQREC_OK;
    for (int64_t i = 1; i < 2 * DIM; i++) faults += rows[i] != rows[0];
    faults += seqrec_score(stage.models[0], &batch, pair, NULL, 2, NULL, scores, NULL) != SEQREC_OK;
    return faults + (scores[0] != scores[1]);
}

/* A session that nothing is appended to has the vector of one model or of the other, bit for bit. */
static int64_t read_vectors(void *own, int64_t round)
{
    reader *r = own;
    const int64_t i = round % EACH;
    float vector[DIM], ahead[2 * DIM];
    int64_t faults = read_pair(round);
    faults += seqrec_session_encode(r->sessions[i], vector, NULL) != SEQREC_OK;
    faults += memcmp(vector, r->expected[0][i], sizeof vector) != 0 && memcmp(vector, r->expected[1][i], sizeof vector) != 0;
    faults += seqrec_session_ahead(r->sessions[i], (int64_t[]){1, 2}, 2, ahead, NULL) != SEQREC_OK;
    for (int64_t d = 0; d < 2 * DIM; d++) faults += !isfinite(ahead[d]);
    r->vectors++;
    return faults;
}

/* ---- the writer ------------------------------------------------------------------------------------------------------- */

static void put_item(int64_t i)
{
    for (int32_t m = 0; m < 3; m++) must(seqrec_items_put(stage.models[m], (int64_t[]){STEADY + i}, 1, NULL, &failure));
    stage.changes += 3;
}

static void remove_item(int64_t i)
{
    for (int32_t m = 0; m < 3; m++) must(seqrec_items_remove(stage.models[m], (int64_t[]){STEADY + i}, 1, &failure));
    stage.changes += 3;
}

static void write_on(void)
{
    for (int64_t step = 0; now() < stage.ends; step++) {
        pass_by(step, put_item, remove_item);
        change_pair((float)(step % 97));
        stage.changes += 2;
        if (step % 50 == 0) must(seqrec_model_quantise(stage.models[2], (int32_t)(step / 50 % 3), &failure));
        if (step % 8 == 0) {
            must(step_and_publish(stage.trainer, STEADY, NULL));
            stage.publishes++;
        }
        if (step % 5 == 0) {
            must(seqrec_sessions_swap(stage.pool, stage.models[++stage.swaps % 2], &failure));
        }
    }
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

static int64_t (*const kinds[])(void *own, int64_t round) = {read_whole_histories, read_lists, read_paths, read_vectors};

static int64_t soak(double seconds, reader *owners)
{
    beside_reader readers[READERS] = {{0}};
    set_stage();
    for (int64_t i = 0; i < READERS; i++) {
        open_sessions(&owners[i], i);
        readers[i] = (beside_reader){.round = kinds[i % 4], .own = &owners[i]};
    }
    stage.ends = now() + seconds;
    const int64_t faults = read_beside(readers, READERS, write_on);
    for (int64_t i = 0; i < READERS; i++) close_sessions(&owners[i]);
    clear_stage();
    return faults;
}

int main(int count, char **words)
{
    static reader owners[READERS];
    const double seconds = count == 2 ? atof(words[1]) : 0;
    int64_t lists = 0, decodes = 0, vectors = 0;
    if (!(seconds > 0)) {
        fprintf(stderr, "usage: soak_serving SECONDS\n");
        return 2;
    }
    const int64_t faults = soak(seconds, owners);
    for (int64_t i = 0; i < READERS; i++) {
        lists += owners[i].lists;
        decodes += owners[i].decodes;
        vectors += owners[i].vectors;
    }
    printf("soak: %g s, %d readers: %lld lists, %lld decodes, %lld vectors; 1 writer: %lld changes of items, %lld publishes, %lld swaps; "
           "%lld faults\n",
           seconds, READERS, (long long)lists, (long long)decodes, (long long)vectors, (long long)stage.changes,
           (long long)stage.publishes, (long long)stage.swaps, (long long)faults);
    return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
