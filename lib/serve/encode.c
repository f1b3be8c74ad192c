/* serve: the user vector of one history. */
#include "serve/encode.h"
#include <math.h>
#include <string.h>

sq_encoder sq_encoder_of(const seqrec_model *model, const sq_weights *weights, const sq_catalogue *catalogue)
{
    const sq_dropout none = {.scale = 1};
    sq_encoder encoder = {.embedding = sq_embedding_of(model, weights->at), .catalogue = catalogue};
    encoder.network.kernels = model->kernels;
    encoder.network.layout = &model->layout;
    encoder.network.options = &model->options;
    encoder.network.weights = weights->at;
    encoder.network.gates = weights->gates.z ? &weights->gates : NULL;
    encoder.network.embedding = encoder.network.attention = encoder.network.ffn = none;
    return encoder;
}

int32_t sq_encode_window(const seqrec_model *model, int64_t n)
{
    return n < model->layout.length ? (int32_t)n : model->layout.length;
}

void sq_encode_scratch_take(sq_arena *arena, const seqrec_model *model, int32_t window, sq_encode_scratch *out)
{
    out->rows = SQ_TAKE(arena, const float *, (size_t)window);
    sq_workspace_take(arena, &model->layout, &model->options, window, window, 0, &out->work);
}

/* Cosine: u becomes u / (|u| temperature). */
static void normalise(const sq_network *network, float *u)
{
    const size_t width = (size_t)network->layout->dp;
    const float norm = sqrtf(network->kernels->dot(width, u, u));
    const float factor = norm > 0 ? 1.0f / (norm * (float)network->options->temperature) : 0;
    network->kernels->scale(width, factor, u, u);
}

void sq_encode(const sq_encoder *encoder, const int32_t *slots, int64_t n, sq_encode_scratch *scratch, float *out)
{
    const sq_network *network = &encoder->network;
    const int64_t most = network->layout->length, first = n > most ? n - most : 0;
    const int32_t window = (int32_t)(n - first);
    if (window == 0) {
        memset(out, 0, (size_t)network->layout->dp * sizeof *out);
        return;
    }
    for (int32_t t = 0; t < window; t++) scratch->rows[t] = sq_catalogue_row(encoder->catalogue, slots[first + t]);
    sq_embed_fwd(&encoder->embedding, scratch->rows, window, 0, scratch->work.x[0]);
    sq_network_last(network, window, &scratch->work, out);
    if (network->options->score == SQ_SCORE_COSINE) normalise(network, out);
}
