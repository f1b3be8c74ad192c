/* serve: the user vector of one history. */
#include "serve/encode.h"
#include "tensor/length.h"
#include <string.h>

sq_encoder sq_encoder_of(const seqrec_model *model, const sq_snapshot *snapshot)
{
    const sq_dropout none = {.scale = 1};
    const sq_weights *weights = snapshot->parts.weights;
    sq_encoder encoder = {.embedding = sq_embedding_of(model, weights->at),
                          .catalogue = snapshot->parts.catalogue,
                          .users = snapshot->parts.users};
    encoder.network.kernels = model->kernels;
    encoder.network.layout = &model->layout;
    encoder.network.options = &model->options;
    encoder.network.weights = weights->at;
    encoder.network.relations = weights->relations;
    encoder.network.gates = weights->gates.z ? &weights->gates : NULL;
    encoder.network.embedding = encoder.network.attention = encoder.network.ffn = none;
    encoder.network.attention_output = encoder.network.ffn_output = none;
    return encoder;
}

int32_t sq_encode_window(const seqrec_model *model, int64_t n)
{
    const int64_t tokens = n + model->layout.bidirectional;
    return tokens < model->layout.length ? (int32_t)tokens : model->layout.length;
}

void sq_encode_scratch_take(sq_arena *arena, const seqrec_model *model, int32_t window, sq_encode_scratch *out)
{
    const sq_layout *l = &model->layout;
    const int32_t tokens = window + (model->options.user_embedding == SQ_USER_PREFIX);
    out->rows = SQ_TAKE(arena, const float *, (size_t)window);
    out->times = SQ_TAKE(arena, int64_t, l->dated ? (size_t)tokens : 0);
    out->asks = SQ_TAKE(arena, int64_t, l->dated ? (size_t)tokens : 0);
    out->joined = l->d != l->vd || l->bias ? SQ_TAKE(arena, float, (size_t)l->dp) : NULL;
    sq_workspace_take(arena, l, &model->options, tokens, tokens, 0, &out->work);
}

/* Cosine: u becomes u / (|u| temperature). */
static void normalise(const sq_network *network, float *u)
{
    const size_t width = (size_t)network->layout->vp;
    const float norm = sq_length(network->kernels, width, u);
    const float temperature = sq_temperature(network->layout, network->options, network->weights);
    const float factor = norm > 0 ? 1.0f / (norm * temperature) : 0;
    network->kernels->scale(width, factor, u, u);
}

void sq_encode_finish(const sq_encoder *encoder, const float *state, float *out)
{
    if (state != out) sq_layout_item_part(encoder->network.layout, state, out);
    if (encoder->network.options->score == SQ_SCORE_COSINE) normalise(&encoder->network, out);
}

/* Times of the tokens of the last `events` events: a user's token in front has that of the first, a [MASK] behind that of the
 * request. */
static void put_times(const sq_encoder *encoder, const sq_history *history, int32_t events, sq_encode_scratch *scratch)
{
    const sq_network *network = &encoder->network;
    const int64_t *times = history->times + history->n - events;
    const int32_t first = sq_embed_first(&encoder->embedding), asks = network->layout->bidirectional;
    const int32_t tokens = first + events + asks;
    if (first) scratch->times[0] = times[0];
    memcpy(scratch->times + first, times, (size_t)events * sizeof *times);
    if (asks) scratch->times[first + events] = history->ask;
    memcpy(scratch->asks, scratch->times, (size_t)tokens * sizeof *times);
    if (asks || !network->options->time_request) return;
    memcpy(scratch->asks + first, times + 1, (size_t)(events - 1) * sizeof *times);
    scratch->asks[tokens - 1] = history->ask;
}

void sq_encode(const sq_encoder *encoder, const sq_history *history, sq_encode_scratch *scratch, float *out)
{
    const int32_t *slots = history->slots;
    const int32_t user = history->user;
    const int64_t n = history->n;
    const sq_network *network = &encoder->network;
    sq_embedding embedding = encoder->embedding;
    const int32_t asks = network->layout->bidirectional; /* [MASK] stands where the next event will */
    const int64_t most = network->layout->length - asks, first = n > most ? n - most : 0;
    const int32_t events = (int32_t)(n - first), window = events + asks;
    if (events == 0) {
        memset(out, 0, (size_t)network->layout->vp * sizeof *out);
        return;
    }
    for (int32_t t = 0; t < events; t++) scratch->rows[t] = sq_catalogue_row(encoder->catalogue, slots[first + t]);
    if (asks) scratch->rows[events] = network->weights + network->layout->mask;
    if (embedding.place != SQ_EMBED_PLAIN && user >= 0) embedding.user = sq_catalogue_row(encoder->users, user);
    if (network->layout->dated) put_times(encoder, history, events, scratch);
    embedding.dates = scratch->asks + sq_embed_first(&embedding);
    sq_embed_fwd(&embedding, scratch->rows, window, 0, &scratch->work.embedded, scratch->work.x[0]);
    float *state = scratch->joined ? scratch->joined : out;
    sq_network_last(network, sq_embed_tokens(&embedding, window), scratch->times, scratch->asks, &scratch->work, state);
    sq_encode_finish(encoder, state, out);
}

void sq_encode_each(const sq_encoder *encoder, const sq_history *history, sq_encode_scratch *scratch, float *states, float *out)
{
    const int32_t *slots = history->slots;
    const int32_t n = (int32_t)history->n, user = history->user;
    const sq_network *network = &encoder->network;
    const size_t dp = (size_t)network->layout->dp, vp = (size_t)network->layout->vp;
    sq_embedding embedding = encoder->embedding;
    const int32_t tokens = sq_embed_tokens(&embedding, n), starts[2] = {0, tokens};
    const sq_micro_batch batch = {
        .tokens = tokens, .sequences = 1, .longest = tokens, .starts = starts, .times = scratch->times, .asks = scratch->asks};
    for (int32_t t = 0; t < n; t++) scratch->rows[t] = sq_catalogue_row(encoder->catalogue, slots[t]);
    if (embedding.place != SQ_EMBED_PLAIN && user >= 0) embedding.user = sq_catalogue_row(encoder->users, user);
    if (network->layout->dated) put_times(encoder, history, n, scratch);
    embedding.dates = scratch->asks + sq_embed_first(&embedding);
    sq_embed_fwd(&embedding, scratch->rows, n, 0, &scratch->work.embedded, scratch->work.x[0]);
    sq_network_fwd(network, &batch, &scratch->work, states);
    states += (size_t)sq_embed_first(&embedding) * dp;
    for (int32_t t = 0; t < n; t++, states += dp, out += vp) {
        float *state = scratch->joined ? scratch->joined : out;
        sq_network_read(network, 1, states, &scratch->work, state);
        sq_encode_finish(encoder, state, out);
    }
}
