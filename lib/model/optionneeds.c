/* model: which options are read only where others have some value. */
#include "model/options.h"
#include <string.h>

#define SAMPLED "loss=bce|sampled_softmax|gbce|bpr|bpr_max|top1_max"
#define GATED "gates=position|content"

/* Rows of options; what an option needs is "name=a|b" or "name!=a|b", or several of these with " or " between. */
static const struct {
    const char *name, *needs;
} rows[] = {
    {"relative_buckets", "relative=t5"},
    {"relative_distance", "relative=t5"},
    {"rotary_base", "relative=rotary"},
    {"time_request", "time=bias or calendar=true"},
    {"time_span", "time=intervals"},
    {"temperature", "score=cosine"},
    {"temperature_lowest", "temperature_learned=true"},
    {"init_std", "init=normal or init=truncated_normal or mixer=spectral"},
    {"gate_estimator", GATED},
    {"gate_rank", "gates=content"},
    {"gate_l0", GATED},
    {"mask_probability", "objective=cloze"},
    {"length_choice", "length_alpha!=2"},
    {"calibration", "loss=gbce"},
    {"score_penalty", "loss=bpr_max"},
    {"target_form", "targets!=1"},
    {"known_power", "known_items=predicted|surprising"},
    {"negatives", SAMPLED},
    {"negative_sharing", SAMPLED},
    {"sampler", SAMPLED},
    {"seen", SAMPLED},
    {"sampler_alpha", "sampler=popularity"},
    {"mixed_share", "sampler=mixed"},
    {"sce_buckets", "loss=sce"},
    {"sce_bucket_outputs", "loss=sce"},
    {"sce_bucket_items", "loss=sce"},
    {"sce_mix", "loss=sce"},
    {"decayed", "weight_decay!=0"},
    {"patience", "valid_every!=0"},
    {"metric_cutoff", "metric_kind!=mrr|loss|ece|ece_mass|apart_popular"},
    {"schedule_steps", "schedule=cosine|linear"},
    {"unknown_users", "user_embedding=added|concatenated|prefix"},
    {"user_default_share", "user_embedding=added|concatenated|prefix"},
};

const char *sq_option_needs(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].needs;
    return NULL;
}
