/* seqrec tool: command lines that can be pasted into a shell. */
#include "shell_words.h"
#include <string.h>

static void write_quoted(FILE *to, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-";
    if (*word && !word[strspn(word, safe)]) {
        fputs(word, to);
        return;
    }
    fputc('\'', to);
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", to);
        else
            fputc(*word, to);
    }
    fputc('\'', to);
}

void write_word(FILE *to, const char *word)
{
    fputc(' ', to);
    write_quoted(to, word);
}

void write_option(FILE *to, const char *name, const char *value)
{
    if (!value) return;
    fprintf(to, " --%s%c", name, strncmp(value, "--", 2) ? ' ' : '='); /* what looks like an option is no value behind a blank */
    write_quoted(to, value);
}
