/* model: reading, writing and checking options through the table. */
#include "model/options.h"
#include "attention/gates.h"
#include "base/text.h"
#include "layer/filter.h"
#include "loss/losses.h"
#include "sampler/sampler.h"
#include <stdio.h>
#include <string.h>

const sq_option *sq_option_find(const char *name)
{
    for (int32_t i = 0; i < sq_option_count; i++)
        if (strcmp(name, sq_option_table[i].name) == 0) return &sq_option_table[i];
    return NULL;
}

static int64_t *integer_field(sq_options *options, const sq_option *option)
{
    return (int64_t *)(void *)((char *)options + option->field);
}

static double *real_field(sq_options *options, const sq_option *option)
{
    return (double *)(void *)((char *)options + option->field);
}

static int32_t unknown_option(const char *name, seqrec_error *error)
{
    const char *names[SQ_MOST_OPTIONS];
    for (int32_t i = 0; i < sq_option_count; i++) names[i] = sq_option_table[i].name;
    return sq_fail(error, SEQREC_E_UNSUPPORTED, "there is no option \"%.60s\"; the nearest is \"%s\"", name,
                   sq_nearest_name(name, names, (size_t)sq_option_count));
}

/* Index of `value` among "a|b|c", or -1. */
static int64_t choice_index(const char *choices, const char *value)
{
    size_t length = strlen(value);
    int64_t index = 0;
    for (const char *c = choices;; index++) {
        const char *end = strchr(c, '|');
        size_t n = end ? (size_t)(end - c) : strlen(c);
        if (n == length && memcmp(c, value, n) == 0) return index;
        if (!end) return -1;
        c = end + 1;
    }
}

static int32_t set_choice(int64_t *field, const sq_option *option, const char *value, seqrec_error *error)
{
    int64_t index = choice_index(option->choices, value);
    SQ_CHECK(index >= 0, error, SEQREC_E_UNSUPPORTED, "%s = \"%.60s\" is not one of %s", option->name, value,
             option->choices);
    *field = index;
    return SEQREC_OK;
}

static int32_t set_boolean(int64_t *field, const sq_option *option, const char *value, seqrec_error *error)
{
    int yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    int no = strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
    SQ_CHECK(yes || no, error, SEQREC_E_FORMAT, "%s = \"%.60s\" is neither true nor false", option->name, value);
    *field = yes;
    return SEQREC_OK;
}

static int32_t out_of_bounds(const sq_option *option, const char *value, seqrec_error *error)
{
    char low[SQ_NUMBER_BYTES], high[SQ_NUMBER_BYTES];
    sq_format_double(option->lowest, low);
    sq_format_double(option->highest, high);
    return sq_fail(error, SEQREC_E_RANGE, "%s = %.40s is outside %s .. %s", option->name, value, low, high);
}

static int32_t set_number(sq_options *options, const sq_option *option, const char *value, seqrec_error *error)
{
    int64_t integer = 0;
    double real = 0;
    int whole = option->kind == SQ_KIND_INTEGER;
    int32_t status =
        whole ? sq_parse_int64(value, strlen(value), &integer) : sq_parse_double(value, strlen(value), &real);
    if (status == SEQREC_E_RANGE) return out_of_bounds(option, value, error);
    SQ_CHECK(status == SEQREC_OK, error, SEQREC_E_FORMAT, "%s = \"%.60s\" is not %s", option->name, value,
             whole ? "an integer" : "a number");
    const int inside = whole ? integer >= (int64_t)option->lowest && integer <= (int64_t)option->highest
                             : real >= option->lowest && real <= option->highest;
    if (!inside) return out_of_bounds(option, value, error);
    if (whole)
        *integer_field(options, option) = integer;
    else
        *real_field(options, option) = real;
    return SEQREC_OK;
}

int32_t sq_option_known(const char *name, const sq_option **out, seqrec_error *error)
{
    const sq_option *option = sq_option_find(name);
    if (!option) return unknown_option(name, error);
    *out = option;
    return SEQREC_OK;
}

void sq_options_take_training(sq_options *to, const sq_options *from)
{
    for (int32_t i = 0; i < sq_option_count; i++) {
        const size_t field = sq_option_table[i].field;
        if (sq_option_table[i].scope != SQ_SCOPE_TRAINING) continue;
        memcpy((char *)to + field, (const char *)from + field, sizeof(int64_t)); /* as large as a double */
    }
}

int32_t sq_options_set(sq_options *options, const char *name, const char *value, seqrec_error *error)
{
    const sq_option *option = NULL;
    SQ_TRY(sq_option_known(name, &option, error));
    if (option->kind == SQ_KIND_CHOICE) return set_choice(integer_field(options, option), option, value, error);
    if (option->kind == SQ_KIND_BOOLEAN) return set_boolean(integer_field(options, option), option, value, error);
    return set_number(options, option, value, error);
}

static size_t choice_text(const char *choices, int64_t index, char *out, size_t out_bytes)
{
    for (; index > 0; index--) choices = strchr(choices, '|') + 1;
    const char *end = strchr(choices, '|');
    size_t n = end ? (size_t)(end - choices) : strlen(choices);
    if (out_bytes) {
        size_t copied = n < out_bytes - 1 ? n : out_bytes - 1;
        memcpy(out, choices, copied);
        out[copied] = 0;
    }
    return n;
}

size_t sq_option_text(const sq_options *options, const sq_option *option, char *out, size_t out_bytes)
{
    const char *field = (const char *)options + option->field;
    int64_t integer;
    char number[SQ_NUMBER_BYTES];
    if (option->kind == SQ_KIND_REAL) {
        double real;
        memcpy(&real, field, sizeof real);
        sq_format_double(real, number);
    } else {
        memcpy(&integer, field, sizeof integer);
        if (option->kind == SQ_KIND_CHOICE) return choice_text(option->choices, integer, out, out_bytes);
        if (option->kind == SQ_KIND_BOOLEAN) return choice_text("false|true", integer, out, out_bytes);
        snprintf(number, sizeof number, "%lld", (long long)integer);
    }
    return choice_text(number, 0, out, out_bytes);
}

static int32_t check_temperature(const sq_options *o, seqrec_error *error)
{
    if (!o->temperature_learned) return SEQREC_OK;
    SQ_CHECK(o->score == SQ_SCORE_COSINE, error, SEQREC_E_ARGUMENT,
             "temperature_learned needs score = cosine: an inner product learns its size by itself");
    SQ_CHECK(o->temperature_lowest <= o->temperature, error, SEQREC_E_ARGUMENT,
             "temperature_lowest = %g is above temperature = %g, where learning starts", o->temperature_lowest, o->temperature);
    return SEQREC_OK;
}

static int32_t check_loss(const sq_options *o, seqrec_error *error)
{
    const sq_loss_kind *loss = sq_loss_kind_at(o->loss);
    const sq_sampler_kind *sampler = sq_sampler_kind_at(o->sampler);
    SQ_CHECK(o->targets == 1 || loss->several, error, SEQREC_E_ARGUMENT, "targets = %lld: loss = %s takes one",
             (long long)o->targets, loss->name);
    SQ_CHECK(o->label_smoothing == 0 || (loss->softmax && o->targets == 1), error, SEQREC_E_ARGUMENT,
             "label_smoothing needs a softmax loss with one target, not loss = %s with %lld", loss->name, (long long)o->targets);
    SQ_CHECK(o->logq == SQ_LOGQ_NONE || o->loss == SQ_LOSS_SAMPLED_SOFTMAX, error, SEQREC_E_ARGUMENT,
             "logq corrects loss = sampled_softmax, not %s", loss->name);
    SQ_CHECK(o->logq != SQ_LOGQ_CLASSIC || !sampler->host, error, SEQREC_E_ARGUMENT,
             "logq = classic needs the probabilities of targets, which sampler = %s does not have", sampler->name);
    SQ_CHECK(o->logq == SQ_LOGQ_NONE || o->hard_pool == 0, error, SEQREC_E_ARGUMENT,
             "logq needs the probabilities of the negatives, which hard_pool = %lld does not leave known", (long long)o->hard_pool);
    SQ_CHECK(o->logq == SQ_LOGQ_NONE || o->sse_item == 0 || !(sampler->counts || sampler->from_batch), error, SEQREC_E_ARGUMENT,
             "logq needs targets that sampler = %s draws, and sse_item = %g puts any item in their place", sampler->name, o->sse_item);
    SQ_CHECK(o->hard_pool == 0 || (loss->scores && !loss->batch), error, SEQREC_E_ARGUMENT,
             "hard_pool = %lld chooses among drawn negatives, and loss = %s draws none", (long long)o->hard_pool, loss->name);
    SQ_CHECK(o->hard_pool == 0 || (o->hard_pool >= o->negatives && o->negative_sharing == SQ_SHARE_POSITION), error,
             SEQREC_E_ARGUMENT, "hard_pool = %lld must be 0, or at least negatives = %lld with negative_sharing = position",
             (long long)o->hard_pool, (long long)o->negatives);
    return SEQREC_OK;
}

static int32_t check_score(const sq_options *o, seqrec_error *error)
{
    SQ_CHECK(o->score == SQ_SCORE_DOT || !o->item_bias, error, SEQREC_E_ARGUMENT,
             "item_bias needs score = dot: a bias would be part of the length that score = cosine divides by");
    return check_temperature(o, error);
}

static int32_t check_users(const sq_options *o, seqrec_error *error)
{
    SQ_CHECK(o->user_dim == 0 || o->user_embedding == SQ_USER_CONCATENATED, error, SEQREC_E_ARGUMENT,
             "user_dim = %lld needs user_embedding = concatenated: otherwise a user's vector has dim floats",
             (long long)o->user_dim);
    SQ_CHECK(o->score == SQ_SCORE_DOT || o->user_embedding != SQ_USER_CONCATENATED, error, SEQREC_E_ARGUMENT,
             "score = cosine and user_embedding = concatenated: the user's part would change the length of every item");
    SQ_CHECK(o->sse_user == 0 || o->user_embedding != SQ_USER_NONE, error, SEQREC_E_ARGUMENT,
             "sse_user = %g replaces users, but user_embedding = none has none", o->sse_user);
    return SEQREC_OK;
}

/* One gate for each event and each one up to it: nothing behind it, and no token that is not an event. */
static int32_t check_gates(const sq_options *o, seqrec_error *error)
{
    if (o->gates == SQ_GATES_NONE) return SEQREC_OK;
    SQ_CHECK(o->max_length <= SQ_GATED_LENGTH, error, SEQREC_E_ARGUMENT,
             "gates need max_length of at most %d, not %lld: there is one for each pair of events", SQ_GATED_LENGTH,
             (long long)o->max_length);
    SQ_CHECK(o->gates != SQ_GATES_CONTENT || o->gate_estimator == SQ_GATES_BY_HARD_CONCRETE, error, SEQREC_E_ARGUMENT,
             "gates = content needs gate_estimator = hard_concrete: arm and ar estimate gates whose "
             "parameters do not depend on other gates");
    SQ_CHECK(o->mask == SQ_MASK_CAUSAL, error, SEQREC_E_ARGUMENT,
             "gates need mask = causal, not bidirectional: there is none for an event and a later one");
    SQ_CHECK(o->user_embedding != SQ_USER_PREFIX, error, SEQREC_E_ARGUMENT,
             "gates and user_embedding = prefix: gates stand between events, and the user's token in front of them is none");
    return SEQREC_OK;
}

static int32_t check_span(const sq_options *o, seqrec_error *error)
{
    const long long span = (long long)o->attention_span;
    if (span == 0) return SEQREC_OK;
    SQ_CHECK(o->mask == SQ_MASK_CAUSAL, error, SEQREC_E_ARGUMENT,
             "attention_span = %lld counts back from an event: it needs mask = causal, not bidirectional", span);
    SQ_CHECK(o->gates == SQ_GATES_NONE, error, SEQREC_E_ARGUMENT,
             "attention_span = %lld and gates: gates are learned for every pair of events, also for those beyond the span", span);
    SQ_CHECK(o->mixer == SQ_MIXER_ATTENTION, error, SEQREC_E_ARGUMENT,
             "attention_span = %lld is that of attention; the filters of mixer = spectral have spectral_window", span);
    SQ_CHECK(o->user_embedding != SQ_USER_PREFIX, error, SEQREC_E_ARGUMENT,
             "attention_span = %lld and user_embedding = prefix: events beyond the span would not see their user", span);
    return SEQREC_OK;
}

static int32_t check_relative(const sq_options *o, seqrec_error *error)
{
    const sq_scheme *scheme = sq_options_scheme(o);
    const int reversed = o->position == SQ_POSITION_REVERSED;
    SQ_CHECK(!reversed || o->mask == SQ_MASK_CAUSAL, error, SEQREC_E_ARGUMENT,
             "position = reversed counts back from the newest event that a query sees, which mask = bidirectional does not have");
    SQ_CHECK(o->relative_clip == 0 || scheme->clips, error, SEQREC_E_ARGUMENT,
             "relative_clip = %lld needs relative = shaw or bias or position = reversed: nothing else has a row for each distance",
             (long long)o->relative_clip);
    SQ_CHECK(!reversed || o->relative == SQ_RELATIVE_NONE, error, SEQREC_E_ARGUMENT,
             "position = reversed says all distances already: relative must be none");
    SQ_CHECK(!reversed || (o->attention == SQ_ATTENTION_SOFTMAX && !o->embedding_norm), error, SEQREC_E_ARGUMENT,
             "position = reversed adds to what keys and values are made of, before anything but a matrix: not with %s",
             o->embedding_norm ? "embedding_norm" : "attention = hstu");
    SQ_CHECK(!reversed || o->user_embedding != SQ_USER_PREFIX, error, SEQREC_E_ARGUMENT,
             "position = reversed and user_embedding = prefix: the user's token has no distance to an event");
    SQ_CHECK(!scheme->tables || o->gates == SQ_GATES_NONE, error, SEQREC_E_ARGUMENT,
             "gates go with relative terms of scores, not with those of values, which %s has",
             reversed ? "position = reversed" : "relative = shaw");
    SQ_CHECK(!scheme->rotates || sq_options_head_dim(o) % 2 == 0, error, SEQREC_E_ARGUMENT,
             "relative = rotary turns pairs of columns: the head width %lld must be even", (long long)sq_options_head_dim(o));
    const int64_t buckets = o->mask == SQ_MASK_BIDIRECTIONAL ? o->relative_buckets / 2 : o->relative_buckets;
    SQ_CHECK(!scheme->bucket || o->relative_distance > buckets / 2, error, SEQREC_E_ARGUMENT,
             "relative_distance = %lld must be above the %lld distances that have buckets of their own",
             (long long)o->relative_distance, (long long)(buckets / 2));
    return SEQREC_OK;
}

static int32_t check_time(const sq_options *o, seqrec_error *error)
{
    const int keeps = o->position_place == SQ_PLACE_ATTENTION;
    SQ_CHECK(o->time != SQ_TIME_INTERVALS || !sq_options_scheme(o)->rotates, error, SEQREC_E_ARGUMENT,
             "time = intervals and relative = rotary: a turned query would meet an interval's key by where it stands in the window");
    SQ_CHECK(!keeps || o->position == SQ_POSITION_END || o->position == SQ_POSITION_START, error, SEQREC_E_ARGUMENT,
             "position_place = attention is a place for position = end or start");
    SQ_CHECK(!keeps || o->user_embedding != SQ_USER_PREFIX, error, SEQREC_E_ARGUMENT,
             "position_place = attention and user_embedding = prefix: the user's token has no position");
    SQ_CHECK(o->time != SQ_TIME_INTERVALS || o->gates == SQ_GATES_NONE, error, SEQREC_E_ARGUMENT,
             "gates go with terms of scores, not with those of values, which time = intervals has");
    SQ_CHECK(o->time_unit == SQ_UNIT_WINDOW || (o->time == SQ_TIME_INTERVALS && o->mask == SQ_MASK_CAUSAL), error, SEQREC_E_ARGUMENT,
             "time_unit = seen is of the events up to each: it needs time = intervals and mask = causal");
    SQ_CHECK(o->time != SQ_TIME_INTERVALS || o->user_embedding != SQ_USER_PREFIX, error, SEQREC_E_ARGUMENT,
             "time = intervals and user_embedding = prefix: the user's token has no time");
    return SEQREC_OK;
}

static int32_t check_channels(const sq_options *o, seqrec_error *error)
{
    if (o->channels == SQ_CHANNELS_MIXED) return SEQREC_OK;
    SQ_CHECK(o->attention == SQ_ATTENTION_HSTU, error, SEQREC_E_ARGUMENT, "channels = apart needs attention = hstu");
    SQ_CHECK((o->relative == SQ_RELATIVE_NONE || o->relative == SQ_RELATIVE_BIAS) && o->time != SQ_TIME_INTERVALS &&
                 o->position != SQ_POSITION_REVERSED,
             error, SEQREC_E_ARGUMENT, "channels = apart have the biases of relative = bias and time = bias as weights, no other terms");
    SQ_CHECK(o->relative == SQ_RELATIVE_BIAS || o->time == SQ_TIME_BIAS, error, SEQREC_E_ARGUMENT,
             "channels = apart needs relative = bias or time = bias: there is no channel but that of the contents");
    return SEQREC_OK;
}

static int32_t check_blocks(const sq_options *o, seqrec_error *error)
{
    SQ_CHECK(!o->residual_gate || o->wiring == SQ_WIRING_PRE_NORM, error, SEQREC_E_ARGUMENT,
             "residual_gate needs wiring = pre_norm: it reads the stream that no norm has changed");
    SQ_CHECK(o->attention == SQ_ATTENTION_HSTU || o->hstu_length == 0, error, SEQREC_E_ARGUMENT,
             "hstu_length = %lld needs attention = hstu", (long long)o->hstu_length);
    SQ_TRY(check_channels(o, error));
    if (o->attention == SQ_ATTENTION_SOFTMAX) return SEQREC_OK;
    SQ_CHECK(o->wiring == SQ_WIRING_PRE_NORM && !o->residual_gate, error, SEQREC_E_ARGUMENT,
             "attention = hstu needs wiring = pre_norm without residual_gate: its layer has a norm in front and a gate of its own");
    SQ_CHECK(o->gates == SQ_GATES_NONE, error, SEQREC_E_ARGUMENT,
             "gates multiply probabilities, which attention = hstu does not have");
    SQ_CHECK(o->dropout_attention < 0 && o->dropout_residual < 0, error, SEQREC_E_ARGUMENT,
             "dropout_attention and dropout_residual have no place in attention = hstu: dropout_ffn is that of its gated output");
    SQ_CHECK(o->attention_output, error, SEQREC_E_ARGUMENT, "attention_output = false: attention = hstu has an output layer");
    SQ_CHECK(o->activation == SQ_ACTIVATION_SWIGLU || (o->activation == SQ_ACTIVATION_RELU && o->ffn_dim == 0), error, SEQREC_E_ARGUMENT,
             "ffn_dim and activation are not those of attention = hstu, which has no feed-forward layers, or with activation = swiglu "
             "gated ones");
    return SEQREC_OK;
}

static int32_t check_prefix(const sq_options *o, seqrec_error *error)
{
    if (o->objective != SQ_OBJECTIVE_PREFIX) {
        SQ_CHECK(o->prefix_stride == 1, error, SEQREC_E_ARGUMENT,
                 "prefix_stride = %lld needs objective = prefix: otherwise all targets are learned in one pass",
                 (long long)o->prefix_stride);
        return SEQREC_OK;
    }
    SQ_CHECK(o->user_embedding == SQ_USER_NONE, error, SEQREC_E_ARGUMENT,
             "objective = prefix has no place for users' vectors: user_embedding must be none");
    SQ_CHECK(o->sse_item == 0, error, SEQREC_E_ARGUMENT,
             "sse_item = %g replaces events of a sequence, which objective = prefix has many times", o->sse_item);
    SQ_CHECK(o->targets == 1, error, SEQREC_E_ARGUMENT, "targets = %lld: with objective = prefix a sequence has one target",
             (long long)o->targets);
    return SEQREC_OK;
}

static int32_t check_known(const sq_options *o, seqrec_error *error)
{
    SQ_CHECK(o->known_items == SQ_KNOWN_NONE || o->objective == SQ_OBJECTIVE_NEXT, error, SEQREC_E_ARGUMENT,
             "known_items needs objective = next: with cloze and prefix each known event takes a pass of its own");
    return SEQREC_OK;
}

/* What is left out stands between a kept event and its target. */
static int32_t check_length(const sq_options *o, seqrec_error *error)
{
    if (o->length_alpha >= 2) return SEQREC_OK;
    SQ_CHECK(o->objective == SQ_OBJECTIVE_NEXT, error, SEQREC_E_ARGUMENT,
             "length_alpha = %g leaves out inputs of objective = next; that of other objectives stays whole", o->length_alpha);
    SQ_CHECK(o->targets == 1, error, SEQREC_E_ARGUMENT,
             "length_alpha = %g and targets = %lld: the next kept events are not the next events of the sequence", o->length_alpha,
             (long long)o->targets);
    SQ_CHECK(o->sse_item == 0, error, SEQREC_E_ARGUMENT,
             "length_alpha = %g and sse_item = %g: an event that is replaced must be the target of the one before it",
             o->length_alpha, o->sse_item);
    return SEQREC_OK;
}

/* A filter has no queries, keys and probabilities, and reaches as far as its window. */
static int32_t check_mixer(const sq_options *o, seqrec_error *error)
{
    const int64_t window = sq_options_window(o);
    if (window == 0) {
        SQ_CHECK(o->spectral_window == 0, error, SEQREC_E_ARGUMENT,
                 "spectral_window = %lld is that of mixer = spectral, not of attention", (long long)o->spectral_window);
        return SEQREC_OK;
    }
    SQ_CHECK(window <= SQ_FILTER_WINDOW, error, SEQREC_E_ARGUMENT,
             "spectral_window = 0 stands for max_length = %lld; a filter covers at most %d events", (long long)window,
             SQ_FILTER_WINDOW);
    SQ_CHECK(o->wiring != SQ_WIRING_ORIGINAL, error, SEQREC_E_ARGUMENT,
             "wiring = original normalises queries, which mixer = spectral does not have");
    SQ_CHECK(o->heads == 1 && o->head_dim == 0, error, SEQREC_E_ARGUMENT, "heads = %lld, head_dim = %lld: mixer = spectral has none",
             (long long)o->heads, (long long)o->head_dim);
    SQ_CHECK(o->attention == SQ_ATTENTION_SOFTMAX && o->relative == SQ_RELATIVE_NONE && o->position != SQ_POSITION_REVERSED, error,
             SEQREC_E_ARGUMENT,
             "attention = hstu, relative and position = reversed are ways of attention, which mixer = spectral takes the place of");
    SQ_CHECK(o->time == SQ_TIME_NONE && o->position_place == SQ_PLACE_INPUT, error, SEQREC_E_ARGUMENT,
             "time and position_place = attention are ways of attention, which mixer = spectral takes the place of");
    SQ_CHECK(o->gates == SQ_GATES_NONE, error, SEQREC_E_ARGUMENT,
             "gates are those of attention, which mixer = spectral takes the place of");
    SQ_CHECK(o->attention_output, error, SEQREC_E_ARGUMENT,
             "attention_output = false: mixer = spectral has no output layer of attention to leave out");
    SQ_CHECK(o->dropout_attention < 0, error, SEQREC_E_ARGUMENT,
             "dropout_attention = %g: mixer = spectral has no probabilities; dropout_residual is that of its output",
             o->dropout_attention);
    SQ_CHECK(o->user_embedding != SQ_USER_PREFIX, error, SEQREC_E_ARGUMENT,
             "user_embedding = prefix and mixer = spectral: events beyond the window would not see their user");
    return SEQREC_OK;
}

static int32_t check_heads(const sq_options *o, seqrec_error *error)
{
    const int64_t width = sq_options_width(o), together = o->heads * o->head_dim;
    const char *name = width == o->dim ? "dim" : "dim + user_dim";
    SQ_CHECK(o->head_dim > 0 || width % o->heads == 0, error, SEQREC_E_ARGUMENT, "heads = %lld must divide %s = %lld",
             (long long)o->heads, name, (long long)width);
    SQ_CHECK(o->attention_output || together == 0 || together == width, error, SEQREC_E_ARGUMENT,
             "heads = %lld times head_dim = %lld is not %s = %lld, which it must be with attention_output = false: nothing else makes "
             "one of the other",
             (long long)o->heads, (long long)o->head_dim, name, (long long)width);
    return SEQREC_OK;
}

int32_t sq_options_check(const sq_options *options, seqrec_error *error)
{
    SQ_TRY(check_heads(options, error));
    SQ_TRY(check_users(options, error));
    int32_t both_ways = options->mask == SQ_MASK_BIDIRECTIONAL, cloze = options->objective == SQ_OBJECTIVE_CLOZE;
    SQ_CHECK(both_ways || !cloze, error, SEQREC_E_ARGUMENT,
             "objective = cloze needs mask = bidirectional, not causal: what follows a masked event must be seen");
    SQ_CHECK(cloze || !both_ways, error, SEQREC_E_ARGUMENT,
             "mask = bidirectional needs objective = cloze: otherwise an event would see the one it is to predict");
    SQ_CHECK(options->max_length > 1 || !both_ways, error, SEQREC_E_ARGUMENT,
             "mask = bidirectional needs max_length of at least 2, not %lld: one place is that of [MASK]",
             (long long)options->max_length);
    SQ_CHECK(!cloze || options->user_embedding == SQ_USER_NONE, error, SEQREC_E_ARGUMENT,
             "objective = cloze has no place for users' vectors: user_embedding must be none");
    SQ_CHECK(!cloze || options->sse_item == 0, error, SEQREC_E_ARGUMENT,
             "sse_item = %g replaces events and the targets that follow from them, which objective = cloze does not have",
             options->sse_item);
    SQ_CHECK(cloze || (options->maskings == 1 && options->mask_last_share == 0), error, SEQREC_E_ARGUMENT,
             "maskings = %lld and mask_last_share = %g are those of objective = cloze; otherwise nothing is masked",
             (long long)options->maskings, options->mask_last_share);
    SQ_CHECK(!cloze || options->targets == 1, error, SEQREC_E_ARGUMENT,
             "targets = %lld: with objective = cloze a masked event is its own and only target", (long long)options->targets);
    SQ_CHECK(options->window_step <= options->max_length, error, SEQREC_E_ARGUMENT,
             "window_step = %lld is above max_length = %lld: events between the windows would not be trained on",
             (long long)options->window_step, (long long)options->max_length);
    SQ_CHECK(options->schedule_steps == 0 || options->schedule_steps > options->warmup_steps, error,
             SEQREC_E_ARGUMENT, "schedule_steps must be 0 or above warmup_steps = %lld, not %lld",
             (long long)options->warmup_steps, (long long)options->schedule_steps);
    SQ_TRY(check_gates(options, error));
    SQ_TRY(check_mixer(options, error));
    SQ_TRY(check_span(options, error));
    SQ_TRY(check_relative(options, error));
    SQ_TRY(check_time(options, error));
    SQ_TRY(check_blocks(options, error));
    SQ_TRY(check_prefix(options, error));
    SQ_TRY(check_length(options, error));
    SQ_TRY(check_known(options, error));
    SQ_TRY(check_score(options, error));
    return check_loss(options, error);
}
