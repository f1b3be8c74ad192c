/* seqrec tool: files for serving. */
#ifndef SEQREC_TOOL_SERVING_FILE_H
#define SEQREC_TOOL_SERVING_FILE_H
#include "seqrec.h"

typedef struct serving_file {
    const char *path;
    int table; /* SEQREC_TABLE_* */
    int bare;  /* 1: without float32 vectors */
} serving_file;

enum { LOST_BYTES = 96 };

/* What the file of the model had lost; 0: nothing. */
int model_lost(const seqrec_model *model, char out[LOST_BYTES]);
/* SEQREC_TABLE_* of a name, or -1. */
int find_table(const char *name);
/* Writes the model as such a file and prints what it wrote; returns the exit code. */
int write_serving(const char *model_path, const serving_file *file, int as_json);
/* Loads a model, or maps it; returns the exit code. */
int load_model(seqrec_context *context, const char *path, int mapped, seqrec_model **out);
#endif
