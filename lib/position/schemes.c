/* position: the table of schemes by distance. */
#include "position/scheme.h"

static const sq_scheme none = {.name = "none"};

static const sq_scheme *const schemes[] = {&none,         &sq_scheme_shaw,  &sq_scheme_bias,
                                           &sq_scheme_t5, &sq_scheme_alibi, &sq_scheme_rotary};

const sq_scheme *sq_scheme_at(int64_t index)
{
    return index >= 0 && index < (int64_t)(sizeof schemes / sizeof *schemes) ? schemes[index] : NULL;
}
