/* position: a learned bias for each distance, the same for all heads of a block (HSTU, Zhai et al. 2024). */
#include "position/scheme.h"

const sq_scheme sq_scheme_bias = {.name = "bias", .biases = 1, .clips = 1};
