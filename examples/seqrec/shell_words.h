/* seqrec tool: command lines that can be pasted into a shell. */
#ifndef SEQREC_TOOL_SHELL_WORDS_H
#define SEQREC_TOOL_SHELL_WORDS_H
#include <stdio.h>

/* A blank and the word, in quotes where a shell would read it otherwise. */
void write_word(FILE *to, const char *word);
/* " --NAME VALUE", or nothing when value is NULL. */
void write_option(FILE *to, const char *name, const char *value);
#endif
