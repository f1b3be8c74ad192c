/* train: how often each event of a sequence is a target, on average over all that a plan draws. */
#include "train/expectation.h"
#include "train/plan.h"

/* Events from .. to - 1 are targets so many times more. */
static void add(double *steps, int64_t from, int64_t to, double times)
{
    steps[from] += times;
    steps[to] -= times;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The targets of inputs that are kept, as sq_plan_add_some has them. */
static void expect_some(const sq_options *o, int64_t first, int64_t n, double times, double *steps)
{
    double whole;
    const int64_t inputs = n - first, kept = sq_length_kept(o->length_alpha, o->max_length, inputs, &whole);
    if (o->length_choice == SQ_LENGTH_NEWEST) {
        add(steps, first, n - kept, times * whole);
        add(steps, n - kept, n, times);
    } else {
        add(steps, first, n, times * (whole + (1 - whole) * ((double)kept / (double)inputs)));
    }
}

/* A number of the window's events, or its last one alone. */
static void expect_masked(const sq_options *o, int64_t n, double times, double *steps)
{
    const int64_t window = least(n, o->max_length);
    const double share = (double)sq_cloze_masked(o->mask_probability, window) / (double)window;
    add(steps, n - window, n, times * (1 - o->mask_last_share) * share);
    add(steps, n - 1, n, times * o->mask_last_share);
}

/* Of a sequence that is `times` in a plan and not cut; of its prefixes one in `prefix_stride` is, or one of all. */
static void expect_uncut(const sq_options *o, int64_t n, double times, double *steps)
{
    if (n < 2) return;
    const int64_t first = n - o->max_length > 1 ? n - o->max_length : 1;
    if (o->objective == SQ_OBJECTIVE_CLOZE) expect_masked(o, n, times, steps);
    else if (o->objective == SQ_OBJECTIVE_PREFIX) add(steps, first, n, times / (double)least(n - first, o->prefix_stride));
    else if (o->length_alpha < 2) expect_some(o, first, n, times, steps);
    else add(steps, first, n, times);
}

void sq_expect_targets(const sq_options *o, int64_t n, double *steps)
{
    const double cut = n < 3 ? 0 : o->random_end;
    expect_uncut(o, n, 1 - cut, steps);
    for (int64_t end = 2; end <= n && cut > 0; end++) expect_uncut(o, end, cut / (double)(n - 1), steps);
}
