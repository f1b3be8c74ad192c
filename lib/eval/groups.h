/* eval: the users of an evaluation in groups: by popularity of the target, by length of the history, by whether it is cold. */
#ifndef SQ_GROUPS_H
#define SQ_GROUPS_H
#include "eval/baselines.h"
#include "eval/figures.h"
#include "eval/protocol.h"
#include "eval/report.h"

/* Equal values are never parted. With F the share of training events that belong to items with more training events than the
 * target, plus half of the share of those with equally many, the decile is floor(10 F): the first holds the most popular targets.
 * With F the share of users with a shorter history, plus half of the share with an equally long one, the quintile is floor(5 F).
 * Cold: the target has at most so many training events. */
enum { SQ_BY_DECILE, SQ_BY_QUINTILE, SQ_BY_COLD, SQ_GROUPINGS };
enum { SQ_DECILES = 10, SQ_QUINTILES = 5, SQ_GROUPS_ALL = SQ_DECILES + SQ_QUINTILES + 2 };

typedef struct sq_groups {
    int64_t cases;
    uint8_t *of[SQ_GROUPINGS]; /* [cases] from 0 */
    const uint64_t
        *value[SQ_GROUPINGS];   /* [cases] what the group follows from: training events of the target, or events */
    uint64_t *trained, *length; /* [cases] what `value` points to */
} sq_groups;

int32_t sq_groups_create(const sq_memory *memory, const sq_cases *cases, const sq_popularity *popularity, int64_t cold,
                         sq_groups *out, seqrec_error *error);
void sq_groups_free(sq_groups *groups, const sq_memory *memory);
int32_t sq_groups_count(int32_t grouping);
/* Users of a group, also to `users`, and the least and the most of what it follows from to least_most[2]: of an empty group they stay. */
int64_t sq_groups_members(const sq_groups *groups, int32_t grouping, int32_t group, sq_figure *users, sq_figure *least_most);
/* The columns of a group's users, of values[columns][cases], side by side to `part` [columns][members]. */
void sq_groups_gather(const sq_groups *groups, int32_t grouping, int32_t group, const double *values, int64_t columns, double *part);
/* "decile-1" .. "decile-10", "quintile-1" .. "quintile-5", "cold", "warm". */
void sq_groups_name(int32_t grouping, int32_t group, char out[SQ_FIGURE_NAME]);
#endif
