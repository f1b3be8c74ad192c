/* model: XXH3-64, the checksum of files, in one go or piece by piece. */
#ifndef SQ_CHECKSUM_H
#define SQ_CHECKSUM_H
#include <stddef.h>
#include <stdint.h>

#define SQ_CHECKSUM_DIGITS 16 /* hexadecimal digits of a sum */

/* Room for XXH3's state, which is private to checksum.c. */
typedef struct sq_checksum {
    _Alignas(64) unsigned char state[576];
} sq_checksum;

void sq_checksum_start(sq_checksum *sum);
void sq_checksum_add(sq_checksum *sum, const void *bytes, size_t count);
/* The sum of what was added so far; more may be added afterwards. */
uint64_t sq_checksum_value(const sq_checksum *sum);
uint64_t sq_checksum_of(const void *bytes, size_t count);

/* 16 lower-case digits, the most significant first; no terminator. */
void sq_checksum_write(uint64_t value, char digits[SQ_CHECKSUM_DIGITS]);
/* 1 and *value when `digits` starts with 16 lower-case hexadecimal digits, else 0. Stops at the first other byte. */
int32_t sq_checksum_parse(const char *digits, uint64_t *value);
#endif
