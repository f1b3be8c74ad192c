/* seqrec tool: indexes of libseqrec-ann; a build without it says so. */
#ifndef SEQREC_TOOL_INDEX_FILE_H
#define SEQREC_TOOL_INDEX_FILE_H
#include "seqrec.h"

/* How an index is built; 0: the library's own. */
typedef struct index_options {
    int64_t links, build_breadth, threads, seed;
} index_options;

typedef struct index_facts {
    int64_t items;
    double seconds, bytes;
} index_facts;

/* Builds an index of the model's items and writes it; returns the exit code. */
int write_index(const seqrec_model *model, const index_options *options, const char *path, index_facts *facts);
/* Reads one and puts it behind the model's lists; breadth 0: as stored. Returns the exit code. */
int attach_index(seqrec_model *model, const char *path, int64_t breadth);
#endif
