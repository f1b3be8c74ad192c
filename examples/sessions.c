/* example: users who are there now: every event is appended to its user's session, and the next list follows at once. */
#include <seqrec.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { USERS = 64, EVENTS = 30, ITEMS = 100, STEPS = 150, LIST = 5, VISITORS = 3 };

static seqrec_error failure;

/* Ends the program when a call failed: enough for an example, not for a service. */
static void must(int32_t status)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "%s: %s\n", seqrec_status_name(status), failure.message);
    exit(1);
}

/* Everybody in this "shop" walks through the catalogue with a stride of his own: 1, 2 or 3. */
static int64_t item_of(int64_t start, int64_t stride, int64_t event)
{
    return 1000 + (start + event * stride) % ITEMS;
}

static void train(seqrec_model *model, const seqrec_config *config)
{
    int64_t offsets[USERS + 1], items[USERS * EVENTS];
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = USERS, .offsets = offsets, .items = items};
    seqrec_trainer *trainer = NULL;
    must(seqrec_trainer_create(model, config, &trainer, &failure));
    for (int64_t step = 0; step < STEPS; step++) {
        for (int64_t user = 0; user <= USERS; user++) offsets[user] = user * EVENTS;
        for (int64_t at = 0; at < USERS * EVENTS; at++)
            items[at] = item_of(at / EVENTS * 7 + step * 13, 1 + at / EVENTS % 3, at % EVENTS);
        must(seqrec_trainer_step(trainer, &batch, NULL, &failure));
    }
    must(seqrec_trainer_publish(trainer, &failure));
    seqrec_trainer_release(trainer);
}

/* With distances alone (no absolute positions) a session slides over any number of events, one token an event. */
static seqrec_model *create_model(seqrec_context *context)
{
    int64_t ids[ITEMS];
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    must(seqrec_config_create(NULL, &config, &failure));
    must(seqrec_config_preset(config, "sasrec-softmax", &failure));
    must(seqrec_config_set(config, "dim", "32", &failure));
    must(seqrec_config_set(config, "max_length", "20", &failure));
    must(seqrec_config_set(config, "position", "none", &failure));
    must(seqrec_config_set(config, "relative", "t5", &failure));
    must(seqrec_model_create(context, config, &model, &failure));
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = 1000 + i;
    must(seqrec_items_put(model, ids, ITEMS, NULL, &failure));
    train(model, config);
    seqrec_config_release(config);
    return model;
}

/* Prints the list after an event, and tells whether `wanted` is in it. */
static int show(seqrec_session *session, int64_t visitor, int64_t event, int64_t wanted)
{
    int64_t items[LIST], found = 0;
    int present = 0;
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1};
    must(seqrec_session_topk(session, LIST, &filter, items, NULL, &found, &failure));
    printf("visitor %" PRId64 " at %" PRId64 ", next:", visitor, event);
    for (int64_t i = 0; i < found; i++) {
        printf(" %" PRId64, items[i]);
        present |= items[i] == wanted;
    }
    putchar('\n');
    return present;
}

/* How the visitor may go on: the two most probable ways of several items found by a beam. */
static void look_ahead(seqrec_session *session, int64_t visitor)
{
    int64_t paths[2 * LIST], found = 0;
    double logs[2];
    const seqrec_decode decode = {
        .struct_size = sizeof decode, .method = SEQREC_DECODE_BEAM, .width = 2, .steps = LIST};
    must(seqrec_session_decode(session, &decode, NULL, paths, logs, &found, &failure));
    for (int64_t p = 0; p < found; p++) {
        printf("visitor %" PRId64 " may go on (log p %6.2f):", visitor, logs[p]);
        for (int64_t i = 0; i < LIST; i++) printf(" %" PRId64, paths[p * LIST + i]);
        putchar('\n');
    }
}

/* A server that goes down hands its visitors over as bytes. */
static seqrec_session *move(seqrec_sessions *pool, seqrec_session *session)
{
    size_t bytes = 0;
    seqrec_session *moved = NULL;
    (void)seqrec_session_save(session, NULL, 0, &bytes, NULL); /* how many? */
    void *room = malloc(bytes);
    if (!room) exit(1);
    must(seqrec_session_save(session, room, bytes, NULL, &failure));
    must(seqrec_session_restore(pool, room, bytes, &moved, &failure));
    free(room);
    seqrec_session_release(session);
    return moved;
}

int main(void)
{
    seqrec_context *context = NULL;
    seqrec_sessions *pool = NULL;
    seqrec_session *sessions[VISITORS] = {NULL};
    seqrec_sessions_info info = {.struct_size = sizeof info};
    int64_t good = 0, lists = 0;
    must(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, &failure));
    seqrec_model *model = create_model(context);

    must(seqrec_sessions_create(model, (size_t)1 << 20, &pool, &failure)); /* caches of at most 1 MiB together */
    for (int64_t v = 0; v < VISITORS; v++)
        must(seqrec_session_open(pool, NULL, NULL, NULL, 0, SEQREC_UNKNOWN_SKIP, &sessions[v], &failure));
    for (int64_t event = 0; event < 26; event++) {
        for (int64_t v = 0; v < VISITORS; v++) {
            const int64_t item = item_of(20 * v, v + 1, event), seconds = 1700000000 + 60 * event;
            must(seqrec_session_append(sessions[v], &item, &seconds, 1, SEQREC_UNKNOWN_ERROR, &failure));
            if (event < 22) continue;
            good += show(sessions[v], v, item, item_of(20 * v, v + 1, event + 1));
            lists++;
        }
        if (event == 23) sessions[0] = move(pool, sessions[0]);
    }
    for (int64_t v = 0; v < VISITORS; v++) look_ahead(sessions[v], v);
    must(seqrec_sessions_describe(pool, &info, &failure));
    printf("%" PRId64 " sessions, caches of %zu bytes\n", info.sessions, info.cache_bytes);

    for (int64_t v = 0; v < VISITORS; v++) seqrec_session_release(sessions[v]);
    seqrec_sessions_release(pool);
    seqrec_model_release(model);
    seqrec_context_release(context);
    printf("the next item was in %" PRId64 " of %" PRId64 " lists\n", good, lists);
    return 4 * good >= 3 * lists ? 0 : 1;
}
