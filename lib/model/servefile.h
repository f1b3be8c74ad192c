/* model: what a file for serving holds in the place of item vectors: whole chunks as they lie in memory, and their copies in few
 * bits, to be mapped; or the vectors in few bits alone. docs/FILE-FORMAT.md has the layout. */
#ifndef SQ_SERVEFILE_H
#define SQ_SERVEFILE_H
#include "model/modelfile.h"

/* Names of tables in files, by SQ_TABLE_*. */
extern const char *const sq_table_names[SQ_TABLE_KINDS];
/* SQ_TABLE_* of a name, or -1. */
int32_t sq_table_find(const char *name);

/* ---- Writing. ---- */

/* Takes memory for bringing rows; sq_model_source_free frees it. */
int32_t sq_serving_prepare(sq_table_source *items, seqrec_error *error);
/* Adds the vectors of items in another form than plain. */
int32_t sq_serving_add(sq_tensor_writer *writer, sq_table_source *items, seqrec_error *error);
/* Metadata: what the file lost, and the kind of its copies. */
int32_t sq_serving_add_texts(sq_tensor_writer *writer, const seqrec_model *model, sq_file_form form, seqrec_error *error);

/* ---- Reading. ---- */

/* The chunks of a file's items: what sq_catalogue_restore takes, and drops afterwards. */
typedef struct sq_serving_chunks {
    int32_t count;
    sq_rows **rows;
    sq_coarse **coarse; /* NULL: none */
} sq_serving_chunks;

/* Whether tensor `name` of a file with rows belongs to the copies of this kind, or to the rows. */
int32_t sq_serving_is_known(const char *name, int32_t table);
/* Reads the tensors of so many chunks, or where the file is mapped refers to them. dim: floats of a vector; the others of a row must be 0. */
int32_t sq_serving_read(const sq_memory *memory, const sq_tensor_file *file, int32_t table, int32_t dim, int32_t padded, int32_t stride,
                        int32_t chunks, sq_serving_chunks *out, seqrec_error *error);
void sq_serving_drop(const sq_memory *memory, sq_serving_chunks *chunks);
#endif
