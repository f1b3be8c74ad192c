/* position: which rows of a table say where in the day, the week and the year a time lies. */
#ifndef SQ_CALENDAR_H
#define SQ_CALENDAR_H
#include <stddef.h>
#include <stdint.h>

#define SQ_CALENDAR_ROWS 43 /* hours 0 .. 23, then Monday .. Sunday, then January .. December */
#define SQ_CALENDAR_OF 3    /* rows of a time */

/* Of a time in seconds since 1970-01-01 00:00 UTC, any of int64_t, without leap seconds, in the Gregorian calendar of all times. */
void sq_calendar_rows(int64_t seconds, size_t rows[SQ_CALENDAR_OF]);
#endif
