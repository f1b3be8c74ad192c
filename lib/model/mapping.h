/* model: a file in memory, read-only, shared with every process that maps it; reference counted. */
#ifndef SQ_MAPPING_H
#define SQ_MAPPING_H
#include <stdatomic.h>
#include "base/memory.h"

typedef struct sq_mapping {
    sq_memory memory;
    _Atomic int32_t references;
    unsigned char *bytes; /* never written */
    size_t count;
} sq_mapping;

/* The first `count` > 0 bytes of the file behind fd, which may be closed afterwards. E_IO, E_MEMORY. */
int32_t sq_mapping_create(const sq_memory *memory, int fd, size_t count, sq_mapping **out, seqrec_error *error);
sq_mapping *sq_mapping_retain(sq_mapping *mapping);
void sq_mapping_release(sq_mapping *mapping);
/* Says that bytes [begin, begin + count) will be read here and there, not one behind the other. */
void sq_mapping_scattered(const sq_mapping *mapping, size_t begin, size_t count);
#endif
