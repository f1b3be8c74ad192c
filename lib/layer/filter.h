/* layer: a learned filter along a sequence, one for each channel, given by its spectrum. */
#ifndef SQ_FILTER_H
#define SQ_FILTER_H
#include "tensor/kernels.h"

/* Most events of a window. */
#define SQ_FILTER_WINDOW 1024

/* y_t = sum_p h_p * x_(t + ahead - p), each channel by itself, p < window, over the events that the sequence has: with ahead = 0
 * the event and the window - 1 before it, with ahead = window / 2 as many to either side. The taps h are the inverse transform of
 * learned complex numbers, h_p = irfft(W) at lag p - ahead: what FMLP-Rec's layer irfft(W rfft(x)) (Zhou et al., WWW 2022) does
 * round a circle as long as the sequence, done in a window that moves along with the event. */
typedef struct sq_filter {
    const sq_kernels *kernels;
    size_t window, ahead;
    size_t width;      /* padded row */
    const float *taps; /* [window][width] */
} sq_filter;

/* Rows `from` .. n - 1 of y [n][width] from x [n][width]. A row's bits depend on its window alone. */
void sq_filter_fwd(const sq_filter *filter, size_t n, size_t from, const float *x, float *y);
/* dx [n][width] +=, dtaps [window][width] += . */
void sq_filter_bwd(const sq_filter *filter, size_t n, const float *x, const float *dy, float *dx, float *dtaps);

/* Frequencies of a window. */
static inline size_t sq_filter_frequencies(size_t window) { return window / 2 + 1; }
/* taps [window][width] of the spectrum W [2 * frequencies][width]: real parts, then imaginary ones. Those of frequency 0 and, in an
 * even window, of the highest one have no imaginary part: it is there and not used. */
void sq_filter_taps_fwd(const sq_kernels *kernels, size_t window, size_t ahead, size_t width, const float *spectrum, float *taps);
/* dspectrum [2 * frequencies][width] += . */
void sq_filter_taps_bwd(const sq_kernels *kernels, size_t window, size_t ahead, size_t width, const float *dtaps,
                        float *dspectrum);
#endif
