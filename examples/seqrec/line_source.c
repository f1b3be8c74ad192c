/* seqrec tool: lines of a file or of standard input as they come. */
#define _XOPEN_SOURCE 700
#include "line_source.h"
#include "terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 16)

/* What came instead of a line, as an exit code. */
static int end_of(const line_source *from, int came)
{
    if (came == LINE_FAILED) return EXIT_WORK;
    if (interrupted()) remark("interrupted while reading %s", from->title);
    return interrupted();
}

int lines_open(line_source *from, const char *path, size_t longest)
{
    struct stat about;
    from->title = path ? path : "standard input";
    from->longest = longest;
    from->file = path ? open_file(path, O_RDONLY) : STDIN_FILENO;
    if (from->file < 0 && interrupted()) return end_of(from, LINE_NONE);
    if (from->file < 0) return fail("%s: %s", path, strerror(errno));
    from->opened = path != NULL;
    if (fstat(from->file, &about)) return fail("%s: %s", from->title, strerror(errno));
    if (S_ISREG(about.st_mode)) from->total = (int64_t)about.st_size;
    from->room = 2 * PIECE;
    from->bytes = malloc(from->room + 1);
    return from->bytes ? 0 : fail("out of memory");
}

/* 1 once a read will not block, 0 when it would or a signal came. A signal between the look at its flag and the poll is why the
 * poll has an end. */
static int is_ready(const line_source *from, int wait)
{
    struct pollfd look = {.fd = from->file, .events = POLLIN};
    while (!interrupted()) {
        const int count = poll(&look, 1, wait ? 200 : 0);
        if (count > 0 || (count < 0 && errno != EINTR)) return 1;
        if (!wait) return 0;
    }
    return 0;
}

/* Tells what is wrong with the next line. */
static int refuse_line(const line_source *from, const char *rule)
{
    fail("%s: line %lld: %s", from->title, (long long)from->number + 1, rule);
    return LINE_FAILED;
}

static int refuse_length(const line_source *from)
{
    char rule[64];
    snprintf(rule, sizeof rule, "longer than %zu bytes", from->longest);
    return refuse_line(from, rule);
}

/* Room for a piece more: what was handed over goes, and a line longer than the rest makes the buffer grow. */
static int make_room(line_source *from)
{
    memmove(from->bytes, from->bytes + from->at, from->used - from->at);
    from->used -= from->at;
    from->searched -= from->at;
    from->at = 0;
    if (from->room - from->used >= PIECE) return 1;
    if (from->used > from->longest) {
        refuse_length(from);
        return 0;
    }
    char *grown = realloc(from->bytes, 2 * from->room + 1);
    if (!grown) {
        fail("out of memory");
        return 0;
    }
    from->bytes = grown;
    from->room *= 2;
    return 1;
}

static int read_piece(line_source *from)
{
    if (!make_room(from)) return 0;
    ssize_t got;
    do got = read(from->file, from->bytes + from->used, PIECE);
    while (got < 0 && errno == EINTR && !interrupted());
    if (got < 0) {
        if (!interrupted()) fail("%s: %s", from->title, strerror(errno));
        return 0;
    }
    from->used += (size_t)got;
    from->ended = got == 0;
    return 1;
}

static void drop_mark(const line_source *from, char **line, size_t *bytes)
{
    if (from->number > 0 || *bytes < 3 || memcmp(*line, "\xEF\xBB\xBF", 3) != 0) return;
    *line += 3;
    *bytes -= 3;
}

/* Hands over the bytes up to `stop`, behind which the next line begins `step` bytes later. */
static int take_line(line_source *from, size_t stop, size_t step, char **line, size_t *bytes)
{
    *line = from->bytes + from->at;
    *bytes = stop - from->at;
    if (*bytes > from->longest) return refuse_length(from);
    if (!from->takes_zeros && memchr(*line, 0, *bytes)) return refuse_line(from, "a byte of value 0: this is no text");
    drop_mark(from, line, bytes);
    from->taken += (int64_t)(stop + step - from->at);
    from->at = from->searched = stop + step;
    from->number++;
    if (*bytes && (*line)[*bytes - 1] == '\r') --*bytes;
    (*line)[*bytes] = 0;
    return LINE_HERE;
}

int lines_next(line_source *from, int wait, char **line, size_t *bytes)
{
    while (!interrupted()) {
        const char *end = memchr(from->bytes + from->searched, '\n', from->used - from->searched);
        if (end) return take_line(from, (size_t)(end - from->bytes), 1, line, bytes);
        from->searched = from->used;
        if (from->ended) return from->at < from->used ? take_line(from, from->used, 0, line, bytes) : LINE_NONE;
        if (!is_ready(from, wait)) return interrupted() ? LINE_NONE : LINE_LATER;
        if (!read_piece(from)) return interrupted() ? LINE_NONE : LINE_FAILED;
    }
    return LINE_NONE;
}

int lines_each(line_source *from, line_fn take, void *context)
{
    int outcome = 0;
    while (!outcome) {
        char *line = NULL;
        size_t bytes = 0;
        const int came = lines_next(from, 1, &line, &bytes);
        if (came != LINE_HERE) return end_of(from, came);
        outcome = take(context, from, line, bytes);
    }
    return outcome;
}

void lines_close(line_source *from)
{
    if (from->opened) close(from->file);
    free(from->bytes);
}
