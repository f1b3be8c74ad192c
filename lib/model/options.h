/* model: the option table, the one description of every option. */
#ifndef SQ_OPTIONS_H
#define SQ_OPTIONS_H
#include "base/context.h"
#include "position/scheme.h"

enum { SQ_WIRING_POST_NORM, SQ_WIRING_PRE_NORM, SQ_WIRING_ORIGINAL };
enum { SQ_ACTIVATION_RELU, SQ_ACTIVATION_GELU, SQ_ACTIVATION_SWIGLU };
enum { SQ_ATTENTION_SOFTMAX, SQ_ATTENTION_HSTU };
enum { SQ_CHANNELS_MIXED, SQ_CHANNELS_APART };
enum { SQ_MIXER_ATTENTION, SQ_MIXER_SPECTRAL };
enum { SQ_MASK_CAUSAL, SQ_MASK_BIDIRECTIONAL };
enum { SQ_HEAD_NONE, SQ_HEAD_TRANSFORM };
enum { SQ_POSITION_END, SQ_POSITION_START, SQ_POSITION_NONE, SQ_POSITION_REVERSED };
enum {
    SQ_RELATIVE_NONE,
    SQ_RELATIVE_SHAW,
    SQ_RELATIVE_BIAS,
    SQ_RELATIVE_T5,
    SQ_RELATIVE_ALIBI,
    SQ_RELATIVE_ROTARY
};
enum { SQ_PLACE_INPUT, SQ_PLACE_ATTENTION };
enum { SQ_TIME_NONE, SQ_TIME_BIAS, SQ_TIME_INTERVALS };
enum { SQ_UNIT_WINDOW, SQ_UNIT_SEEN };
enum { SQ_SCORE_DOT, SQ_SCORE_COSINE };
enum { SQ_USER_NONE, SQ_USER_ADDED, SQ_USER_CONCATENATED, SQ_USER_PREFIX };
enum { SQ_INIT_XAVIER, SQ_INIT_NORMAL, SQ_INIT_TRUNCATED_NORMAL };
enum { SQ_GATES_NONE, SQ_GATES_POSITION, SQ_GATES_CONTENT };
enum { SQ_GATES_BY_ARM, SQ_GATES_BY_AR, SQ_GATES_BY_HARD_CONCRETE };
enum { SQ_LENGTH_UNIFORM, SQ_LENGTH_NEWEST };
enum { SQ_OBJECTIVE_NEXT, SQ_OBJECTIVE_CLOZE, SQ_OBJECTIVE_PREFIX };
enum { /* rows of losstable.c */
    SQ_LOSS_BCE,
    SQ_LOSS_SOFTMAX,
    SQ_LOSS_SAMPLED_SOFTMAX,
    SQ_LOSS_GBCE,
    SQ_LOSS_BPR,
    SQ_LOSS_BPR_MAX,
    SQ_LOSS_TOP1_MAX,
    SQ_LOSS_SCE
};
enum { /* rows of sampler.c */
    SQ_SAMPLER_UNIFORM,
    SQ_SAMPLER_POPULARITY,
    SQ_SAMPLER_LOG_UNIFORM,
    SQ_SAMPLER_IN_BATCH,
    SQ_SAMPLER_MIXED,
    SQ_SAMPLER_WEIGHTS,
    SQ_SAMPLER_HOST
};
enum { SQ_EVENT_WEIGHTS_NONE, SQ_EVENT_WEIGHTS_VALUES };
enum { SQ_KNOWN_NONE, SQ_KNOWN_PREDICTED, SQ_KNOWN_SURPRISING };
enum { SQ_TARGETS_JOINT, SQ_TARGETS_SEPARATE };
enum { SQ_SEEN_EXCLUDE_HISTORY, SQ_SEEN_EXCLUDE_TARGET, SQ_SEEN_KEEP };
enum { SQ_SHARE_POSITION, SQ_SHARE_BATCH };
enum { SQ_OPTIMIZER_ADAM, SQ_OPTIMIZER_ADAMW };
enum { SQ_ROWS_AUTO, SQ_ROWS_EXACT, SQ_ROWS_LAZY };
enum { SQ_SCHEDULE_CONSTANT, SQ_SCHEDULE_COSINE, SQ_SCHEDULE_LINEAR };
enum { SQ_DECAYED_ALL, SQ_DECAYED_MATRICES };
enum {
    SQ_METRIC_NDCG,
    SQ_METRIC_HR,
    SQ_METRIC_MRR,
    SQ_METRIC_COVERAGE,
    SQ_METRIC_GINI,
    SQ_METRIC_LOSS,
    SQ_METRIC_ECE,
    SQ_METRIC_ECE_MASS,
    SQ_METRIC_NOVELTY,
    SQ_METRIC_DIVERSITY,
    SQ_METRIC_APART_POPULAR
};
enum { SQ_UNKNOWN_ITEM_ERROR, SQ_UNKNOWN_ITEM_SKIP };
enum { SQ_UNKNOWN_USER_ERROR, SQ_UNKNOWN_USER_DEFAULT };

#define SQ_MOST_DIM 4096    /* of options dim and user_dim */
#define SQ_MOST_OPTIONS 128 /* rows of the table at most */

enum { SQ_SCOPE_MODEL, SQ_SCOPE_TRAINING };
enum { SQ_KIND_INTEGER, SQ_KIND_REAL, SQ_KIND_BOOLEAN, SQ_KIND_CHOICE };

/* Integers, booleans and choices are int64_t, reals double; option_table.c names each field once. */
typedef struct sq_options {
    /* model */
    int64_t dim, blocks, heads, head_dim, ffn_dim, max_length;
    int64_t wiring, attention_output, activation, position, scale_embeddings, tied_output, item_bias, score;
    double temperature, temperature_lowest;
    int64_t temperature_learned;
    double norm_epsilon;
    int64_t mask, embedding_norm, final_norm, head;
    int64_t init;
    double init_std;
    int64_t user_embedding, user_dim;
    int64_t gates, gate_estimator, gate_rank;
    int64_t attention, attention_span, hstu_length, norm_affine, residual_gate, channels;
    int64_t relative, relative_clip, relative_buckets, relative_distance;
    double rotary_base;
    int64_t position_place, time, time_request, time_span, time_unit, calendar;
    int64_t mixer, spectral_window;
    /* training */
    int64_t objective, maskings;
    double mask_probability, mask_last_share;
    int64_t prefix_stride;
    double random_end;
    double length_alpha;
    int64_t length_choice;
    int64_t loss;
    double calibration, label_smoothing, score_penalty;
    int64_t targets, target_form;
    int64_t event_weights, known_items;
    double known_power;
    double position_decay;
    int64_t negatives, negative_sharing, sampler, seen;
    double sampler_alpha, mixed_share;
    int64_t hard_pool, logq;
    int64_t sce_buckets, sce_bucket_outputs, sce_bucket_items, sce_mix;
    double dropout, dropout_embedding, dropout_attention, dropout_ffn, dropout_residual;
    int64_t optimizer, bias_correction, decayed, item_updates;
    double learning_rate, beta1, beta2, epsilon, weight_decay, clip_norm;
    int64_t schedule, warmup_steps, schedule_steps;
    double gate_l0, gate_jacobian;
    int64_t window_step;
    int64_t epochs, batch, accumulate, valid_every, patience, average_epochs;
    int64_t metric_cutoff, metric_kind;
    int64_t seed;
    int64_t unknown_items, unknown_users;
    double user_default_share, sse_item, sse_user;
    int64_t micro_batch;
} sq_options;

struct seqrec_config {
    sq_memory memory;
    sq_options options;
    char preset[32];
};

typedef struct sq_option {
    const char *name;
    int32_t scope, kind;
    size_t field; /* offset in sq_options */
    const char *initial; /* value of preset "sasrec" */
    double lowest, highest;
    const char *choices; /* "a|b|c", value = index */
    const char *since, *help;
} sq_option;

extern const sq_option sq_option_table[];
extern const int32_t sq_option_count;

/* Fills every option with the preset's value. */
int32_t sq_options_preset(sq_options *options, const char *preset, seqrec_error *error);
const char *sq_preset_name(int32_t index);
int32_t sq_options_set(sq_options *options, const char *name, const char *value, seqrec_error *error);
/* Row of `name`, or NULL. */
const sq_option *sq_option_find(const char *name);
/* The same, where an unknown name is E_UNSUPPORTED with the nearest one. */
int32_t sq_option_known(const char *name, const sq_option **out, seqrec_error *error);
/* What others must be for the option to be read, "name=a|b" or "name!=a|b" with " or " between several; NULL: nothing is
 * known to leave it unread. */
const char *sq_option_needs(const char *name);
/* Copies the options of training scope; the others are not written, so that reads of a served model may use them meanwhile. */
void sq_options_take_training(sq_options *to, const sq_options *from);
/* Text of the option's value; returns its length without the terminator (it may be cut to fit). */
size_t sq_option_text(const sq_options *options, const sq_option *option, char *out, size_t out_bytes);
/* Width of the network: dim, and with concatenated users their vector behind it. */
static inline int64_t sq_options_user_dim(const sq_options *options)
{
    return options->user_dim > 0 ? options->user_dim : options->dim;
}
static inline int64_t sq_options_width(const sq_options *options)
{
    return options->dim + (options->user_embedding == SQ_USER_CONCATENATED ? sq_options_user_dim(options) : 0);
}
/* Whether positions are part of the input. */
static inline int sq_options_input_positions(const sq_options *options)
{
    return options->position != SQ_POSITION_NONE && options->position_place == SQ_PLACE_INPUT;
}
/* What attention knows of distances, by options relative and position. */
static inline const sq_scheme *sq_options_scheme(const sq_options *options)
{
    return options->position == SQ_POSITION_REVERSED ? &sq_scheme_reversed : sq_scheme_at(options->relative);
}
/* Width of a head. */
static inline int64_t sq_options_head_dim(const sq_options *options)
{
    return options->head_dim > 0 ? options->head_dim : sq_options_width(options) / options->heads;
}
/* Events of a spectral filter's window; 0: blocks attend. */
static inline int64_t sq_options_window(const sq_options *options)
{
    if (options->mixer != SQ_MIXER_SPECTRAL) return 0;
    return options->spectral_window > 0 ? options->spectral_window : options->max_length;
}
/* Lets a model read histories of max_length events, no fewer than so far, with the parameters that it has: E_UNSUPPORTED where some would be
 * missing. What stood for the old max_length keeps its number; distances beyond the trained ones are read as the farthest of these. */
int32_t sq_options_lengthen(sq_options *options, int64_t max_length, seqrec_error *error);
/* Rules between options, e.g. heads without a head_dim must divide dim. */
int32_t sq_options_check(const sq_options *options, seqrec_error *error);

/* A config with the values of the first preset. */
int32_t sq_config_create(const sq_memory *memory, seqrec_config **out, seqrec_error *error);
void sq_config_release(seqrec_config *config);
int32_t sq_config_preset(seqrec_config *config, const char *preset, seqrec_error *error);
#endif
