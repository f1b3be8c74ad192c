/* position: hour, weekday and month of a time. */
#include "position/calendar.h"

#define DAY 86400
#define DAYS_OF_400_YEARS 146097
#define FROM_MARCH_2000 11017 /* days from 1970-01-01 to 2000-03-01, where such a cycle begins, its leap days last */

/* The remainder that is never negative. */
static int64_t within(int64_t a, int64_t cycle)
{
    int64_t r = a % cycle;
    return r < 0 ? r + cycle : r;
}

/* 0 = January. */
static int64_t month_of(int64_t day)
{
    int64_t left = within(day - FROM_MARCH_2000, DAYS_OF_400_YEARS);
    int64_t century = left / 36524, quad, year;
    left -= (century > 3 ? 3 : century) * 36524;
    quad = left / 1461;
    left -= quad * 1461;
    year = left / 365;
    left -= (year > 3 ? 3 : year) * 365;
    return ((5 * left + 2) / 153 + 2) % 12; /* from March on, five months have 153 days */
}

void sq_calendar_rows(int64_t seconds, size_t rows[SQ_CALENDAR_OF])
{
    int64_t second = within(seconds, DAY), day = seconds / DAY - (seconds % DAY < 0);
    rows[0] = (size_t)(second / 3600);
    rows[1] = 24 + (size_t)within(day + 3, 7); /* 1970-01-01 was a Thursday */
    rows[2] = 31 + (size_t)month_of(day);
}
