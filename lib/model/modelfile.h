/* model: a model as a safetensors file; docs/FILE-FORMAT.md has the layout. */
#ifndef SQ_MODELFILE_H
#define SQ_MODELFILE_H
#include "model/model.h"
#include "model/safetensors.h"

#define SQ_MODEL_FORMAT "seqrec-model"
#define SQ_MODEL_FORMAT_VERSION 2
#define SQ_MODEL_FORMAT_PLAIN 1 /* of files that lost nothing */

/* A file's slots lie below this for `count` items: what a small file can make a table of is bounded. */
static inline int64_t sq_slots_most(int64_t count)
{
    return 4 * count + 1000000;
}

/* Both work on one consistent state. Saving the same state gives the same bytes. */
int32_t sq_model_save(const seqrec_model *model, const char *path, seqrec_error *error);
/* longest: 0, or the events that it shall read at a time (sq_options_lengthen). */
int32_t sq_model_load(seqrec_context *context, const char *path, int64_t longest, seqrec_model **out, seqrec_error *error);
/* Writes a file for serving: SQ_TABLE_* copies, and with `rows` float32 vectors as they lie in memory; without, the copies are all
 * there is of the vectors. */
int32_t sq_model_export(const seqrec_model *model, const char *path, int32_t table, int32_t rows, seqrec_error *error);
/* Loads such a file with rows so that these and the copies stay in the file. verify: reads all of it first. */
int32_t sq_model_map(seqrec_context *context, const char *path, int32_t verify, seqrec_model **out, seqrec_error *error);

/* ---- The same in pieces, for files that hold a model and more. Tensors and metadata whose names begin with "train." or
 * "opt." belong to such a file's writer; reading the model leaves them alone. ---- */

/* How the vectors of a table are written. */
enum { SQ_FORM_PLAIN, SQ_FORM_ROWS, SQ_FORM_COPIES };

/* One keyed table of a file. */
typedef struct sq_table_source {
    const sq_catalogue *catalogue;
    const sq_item_names *names;
    int64_t count;
    int32_t *slots;     /* [count]: where the rows live, in the order of the file */
    int32_t renumbered; /* 1: the file numbers them 0..count-1, all with `generation` */
    int32_t generation;
    int64_t *name_offsets; /* [count + 1], or NULL when no row has a name */
    int32_t form;          /* SQ_FORM_*; the users' is plain */
    sq_coarse_rule rule;   /* of the copies */
    float *gathered;       /* [SQ_INT8_ROWS][padded]; with another form than plain */
    uint8_t *copied;       /* as many halves */
} sq_table_source;

/* What a writer points into until it has saved. */
typedef struct sq_model_source {
    const seqrec_model *model;
    const sq_snapshot *snapshot;
    sq_table_source items, users; /* users: blank with user_embedding = none */
    float *parameters;            /* all dense parameters in the order of files */
} sq_model_source;

/* What a file for serving is to be; plain: a model file. */
typedef struct sq_file_form {
    int32_t form, table;
} sq_file_form;

/* Adds what a model file holds to `writer`. The snapshot need not be the published one, only of this model; it, the model
 * and *source stay until the writer has saved. `options` are stored. On failure there is nothing to free. */
int32_t sq_model_file_describe(sq_tensor_writer *writer, const seqrec_model *model, const sq_snapshot *snapshot,
                               const sq_options *options, sq_file_form form, sq_model_source **source, seqrec_error *error);
void sq_model_source_free(sq_model_source *source);

/* Makes the model that an open file holds. */
int32_t sq_model_file_read(seqrec_context *context, const sq_tensor_file *file, seqrec_model **out,
                           seqrec_error *error);
#endif
