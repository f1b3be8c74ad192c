/* seqrec tool: `recommend --batch`, a list for each history of a file, as the file is read. */
#include "recommend_batch.h"
#include "line_source.h"
#include "ranked_items.h"
#include "utf8.h"
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 256 }; /* a block also ends once it has so many for each of its lines */

/* Lines that are scored in one call. */
typedef struct block {
    int64_t lines;
    int64_t *offsets; /* [room + 1] */
    id_list items;    /* those that the model knows */
    int64_t *users;   /* [room]; read by models with users */
    int64_t *skipped; /* [room] items that the model does not know, those of the lists too */
    size_t *words;    /* [room] where the user's word begins in text */
    char *text;
    size_t text_used, text_room;
    int64_t *best; /* [room][k] */
    float *scores; /* [room][k] */
    int64_t *found;
} block;

typedef struct batch_run {
    const seqrec_model *model;
    item_words words;
    const item_filter *filter;
    const batch_settings *how;
    line_source from;
    block b;
    int64_t k; /* at most as many as there are items */
    int64_t stranger; /* an id that is no user's */
    int64_t listed;   /* items of --allow and --deny that the model does not know; they are of every line */
    int64_t written, skipped, empty;
} batch_run;

static int open_block(batch_run *run)
{
    const size_t room = (size_t)run->how->block, k = (size_t)run->k;
    block *b = &run->b;
    b->offsets = calloc(room + 1, sizeof *b->offsets);
    b->users = malloc(room * sizeof *b->users);
    b->skipped = malloc(room * sizeof *b->skipped);
    b->words = malloc(room * sizeof *b->words);
    b->found = malloc(room * sizeof *b->found);
    b->best = k <= SIZE_MAX / sizeof *b->best / room ? malloc(room * k * sizeof *b->best) : NULL;
    b->scores = b->best ? malloc(room * k * sizeof *b->scores) : NULL;
    return b->offsets && b->users && b->skipped && b->words && b->found && b->scores ? 0 : fail("out of memory");
}

static void close_block(block *b)
{
    void *parts[] = {b->offsets, b->items.ids, b->users, b->skipped, b->words, b->text, b->best, b->scores, b->found};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) free(parts[i]);
}

/* ---- a line in ----------------------------------------------------------------------------------------------------- */

static char *trim(char *from, char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
    *to = 0;
    return from;
}

/* Cuts the next word off *rest, which is NULL behind the last one. Between blanks there are no empty words; between separators
 * there may be. */
static char *next_word(const char *separator, char **rest)
{
    char *word = *rest, *end;
    if (!separator) {
        word += strspn(word, " \t");
        end = word + strcspn(word, " \t");
        *rest = *end ? end + 1 + strspn(end + 1, " \t") : NULL;
        if (*rest && !**rest) *rest = NULL;
        *end = 0;
        return word;
    }
    end = strstr(word, separator);
    *rest = end ? end + strlen(separator) : NULL;
    return trim(word, end ? end : word + strlen(word));
}

static int keep_word(block *b, const char *word)
{
    const size_t bytes = strlen(word) + 1;
    if (b->text_used + bytes > b->text_room) {
        const size_t room = 2 * (b->text_used + bytes);
        char *grown = realloc(b->text, room);
        if (!grown) return fail("out of memory");
        b->text = grown;
        b->text_room = room;
    }
    b->words[b->lines] = b->text_used;
    memcpy(b->text + b->text_used, word, bytes);
    b->text_used += bytes;
    return 0;
}

/* By name, then by number unless the number is of a user who has a name, as of whom a file of texts numbered; whoever is neither
 * is nobody. */
static int64_t find_user(const batch_run *run, const char *word)
{
    int64_t id = 0;
    if (seqrec_users_find(run->model, word, &id, NULL) == SEQREC_OK) return id;
    if (read_count(word, &id) && seqrec_users_name(run->model, id, NULL, 0, NULL, NULL) == SEQREC_E_NOT_FOUND) return id;
    return run->stranger;
}

static int bad_line(const batch_run *run, const char *rule)
{
    return fail("%s: line %lld: %s", run->from.title, (long long)run->from.number, rule);
}

/* As readers of events: what is told is what was given. */
static int check_text(const batch_run *run, const char *user)
{
    size_t at = 0, length = 1;
    for (; user[at] && length; at += length) length = utf8_length(user + at);
    if (length) return 0;
    return fail("%s: line %lld: the user is not UTF-8 at its byte %zu", run->from.title, (long long)run->from.number, at + 1);
}

static int take_item(batch_run *run, const char *word)
{
    int64_t id = 0;
    int32_t slot, generation;
    if (!*word) return bad_line(run, "an empty item");
    if (!read_item(&run->words, word, &id))
        return fail("%s: line %lld: '%s' is neither the name of an item of the model nor a number", run->from.title,
                    (long long)run->from.number, word);
    if (seqrec_items_locate(run->model, id, &slot, &generation, NULL) == SEQREC_OK)
        return append_id(&run->b.items, id) ? 0 : EXIT_WORK;
    run->b.skipped[run->b.lines]++;
    return 0;
}

static int take_history(batch_run *run, char *rest)
{
    block *b = &run->b;
    const char *user = next_word(run->how->separator, &rest);
    int outcome = *user ? check_text(run, user) : bad_line(run, "an empty user");
    if (!outcome) outcome = keep_word(b, user);
    if (!outcome && !rest) outcome = bad_line(run, "a user without items");
    b->users[b->lines] = find_user(run, user);
    b->skipped[b->lines] = run->listed;
    while (!outcome && rest) outcome = take_item(run, next_word(run->how->separator, &rest));
    if (!outcome) b->offsets[++b->lines] = b->items.count;
    return outcome;
}

/* A line of blanks has no history. A line that is refused leaves the block as it was. */
static int take_line(batch_run *run, char *line)
{
    const int64_t before = run->b.items.count;
    if (!line[strspn(line, " \t")]) return 0;
    const int outcome = take_history(run, line);
    if (outcome) run->b.items.count = before;
    return outcome;
}

/* Reads lines until the block is full, the file ends, or the next line is not there yet. *more: 0 behind the last one. */
static int fill_block(batch_run *run, int *more)
{
    block *b = &run->b;
    int outcome = 0;
    b->lines = b->items.count = 0;
    b->text_used = 0;
    while (!outcome && b->lines < run->how->block && b->items.count < run->how->block * EVENTS) {
        char *line = NULL;
        size_t bytes = 0;
        const int came = lines_next(&run->from, b->lines == 0, &line, &bytes);
        if (came == LINE_FAILED) outcome = EXIT_WORK;
        if (came == LINE_NONE) *more = 0;
        if (came != LINE_HERE) break;
        outcome = take_line(run, line);
    }
    return outcome;
}

/* ---- lists out ----------------------------------------------------------------------------------------------------- */

static int rank_block(batch_run *run)
{
    block *b = &run->b;
    seqrec_error error = {0};
    const seqrec_batch batch = {.struct_size = sizeof batch,
                                .sequences = b->lines,
                                .offsets = b->offsets,
                                .items = b->items.ids,
                                .users = seqrec_users_count(run->model) > 0 ? b->users : NULL};
    const seqrec_filter filter = library_filter(run->filter, NULL);
    if (b->items.count == 0) return 0;
    if (seqrec_topk(run->model, &batch, run->k, &filter, b->best, b->scores, b->found, &error) != SEQREC_OK)
        return fail_library("ranking", &error);
    return 0;
}

static void print_json(const batch_run *run, int64_t i, int64_t found)
{
    const block *b = &run->b;
    json_writer json = {.to = stdout};
    emit_object(&json, NULL);
    emit_text(&json, "user", b->text + b->words[i]);
    emit_items(&json, run->model, b->best + i * run->k, b->scores + i * run->k, found);
    emit_count(&json, "skipped", b->skipped[i]);
    emit_end(&json, '}');
}

static void print_text(const batch_run *run, int64_t i, int64_t found)
{
    const block *b = &run->b;
    char name[NAME_BYTES];
    print_name(b->text + b->words[i]);
    for (int64_t j = i * run->k; j < i * run->k + found; j++) {
        putchar('\t');
        if (item_name(run->model, b->best[j], name)[0])
            print_name(name);
        else
            printf("%lld", (long long)b->best[j]);
        printf("\t%.4f", (double)b->scores[j]);
    }
    putchar('\n');
}

/* Behind a history without any item of the model every score is 0, which would look like an answer: its list is empty. */
static int write_block(batch_run *run)
{
    const block *b = &run->b;
    progress_clear();
    for (int64_t i = 0; i < b->lines && !interrupted(); i++) {
        const int known = b->offsets[i + 1] > b->offsets[i];
        if (run->how->as_json)
            print_json(run, i, known ? b->found[i] : 0);
        else
            print_text(run, i, known ? b->found[i] : 0);
        run->written++;
        run->skipped += b->skipped[i];
        run->empty += !known;
    }
    return fflush(stdout) || ferror(stdout) ? EXIT_WORK : 0; /* told when the program ends */
}

static void show_progress(const batch_run *run)
{
    char lines[32];
    (void)progress_tick(run->how->bar, "recommend", run->from.taken, run->from.total);
    progress_line(run->how->bar, 0, "%s users so far", grouped(run->written, lines));
}

static void tell_end(const batch_run *run)
{
    char lines[32];
    progress_clear();
    if (!run->how->bar->quiet && !interrupted()) remark("%s users", grouped(run->written, lines));
    if (run->skipped) remark("%lld items are not in the model and were skipped", (long long)run->skipped);
    if (run->empty) remark("%lld users have no item of the model and got empty lists", (long long)run->empty);
    if (interrupted()) remark("interrupted behind %lld users", (long long)run->written);
}

/* What was read before a line that is wrong is still answered. */
static int go_through(batch_run *run)
{
    int more = 1, outcome = 0;
    while (more && !outcome && !interrupted()) {
        outcome = fill_block(run, &more);
        const int ranked = rank_block(run);
        const int wrote = ranked ? ranked : write_block(run);
        if (!outcome) outcome = wrote;
        show_progress(run);
    }
    tell_end(run);
    return outcome ? outcome : interrupted();
}

static int64_t count_unknown(const seqrec_model *model, const id_list *list)
{
    int32_t slot, generation;
    int64_t count = 0;
    for (int64_t i = 0; i < list->count; i++) count += seqrec_items_locate(model, list->ids[i], &slot, &generation, NULL) != SEQREC_OK;
    return count;
}

int recommend_lines(const seqrec_model *model, const item_filter *filter, const batch_settings *how)
{
    int32_t slot, generation;
    const int64_t count = seqrec_items_count(model), k = how->k ? how->k : 10;
    batch_run run = {.model = model, .words.model = model, .filter = filter, .how = how, .k = k < count ? k : count > 0 ? count : 1};
    while (seqrec_users_locate(model, --run.stranger, &slot, &generation, NULL) == SEQREC_OK) continue;
    run.listed = count_unknown(model, &filter->allow) + count_unknown(model, &filter->deny);
    int outcome = lines_open(&run.from, strcmp(how->path, "-") ? how->path : NULL, LINE_OF_EVENTS);
    if (!outcome) outcome = open_block(&run);
    if (!outcome) outcome = go_through(&run);
    close_block(&run.b);
    lines_close(&run.from);
    return outcome;
}
