/* unit: the network over packed sequences outside a trainer. */
#ifndef NETWORK_PASS_H
#define NETWORK_PASS_H
#include "small_model.h"

/* One pass over the sequences of a batch, all of their events inputs (slot -1: [MASK]); the weights are those of the model. */
typedef struct network_pass {
    const seqrec_model *model;
    sq_network net;
    sq_embedding embedding;
    sq_micro_batch batch;
    sq_arena arena;
    sq_workspace work;
    int32_t starts[65];
    const float *items[4096];
    int64_t times[4096], asks[4096];
    float *transposed, *states, *u, *dx, *grads; /* states, u, dx [tokens][dp]; grads: a parameter block */
} network_pass;

static inline sq_dropout pass_dropout(double p, uint64_t key)
{
    sq_dropout d = {.key = key, .threshold = (uint32_t)(p * 65536.0 + 0.5)};
    d.scale = 65536.0f / (float)(65536 - d.threshold);
    return d;
}

static inline void pass_inputs(network_pass *p, const small_batch *b, int64_t first)
{
    int32_t longest = 0;
    for (int64_t s = 0; s <= b->sequences; s++) p->starts[s] = (int32_t)b->offsets[s];
    for (int64_t s = 0; s < b->sequences; s++)
        longest = p->starts[s + 1] - p->starts[s] > longest ? p->starts[s + 1] - p->starts[s] : longest;
    for (int64_t i = 0; i < b->offsets[b->sequences]; i++)
        p->items[i] = b->slots[i] < 0 ? p->model->current->parts.weights->at + p->model->layout.mask
                                      : sq_catalogue_row(p->model->current->parts.catalogue, b->slots[i]);
    p->batch = (sq_micro_batch){.tokens = p->starts[b->sequences], .sequences = (int32_t)b->sequences, .longest = longest,
                                .starts = p->starts, .first = first, .times = p->times, .asks = p->asks};
    memcpy(p->times, b->times, sizeof p->times);
    memcpy(p->asks, b->asks, sizeof p->asks);
}

/* Token 0 of the batch uses row `first` of the dropout masks. */
static inline network_pass *pass_open(const seqrec_model *model, const small_batch *b, double dropout, int64_t first,
                                      int32_t training)
{
    network_pass *p = calloc(1, sizeof *p);
    const sq_layout *l = &model->layout;
    const sq_memory *memory = &model->context->memory;
    p->model = model;
    pass_inputs(p, b, first);
    sq_workspace_take(&p->arena, l, &model->options, p->batch.tokens, p->batch.longest, training, &p->work);
    EXPECT_OK(sq_arena_reserve(&p->arena, memory, p->arena.peak, error));
    sq_workspace_take(&p->arena, l, &model->options, p->batch.tokens, p->batch.longest, training, &p->work);
    p->batch.newest = training && sq_network_newest(l, &model->options);
    p->transposed = sq_alloc_zero(memory, l->floats, sizeof(float));
    p->grads = sq_alloc_zero(memory, l->floats, sizeof(float));
    p->states = sq_alloc_zero(memory, (size_t)p->batch.tokens * (size_t)l->dp, sizeof(float));
    p->u = sq_alloc_zero(memory, (size_t)p->batch.tokens * (size_t)l->dp, sizeof(float));
    p->dx = sq_alloc_zero(memory, (size_t)p->batch.tokens * (size_t)l->dp, sizeof(float));
    p->net = (sq_network){.kernels = model->kernels, .layout = l, .options = &model->options};
    p->net.weights = model->current->parts.weights->at;
    p->net.transposed = p->transposed;
    p->net.gates = model->current->parts.weights->gates.z ? &model->current->parts.weights->gates : NULL;
    p->net.embedding = pass_dropout(dropout, 11);
    p->net.attention = pass_dropout(dropout, 12);
    p->net.ffn = p->net.ffn_output = pass_dropout(dropout, 13);
    p->net.attention_output = pass_dropout(model->options.dropout_residual >= 0 ? dropout : 0, 14);
    p->embedding = sq_embedding_of(model, p->net.weights);
    p->embedding.dropout = p->net.embedding;
    return p;
}

static inline void pass_embed(network_pass *p)
{
    for (int32_t s = 0; s < p->batch.sequences; s++) {
        p->embedding.dates = p->asks + p->starts[s];
        sq_embedding_saved saved = sq_embedding_saved_at(&p->embedding, &p->work.embedded, p->starts[s]);
        sq_embed_fwd(&p->embedding, p->items + p->starts[s], p->starts[s + 1] - p->starts[s],
                     (uint64_t)(p->batch.first + p->starts[s]), &saved,
                     p->work.x[0] + (size_t)p->starts[s] * p->embedding.width);
    }
}

static inline const float *pass_forward(network_pass *p)
{
    sq_derive(p->net.kernels, &p->model->layout, (float *)p->net.weights);
    pass_embed(p);
    sq_network_fwd(&p->net, &p->batch, &p->work, p->states);
    sq_network_read(&p->net, sq_micro_batch_states(&p->batch), p->states, &p->work, p->u);
    return p->u;
}

/* From dx = gradient of u on entry to that of the sums of item and position vectors; grads starts at zero. */
static inline void pass_backward(network_pass *p)
{
    const sq_layout *l = &p->model->layout;
    sq_network_transpose(p->net.kernels, l, &p->model->options, p->net.weights, p->transposed);
    memset(p->grads, 0, l->floats * sizeof *p->grads);
    float *dstates = malloc((size_t)p->batch.tokens * (size_t)l->dp * sizeof *dstates);
    sq_network_read_bwd(&p->net, sq_micro_batch_states(&p->batch), p->states, &p->work, p->dx, dstates, p->grads);
    memcpy(p->dx, dstates, (size_t)p->batch.tokens * (size_t)l->dp * sizeof *dstates);
    free(dstates);
    sq_network_bwd(&p->net, &p->batch, &p->work, p->dx, p->grads);
    sq_embedding_grads grads = sq_embedding_grads_of(p->model, p->grads);
    for (int32_t s = 0; s < p->batch.sequences; s++) {
        sq_embedding_saved saved = sq_embedding_saved_at(&p->embedding, &p->work.embedded, p->starts[s]);
        p->embedding.dates = p->asks + p->starts[s];
        sq_embed_bwd(&p->embedding, p->starts[s + 1] - p->starts[s], (uint64_t)(p->batch.first + p->starts[s]), &saved,
                     p->dx + (size_t)p->starts[s] * p->embedding.width, &grads);
    }
    sq_derive_bwd(p->net.kernels, l, p->net.weights, p->transposed, p->grads);
    for (int32_t i = 0; l->bidirectional && i < p->batch.tokens; i++)
        if (p->items[i] == p->net.weights + l->mask)
            p->net.kernels->axpy((size_t)l->dp, p->embedding.scale, p->dx + (size_t)i * (size_t)l->dp, p->grads + l->mask);
}

static inline void pass_close(network_pass *p)
{
    const sq_memory *memory = &p->model->context->memory;
    sq_arena_free(&p->arena, memory);
    sq_free(memory, p->transposed);
    sq_free(memory, p->grads);
    sq_free(memory, p->states);
    sq_free(memory, p->u);
    sq_free(memory, p->dx);
    free(p);
}

/* Sequence `index` of a batch by itself. */
static inline small_batch batch_of_one(const small_batch *b, int64_t index)
{
    small_batch one = {.sequences = 1};
    one.offsets[1] = b->offsets[index + 1] - b->offsets[index];
    memcpy(one.slots, b->slots + b->offsets[index], (size_t)one.offsets[1] * sizeof *one.slots);
    memcpy(one.times, b->times + b->offsets[index], (size_t)one.offsets[1] * sizeof *one.times);
    memcpy(one.asks, b->asks + b->offsets[index], (size_t)one.offsets[1] * sizeof *one.asks);
    return one;
}

/* Every parameter gets a value of its own, norm gains around one. */
static inline void small_weights(small_model *s)
{
    const sq_layout *l = &s->model->layout;
    sq_change change = {.parts.weights = sq_weights_create(&s->context->memory, l->floats)};
    ck_assert_ptr_nonnull(change.parts.weights);
    for (int32_t i = 0; i < l->count; i++) {
        const sq_parameter *p = &l->parameters[i];
        double size = p->rank == 2 && !p->table ? 1.5 / sqrt((double)l->d) : 0.3;
        for (int64_t r = 0; r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c++)
                change.parts.weights->at[sq_parameter_index(p, r, c)] =
                    p->start + (float)size * wave((uint64_t)i, r * p->cols + c);
    }
    sq_lock_take(&s->model->writing);
    EXPECT_OK(sq_model_publish(s->model, change, error));
    sq_lock_give(&s->model->writing);
}
#endif
