/* model: one row per option, and the presets. */
#include "model/options.h"
#include "base/text.h"
#include "layer/filter.h"
#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(sq_options, name)
#define ROW(scope, name, kind, initial, low, high, choices, help)                                                       \
    {#name, scope, kind, FIELD(name), initial, low, high, choices, "0.1.0", help}
#define INTEGER(scope, name, initial, low, high, help) ROW(scope, name, SQ_KIND_INTEGER, initial, low, high, NULL, help)
#define REAL(scope, name, initial, low, high, help) ROW(scope, name, SQ_KIND_REAL, initial, low, high, NULL, help)
#define BOOLEAN(scope, name, initial, help) ROW(scope, name, SQ_KIND_BOOLEAN, initial, 0, 1, NULL, help)
#define CHOICE(scope, name, initial, choices, help) ROW(scope, name, SQ_KIND_CHOICE, initial, 0, 0, choices, help)
#define M SQ_SCOPE_MODEL
#define T SQ_SCOPE_TRAINING

/* The initial values are preset "sasrec": SASRec.pytorch's wiring and recipe (Adam 1e-3, betas .9 and .98, batch 128, one
 * uniform negative). */
const sq_option sq_option_table[] = {
    INTEGER(M, dim, "50", 1, SQ_MOST_DIM, "Width of the model and length of an item vector (d)."),
    INTEGER(M, blocks, "2", 0, 64, "Number of blocks, each of attention (or a filter, see mixer) and a feed-forward layer."),
    INTEGER(M, heads, "1", 1, 64, "Attention heads; must divide dim where head_dim is 0."),
    INTEGER(M, head_dim, "0", 0, 1024, "Width of a head; 0 = dim / heads. Others need attention_output, or heads times it to be dim."),
    INTEGER(M, ffn_dim, "0", 0, 16384, "Width of the feed-forward layer; 0 = dim."),
    INTEGER(M, max_length, "200", 1, 65536,
            "Most recent events of a history that the model sees (L); with mask = bidirectional one fewer, and [MASK] behind them."),
    CHOICE(M, wiring, "post_norm", "post_norm|pre_norm|original",
           "Place of the layer norms: after each residual (SASRec.pytorch), before each sub-layer, or the 2018 paper's: "
           "norm on the query only and residual from the normalised tensor."),
    BOOLEAN(M, attention_output, "true", "Linear projection behind the attention heads."),
    CHOICE(M, activation, "relu", "relu|gelu|swiglu",
           "Activation of the feed-forward layer; swiglu gates it by a third layer, without biases."),
    CHOICE(M, attention, "softmax", "softmax|hstu",
           "Softmax attention and feed-forward layers, or HSTU's layer: pointwise attention whose output is gated, without them but "
           "where activation = swiglu asks for one."),
    CHOICE(M, channels, "mixed", "mixed|apart",
           "With attention = hstu, whether the biases by distance and by time are added to the scores, or are the weights of channels of "
           "their own beside that of the contents (FuXi)."),
    INTEGER(M, attention_span, "0", 0, 65536,
            "Attention sees at most so many of the latest events, itself included (mask = causal); 0 = all of the window. Its cost "
            "grows with max_length times the span, not with the square of max_length."),
    INTEGER(M, hstu_length, "0", 0, 1000000,
            "What attention = hstu divides its scores by, whatever a history's length; 0 = max_length."),
    BOOLEAN(M, residual_gate, "false",
            "Multiply what a sub-layer adds to its residual by a learned gate of that residual (LiGR); needs wiring = pre_norm."),
    BOOLEAN(M, norm_affine, "true", "Layer norms have a gain and a bias; those of attention = hstu never have."),
    CHOICE(M, mask, "causal", "causal|bidirectional",
           "What an event sees in attention: itself and what came before, or its whole sequence."),
    CHOICE(M, position, "end", "end|start|none|reversed",
           "Learned positions counted from the window's end (0 = newest event) or start, none, or for every event of a sequence "
           "counted back from that event as if it were the newest (in keys and values of every block, in one pass; as if each prefix "
           "were a sequence of its own in the first block without pre-norm, a scheme of its own in others)."),
    CHOICE(M, relative, "none", "none|shaw|bias|t5|alibi|rotary",
           "What attention knows of the distance between two events: nothing, vectors added to keys and values (Shaw), a learned "
           "bias by distance (HSTU), by logarithmic bucket and head (T5), a fixed one (ALiBi), or rotated queries and keys."),
    INTEGER(M, relative_clip, "0", 0, 65536,
            "Distances from this on share a row of relative = shaw and bias, and of position = reversed; 0 = every distance has its own."),
    INTEGER(M, relative_buckets, "32", 4, 1024, "Buckets of relative = t5; with mask = bidirectional half of them each way."),
    INTEGER(M, relative_distance, "128", 2, 65536, "Distances from this on share the last bucket of relative = t5."),
    REAL(M, rotary_base, "10000", 1, 1e9, "Base of the wavelengths of relative = rotary."),
    CHOICE(M, position_place, "input", "input|attention",
           "Where learned positions are added: to the input, or to keys and values of every block (TiSASRec)."),
    CHOICE(M, time, "none", "none|bias|intervals",
           "What attention knows of the time between two events: nothing, a learned bias by its logarithm in seconds (HSTU), or "
           "vectors added to keys and values by it as a multiple of the sequence's smallest gap (TiSASRec). Needs timestamps."),
    BOOLEAN(M, time_request, "true",
            "With time = bias and calendar an event stands at the time of the next one, the newest at that of the request (HSTU); false: at "
            "its own time."),
    INTEGER(M, time_span, "256", 1, 65535, "Intervals from this on share the last vector of time = intervals."),
    CHOICE(M, time_unit, "window", "window|seen",
           "What time = intervals counts in: the smallest gap of the window that is not 0, as published, or for each event that of the "
           "events up to it, so that no later event changes what it becomes."),
    BOOLEAN(M, calendar, "false",
            "Learned vectors of the hour, the weekday and the month (UTC) in which an event stands, see time_request, are added to its "
            "input. Needs timestamps."),
    BOOLEAN(M, scale_embeddings, "true", "Multiply item vectors by sqrt(dim) at the input."),
    BOOLEAN(M, embedding_norm, "false", "Layer norm on the input embedding, before its dropout."),
    BOOLEAN(M, final_norm, "true", "Layer norm behind the last block."),
    CHOICE(M, head, "none", "none|transform",
           "What makes the user vector of the network's output: nothing, or BERT's dense layer, GELU and layer norm."),
    BOOLEAN(M, tied_output, "true", "Score with the input item vectors; false gives every item a second, output vector."),
    BOOLEAN(M, item_bias, "false",
            "A learned number for each item that is added to all its scores (BERT4Rec); the last float of its vector, 0 at first. "
            "With score = dot only."),
    CHOICE(M, score, "dot", "dot|cosine", "Score of an item: inner product, or cosine divided by temperature. The cosine with a vector shorter than 1e-12 is 0."),
    REAL(M, temperature, "0.05", 1e-4, 1e4, "Divides cosine scores; where it is learned, its start."),
    BOOLEAN(M, temperature_learned, "false", "Learn the temperature of score = cosine, as the logarithm of its inverse."),
    REAL(M, temperature_lowest, "0.01", 1e-4, 1e4, "A learned temperature is not taken below this."),
    REAL(M, norm_epsilon, "1e-08", 1e-12, 1e-1, "Added to the variance in layer norms."),
    CHOICE(M, init, "xavier", "xavier|normal|truncated_normal",
           "Start of matrices and tables: normal with variance 2 / (rows + columns), or with deviation init_std, or that "
           "with values beyond two deviations drawn again."),
    REAL(M, init_std, "0.02", 1e-6, 10, "Deviation of init = normal and truncated_normal, and of the spectral filters under any."),
    CHOICE(M, user_embedding, "none", "none|added|concatenated|prefix",
           "How a user's own vector enters the model: not at all, added to every event, concatenated to every event's vector "
           "and to the items' at the output (SSE-PT), or as a token in front of the window."),
    INTEGER(M, user_dim, "0", 0, SQ_MOST_DIM,
            "Length of a user's vector with user_embedding = concatenated; 0 = dim, which it is in the other cases."),
    CHOICE(M, gates, "none", "none|position|content",
           "Learned gates on attention probabilities: one for each pair of positions, shared by all histories "
           "(Rec-Denoiser), or of the two events' vectors; need max_length of at most 1024."),
    CHOICE(M, gate_estimator, "arm", "arm|ar|hard_concrete",
           "How gates are learned, and so what their parameters mean: binary by augment-REINFORCE-merge (two forward passes) "
           "or augment-REINFORCE (one), or hard concrete by back-propagation, which gates = content needs."),
    INTEGER(M, gate_rank, "8", 1, 256, "Width of the two projections of gates = content."),
    CHOICE(M, mixer, "attention", "attention|spectral",
           "What mixes the events of a block: self-attention, or a learned filter along the sequence for each channel, given by "
           "its spectrum (FMLP-Rec), which has neither heads nor projections."),
    INTEGER(M, spectral_window, "0", 0, SQ_FILTER_WINDOW,
            "Events that the filter of mixer = spectral covers: an event and those before it, with mask = bidirectional "
            "half of them to either side; 0 = max_length."),

    CHOICE(T, objective, "next", "next|cloze|prefix",
           "What is learned: each event from those before it (mask = causal); masked events from all around them "
           "(mask = bidirectional); or each event from those before it as a sequence of their own, so that positions are "
           "what they are when that event is predicted (time and memory of a batch grow with the square of its windows)."),
    REAL(T, mask_probability, "0.2", 1e-6, 0.999999,
         "Share of a sequence's window that objective = cloze masks: that many events, rounded, at least one."),
    REAL(T, mask_last_share, "0", 0, 1, "Share of the maskings that mask the last event alone, as inference has it."),
    INTEGER(T, maskings, "1", 1, 10000, "Differently masked samples of each sequence in an epoch of objective = cloze."),
    INTEGER(T, prefix_stride, "1", 1, 65536,
            "Every so many-th event is a target of objective = prefix, from one of the newest on, drawn anew each epoch."),
    REAL(T, random_end, "0", 0, 1,
         "Share of the training sequences that end, for one epoch, at an event drawn at random: late positions meet many ends."),
    REAL(T, length_alpha, "2", 1, 2,
         "Stochastic length (HSTU): of a training sequence with more than max_length^(alpha / 2) inputs only so many are kept, in "
         "their order, but with probability max_length^alpha / inputs^2 all; 2 = always all."),
    CHOICE(T, length_choice, "uniform", "uniform|newest", "Which inputs length_alpha keeps: any of them alike, or the latest."),
    CHOICE(T, loss, "bce", "bce|softmax|sampled_softmax|gbce|bpr|bpr_max|top1_max|sce",
           "Binary cross-entropy with sampled negatives; cross-entropy over the whole catalogue, or over the target and "
           "sampled negatives; gSASRec's calibrated binary cross-entropy; a pairwise ranking loss over the negatives; or "
           "scalable cross-entropy, over the target and the items of buckets that outputs and items near to them share."),
    REAL(T, calibration, "0.75", 0, 1, "Calibration t of loss = gbce; 0 is plain bce."),
    REAL(T, label_smoothing, "0", 0, 0.999, "Share of the target's probability spread over all candidates of a softmax loss."),
    REAL(T, score_penalty, "1", 0, 1e6, "Weight of the squared negative scores in loss = bpr_max."),
    INTEGER(T, targets, "1", 1, 64,
            "The next so many events of a sequence are targets of a position together, which weighs what the heaviest of them does; those of "
            "weight 0 are none."),
    CHOICE(T, target_form, "joint", "joint|separate",
           "Several targets of a softmax loss: one logarithm of their summed probability, or a sum of logarithms. Lighter ones count for "
           "less of the sum, in proportion to their weights."),
    CHOICE(T, event_weights, "none", "none|values",
           "Weight of a target in the loss: 1, or the value of its event; a batch of the host may bring weights instead."),
    CHOICE(T, known_items, "none", "none|predicted|surprising",
           "A fit multiplies a target's weight by p^known_power, or by (1 - p)^known_power, p the model's own probability of that "
           "event in a softmax over the items, refreshed at the start of every epoch, without a gradient of its own."),
    REAL(T, known_power, "1", 0, 16, "Exponent of known_items."),
    REAL(T, position_decay, "1", 1e-6, 1, "The target of age a (0 = newest) has its weight multiplied by this to the power a."),
    INTEGER(T, negatives, "1", 1, 65536, "Negatives per target (or per batch when shared)."),
    CHOICE(T, negative_sharing, "position", "position|batch", "Draw negatives for each target, or once for the whole batch."),
    CHOICE(T, sampler, "uniform", "uniform|popularity|log_uniform|in_batch|mixed|weights|host",
           "Distribution of the negatives: all items alike, training counts to the power sampler_alpha, Zipf's law over "
           "items by training count, the targets of the batch, in_batch and uniform mixed, weights that the host set (equal ones of some items: a "
           "fixed list), or what a function of the host brings; the last two are for hosts, not for the program."),
    CHOICE(T, seen, "exclude_history", "exclude_history|exclude_target|keep",
           "What a negative may not be: an item of the sequence, the target, or nothing is excluded."),
    REAL(T, sampler_alpha, "0.75", 0, 4, "Exponent of the training counts for sampler = popularity."),
    REAL(T, mixed_share, "0.5", 0, 1, "Share of in_batch in sampler = mixed."),
    INTEGER(T, hard_pool, "0", 0, 65536,
            "Draw so many negatives for a target and use those `negatives` of them that the model scores highest; 0 = off."),
    CHOICE(T, logq, "none", "none|classic|corrected",
           "Subtract the log of a candidate's expected draws from its score in a sampled softmax: of all candidates, or of "
           "the negatives only, since the target is not drawn."),
    INTEGER(T, sce_buckets, "0", 0, 16384,
            "Buckets of a step with loss = sce; 0 = twice the square root of the batch's targets."),
    INTEGER(T, sce_bucket_outputs, "0", 0, 1048576,
            "Outputs that each bucket of loss = sce takes; 0 = twice the square root of the batch's targets."),
    INTEGER(T, sce_bucket_items, "256", 1, 65536, "Items that each bucket of loss = sce takes, up to the whole catalogue."),
    BOOLEAN(T, sce_mix, "true",
            "Buckets of loss = sce lie in directions that are random mixtures of the batch's outputs, not any random ones."),
    REAL(T, dropout, "0.2", 0, 0.99, "Dropout probability where no place has its own."),
    REAL(T, dropout_embedding, "-1", -1, 0.99, "Dropout on the input embedding; -1 = dropout."),
    REAL(T, dropout_attention, "-1", -1, 0.99, "Dropout on attention probabilities; -1 = dropout."),
    REAL(T, dropout_ffn, "-1", -1, 0.99, "Dropout on both feed-forward layers, and on the gated output of attention = hstu; -1 = dropout."),
    REAL(T, dropout_residual, "-1", -1, 0.99,
         "Dropout on the output of attention and of the feed-forward layer before they are added to what they began from; "
         "-1 = on the latter only, as dropout_ffn. On that of mixer = spectral -1 = dropout."),
    CHOICE(T, optimizer, "adam", "adam|adamw", "Adam with L2 decay in the gradient, or with decoupled decay."),
    BOOLEAN(T, bias_correction, "true", "Adam's correction of the moments for their start at zero."),
    CHOICE(T, decayed, "all", "all|matrices",
           "What weight_decay holds for: all parameters, or matrices and tables only, not biases and norms."),
    CHOICE(T, item_updates, "auto", "auto|exact|lazy",
           "Rows without gradient: exact replays their steps (equals dense Adam bit for bit), lazy leaves them as they "
           "are; auto = exact for bce, bpr and softmax, lazy otherwise."),
    REAL(T, learning_rate, "0.001", 0, 10, "Step size."),
    REAL(T, beta1, "0.9", 0, 0.99999, "Decay of the first moment."),
    REAL(T, beta2, "0.98", 0, 0.99999, "Decay of the second moment."),
    REAL(T, epsilon, "1e-08", 1e-30, 1,
         "Added to the root of the second moment. Below 1e-15 a moment that is gone by underflow leaves steps of learning_rate m / epsilon."),
    REAL(T, weight_decay, "0", 0, 10, "Weight decay."),
    REAL(T, clip_norm, "0", 0, 1e30, "Largest norm of all gradients together; 0 = no clipping."),
    CHOICE(T, schedule, "constant", "constant|cosine|linear",
           "Learning rate after the warm-up: as it is, or to 0 by a cosine or a line."),
    INTEGER(T, warmup_steps, "0", 0, 1e12, "Steps of linear warm-up."),
    INTEGER(T, schedule_steps, "0", 0, 1e12,
            "Step at which schedule = cosine and linear reach 0; 0 = the last step of `epochs` epochs, fixed when a fit begins. A fit may not go beyond it. "
            "Batches that a fit passes over, since no target of them weighs anything, count as steps."),
    REAL(T, gate_l0, "1e-05", 0, 1e6, "Weight of the expected number of open gates in the objective, beside the mean loss of a target."),
    REAL(T, gate_jacobian, "0", 0, 1e6,
         "Weight of the blocks' squared Jacobian norms (sum over blocks, mean over events and width) in the objective, beside the mean loss "
         "of a target, with or without gates; above 0 a step takes twice as long."),
    INTEGER(T, window_step, "0", 0, 65536,
            "A fit trains on the latest window of each sequence (0), or also on those that end so many events earlier, and again "
            "and again until the first begins with the sequence (BERT4Rec); at most max_length."),
    INTEGER(T, epochs, "1000", 1, 1e9, "Most passes over the training data."),
    INTEGER(T, batch, "128", 1, 1048576, "Sequences per step."),
    INTEGER(T, accumulate, "1", 1, 65536,
            "Batches whose gradients make one step together: the host's wait for it, those of a fit are one larger batch."),
    INTEGER(T, valid_every, "10", 0, 1e9, "Epochs between validations; 0 = none, and the last weights (or their mean, see average_epochs) are kept."),
    INTEGER(T, patience, "10", 0, 1e9, "Validations without improvement before training stops; 0 = never."),
    INTEGER(T, average_epochs, "20", 0, 1e6,
            "Validate and keep the running mean of the weights at the ends of about this many epochs; 0 = the weights as "
            "they are."),
    CHOICE(T, metric_kind, "ndcg", "ndcg|hr|mrr|coverage|gini|loss|ece|ece_mass|novelty|diversity|apart_popular",
           "Validation metric (full ranking, history filtered) that early stopping and the kept weights go by: the highest "
           "is the best, of gini, loss (the mean of -log of the next item's probability in a softmax over the items), ece and "
           "ece_mass the lowest. Another one begins the search for the best anew."),
    INTEGER(T, metric_cutoff, "10", 1, 1000000, "Cut-off of the validation metric; mrr, loss, ece, ece_mass and apart_popular have none."),
    INTEGER(T, seed, "42", 0, 9007199254740992.0, "Seed of initialisation, order, negatives and dropout."),
    CHOICE(T, unknown_items, "error", "error|skip", "Item ids of a training batch that the model does not have."),
    CHOICE(T, unknown_users, "error", "error|default",
           "User ids of a training batch that the model does not have: refused, or trained with the default vector."),
    REAL(T, user_default_share, "0.1", 0, 1,
         "Share of training sequences whose user counts as unknown, so that the default vector of unknown users is trained; 0 = it stays zero, unless a fit meets users without a row."),
    REAL(T, sse_item, "0", 0, 1,
         "Stochastic shared embeddings: probability that an event of a training sequence becomes a random item."),
    REAL(T, sse_user, "0", 0, 1, "Probability that the user of a training sequence becomes a random one."),

    INTEGER(T, micro_batch, "512", 32, 65536,
            "Tokens that one worker takes through the network at a time; sums of gradients follow it, so it is part of a run."),
};
_Static_assert(sizeof sq_option_table / sizeof *sq_option_table <= SQ_MOST_OPTIONS, "SQ_MOST_OPTIONS holds the table");
const int32_t sq_option_count = (int32_t)(sizeof sq_option_table / sizeof *sq_option_table);

#undef M
#undef T

static void original(sq_options *o)
{
    o->wiring = SQ_WIRING_ORIGINAL;
    o->attention_output = 0;
}

/* The wiring of the older SASRec.pytorch, on which the published softmax results stand: query normed, residual from it. */
static void softmax(sq_options *o)
{
    o->dim = 64;
    o->loss = SQ_LOSS_SOFTMAX;
    o->wiring = SQ_WIRING_ORIGINAL;
    o->position = SQ_POSITION_START;
    o->init = SQ_INIT_NORMAL;
    o->dropout = 0.1;
    o->beta2 = 0.999;
    o->valid_every = 2;
    o->average_epochs = 10;
}

static void sampled_softmax(sq_options *o)
{
    softmax(o);
    o->loss = SQ_LOSS_SAMPLED_SOFTMAX;
    o->negatives = 256;
    o->seen = SQ_SEEN_EXCLUDE_TARGET;
}

/* "Turning dross into gold loss" (Klenitskiy and Vasilev 2023) on MovieLens: 3,000 negatives, which the program's batch shares where the
 * paper draws them for each sequence. */
static void sampled_3000(sq_options *o)
{
    sampled_softmax(o);
    o->negatives = 3000;
    o->negative_sharing = SQ_SHARE_BATCH;
    o->seen = SQ_SEEN_EXCLUDE_HISTORY;
}

/* For short histories: what successive halving over 27 settings found on Amazon Beauty by validation (docs/RESULTS.md). */
static void beauty(sq_options *o)
{
    sampled_softmax(o);
    o->dim = 128;
    o->blocks = 3;
    o->max_length = 50;
    o->score = SQ_SCORE_COSINE;
    o->negatives = 4096;
    o->negative_sharing = SQ_SHARE_BATCH;
    o->label_smoothing = 0.1;
    o->dropout = 0.548791;
    o->learning_rate = 0.00114296;
}

/* The published setting for MovieLens on top of SASRec's, but for the weight of open gates, beta, which is published as .01 beside a loss that may be
 * a sum over targets: beside our mean over them that weight alone closes all gates, at one rate, whatever they are good for. The usual
 * gate_l0, 1e-5, is by validation on MovieLens-1M the best of 1e-2, 1e-3 and 1e-5 (docs/RESULTS.md). */
static void rec_denoiser(sq_options *o)
{
    o->max_length = 50;
    o->heads = 2;
    o->gates = SQ_GATES_POSITION;
    o->gate_jacobian = 0.001;
}

/* Petrov and Macdonald 2023 on MovieLens-1M: separate output table, positives not excluded. Tables start from Xavier's rule and not from
 * N(0, 1), so that output vectors need not shrink for thousands of steps, and input vectors are scaled up from there. Batches have 32 sequences and
 * not 128, for as many steps in a quarter of the epochs. A plateau at the popularity list comes first, which lasts for ten epochs or
 * more: training ends after 30 validations without a gain, published are 200 times 100 batches. */
static void gsasrec(sq_options *o)
{
    o->dim = 128;
    o->loss = SQ_LOSS_GBCE;
    o->negatives = 256;
    o->seen = SQ_SEEN_KEEP;
    o->wiring = SQ_WIRING_ORIGINAL;
    o->attention_output = 0;
    o->tied_output = 0;
    o->norm_epsilon = 1e-5;
    o->dropout = 0.5;
    o->beta2 = 0.999;
    o->batch = 32;
    o->average_epochs = 10;
    o->valid_every = 2;
    o->patience = 30;
}

/* SSE-PT (Wu et al., RecSys 2020) as its code runs on ml-1m: 50 + 50, L 200, ids kept with probability .08 (users) and .9
 * (items), and every user known: a vector for unknown ones is learned where user_default_share is above 0. */
static void sse_pt(sq_options *o)
{
    original(o);
    o->user_embedding = SQ_USER_CONCATENATED;
    o->sse_user = 0.92;
    o->sse_item = 0.1;
    o->user_default_share = 0;
}

/* BERT4Rec's network and masking as published for MovieLens-1M at width 64 (Sun et al. 2019 and its program: two heads, inner
 * width 4 d, a share of .2 masked, one masking in eleven of the last event alone, dropout .2, start from a truncated normal), with
 * the loss and the bias per item over the whole catalogue. The optimiser is not theirs (Adam without bias correction at
 * 1e-4, 100 steps of warm-up, then a line to 0 over 400,000 steps; options schedule, bias_correction, decayed and clip_norm have
 * it) but that of "Turning dross into gold loss" (2023), Adam at 1e-3 and 200 epochs, with batches of 32 in place of 128: by
 * validation 124 epochs of MovieLens-1M are worth those 200. Without a warm-up any number of epochs will do. */
static void bert4rec(sq_options *o)
{
    o->dim = 64;
    o->heads = 2;
    o->ffn_dim = 256;
    o->mask = SQ_MASK_BIDIRECTIONAL;
    o->activation = SQ_ACTIVATION_GELU;
    o->position = SQ_POSITION_START;
    o->scale_embeddings = 0;
    o->embedding_norm = 1;
    o->final_norm = 0;
    o->head = SQ_HEAD_TRANSFORM;
    o->item_bias = 1;
    o->norm_epsilon = 1e-12;
    o->init = SQ_INIT_TRUNCATED_NORMAL;
    o->objective = SQ_OBJECTIVE_CLOZE;
    o->mask_probability = 0.2;
    o->mask_last_share = 0.09;
    o->loss = SQ_LOSS_SOFTMAX;
    o->dropout_ffn = 0;
    o->dropout_residual = 0.2;
    o->beta2 = 0.999;
    o->batch = 32;
    o->epochs = 200;
    o->valid_every = 2;
    o->average_epochs = 10;
}

/* BERT4Rec with its own optimiser and data: every window at half a window's step, ten maskings of each at random and one of its last event
 * (on average: which are which is drawn). 400,000 steps are 907 epochs of 441 steps of ml-1m; its program trains on the
 * validation event too, which is not done here, and has no early stop; the best of the validated epochs is kept. */
static void bert4rec_original(sq_options *o)
{
    bert4rec(o);
    o->optimizer = SQ_OPTIMIZER_ADAMW;
    o->bias_correction = 0;
    o->epsilon = 1e-6;
    o->weight_decay = 0.01;
    o->decayed = SQ_DECAYED_MATRICES;
    o->clip_norm = 5;
    o->learning_rate = 1e-4;
    o->schedule = SQ_SCHEDULE_LINEAR;
    o->warmup_steps = 100;
    o->batch = 256;
    o->window_step = 100;
    o->maskings = 11;
    o->mask_last_share = 1.0 / 11;
    o->epochs = 907;
    o->patience = 0;
    o->average_epochs = 0;
}

/* eSASRec as its authors run it on ml-1m (RecTools: LiGR blocks with SwiGLU of four times the width, one head, 256 uniform negatives,
 * positions from the newest event). */
static void esasrec(sq_options *o)
{
    sampled_softmax(o);
    o->wiring = SQ_WIRING_PRE_NORM;
    o->residual_gate = 1;
    o->activation = SQ_ACTIVATION_SWIGLU;
    o->ffn_dim = 256;
    o->position = SQ_POSITION_END;
    o->scale_embeddings = 0;
    o->final_norm = 0;
    o->norm_epsilon = 1e-5;
    o->init = SQ_INIT_XAVIER;
    o->dropout_residual = 0.1;
    o->beta2 = 0.98;
}

/* HSTU's published program on ml-1m (Zhai et al. 2024), without its bias by time: width 50, two layers, one head, a bias by
 * distance, N = 211, cosine scores with temperature .05 and 128 uniform negatives, AdamW. Its position table starts at random
 * with deviation 1 / sqrt(dim) and its output matrix by Xavier's rule, ours as everything else. */
static void hstu(sq_options *o)
{
    o->attention = SQ_ATTENTION_HSTU;
    o->hstu_length = 211;
    o->wiring = SQ_WIRING_PRE_NORM;
    o->relative = SQ_RELATIVE_BIAS;
    o->position = SQ_POSITION_START;
    o->norm_affine = 0;
    o->norm_epsilon = 1e-6;
    o->final_norm = 0;
    o->score = SQ_SCORE_COSINE;
    o->init = SQ_INIT_TRUNCATED_NORMAL;
    o->loss = SQ_LOSS_SAMPLED_SOFTMAX;
    o->negatives = 128;
    o->seen = SQ_SEEN_EXCLUDE_TARGET;
    o->optimizer = SQ_OPTIMIZER_ADAMW;
    o->epochs = 101;
    o->valid_every = 2;
    o->average_epochs = 10;
}

/* The same with its bias by time. */
static void hstu_time(sq_options *o)
{
    hstu(o);
    o->time = SQ_TIME_BIAS;
}

/* FuXi (Ye et al. 2025): HSTU's recipe with channels of their own for contents and distance (and for time, where time = bias) and gated
 * feed-forward layers of four times the width. Its norms are HSTU's here. */
static void fuxi(sq_options *o)
{
    hstu(o);
    o->channels = SQ_CHANNELS_APART;
    o->activation = SQ_ACTIVATION_SWIGLU;
    o->ffn_dim = 200;
}

/* TiSASRec's published program (Li, Wang, McAuley 2020): SASRec's with positions and intervals in keys and values, a window of 50 and
 * intervals up to 256 units. Its dropout on the vectors of each pair is none here, nor is its 5e-5 on the squares of all vectors. */
static void tisasrec(sq_options *o)
{
    original(o);
    o->time = SQ_TIME_INTERVALS;
    o->position_place = SQ_PLACE_ATTENTION;
    o->max_length = 50;
}

static const struct {
    const char *name;
    void (*change)(sq_options *options);
} presets[] = {
    {"sasrec", NULL},
    {"sasrec-original", original},
    {"sasrec-softmax", softmax},
    {"sasrec-sampled-softmax", sampled_softmax},
    {"sasrec-sampled-3000", sampled_3000},
    {"sasrec-beauty", beauty},
    {"gsasrec", gsasrec},
    {"sse-pt", sse_pt},
    {"bert4rec", bert4rec},
    {"bert4rec-original", bert4rec_original},
    {"rec-denoiser", rec_denoiser},
    {"esasrec", esasrec},
    {"hstu", hstu},
    {"hstu-time", hstu_time},
    {"fuxi", fuxi},
    {"tisasrec", tisasrec},
};
#define PRESETS ((int32_t)(sizeof presets / sizeof *presets))

const char *sq_preset_name(int32_t index)
{
    return index >= 0 && index < PRESETS ? presets[index].name : NULL;
}

static int32_t unknown_preset(const char *preset, seqrec_error *error)
{
    const char *names[PRESETS];
    for (int32_t i = 0; i < PRESETS; i++) names[i] = presets[i].name;
    return sq_fail(error, SEQREC_E_UNSUPPORTED, "there is no preset \"%.60s\"; the nearest is \"%s\"", preset,
                   sq_nearest_name(preset, names, PRESETS));
}

int32_t sq_options_preset(sq_options *options, const char *preset, seqrec_error *error)
{
    int32_t index = 0;
    while (index < PRESETS && strcmp(preset, presets[index].name) != 0) index++;
    if (index == PRESETS) return unknown_preset(preset, error);
    sq_options made = {0};
    for (int32_t i = 0; i < sq_option_count; i++)
        SQ_TRY(sq_options_set(&made, sq_option_table[i].name, sq_option_table[i].initial, error));
    if (presets[index].change) presets[index].change(&made);
    *options = made;
    return SEQREC_OK;
}
