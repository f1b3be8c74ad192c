/* layer: the filter along a sequence and its taps, forward and backward. */
#include "layer/filter.h"
#include <math.h>
#include <string.h>

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- along the sequence ------------------------------------------------------------------------------------------ */

/* Row t sees rows first .. last = t + ahead at most, the latest of them through the first tap it needs. */
void sq_filter_fwd(const sq_filter *f, size_t n, size_t from, const float *x, float *y)
{
    size_t w = f->width;
    for (size_t t = from; t < n; t++) {
        size_t latest = least(t + f->ahead, n - 1), tap = t + f->ahead - latest, seen = least(f->window - tap, latest + 1);
        memset(y + t * w, 0, w * sizeof *y);
        f->kernels->column_dots(seen, w, f->taps + tap * w, (ptrdiff_t)w, x + latest * w, -(ptrdiff_t)w, y + t * w);
    }
}

/* dx_s = sum_p h_p * dy_(s - ahead + p); dh_p = sum_t dy_t * x_(t + ahead - p). */
void sq_filter_bwd(const sq_filter *f, size_t n, const float *x, const float *dy, float *dx, float *dtaps)
{
    size_t w = f->width;
    for (size_t s = 0; s < n; s++) {
        size_t tap = f->ahead > s ? f->ahead - s : 0, first = s + tap - f->ahead;
        if (first >= n || tap >= f->window) continue;
        f->kernels->column_dots(least(f->window - tap, n - first), w, f->taps + tap * w, (ptrdiff_t)w, dy + first * w,
                                (ptrdiff_t)w, dx + s * w);
    }
    for (size_t p = 0; p < f->window; p++) {
        size_t before = p > f->ahead ? p - f->ahead : 0, behind = f->ahead > p ? f->ahead - p : 0; /* rows apart */
        if (before + behind >= n) continue;
        f->kernels->column_dots(n - before - behind, w, dy + before * w, (ptrdiff_t)w, x + behind * w, (ptrdiff_t)w,
                                dtaps + p * w);
    }
}

/* ---- the taps: h_l = 1 / K sum_f m_f (Re W_f cos(2 pi f l / K) - Im W_f sin(2 pi f l / K)) ------------------------- */

/* cos and -sin of 2 pi j / K, each over K. */
typedef struct circle {
    size_t window, frequencies;
    float cosine[SQ_FILTER_WINDOW], sine[SQ_FILTER_WINDOW];
} circle;

static void draw_circle(circle *c, size_t window)
{
    const double turn = 6.283185307179586476925 / (double)window;
    c->window = window;
    c->frequencies = sq_filter_frequencies(window);
    for (size_t j = 0; j < window; j++) {
        c->cosine[j] = (float)(cos(turn * (double)j) / (double)window);
        c->sine[j] = (float)(-sin(turn * (double)j) / (double)window);
    }
    c->sine[0] = 0;
    if (window % 2 == 0) c->sine[window / 2] = 0;
}

/* What row `part` of the spectrum counts in the tap of a lag, of 0 .. K - 1. All frequencies but 0 and K / 2 stand for two. */
static float share(const circle *c, size_t part, size_t lag)
{
    size_t f = part % c->frequencies, at = f * lag % c->window;
    float twice = f == 0 || 2 * f == c->window ? 1 : 2;
    return twice * (part < c->frequencies ? c->cosine[at] : c->sine[at]);
}

static size_t lag_of(const circle *c, size_t tap, size_t ahead) { return (tap + c->window - ahead) % c->window; }

void sq_filter_taps_fwd(const sq_kernels *k, size_t window, size_t ahead, size_t width, const float *spectrum, float *taps)
{
    circle c;
    float shares[SQ_FILTER_WINDOW + 2];
    const float *rows[SQ_FILTER_WINDOW + 2];
    draw_circle(&c, window);
    size_t parts = 2 * c.frequencies;
    for (size_t i = 0; i < parts; i++) rows[i] = spectrum + i * width;
    memset(taps, 0, window * width * sizeof *taps);
    for (size_t p = 0; p < window; p++) {
        for (size_t i = 0; i < parts; i++) shares[i] = share(&c, i, lag_of(&c, p, ahead));
        k->gather_axpy(parts, width, shares, rows, taps + p * width);
    }
}

void sq_filter_taps_bwd(const sq_kernels *k, size_t window, size_t ahead, size_t width, const float *dtaps, float *dspectrum)
{
    circle c;
    float shares[SQ_FILTER_WINDOW];
    const float *rows[SQ_FILTER_WINDOW];
    draw_circle(&c, window);
    for (size_t p = 0; p < window; p++) rows[p] = dtaps + p * width;
    for (size_t i = 0; i < 2 * c.frequencies; i++) {
        for (size_t p = 0; p < window; p++) shares[p] = share(&c, i, lag_of(&c, p, ahead));
        k->gather_axpy(window, width, shares, rows, dspectrum + i * width);
    }
}
