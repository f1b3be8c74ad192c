/* serve: lists of slots as filters use them: rising, each once. */
#ifndef SQ_SLOTLIST_H
#define SQ_SLOTLIST_H
#include <stdint.h>

/* Sorts slots[n] in place and drops repeats; returns how many are left. */
int64_t sq_slots_tidy(int32_t *slots, int64_t n);
/* Index of the first of rising slots[n] that is not below `slot`; n when there is none. */
int64_t sq_slots_from(const int32_t *slots, int64_t n, int32_t slot);
/* Removes from rising slots[n] those in rising other[m]; returns how many are left. */
int64_t sq_slots_without(int32_t *slots, int64_t n, const int32_t *other, int64_t m);
#endif
