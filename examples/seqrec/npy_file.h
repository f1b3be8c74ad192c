/* seqrec tool: float32 matrices as NumPy .npy files (C order, the machine's byte order). */
#ifndef SEQREC_TOOL_NPY_FILE_H
#define SEQREC_TOOL_NPY_FILE_H
#include <stdint.h>
#include <stdio.h>

/* Writes the header of a [rows][columns] matrix; the values follow. A failure is told by ferror. */
void npy_write_header(FILE *to, int64_t rows, int64_t columns);
/* Reads a header and leaves `from` at the first value. Returns NULL, or what is wrong with it. */
const char *npy_read_header(FILE *from, int64_t *rows, int64_t *columns);
#endif
