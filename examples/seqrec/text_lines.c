/* seqrec tool: small text files, line by line. */
#include "text_lines.h"
#include "line_source.h"
#include "terminal.h"

static int take_all(line_source *from, text_line_fn take, void *context)
{
    int came = LINE_HERE, outcome = 0;
    while (!outcome) {
        char *line = NULL;
        size_t bytes = 0;
        came = lines_next(from, 1, &line, &bytes);
        if (came != LINE_HERE) break;
        outcome = take(context, line, from->number);
    }
    if (came == LINE_NONE && interrupted()) remark("interrupted while reading %s", from->title);
    return came == LINE_FAILED ? EXIT_WORK : came == LINE_NONE ? interrupted() : outcome;
}

int read_text_lines(const char *path, text_line_fn take, void *context)
{
    line_source from = {0};
    int outcome = lines_open(&from, path, TEXT_LINE_BYTES);
    if (!outcome) outcome = take_all(&from, take, context);
    lines_close(&from);
    return outcome;
}
