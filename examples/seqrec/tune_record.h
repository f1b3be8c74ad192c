/* seqrec tool: the record of a search: what was searched, and a line for each training that is finished. */
#ifndef SEQREC_TOOL_TUNE_RECORD_H
#define SEQREC_TOOL_TUNE_RECORD_H
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* A trial at the end of a rung. */
typedef struct tune_result {
    int64_t trial, rung; /* from 1 */
    int64_t epochs, best_epoch;
    double metric; /* NaN: it failed */
    double seconds;
    char error[256]; /* "" when it did not fail */
} tune_result;

enum { RECORD_PATH = 4096 };

typedef struct tune_record {
    char path[RECORD_PATH];
    FILE *file;
    int lock;        /* descriptor that keeps other searches out; 0: none */
    tune_result *at; /* in the order of the file */
    int64_t count;
} tune_record;

/* DIR/trials.jsonl. Returns 0 or the exit code, with the reason told. */
int name_record(const char *folder, char path[RECORD_PATH]);
/* Opens DIR/trials.jsonl, made if needed, for this process alone, and reads what is there. `search` describes the search by
 * names and texts: a record that was begun with another is refused. Returns 0 or the exit code, with the reason told. */
int record_open(tune_record *record, const char *command, const char *folder, const json_t *search);
const tune_result *record_find(const tune_record *record, int64_t trial, int64_t rung);
/* Appends a result and the options it was made with (names and texts); result->metric becomes what a reader gets. */
int record_add(tune_record *record, tune_result *result, const json_t *options);
void record_close(tune_record *record);
#endif
