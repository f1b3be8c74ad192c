/* loss: the table of losses. */
#include "loss/losses.h"

static const sq_loss_kind kinds[] = {
    {.name = "bce", .scores = sq_bce, .several = 1},
    {.name = "softmax", .softmax = 1, .several = 1},
    {.name = "sampled_softmax", .scores = sq_sampled_softmax, .softmax = 1, .several = 1, .lazy = 1},
    {.name = "gbce", .scores = sq_gbce, .several = 1, .lazy = 1},
    {.name = "bpr", .scores = sq_bpr},
    {.name = "bpr_max", .scores = sq_bpr_max, .lazy = 1},
    {.name = "top1_max", .scores = sq_top1_max, .lazy = 1},
    {.name = "sce", .scores = sq_sampled_softmax, .softmax = 1, .lazy = 1, .batch = 1},
};

const sq_loss_kind *sq_loss_kind_at(int64_t index)
{
    return index >= 0 && index < (int64_t)(sizeof kinds / sizeof *kinds) ? &kinds[index] : NULL;
}
