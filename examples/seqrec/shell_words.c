/* seqrec tool: command lines that can be pasted into a shell. */
#include "shell_words.h"
#include <string.h>

void write_word(FILE *to, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-";
    fputc(' ', to);
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

void write_option(FILE *to, const char *name, const char *value)
{
    if (!value) return;
    fprintf(to, " --%s", name);
    write_word(to, value);
}
