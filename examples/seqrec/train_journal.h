/* seqrec tool: what is told and kept of each epoch. */
#ifndef SEQREC_TOOL_TRAIN_JOURNAL_H
#define SEQREC_TOOL_TRAIN_JOURNAL_H
#include "terminal.h"
#include <stdio.h>

typedef struct train_journal {
    progress bar;
    const char *log_path; /* NULL: no log */
    FILE *log;            /* JSON lines; NULL before the first step */
    int log_resumed;      /* 1: it goes on behind the lines that are there; 0: it begins anew */
    int log_failed;       /* 1: it lacks epochs; told once */
    int begun;            /* 1 once a step was made */
    seqrec_epoch_stats *epochs;
    int64_t count, capacity;
    int64_t planned; /* epochs in all */
    int by_epoch;    /* 1: the bar spans an epoch, since the last one is not known; 0: all of them */
    char metric[32]; /* name of the validation metric */
    double best_metric;
    int64_t best_epoch;
    int broken; /* 1: memory failed; told once */
} train_journal;

/* A seqrec_epoch_fn whose context is a train_journal. */
int32_t journal_epoch(void *context, const seqrec_epoch_stats *stats);
/* A seqrec_progress_fn whose context is a train_journal. */
int32_t journal_tick(void *context, const char *stage, int64_t done, int64_t total);
/* The metric from here on. Figures so far of another one are none of it: they leave curve and best. */
void journal_name_metric(train_journal *journal, const char *name);
/* The bar's label before epoch `next`. */
void journal_label(train_journal *journal, int64_t next);
/* Names the log. Of a training that is resumed the epochs it has are kept, where it is a file. The log is touched when the
 * first step was made, so that a training that is refused loses nothing. Returns 0 or the exit code. */
int journal_log(train_journal *journal, const char *path, int resumed);
/* Ends the log. Returns 0, or the exit code when it lacks epochs, which was told. */
int journal_end_log(train_journal *journal);
/* Keeps the epochs of an earlier run's log, as if they had just been trained. Returns 0 or the exit code. */
int journal_read(train_journal *journal, const char *path);
/* Draws the loss of each epoch, and the validation metric where there is one, as SVG. Returns 0 or the exit code. */
int journal_curve(const train_journal *journal, const char *path, const char *title);
void journal_close(train_journal *journal);
#endif
