/* position: vectors added to keys and values by distance, shared by the heads of a block (Shaw, Uszkoreit, Vaswani 2018). */
#include "position/scheme.h"

const sq_scheme sq_scheme_shaw = {.name = "shaw", .tables = 1, .clips = 1};
