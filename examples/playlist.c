/* example: a playlist that goes on while you listen. `playlist [MODEL [ITEM ...]]` takes a model file and what was played so far, or
 * without any trains a small model on generated events first. Each item is offered as soon as it is decoded: accept it (Enter or a),
 * skip it (s), type the id of another one, or quit (q, or the end of the input). */
#include <seqrec.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUND = 16, MOST_SKIPPED = 1000, SECONDS = 200 };

static seqrec_error failure;

/* Ends the program when a call failed: enough for an example, not for a service. */
static void must(int32_t status)
{
    if (status == SEQREC_OK) return;
    fprintf(stderr, "%s: %s\n", seqrec_status_name(status), failure.message);
    exit(1);
}

typedef enum action { ACCEPT, SKIP, OTHER, QUIT } action;

typedef struct player {
    seqrec_model *model;
    seqrec_session *session;
    int64_t now; /* seconds, for models that read times */
    int64_t skipped[MOST_SKIPPED], skips, accepted, others;
    action last;   /* what the listener did with the item offered last */
    int64_t other; /* with OTHER: the item to play instead */
} player;

static seqrec_model *train(seqrec_context *context)
{
    const seqrec_synth synth = {.struct_size = sizeof synth, .users = 1000, .items = 120};
    seqrec_config *config = NULL;
    seqrec_dataset *events = NULL;
    seqrec_model *model = NULL;
    seqrec_trainer *trainer = NULL;
    must(seqrec_config_create(NULL, &config, &failure));
    must(seqrec_config_preset(config, "sasrec-softmax", &failure));
    must(seqrec_config_set(config, "dim", "32", &failure));
    must(seqrec_config_set(config, "position", "none", &failure)); /* distances alone: a session slides over any number of events */
    must(seqrec_config_set(config, "relative", "t5", &failure));
    must(seqrec_config_set(config, "epochs", "10", &failure));
    must(seqrec_dataset_synthesize(context, &synth, &events, NULL, &failure));
    must(seqrec_model_create(context, config, &model, &failure));
    must(seqrec_trainer_create(model, config, &trainer, &failure));
    must(seqrec_trainer_fit(trainer, events, NULL, NULL, &failure));
    seqrec_trainer_release(trainer);
    seqrec_dataset_release(events);
    seqrec_config_release(config);
    return model;
}

static void play(player *p, int64_t item)
{
    must(seqrec_session_append(p->session, &item, &p->now, 1, SEQREC_UNKNOWN_ERROR, &failure));
    p->now += SECONDS;
}

static void show(const player *p, int64_t item)
{
    char name[256];
    printf("  %" PRId64, item);
    if (seqrec_items_name(p->model, item, name, sizeof name, NULL, NULL) == SEQREC_OK) printf(" (%s)", name);
}

/* A line without its end, and of a longer one its start: the rest is passed over. Returns 0 at the end of the input. */
static int read_line(char *line, int bytes)
{
    if (!fgets(line, bytes, stdin)) return 0;
    if (!strchr(line, '\n'))
        for (int c = 0; c != '\n' && c != EOF;) c = getchar();
    line[strcspn(line, "\r\n")] = 0;
    return 1;
}

/* What the listener says to the item that was just shown; asks again when that is nothing we know. */
static action ask(player *p)
{
    char line[64], *end;
    int32_t slot, generation;
    for (;;) {
        printf("  [a]ccept [s]kip ITEM [q]uit > ");
        fflush(stdout);
        if (!read_line(line, sizeof line)) return QUIT;
        if (!isatty(STDIN_FILENO)) puts(line); /* as a terminal would have shown it */
        if (line[0] == 0 || !strcmp(line, "a")) return ACCEPT;
        if (!strcmp(line, "s")) return SKIP;
        if (!strcmp(line, "q")) return QUIT;
        p->other = strtoll(line, &end, 10);
        if (*end == 0 && seqrec_items_locate(p->model, p->other, &slot, &generation, &failure) == SEQREC_OK) return OTHER;
        printf("  '%s' is neither an action nor an item of the model\n", line);
    }
}

/* Called by the decode with each item as soon as it is known, before anything is computed for the one behind it: while the listener
 * accepts, the path goes on; anything else ends the decode. The session itself is not to be touched in here. */
static int32_t offer(void *context, const seqrec_decoded *next)
{
    player *p = context;
    show(p, next->item);
    printf("  log p %.2f", next->log_probability);
    p->last = ask(p);
    return p->last != ACCEPT;
}

/* One path of up to ROUND items, drawn from the ten best of each step; appends what was played. A path needs as many items as it has
 * steps (E_ARGUMENT): near the end of the catalogue it is made shorter. */
static void play_round(player *p, uint64_t round)
{
    int64_t path[ROUND], found = 0, done = 0;
    int32_t status;
    const seqrec_filter filter = {.struct_size = sizeof filter, .exclude_seen = 1, .deny = p->skipped, .deny_count = p->skips};
    seqrec_decode decode = {.struct_size = sizeof decode,
                            .method = SEQREC_DECODE_SAMPLE,
                            .steps = ROUND,
                            .top_k = 10,
                            .seed = round,
                            .interval = SECONDS,
                            .told = offer,
                            .told_context = p,
                            .done = &done};
    p->last = ACCEPT;
    do
        status = seqrec_session_decode(p->session, &decode, &filter, path, NULL, &found, &failure);
    while (status == SEQREC_E_ARGUMENT && (decode.steps /= 2) > 0);
    if (status == SEQREC_E_ARGUMENT) {
        printf("nothing is left to play: %s\n", failure.message);
        p->last = QUIT;
        return;
    }
    must(status);
    const int64_t accepted = p->last == ACCEPT ? done : done - 1; /* the last one offered ended the decode */
    for (int64_t i = 0; i < accepted; i++) play(p, path[i]);
    p->accepted += accepted;
    if (p->last == SKIP && p->skips < MOST_SKIPPED) p->skipped[p->skips++] = path[done - 1];
    if (p->last != OTHER) return;
    play(p, p->other);
    p->others++;
}

/* What was played before: the items named, or the first one of the model. */
static void begin(player *p, int count, char **items)
{
    int64_t cursor = 0, first = 0, n = 0;
    for (int i = 0; i < count; i++) {
        char *end;
        const int64_t item = strtoll(items[i], &end, 10);
        if (end == items[i] || *end) {
            fprintf(stderr, "'%s' is not the number of an item\n", items[i]);
            exit(1);
        }
        play(p, item);
    }
    if (count > 0) return;
    must(seqrec_items_next(p->model, &cursor, &first, 1, &n, &failure));
    if (n == 1) play(p, first);
}

int main(int argc, char **argv)
{
    seqrec_context *context = NULL;
    seqrec_sessions *pool = NULL;
    static player p;
    p.now = 1700000000;
    must(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, &failure));
    if (argc > 1)
        must(seqrec_model_load(context, argv[1], &p.model, &failure));
    else
        p.model = train(context);
    must(seqrec_sessions_create(p.model, SIZE_MAX, &pool, &failure));
    must(seqrec_session_open(pool, NULL, NULL, NULL, 0, SEQREC_UNKNOWN_SKIP, &p.session, &failure));
    begin(&p, argc > 2 ? argc - 2 : 0, argv + 2);
    for (uint64_t round = 0; p.last != QUIT; round++) play_round(&p, round);
    printf("\n%" PRId64 " accepted, %" PRId64 " skipped, %" PRId64 " of your own\n", p.accepted, p.skips, p.others);
    seqrec_session_release(p.session);
    seqrec_sessions_release(pool);
    seqrec_model_release(p.model);
    seqrec_context_release(context);
    return 0;
}
