/* data: text into a dataset. */
#ifndef SQ_READER_H
#define SQ_READER_H
#include "data/dataset.h"

#define SQ_BLOCK_BYTES ((size_t)1 << 20)

/* Where bytes come from: fills into[0 .. room), sets *got, 0 at the end. total: bytes in all, or 0 when unknown. */
typedef struct sq_source {
    int32_t (*read)(void *context, char *into, size_t room, size_t *got, seqrec_error *error);
    void *context;
    int64_t total;
} sq_source;

/* Tells the reader's progress function, if there is one, of `done` bytes; E_CANCELLED when it asks to stop. reader may be NULL. */
int32_t sq_report_bytes(const seqrec_reader *reader, int64_t done, int64_t total, seqrec_error *error);
/* Reads until the source ends; block: bytes asked for at a time (a record may need more). reader NULL: all detected.
 * Whole memory is linear in the events, the texts of the ids and the longest record. */
int32_t sq_read_source(seqrec_context *context, const sq_source *source, const seqrec_reader *reader, size_t block,
                       seqrec_dataset **out, seqrec_error *error);
int32_t sq_read_file(seqrec_context *context, const char *path, const seqrec_reader *reader, seqrec_dataset **out,
                     seqrec_error *error);
/* A text in memory, through the same code. */
int32_t sq_read_memory(seqrec_context *context, const void *bytes, size_t n, const seqrec_reader *reader, size_t block,
                       seqrec_dataset **out, seqrec_error *error);
#endif
