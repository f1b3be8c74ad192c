/* seqrec tool: float32 matrices as NumPy .npy files (C order, the machine's byte order). */
#include "npy_file.h"
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define NPY_FLOAT ">f4"
#else
#define NPY_FLOAT "<f4"
#endif

enum { PREAMBLE = 10, HEADER = 128 }; /* magic, version and length; the whole header, a multiple of 64 as NumPy wants */

void npy_write_header(FILE *to, int64_t rows, int64_t columns)
{
    char header[HEADER + 1];
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(HEADER - PREAMBLE);
    header[9] = 0;
    int used = snprintf(header + PREAMBLE, HEADER - PREAMBLE,
                        "{'descr': '" NPY_FLOAT "', 'fortran_order': False, 'shape': (%lld, %lld), }", (long long)rows,
                        (long long)columns);
    memset(header + PREAMBLE + used, ' ', (size_t)(HEADER - PREAMBLE - used));
    header[HEADER - 1] = '\n';
    fwrite(header, 1, HEADER, to);
}

/* Text of the dictionary in `out`; the length field has 2 bytes in version 1 and 4 from version 2 on. */
static int read_dictionary(FILE *from, char *out, size_t bytes)
{
    unsigned char start[12];
    if (fread(start, 1, 8, from) != 8 || memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3) return 0;
    size_t width = start[6] == 1 ? 2 : 4, length = 0;
    if (fread(start + 8, 1, width, from) != width) return 0;
    for (size_t i = 0; i < width; i++) length |= (size_t)start[8 + i] << (8 * i);
    if (length >= bytes || fread(out, 1, length, from) != length) return 0;
    out[length] = 0;
    return 1;
}

/* What stands behind 'key': in the dictionary, NULL when it is not there. */
static const char *behind_key(const char *dictionary, const char *key)
{
    const char *at = strstr(dictionary, key);
    at = at ? strchr(at, ':') : NULL;
    return at ? at + 1 + strspn(at + 1, " ") : NULL;
}

const char *npy_read_header(FILE *from, int64_t *rows, int64_t *columns)
{
    char dictionary[4096];
    long long row_count = 0, column_count = 0;
    if (!read_dictionary(from, dictionary, sizeof dictionary)) return "is no .npy file";
    const char *kind = behind_key(dictionary, "'descr'");
    const char *order = behind_key(dictionary, "'fortran_order'");
    const char *shape = behind_key(dictionary, "'shape'");
    if (!kind || !order || !shape) return "lacks descr, fortran_order or shape in its header";
    if ((*kind != '\'' && *kind != '"') || strncmp(kind + 1, NPY_FLOAT, 3) != 0)
        return "must hold values of type '" NPY_FLOAT "' (float32)";
    if (strncmp(order, "False", 5) != 0) return "must be in C order";
    int end = 0; /* behind the bracket, or 0: there are more dimensions */
    if (sscanf(shape, "(%lld, %lld)%n", &row_count, &column_count, &end) != 2 || !end || row_count < 0 || column_count < 1)
        return "must hold a matrix of two dimensions";
    *rows = row_count;
    *columns = column_count;
    return NULL;
}
