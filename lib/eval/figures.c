/* eval: which figures a row of a report has, and in which order. */
#include "eval/figures.h"
#include <inttypes.h>
#include <stdio.h>

enum { ONE, BY_CUTOFF, BY_DIVERSE_CUTOFF, BY_LAST };

static const struct {
    const char *name;
    int32_t repeats;
    int32_t part; /* 0: every row has it */
} kinds[SQ_FIGURE_KINDS] = {
    [SQ_HIT] = {"hr", BY_CUTOFF, 0},
    [SQ_GAIN] = {"ndcg", BY_CUTOFF, 0},
    [SQ_RECIPROCAL] = {"mrr", ONE, 0},
    [SQ_COVERAGE] = {"coverage", BY_CUTOFF, SQ_PART_EXPOSURE},
    [SQ_GINI] = {"gini", BY_CUTOFF, SQ_PART_EXPOSURE},
    [SQ_NLL] = {"nll", ONE, SQ_PART_BEYOND},
    [SQ_CONFIDENCE] = {"confidence", ONE, SQ_PART_BEYOND},
    [SQ_ECE] = {"ece", ONE, SQ_PART_BEYOND},
    [SQ_ECE_MASS] = {"ece_mass", ONE, SQ_PART_BEYOND},
    [SQ_NOVELTY] = {"novelty", BY_CUTOFF, SQ_PART_BEYOND},
    [SQ_DIVERSITY] = {"diversity", BY_DIVERSE_CUTOFF, SQ_PART_DIVERSITY},
    [SQ_DIFFER] = {"differ", BY_LAST, SQ_PART_BEYOND},
    [SQ_APART] = {"apart", BY_LAST, SQ_PART_BEYOND},
    [SQ_APART_POPULAR] = {"apart_popular", ONE, SQ_PART_BEYOND},
    [SQ_USERS_SHORT] = {"users_short", ONE, SQ_PART_SHORT},
    [SQ_PAIRS] = {"pairs", BY_LAST, SQ_PART_BEYOND},
};

sq_figures sq_figures_of(const int64_t *cutoffs, int64_t cutoff_count, int32_t parts, int64_t last)
{
    sq_figures figures = {.cutoffs = cutoffs, .cutoff_count = cutoff_count, .total = 1};
    const int64_t repeats[] = {1, cutoff_count, cutoff_count - sq_figures_diverse_from(&figures), last};
    for (int32_t kind = 0; kind < SQ_FIGURE_KINDS; kind++) {
        if (kind == SQ_USERS_SHORT) figures.columns = figures.total - 1;
        figures.first[kind] = figures.total - 1;
        if (kinds[kind].part != 0 && (kinds[kind].part & parts) == 0) continue;
        figures.count[kind] = repeats[kinds[kind].repeats];
        figures.total += figures.count[kind];
    }
    return figures;
}

int32_t sq_figures_kind(const sq_figures *figures, int64_t index, int64_t *which)
{
    int32_t kind = 0;
    while (figures->first[kind] + figures->count[kind] < index) kind++;
    *which = index - 1 - figures->first[kind];
    return kind;
}

void sq_figures_name(const sq_figures *figures, int64_t index, char out[SQ_FIGURE_NAME])
{
    int64_t which = 0;
    if (index == 0) {
        (void)snprintf(out, SQ_FIGURE_NAME, "users");
        return;
    }
    const int32_t kind = sq_figures_kind(figures, index, &which), repeats = kinds[kind].repeats;
    if (repeats == ONE) {
        (void)snprintf(out, SQ_FIGURE_NAME, "%s", kinds[kind].name);
    } else if (repeats == BY_LAST) {
        (void)snprintf(out, SQ_FIGURE_NAME, "%s_last%" PRId64, kinds[kind].name, which + 1);
    } else {
        const int64_t from = repeats == BY_DIVERSE_CUTOFF ? sq_figures_diverse_from(figures) : 0;
        (void)snprintf(out, SQ_FIGURE_NAME, "%s@%" PRId64, kinds[kind].name, figures->cutoffs[from + which]);
    }
}
