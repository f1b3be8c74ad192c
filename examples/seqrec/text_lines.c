/* seqrec tool: small text files, line by line. */
#include "text_lines.h"
#include "line_source.h"

/* The lines on their way in. */
typedef struct text_reading {
    text_line_fn take;
    void *context;
} text_reading;

static int take_line(void *context, const line_source *from, char *line, size_t bytes)
{
    const text_reading *r = context;
    (void)bytes;
    return r->take(r->context, line, from->number);
}

int read_text_lines(const char *path, text_line_fn take, void *context)
{
    line_source from = {0};
    int outcome = lines_open(&from, path, TEXT_LINE_BYTES);
    if (!outcome) outcome = lines_each(&from, take_line, &(text_reading){take, context});
    lines_close(&from);
    return outcome;
}
