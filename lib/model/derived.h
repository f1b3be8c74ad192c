/* model: what stands in a parameter block beside the parameters: constants, and tables made of parameters before a pass. */
#ifndef SQ_DERIVED_H
#define SQ_DERIVED_H
#include "model/parameters.h"
#include "tensor/kernels.h"

/* Makes them of the parameters in w, before a step or a read:
 * - ones and zeros, which norms without gain and bias read;
 * - position = reversed: for the query at i the event at j has p[i - j] in the place of p[0], which every event got at the input,
 *   in keys and values of every block: its tables are (p[c] - p[0]) W;
 * - mixer = spectral: the taps of the filters. */
void sq_derive(const sq_kernels *kernels, const sq_layout *layout, float *w);
/* Takes their gradient to the parameters it comes from and clears it. grads: summed parameter block; transposed: as in network.h. */
void sq_derive_bwd(const sq_kernels *kernels, const sq_layout *layout, const float *w, const float *transposed, float *grads);
#endif
