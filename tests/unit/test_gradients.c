/* unit: every backward pass and gradient of the engine against finite differences, from one table. */
#include "network_pass.h"
#include "run_suite.h"

#define MOST_INPUTS 4
#define STEP 1e-3
#define TOLERANCE 2e-3 /* of the gradient's norm: float32 values, differences of second order */

/* One input of a pair: rows of ld floats, the first d of each true, or those marked in `live`. */
typedef struct input {
    size_t n, ld, d;
    float *x, *g;
    uint8_t *live;
} input;

typedef struct problem {
    const sq_kernels *k;
    int32_t inputs;
    input in[MOST_INPUTS];
    const void *row; /* what the table says about this pair */
    void *state;     /* what the pair keeps */
    float *extra[8]; /* working memory of the pair */
} problem;

static float *zeros(size_t n)
{
    return calloc(n + 256, sizeof(float));
}

static int is_true(const input *in, size_t j)
{
    return in->live ? in->live[j] : j % in->ld < in->d;
}

/* Adds an input with values of size `size`. */
static float *add_input(problem *p, size_t rows, size_t ld, size_t d, float size)
{
    input *in = &p->in[p->inputs];
    *in = (input){.n = rows * ld, .ld = ld, .d = d, .x = zeros(rows * ld), .g = zeros(rows * ld)};
    for (size_t j = 0; j < in->n; j++)
        if (is_true(in, j)) in->x[j] = size * wave((uint64_t)p->inputs + 20, (int64_t)j);
    p->inputs++;
    return in->x;
}

/* The value of a pair whose output is a tensor: its product with a fixed one. */
static float weight_of(int64_t j)
{
    return wave(99, j);
}

static double weighted(size_t rows, size_t ld, size_t d, const float *y)
{
    double sum = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i++) sum += (double)y[r * ld + i] * (double)weight_of((int64_t)(r * d + i));
    return sum;
}

static void cotangent(size_t rows, size_t ld, size_t d, float *dy)
{
    memset(dy, 0, rows * ld * sizeof *dy);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i++) dy[r * ld + i] = weight_of((int64_t)(r * d + i));
}

/* ---- layer norm, activations, dropout ---------------------------------------------------------------------------- */

#define ROWS 9
#define D 50
#define LD 64

static void open_norm(problem *p)
{
    add_input(p, ROWS, LD, D, 1);
    add_input(p, 1, LD, D, 1);
    add_input(p, 1, LD, D, 1);
    for (int i = 0; i < 3; i++) p->extra[i] = zeros(ROWS * LD);
}

static double value_norm(problem *p)
{
    p->k->norm_fwd(ROWS, D, LD, 1e-5f, p->in[0].x, p->in[1].x, p->in[2].x, p->extra[0], p->extra[1], p->extra[2]);
    return weighted(ROWS, LD, D, p->extra[0]);
}

static void gradient_norm(problem *p)
{
    cotangent(ROWS, LD, D, p->in[0].g);
    p->k->norm_bwd(ROWS, D, LD, p->in[0].x, p->in[1].x, p->extra[1], p->extra[2], p->in[0].g, p->in[0].g, 0, p->in[1].g,
                   p->in[2].g);
}

static void open_plain(problem *p)
{
    float *x = add_input(p, ROWS, LD, D, 1);
    for (size_t j = 0; j < ROWS * LD; j++)
        if (x[j] != 0) x[j] += x[j] > 0 ? 0.05f : -0.05f; /* clear of the corner of ReLU */
    p->extra[0] = zeros(ROWS * LD);
}

static double value_gelu(problem *p)
{
    p->k->gelu_fwd(ROWS, LD, LD, p->in[0].x, p->extra[0]);
    return weighted(ROWS, LD, D, p->extra[0]);
}

static void gradient_gelu(problem *p)
{
    cotangent(ROWS, LD, D, p->in[0].g);
    p->k->gelu_bwd(ROWS, LD, LD, p->in[0].x, p->in[0].g);
}

static double value_relu(problem *p)
{
    sq_dropout drop = pass_dropout(0.4, 5);
    memcpy(p->extra[0], p->in[0].x, ROWS * LD * sizeof(float));
    p->k->relu_fwd(ROWS, LD, LD, &drop, 3, p->extra[0]);
    return weighted(ROWS, LD, D, p->extra[0]);
}

static void gradient_relu(problem *p)
{
    sq_dropout drop = pass_dropout(0.4, 5);
    cotangent(ROWS, LD, D, p->in[0].g);
    p->k->relu_bwd(ROWS, LD, LD, &drop, p->extra[0], p->in[0].g);
}

/* ---- embedding --------------------------------------------------------------------------------------------------- */

static int32_t from_end(int32_t t, int32_t n)
{
    return n - 1 - t;
}

/* The norm's gain and bias are rows of input 2. */
static sq_embedding embedding_of(const problem *p)
{
    sq_embedding e = {.kernels = p->k, .scale = 7, .positions = p->in[1].x, .rule = from_end, .d = D, .width = LD};
    e.dropout = pass_dropout(0.3, 8);
    if (p->inputs < 3) return e;
    e.gain = p->in[2].x;
    e.bias = p->in[2].x + LD;
    e.epsilon = 1e-5f;
    return e;
}

static sq_embedding_saved embedding_saved(const problem *p)
{
    return (sq_embedding_saved){p->extra[1], p->extra[2], p->extra[3]};
}

static void open_embedding(problem *p)
{
    add_input(p, ROWS, LD, D, 1);
    add_input(p, ROWS, LD, D, 1);
    for (int i = 0; i < 4; i++) p->extra[i] = zeros(ROWS * LD);
}

static void open_normed_embedding(problem *p)
{
    open_embedding(p);
    add_input(p, 2, LD, D, 1);
}

static double value_embedding(problem *p)
{
    const float *rows[ROWS];
    for (size_t r = 0; r < ROWS; r++) rows[r] = p->in[0].x + r * LD;
    sq_embedding e = embedding_of(p);
    sq_embedding_saved saved = embedding_saved(p);
    sq_embed_fwd(&e, rows, ROWS, 4, &saved, p->extra[0]);
    return weighted(ROWS, LD, D, p->extra[0]);
}

static void gradient_embedding(problem *p)
{
    sq_embedding e = embedding_of(p);
    cotangent(ROWS, LD, D, p->in[0].g);
    sq_embedding_saved saved = embedding_saved(p);
    sq_embedding_grads grads = {.positions = p->in[1].g};
    if (e.gain) grads.gain = p->in[2].g;
    if (e.gain) grads.bias = p->in[2].g + LD;
    sq_embed_bwd(&e, ROWS, 4, &saved, p->in[0].g, &grads);
    p->k->scale(ROWS * LD, e.scale, p->in[0].g, p->in[0].g);
}

/* ---- attention --------------------------------------------------------------------------------------------------- */

#define LENGTH 61
#define HEAD 10
#define PADDED 16
#define GATES_LD 96

typedef struct attention {
    double dropout;
    int32_t bidirectional;
    float pointwise;
    size_t span;
} attention;

static sq_head head_of(const problem *p)
{
    const attention *row = p->row;
    sq_head h = {.length = LENGTH, .width = HEAD, .padded = PADDED, .ld = PADDED, .mask_row = 17};
    h.bidirectional = row->bidirectional;
    h.pointwise = row->pointwise;
    h.span = row->span;
    h.q = p->in[0].x;
    h.k = p->in[1].x;
    h.v = p->in[2].x;
    h.dropout = pass_dropout(row->dropout, 21);
    return h;
}

/* Gates of a window in which the sequence begins at slot 5. */
static sq_gates gates_in(const problem *p)
{
    return (sq_gates){
        .z = p->in[3].x + 5 * GATES_LD + 5, .dz = p->in[3].g + 5 * GATES_LD + 5, .ld = GATES_LD, .first = 5};
}

static void open_attention(problem *p)
{
    for (int i = 0; i < 3; i++) add_input(p, LENGTH, PADDED, HEAD, 1.5f);
    p->extra[0] = zeros(LENGTH * PADDED);
    p->extra[1] = zeros(LENGTH * PADDED);
    p->extra[2] = zeros(sq_head_kept(LENGTH, 1, 0));
    size_t ld = (LENGTH + 15) / 16 * 16;
    sq_head_scratch *s = p->state = calloc(1, sizeof *s);
    *s = (sq_head_scratch){zeros(PADDED * ld),
                           zeros(PADDED * ld),
                           zeros(SQ_ATTENTION_ROWS * ld),
                           zeros(SQ_ATTENTION_ROWS * ld),
                           zeros(SQ_ATTENTION_ROWS * ld),
                           zeros(SQ_ATTENTION_ROWS * ld),
                           {0},
                           NULL,
                           NULL};
}

static double value_attention(problem *p)
{
    sq_head h = head_of(p);
    sq_head_fwd(p->k, &h, 0, p->extra[0], PADDED, p->extra[2], p->state);
    return weighted(LENGTH, PADDED, HEAD, p->extra[0]);
}

static void gradient_attention(problem *p)
{
    sq_head h = head_of(p);
    cotangent(LENGTH, PADDED, HEAD, p->extra[1]);
    sq_head_bwd(p->k, &h, 0, p->extra[0], p->extra[1], PADDED, p->extra[2], p->in[0].g, p->in[1].g, p->in[2].g, p->state);
}

static void open_gated(problem *p)
{
    open_attention(p);
    add_input(p, LENGTH + 6, GATES_LD, GATES_LD, 1);
    p->in[3].live = calloc(p->in[3].n, 1);
    for (size_t i = 5; i < LENGTH + 5; i++)
        for (size_t j = 5; j <= i; j++) p->in[3].live[i * GATES_LD + j] = 1;
}

static double value_gated(problem *p)
{
    sq_head h = head_of(p);
    sq_gates g = gates_in(p);
    h.gates = &g;
    sq_head_fwd(p->k, &h, 0, p->extra[0], PADDED, p->extra[2], p->state);
    return weighted(LENGTH, PADDED, HEAD, p->extra[0]);
}

static void gradient_gated(problem *p)
{
    sq_head h = head_of(p);
    sq_gates g = gates_in(p);
    h.gates = &g;
    cotangent(LENGTH, PADDED, HEAD, p->extra[1]);
    sq_head_bwd(p->k, &h, 0, p->extra[0], p->extra[1], PADDED, p->extra[2], p->in[0].g, p->in[1].g, p->in[2].g, p->state);
}

static void close_attention(problem *p)
{
    sq_head_scratch *s = p->state;
    float *blocks[] = {s->kt, s->vt, s->s, s->p, s->d, s->kept};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    free(s);
}

/* ---- content gates ----------------------------------------------------------------------------------------------- */

#define RANK 6
#define SPARSITY 0.3f

/* Inputs: the two sides of each token, and the common logit. */
static void open_content(problem *p)
{
    add_input(p, LENGTH, 2 * PADDED, RANK, 1);
    p->in[0].live = calloc(p->in[0].n, 1);
    for (size_t j = 0; j < p->in[0].n; j++) {
        p->in[0].live[j] = j % PADDED < RANK;
        p->in[0].x[j] = p->in[0].live[j] ? wave(31, (int64_t)j) : 0;
    }
    add_input(p, 1, 16, 1, 1);
    size_t square = LENGTH * ((LENGTH + 15) / 16 * 16);
    sq_content_scratch *s = p->state = calloc(1, sizeof *s);
    float **blocks[] = {&s->keys, &s->z, &s->phi, &s->slope, &s->dz, &s->u, &s->work};
    for (size_t i = 0; i < 7; i++) *blocks[i] = p->extra[i] = zeros(square);
    s->open = calloc(LENGTH, sizeof *s->open);
}

static sq_content_gates content_of(const problem *p)
{
    return (sq_content_gates){.length = LENGTH,
                              .rank = RANK,
                              .padded = PADDED,
                              .sides = p->in[0].x,
                              .bias = p->in[1].x[0],
                              .drawn = 1,
                              .key = 77,
                              .row = 5};
}

static double value_content(problem *p)
{
    const sq_content_gates g = content_of(p);
    sq_content_scratch *s = p->state;
    const sq_gates gates = sq_content_gates_again(p->k, &g, s);
    double sum = 0;
    for (size_t t = 0; t < LENGTH; t++)
        for (size_t j = 0; j <= t; j++) {
            double open = 1 / (1 + exp(-(double)s->phi[t * gates.ld + j] + 2.0 / 3 * log(0.1 / 1.1)));
            sum += (double)weight_of((int64_t)(t * LENGTH + j)) * (double)gates.z[t * gates.ld + j];
            sum += (double)SPARSITY * open;
        }
    return sum;
}

static void gradient_content(problem *p)
{
    const sq_content_gates g = content_of(p);
    sq_content_scratch *s = p->state;
    const sq_gates gates = sq_content_gates_again(p->k, &g, s);
    for (size_t t = 0; t < LENGTH; t++)
        for (size_t j = 0; j <= t; j++) gates.dz[t * gates.ld + j] = weight_of((int64_t)(t * LENGTH + j));
    sq_content_gates_bwd(p->k, &g, SPARSITY, s, p->in[0].g, p->in[1].g);
}

static void close_content(problem *p)
{
    free(((sq_content_scratch *)p->state)->open);
    free(p->state);
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

typedef struct wiring {
    int64_t wiring, heads, attention_output;
    int64_t mask, embedding_norm, without_final_norm, head, residual;
    int64_t gates;
    double jacobian;
    int64_t relative, clip, position;
    int64_t block; /* 1: HSTU, 2: gated residuals, SwiGLU, 3: norms without parameters, 4: the newest states alone, 5: with gated residuals, 6: HSTU with channels apart, 7: and gated layers */
    int64_t window; /* of a spectral filter */
    int64_t span;   /* of attention */
    int64_t head_dim;
    int64_t time;   /* 1: bias, 2: intervals, 3: and positions beside them */
} wiring;

typedef struct network {
    small_model model;
    network_pass *pass;
} network;

/* Inputs: item vectors (those of the tokens) and the parameter block, in place. */
static void open_network(problem *p)
{
    const wiring *w = p->row;
    sq_options o = small_options("sasrec");
    o.dim = 30;
    o.wiring = w->wiring;
    o.heads = w->heads;
    o.attention_output = w->attention_output;
    o.activation = SQ_ACTIVATION_GELU;
    o.ffn_dim = 44;
    o.norm_epsilon = 1e-5;
    o.gates = w->gates;
    o.gate_estimator = SQ_GATES_BY_HARD_CONCRETE;
    o.gate_jacobian = w->jacobian;
    if (w->block == 1 || w->block == 6) {
        o.activation = SQ_ACTIVATION_RELU;
        o.ffn_dim = 0;
    }
    if (w->block == 1 || w->block >= 6) o.attention = SQ_ATTENTION_HSTU;
    if (w->block >= 6) o.channels = SQ_CHANNELS_APART;
    if (w->block == 7) o.activation = SQ_ACTIVATION_SWIGLU;
    o.residual_gate = w->block == 2 || w->block == 5;
    if (o.residual_gate) o.activation = SQ_ACTIVATION_SWIGLU;
    o.norm_affine = w->block != 3;
    o.relative = w->relative;
    o.relative_buckets = 8;
    o.relative_distance = 20;
    o.position = w->position;
    o.relative_clip = sq_options_scheme(&o)->clips ? w->clip : 0;
    o.mask = w->mask;
    o.objective = w->mask == SQ_MASK_BIDIRECTIONAL ? SQ_OBJECTIVE_CLOZE : SQ_OBJECTIVE_NEXT;
    if (w->block == 4 || w->block == 5) o.objective = SQ_OBJECTIVE_PREFIX;
    o.embedding_norm = w->embedding_norm;
    o.final_norm = !w->without_final_norm;
    o.head = w->head;
    o.dropout_residual = w->residual ? 0.2 : -1;
    small_time(&o, w->time);
    if (w->window) o.mixer = SQ_MIXER_SPECTRAL;
    o.spectral_window = w->window;
    o.attention_span = w->span;
    o.head_dim = w->head_dim;
    network *n = p->state = calloc(1, sizeof *n);
    small_batch b;
    small_draw(&b, 2, 4, 1, 40, 500);
    for (int32_t i = 0; i < b.offsets[b.sequences]; i++) b.slots[i] = i; /* each token has an item of its own */
    n->model = small_open(&o, 0, b.offsets[b.sequences]);
    n->model.model->kernels = p->k;
    small_weights(&n->model);
    n->pass = pass_open(n->model.model, &b, 0.2, 0, 1);
    n->pass->net.draws_gates = 1;
    n->pass->net.gate_key = 31;
    n->pass->net.jacobian = (float)w->jacobian;
    n->pass->net.jacobian_key = 32;
    const sq_layout *l = &n->model.model->layout;
    size_t tokens = (size_t)n->pass->batch.tokens, dp = (size_t)l->dp;
    float *items = add_input(p, tokens, dp, (size_t)l->d, 0.4f);
    p->in[1] = (input){.n = l->floats, .live = calloc(l->floats, 1), .g = zeros(l->floats), .x = zeros(l->floats)};
    memcpy(p->in[1].x, n->pass->net.weights, l->floats * sizeof(float));
    for (int32_t i = 0; i < l->count; i++)
        for (int64_t r = 0; r < l->parameters[i].rows; r++)
            for (int64_t c = 0; c < l->parameters[i].cols; c++)
                p->in[1].live[sq_parameter_index(&l->parameters[i], r, c)] = 1;
    n->pass->net.weights = p->in[1].x;
    if (n->pass->embedding.positions) n->pass->embedding.positions = p->in[1].x + l->position;
    if (n->pass->embedding.calendar) n->pass->embedding.calendar = p->in[1].x + l->calendar;
    if (w->embedding_norm) n->pass->embedding.gain = p->in[1].x + l->embedding_gain;
    if (w->embedding_norm) n->pass->embedding.bias = p->in[1].x + l->embedding_bias;
    for (size_t t = 0; t < tokens; t++)
        n->pass->items[t] = l->bidirectional && t % 3 == 0 ? p->in[1].x + l->mask : items + t * dp;
    p->in[0].live = calloc(tokens * dp, 1);
    for (size_t j = 0; j < tokens * dp; j++)
        p->in[0].live[j] = j % dp < (size_t)l->d && !(l->bidirectional && j / dp % 3 == 0);
    p->inputs = 2;
}

static double value_network(problem *p)
{
    network *n = p->state;
    const sq_layout *l = &n->model.model->layout;
    double jacobian = ((const wiring *)p->row)->jacobian;
    double value = weighted(sq_micro_batch_states(&n->pass->batch), (size_t)l->dp, (size_t)l->d, pass_forward(n->pass));
    if (jacobian > 0) pass_backward(n->pass); /* which computes the term */
    return value + jacobian * n->pass->work.stretch;
}

static void gradient_network(problem *p)
{
    network *n = p->state;
    const sq_layout *l = &n->model.model->layout;
    (void)pass_forward(n->pass); /* the value may have gone back already */
    cotangent(sq_micro_batch_states(&n->pass->batch), (size_t)l->dp, (size_t)l->d, n->pass->dx);
    pass_backward(n->pass);
    p->k->scale(p->in[0].n, n->pass->embedding.scale, n->pass->dx, p->in[0].g);
    for (size_t j = 0; j < p->in[0].n; j++)
        if (!p->in[0].live[j] && j % (size_t)l->dp < (size_t)l->d) p->in[0].g[j] = 0; /* the input there is [MASK] */
    memcpy(p->in[1].g, n->pass->grads, l->floats * sizeof(float));
}

static void close_network(problem *p)
{
    network *n = p->state;
    pass_close(n->pass);
    small_close(&n->model);
    free(n);
}

/* ---- losses ------------------------------------------------------------------------------------------------------ */

#define TOKENS 13
#define NEGATIVES 21
#define NEGATIVES_PADDED 32
#define MOST_TARGETS 3
#define VOCABULARY 40

typedef struct sampled {
    sq_score_loss loss;
    int cosine;
    size_t targets;
    float smoothing;
    int joint, corrects;
} sampled;

static const float quarters[TOKENS] = {0.25f, 0.25f, 0.25f, 0.25f, 0.5f, 0.25f, 0.25f, 0.125f, 0.25f, 0.25f, 0.25f, 0, 0.25f};

/* What several targets count for. */
static const float *shares_of(size_t targets)
{
    static float three[TOKENS * MOST_TARGETS];
    for (size_t i = 0; i < TOKENS * targets; i++) three[i] = i % targets == 0 ? 1 : i % 2 ? 0.3f : 0.75f;
    return targets > 1 ? three : NULL;
}

static int32_t row_of(size_t t, size_t j)
{
    return (int32_t)((t * 7 + j * 3) % VOCABULARY);
}
static int left_out(size_t t, size_t j)
{
    return j > 0 && (t + j) % 5 == 0;
}
static float inverse_norm_of(const problem *p, size_t at)
{
    return ((const sampled *)p->row)->cosine ? 0.5f + 0.1f * (float)(at % 7) : 1.0f;
}

/* Inputs: user vectors and output vectors. */
static void open_sampled(problem *p)
{
    size_t most = TOKENS * (MOST_TARGETS + NEGATIVES);
    add_input(p, TOKENS, LD, D, 0.5f);
    add_input(p, VOCABULARY, LD, D, 0.5f);
    p->extra[0] = zeros(most);
    p->extra[1] = zeros(TOKENS * LD);
    p->extra[2] = zeros(2 * most);
    for (size_t i = 0; i < most; i++) p->extra[2][i] = inverse_norm_of(p, i);
    for (size_t i = 0; i < most; i++) p->extra[2][most + i] = wave(77, (int64_t)i);
    p->extra[7] = zeros(sq_sampled_scratch(MOST_TARGETS, NEGATIVES));
}

static sq_sampled sampled_of(problem *p, const sq_loss_rule *rule, size_t k, const float **rows)
{
    const sampled *kind = p->row;
    size_t candidates = kind->targets + k;
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t j = 0; j < candidates; j++)
            rows[t * candidates + j] = left_out(t, j) ? NULL : p->in[1].x + row_of(t, j) * LD;
    sq_sampled o = {.rule = rule, .loss = kind->loss, .n = TOKENS, .m = kind->targets, .k = k, .width = LD};
    o.weight = quarters;
    o.share = shares_of(kind->targets);
    o.u = p->in[0].x;
    o.rows = rows;
    o.coefficient = p->extra[0];
    o.du = p->extra[1];
    o.inverse_norm = kind->cosine ? p->extra[2] : NULL;
    o.log_expected = kind->corrects ? p->extra[2] + TOKENS * (MOST_TARGETS + NEGATIVES) : NULL;
    o.scratch = p->extra[7];
    return o;
}

static sq_loss_rule rule_of(const problem *p)
{
    const sampled *kind = p->row;
    return (sq_loss_rule){p->k, 0.4, kind->smoothing, 0.7f, kind->joint, kind->corrects, NULL};
}

static double value_sampled(problem *p)
{
    const float *rows[TOKENS * (MOST_TARGETS + NEGATIVES)];
    sq_loss_rule rule = rule_of(p);
    sq_sampled o = sampled_of(p, &rule, NEGATIVES, rows);
    return sq_sampled_loss(&o);
}

/* Each coefficient times the user vector goes to its row. */
static void spread(problem *p, size_t candidates)
{
    memcpy(p->in[0].g, p->extra[1], TOKENS * LD * sizeof(float));
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t j = 0; j < candidates; j++)
            p->k->axpy(LD, p->extra[0][t * candidates + j], p->in[0].x + t * LD, p->in[1].g + row_of(t, j) * LD);
}

static void gradient_sampled(problem *p)
{
    spread(p, ((const sampled *)p->row)->targets + NEGATIVES);
}

/* Shared: the negatives are rows 0 .. NEGATIVES - 1. */
static void open_shared(problem *p)
{
    open_sampled(p);
    p->extra[3] = zeros(NEGATIVES_PADDED * LD);
    p->extra[4] = zeros(NEGATIVES_PADDED * LD);
    p->extra[5] = zeros(NEGATIVES_PADDED * LD);
    p->extra[6] = zeros(TOKENS * NEGATIVES_PADDED);
    p->state = calloc(TOKENS, NEGATIVES_PADDED);
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t j = 0; j < NEGATIVES; j++)
            ((uint8_t *)p->state)[t * NEGATIVES_PADDED + j] = (int32_t)j == row_of(t, 0) || (t + j) % 6 == 0;
}

static double value_shared(problem *p)
{
    const float *rows[TOKENS * MOST_TARGETS];
    sq_loss_rule rule = rule_of(p);
    sq_sampled o = sampled_of(p, &rule, 0, rows);
    memcpy(p->extra[3], p->in[1].x, NEGATIVES * LD * sizeof(float));
    p->k->transpose(NEGATIVES_PADDED, LD, p->extra[3], LD, p->extra[4], NEGATIVES_PADDED);
    memset(p->extra[5], 0, NEGATIVES_PADDED * LD * sizeof(float));
    sq_shared s = {.negatives = p->extra[3], .transposed = p->extra[4], .k = NEGATIVES_PADDED, .live = NEGATIVES};
    s.masked = p->state;
    s.log_expected = o.log_expected;
    s.dnegatives = p->extra[5];
    s.logits = p->extra[6];
    return sq_shared_negatives(&o, &s);
}

static void gradient_shared(problem *p)
{
    spread(p, ((const sampled *)p->row)->targets);
    p->k->add(NEGATIVES * LD, p->extra[5], p->in[1].g);
}

static void close_state(problem *p)
{
    free(p->state);
}

static void open_softmax(problem *p)
{
    size_t items = *(const size_t *)p->row, padded = (items + 63) / 64 * 64;
    add_input(p, TOKENS, LD, D, 0.5f);
    add_input(p, padded, LD, D, 0.5f);
    memset(p->in[1].x + items * LD, 0, (padded - items) * LD * sizeof(float));
    p->in[1].live = calloc(padded * LD, 1);
    for (size_t j = 0; j < items * LD; j++) p->in[1].live[j] = j % LD < D;
    p->extra[0] = zeros(padded * D);
    p->extra[1] = zeros(TOKENS * LD);
    p->extra[2] = zeros(padded * LD);
    size_t targets = *((const size_t *)p->row + 2);
    p->extra[3] = zeros(sq_softmax_scratch(items, LD, targets));
    int32_t *target = p->state = calloc(TOKENS * targets, sizeof *target);
    for (size_t t = 0; t < TOKENS * targets; t++) target[t] = t % 7 == 3 && targets > 1 ? -1 : (int32_t)(t * 977 % items);
}

static double value_softmax(problem *p)
{
    size_t items = *(const size_t *)p->row;
    for (size_t panel = 0; panel * 64 < items; panel++) sq_softmax_panel(p->k, p->in[1].x, LD, D, panel, p->extra[0]);
    memset(p->extra[2], 0, p->in[1].n * sizeof(float));
    sq_softmax o = {.kernels = p->k, .n = TOKENS, .width = LD, .d = D, .items = items, .weight = quarters};
    o.smoothing = *((const size_t *)p->row + 1) ? 0.2f : 0;
    o.u = p->in[0].x;
    o.target = p->state;
    o.rows = p->in[1].x;
    o.panels = p->extra[0];
    o.du = p->extra[1];
    o.drows = p->extra[2];
    o.scratch = p->extra[3];
    o.targets = *((const size_t *)p->row + 2);
    o.joint = *((const size_t *)p->row + 3) > 0;
    o.share = shares_of(o.targets);
    return sq_softmax_loss(&o);
}

static void gradient_softmax(problem *p)
{
    memcpy(p->in[0].g, p->extra[1], p->in[0].n * sizeof(float));
    memcpy(p->in[1].g, p->extra[2], p->in[1].n * sizeof(float));
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const attention plain = {0, 0, 0, 0}, dropped = {0.3, 0, 0, 0}, both_ways = {0, 1, 0, 0}, both_ways_dropped = {0.3, 1, 0, 0},
                       pointwise = {0, 0, 0.05f, 0}, pointwise_both = {0, 1, 0.05f, 0}, spanned = {0.3, 0, 0, 9},
                       pointwise_span = {0, 0, 0.05f, 30};
#define NO_TERMS 0, 0, 0, 0, 0, 0, 0, 0
#define OLD 0, 0, 0, 0, 0, 0, 0, NO_TERMS
static const wiring post_norm = {SQ_WIRING_POST_NORM, 2, 1, OLD}, pre_norm = {SQ_WIRING_PRE_NORM, 3, 1, OLD},
                    original = {SQ_WIRING_ORIGINAL, 2, 0, OLD}, plain_heads = {SQ_WIRING_PRE_NORM, 1, 0, OLD},
                    original_output = {SQ_WIRING_ORIGINAL, 1, 1, OLD};
static const wiring bert = {SQ_WIRING_POST_NORM, 2, 1, SQ_MASK_BIDIRECTIONAL, 1, 1, SQ_HEAD_TRANSFORM, 1, 0, 0, NO_TERMS},
                    bert_pre_norm = {SQ_WIRING_PRE_NORM, 1, 1, SQ_MASK_BIDIRECTIONAL, 1, 0, SQ_HEAD_NONE, 1, 0, 0, NO_TERMS},
                    original_residual = {SQ_WIRING_ORIGINAL, 2, 0, SQ_MASK_CAUSAL, 0, 1, SQ_HEAD_TRANSFORM, 1, 0, 0, NO_TERMS};
#define GATED(gates, jacobian) 0, 0, 0, 0, 0, gates, jacobian, NO_TERMS
static const wiring post_content = {SQ_WIRING_POST_NORM, 2, 1, GATED(SQ_GATES_CONTENT, 0)},
                    pre_content = {SQ_WIRING_PRE_NORM, 3, 1, GATED(SQ_GATES_CONTENT, 0)},
                    original_content = {SQ_WIRING_ORIGINAL, 2, 0, GATED(SQ_GATES_CONTENT, 0)},
                    post_jacobian = {SQ_WIRING_POST_NORM, 2, 1, GATED(SQ_GATES_NONE, 0.02)},
                    pre_jacobian = {SQ_WIRING_PRE_NORM, 3, 1, GATED(SQ_GATES_NONE, 0.02)},
                    original_jacobian = {SQ_WIRING_ORIGINAL, 2, 0, GATED(SQ_GATES_CONTENT, 0.02)},
                    bert_jacobian = {SQ_WIRING_POST_NORM, 2, 1, SQ_MASK_BIDIRECTIONAL, 1, 1, SQ_HEAD_TRANSFORM, 1,
                                     SQ_GATES_NONE, 0.02, NO_TERMS};
#define TERMS(mask, relative, clip, position) mask, 0, 0, 0, 0, 0, 0, relative, clip, position, 0, 0, 0, 0, 0
#define BLOCK(mask, relative, kind, jacobian) mask, 0, 0, 0, 0, 0, jacobian, relative, 0, SQ_POSITION_START, kind, 0, 0, 0, 0
#define TERMS_OF(relative, position, kind) CAUSAL, 0, 0, 0, 0, 0, 0, relative, 0, position, kind, 0, 0, 0, 0
#define SPAN(relative, position, kind, span) CAUSAL, 0, 0, 0, 0, 0, 0, relative, 0, position, kind, 0, span, 0, 0
#define HEADS_OF(mask, relative, position, kind, head_dim) mask, 0, 0, 0, 0, 0, 0, relative, 0, position, kind, 0, 0, head_dim, 0
#define TIMED(mask, relative, kind, time) mask, 0, 0, 0, 0, 0, 0, relative, 5, SQ_POSITION_START, kind, 0, 0, 0, time
#define CAUSAL SQ_MASK_CAUSAL
#define BOTH SQ_MASK_BIDIRECTIONAL
static const wiring
    shaw = {SQ_WIRING_POST_NORM, 2, 1, TERMS(CAUSAL, SQ_RELATIVE_SHAW, 9, SQ_POSITION_END)},
    shaw_all = {SQ_WIRING_PRE_NORM, 3, 0, TERMS(CAUSAL, SQ_RELATIVE_SHAW, 0, SQ_POSITION_END)},
    shaw_both = {SQ_WIRING_ORIGINAL, 2, 1, TERMS(BOTH, SQ_RELATIVE_SHAW, 12, SQ_POSITION_START)},
    bias = {SQ_WIRING_ORIGINAL, 2, 1, TERMS(CAUSAL, SQ_RELATIVE_BIAS, 0, SQ_POSITION_START)},
    bias_both = {SQ_WIRING_POST_NORM, 1, 1, TERMS(BOTH, SQ_RELATIVE_BIAS, 7, SQ_POSITION_END)},
    t5 = {SQ_WIRING_PRE_NORM, 3, 1, TERMS(CAUSAL, SQ_RELATIVE_T5, 0, SQ_POSITION_END)},
    t5_both = {SQ_WIRING_POST_NORM, 2, 1, TERMS(BOTH, SQ_RELATIVE_T5, 0, SQ_POSITION_END)},
    alibi = {SQ_WIRING_POST_NORM, 3, 1, TERMS(CAUSAL, SQ_RELATIVE_ALIBI, 0, SQ_POSITION_END)},
    alibi_both = {SQ_WIRING_PRE_NORM, 2, 1, TERMS(BOTH, SQ_RELATIVE_ALIBI, 0, SQ_POSITION_END)},
    rotary = {SQ_WIRING_POST_NORM, 3, 1, TERMS(CAUSAL, SQ_RELATIVE_ROTARY, 0, SQ_POSITION_END)},
    rotary_both = {SQ_WIRING_ORIGINAL, 1, 0, TERMS(BOTH, SQ_RELATIVE_ROTARY, 0, SQ_POSITION_END)},
    reversed = {SQ_WIRING_POST_NORM, 2, 1, TERMS(CAUSAL, SQ_RELATIVE_NONE, 0, SQ_POSITION_REVERSED)},
    reversed_cut = {SQ_WIRING_POST_NORM, 2, 1, TERMS(CAUSAL, SQ_RELATIVE_NONE, 4, SQ_POSITION_REVERSED)},
    reversed_original = {SQ_WIRING_ORIGINAL, 1, 0, TERMS(CAUSAL, SQ_RELATIVE_NONE, 0, SQ_POSITION_REVERSED)},
    hstu = {SQ_WIRING_PRE_NORM, 1, 1, BLOCK(CAUSAL, SQ_RELATIVE_BIAS, 1, 0)},
    hstu_heads = {SQ_WIRING_PRE_NORM, 3, 1, BLOCK(CAUSAL, SQ_RELATIVE_SHAW, 1, 0)},
    hstu_both = {SQ_WIRING_PRE_NORM, 2, 1, BLOCK(BOTH, SQ_RELATIVE_NONE, 1, 0.02)},
    ligr = {SQ_WIRING_PRE_NORM, 2, 1, BLOCK(CAUSAL, SQ_RELATIVE_NONE, 2, 0)},
    ligr_jacobian = {SQ_WIRING_PRE_NORM, 3, 0, BLOCK(CAUSAL, SQ_RELATIVE_ROTARY, 2, 0.02)},
    bare_post = {SQ_WIRING_POST_NORM, 3, 1, BLOCK(CAUSAL, SQ_RELATIVE_NONE, 3, 0)},
    bare_original = {SQ_WIRING_ORIGINAL, 2, 0, BLOCK(CAUSAL, SQ_RELATIVE_NONE, 3, 0)},
    reversed_pre = {SQ_WIRING_PRE_NORM, 3, 1, TERMS(CAUSAL, SQ_RELATIVE_NONE, 0, SQ_POSITION_REVERSED)};
static const wiring
    newest_post = {SQ_WIRING_POST_NORM, 2, 1, TERMS_OF(SQ_RELATIVE_NONE, SQ_POSITION_END, 4)},
    newest_shaw = {SQ_WIRING_POST_NORM, 3, 1, TERMS_OF(SQ_RELATIVE_SHAW, SQ_POSITION_END, 4)},
    newest_original = {SQ_WIRING_ORIGINAL, 2, 0, TERMS_OF(SQ_RELATIVE_NONE, SQ_POSITION_REVERSED, 4)},
    newest_pre = {SQ_WIRING_PRE_NORM, 3, 1, TERMS_OF(SQ_RELATIVE_ROTARY, SQ_POSITION_START, 4)},
    newest_ligr = {SQ_WIRING_PRE_NORM, 3, 1, TERMS_OF(SQ_RELATIVE_NONE, SQ_POSITION_START, 5)};
static const wiring time_bias = {SQ_WIRING_POST_NORM, 3, 1, TIMED(CAUSAL, SQ_RELATIVE_BIAS, 0, 1)},
                    time_bias_both = {SQ_WIRING_PRE_NORM, 2, 0, TIMED(BOTH, SQ_RELATIVE_NONE, 0, 1)},
                    time_seen = {SQ_WIRING_PRE_NORM, 2, 1, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 5, SQ_POSITION_START, 0, 0, 0, 0, 5},
                    time_span = {SQ_WIRING_POST_NORM, 2, 1, CAUSAL, 0, 0, 0, 0, 0, 0, 0, 5, SQ_POSITION_START, 0, 0, 11, 20, 3},
                    calendar = {SQ_WIRING_POST_NORM, 2, 1, TIMED(CAUSAL, SQ_RELATIVE_NONE, 0, 4)},
                    calendar_both = {SQ_WIRING_PRE_NORM, 2, 1, SQ_MASK_BIDIRECTIONAL, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4},
                    channels = {SQ_WIRING_PRE_NORM, 2, 1, TIMED(CAUSAL, SQ_RELATIVE_BIAS, 6, 1)},
                    channels_both = {SQ_WIRING_PRE_NORM, 3, 1, TIMED(BOTH, SQ_RELATIVE_BIAS, 6, 0)},
                    fuxi = {SQ_WIRING_PRE_NORM, 1, 1, TIMED(CAUSAL, SQ_RELATIVE_BIAS, 7, 1)},
                    fuxi_span = {SQ_WIRING_PRE_NORM, 2, 1, SPAN(SQ_RELATIVE_BIAS, SQ_POSITION_START, 7, 9)},
                    fuxi_jacobian = {SQ_WIRING_PRE_NORM, 2, 1, CAUSAL, 0, 0, 0, 0, 0, 0.02, SQ_RELATIVE_BIAS, 0, SQ_POSITION_START, 7, 0, 0, 11, 1},
                    hstu_layers = {SQ_WIRING_PRE_NORM, 2, 1, TIMED(CAUSAL, SQ_RELATIVE_NONE, 7, 1)},
                    time_hstu = {SQ_WIRING_PRE_NORM, 2, 1, TIMED(CAUSAL, SQ_RELATIVE_BIAS, 1, 1)},
                    intervals = {SQ_WIRING_ORIGINAL, 2, 0, TIMED(CAUSAL, SQ_RELATIVE_NONE, 0, 3)},
                    intervals_both = {SQ_WIRING_POST_NORM, 1, 1, TIMED(BOTH, SQ_RELATIVE_SHAW, 0, 2)};
static const wiring post_filter = {SQ_WIRING_POST_NORM, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0},
                    pre_filter = {SQ_WIRING_PRE_NORM, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0},
                    bert_filter = {SQ_WIRING_POST_NORM, 1, 1, SQ_MASK_BIDIRECTIONAL, 1, 1, SQ_HEAD_TRANSFORM, 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0},
                    pre_filter_both_ways = {SQ_WIRING_PRE_NORM, 1, 1, SQ_MASK_BIDIRECTIONAL, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0},
                    filter_jacobian = {SQ_WIRING_POST_NORM, 1, 1, 0, 0, 0, 0, 0, 0, 0.02, 0, 0, 0, 0, 12, 0, 0, 0};
static const wiring
    wide_heads = {SQ_WIRING_POST_NORM, 3, 1, HEADS_OF(CAUSAL, SQ_RELATIVE_SHAW, SQ_POSITION_END, 0, 20)},
    narrow_heads = {SQ_WIRING_ORIGINAL, 2, 1, HEADS_OF(CAUSAL, SQ_RELATIVE_NONE, SQ_POSITION_REVERSED, 0, 4)},
    wide_heads_both = {SQ_WIRING_PRE_NORM, 2, 1, HEADS_OF(BOTH, SQ_RELATIVE_ROTARY, SQ_POSITION_END, 2, 32)},
    wide_hstu = {SQ_WIRING_PRE_NORM, 3, 1, HEADS_OF(CAUSAL, SQ_RELATIVE_BIAS, SQ_POSITION_START, 1, 16)},
    narrow_hstu = {SQ_WIRING_PRE_NORM, 2, 1, HEADS_OF(CAUSAL, SQ_RELATIVE_SHAW, SQ_POSITION_START, 1, 7)};
static const wiring
    span_plain = {SQ_WIRING_ORIGINAL, 3, 0, SPAN(SQ_RELATIVE_NONE, SQ_POSITION_END, 0, 7)},
    span_shaw = {SQ_WIRING_POST_NORM, 2, 1, SPAN(SQ_RELATIVE_SHAW, SQ_POSITION_END, 0, 10)},
    span_bias = {SQ_WIRING_PRE_NORM, 2, 1, SPAN(SQ_RELATIVE_BIAS, SQ_POSITION_END, 0, 5)},
    span_t5 = {SQ_WIRING_POST_NORM, 3, 1, SPAN(SQ_RELATIVE_T5, SQ_POSITION_END, 0, 17)},
    span_rotary = {SQ_WIRING_POST_NORM, 3, 1, SPAN(SQ_RELATIVE_ROTARY, SQ_POSITION_END, 0, 8)},
    span_reversed = {SQ_WIRING_POST_NORM, 2, 1, SPAN(SQ_RELATIVE_NONE, SQ_POSITION_REVERSED, 0, 11)},
    span_hstu = {SQ_WIRING_PRE_NORM, 3, 1, SPAN(SQ_RELATIVE_SHAW, SQ_POSITION_START, 1, 6)};
static const sampled bce_dot = {sq_bce, 0, 1, 0, 0, 0}, bce_cosine = {sq_bce, 1, 1, 0, 0, 0},
                     bce_several = {sq_bce, 0, 3, 0, 0, 0}, softmax_dot = {sq_sampled_softmax, 0, 1, 0, 0, 0},
                     softmax_cosine = {sq_sampled_softmax, 1, 1, 0, 0, 0},
                     softmax_smooth = {sq_sampled_softmax, 0, 1, 0.2f, 0, 0},
                     softmax_joint = {sq_sampled_softmax, 0, 3, 0, 1, 0},
                     softmax_separate = {sq_sampled_softmax, 1, 3, 0, 0, 0},
                     softmax_classic = {sq_sampled_softmax, 0, 1, 0, 0, SQ_LOGQ_CLASSIC},
                     softmax_corrected = {sq_sampled_softmax, 1, 1, 0, 0, SQ_LOGQ_CORRECTED},
                     gbce = {sq_gbce, 0, 1, 0, 0, 0}, gbce_several = {sq_gbce, 1, 3, 0, 0, 0}, bpr = {sq_bpr, 0, 1, 0, 0, 0},
                     bpr_max = {sq_bpr_max, 0, 1, 0, 0, 0}, top1_max = {sq_top1_max, 1, 1, 0, 0, 0};
static const size_t small_catalogue[] = {75, 0, 1, 0}, blocked_catalogue[] = {5100, 0, 1, 0}, smooth_catalogue[] = {75, 1, 1, 0},
                    smooth_blocks[] = {5100, 1, 1, 0}, several_targets[] = {75, 0, 3, 0}, joint_targets[] = {75, 0, 3, 1},
                    several_blocks[] = {5100, 0, 2, 0};

#define NETWORK(name, row) {name, &row, open_network, value_network, gradient_network, close_network, 0}
#define SAMPLED(name, row)                                                                                             \
    {name, &row, open_sampled, value_sampled, gradient_sampled, NULL, 0},                                              \
        {name ", shared negatives", &row, open_shared, value_shared, gradient_shared, close_state, 0}

static const struct pair {
    const char *name;
    const void *row;
    void (*open)(problem *p);
    double (*value)(problem *p);  /* runs forward */
    void (*gradient)(problem *p); /* fills g from the latest forward pass */
    void (*close)(problem *p);
    double loose; /* times the tolerance; 0 = 1 */
} pairs[] = {
    {"layer norm", NULL, open_norm, value_norm, gradient_norm, NULL, 0},
    {"gelu", NULL, open_plain, value_gelu, gradient_gelu, NULL, 0},
    {"relu with dropout", NULL, open_plain, value_relu, gradient_relu, NULL, 0},
    {"embedding with dropout", NULL, open_embedding, value_embedding, gradient_embedding, NULL, 0},
    {"embedding with norm and dropout", NULL, open_normed_embedding, value_embedding, gradient_embedding, NULL, 0},
    {"attention", &plain, open_attention, value_attention, gradient_attention, close_attention, 0},
    {"attention with dropout", &dropped, open_attention, value_attention, gradient_attention, close_attention, 0},
    {"attention both ways", &both_ways, open_attention, value_attention, gradient_attention, close_attention, 0},
    {"attention both ways with dropout", &both_ways_dropped, open_attention, value_attention, gradient_attention,
     close_attention, 0},
    {"pointwise attention", &pointwise, open_attention, value_attention, gradient_attention, close_attention, 0},
    {"pointwise attention both ways", &pointwise_both, open_attention, value_attention, gradient_attention, close_attention, 0},
    {"attention with dropout and a span", &spanned, open_attention, value_attention, gradient_attention, close_attention, 0},
    {"pointwise attention with a span", &pointwise_span, open_attention, value_attention, gradient_attention, close_attention, 0},
    {"attention with gates", &plain, open_gated, value_gated, gradient_gated, close_attention, 0},
    {"attention with gates and dropout", &dropped, open_gated, value_gated, gradient_gated, close_attention, 0},
    {"content gates with their sparsity", NULL, open_content, value_content, gradient_content, close_content, 2},
    {"post-norm network, content gates", &post_content, open_network, value_network, gradient_network, close_network,
     0},
    {"pre-norm network, content gates", &pre_content, open_network, value_network, gradient_network, close_network, 0},
    {"original network, content gates", &original_content, open_network, value_network, gradient_network, close_network,
     0},
    {"post-norm network, Jacobian term", &post_jacobian, open_network, value_network, gradient_network, close_network,
     0},
    {"pre-norm network, Jacobian term", &pre_jacobian, open_network, value_network, gradient_network, close_network, 0},
    /* the term multiplies what the corners of hard concrete gates do to a difference */
    {"original network, Jacobian term and content gates", &original_jacobian, open_network, value_network,
     gradient_network, close_network, 20},
    {"bert network, Jacobian term", &bert_jacobian, open_network, value_network, gradient_network, close_network, 0},
    {"post-norm network", &post_norm, open_network, value_network, gradient_network, close_network, 0},
    {"pre-norm network", &pre_norm, open_network, value_network, gradient_network, close_network, 0},
    {"original network", &original, open_network, value_network, gradient_network, close_network, 0},
    {"network without output projection", &plain_heads, open_network, value_network, gradient_network, close_network, 0},
    {"original network with projection", &original_output, open_network, value_network, gradient_network,
     close_network, 0},
    {"bert network", &bert, open_network, value_network, gradient_network, close_network, 0},
    {"pre-norm bert network", &bert_pre_norm, open_network, value_network, gradient_network, close_network, 0},
    {"original network with a head", &original_residual, open_network, value_network, gradient_network, close_network, 0},
    NETWORK("Shaw, clipped", shaw),
    NETWORK("Shaw, every distance", shaw_all),
    NETWORK("Shaw both ways", shaw_both),
    NETWORK("bias by distance", bias),
    NETWORK("bias by distance both ways", bias_both),
    NETWORK("bias by time", time_bias),
    NETWORK("bias by time both ways", time_bias_both),
    NETWORK("intervals within a span, wide heads", time_span),
    NETWORK("intervals in a unit of each event", time_seen),
    NETWORK("HSTU with time", time_hstu),
    NETWORK("intervals with positions", intervals),
    NETWORK("intervals both ways, with Shaw", intervals_both),
    NETWORK("T5", t5),
    NETWORK("T5 both ways", t5_both),
    NETWORK("ALiBi", alibi),
    NETWORK("ALiBi both ways", alibi_both),
    NETWORK("rotary", rotary),
    NETWORK("rotary both ways", rotary_both),
    NETWORK("reversed, post-norm", reversed),
    NETWORK("reversed, cut", reversed_cut),
    NETWORK("reversed, original", reversed_original),
    NETWORK("reversed, pre-norm", reversed_pre),
    NETWORK("HSTU", hstu),
    NETWORK("HSTU with heads and Shaw's terms", hstu_heads),
    NETWORK("HSTU both ways, Jacobian term", hstu_both),
    NETWORK("gated residuals, SwiGLU", ligr),
    NETWORK("gated residuals, SwiGLU, Jacobian term", ligr_jacobian),
    NETWORK("post-norm, norms without parameters", bare_post),
    NETWORK("original, norms without parameters", bare_original),
    NETWORK("wide heads, Shaw", wide_heads),
    NETWORK("narrow heads, reversed", narrow_heads),
    NETWORK("wide heads both ways, gated residuals", wide_heads_both),
    NETWORK("HSTU with wide heads", wide_hstu),
    NETWORK("HSTU with narrow heads", narrow_hstu),
    NETWORK("original, a span", span_plain),
    NETWORK("Shaw, a span", span_shaw),
    NETWORK("bias by distance, a span", span_bias),
    NETWORK("T5, a span", span_t5),
    NETWORK("rotary, a span", span_rotary),
    NETWORK("reversed, a span", span_reversed),
    NETWORK("HSTU with heads and Shaw's terms, a span", span_hstu),
    {"post-norm network of filters", &post_filter, open_network, value_network, gradient_network, close_network, 0},
    {"pre-norm network of filters", &pre_filter, open_network, value_network, gradient_network, close_network, 0},
    {"bert network of filters", &bert_filter, open_network, value_network, gradient_network, close_network, 0},
    {"pre-norm network of filters both ways", &pre_filter_both_ways, open_network, value_network, gradient_network,
     close_network, 0},
    NETWORK("newest states, post-norm network", newest_post),
    NETWORK("newest states, Shaw", newest_shaw),
    NETWORK("HSTU, channels apart", channels),
    NETWORK("HSTU, channels apart, both ways", channels_both),
    NETWORK("FuXi", fuxi),
    NETWORK("FuXi, span", fuxi_span),
    NETWORK("FuXi, Jacobian term, width of heads", fuxi_jacobian),
    NETWORK("FuXi by time alone", hstu_layers),
    NETWORK("network with a calendar", calendar),
    NETWORK("network with a calendar, both ways", calendar_both),
    NETWORK("newest states, original network, reversed positions", newest_original),
    NETWORK("newest states, pre-norm network, rotary", newest_pre),
    NETWORK("newest states, gated residuals", newest_ligr),
    {"network of filters, Jacobian term", &filter_jacobian, open_network, value_network, gradient_network, close_network,
     0},
    SAMPLED("bce", bce_dot),
    SAMPLED("bce, cosine", bce_cosine),
    SAMPLED("bce, several targets", bce_several),
    SAMPLED("gbce", gbce),
    SAMPLED("gbce, several targets, cosine", gbce_several),
    SAMPLED("bpr", bpr),
    SAMPLED("bpr_max", bpr_max),
    SAMPLED("top1_max, cosine", top1_max),
    SAMPLED("sampled softmax", softmax_dot),
    SAMPLED("sampled softmax, cosine", softmax_cosine),
    SAMPLED("sampled softmax, label smoothing", softmax_smooth),
    SAMPLED("sampled softmax, several targets, joint", softmax_joint),
    SAMPLED("sampled softmax, several targets, separate, cosine", softmax_separate),
    SAMPLED("sampled softmax, logQ of all", softmax_classic),
    SAMPLED("sampled softmax, logQ of negatives, cosine", softmax_corrected),
    {"softmax", small_catalogue, open_softmax, value_softmax, gradient_softmax, close_state, 0},
    {"softmax by blocks of items", blocked_catalogue, open_softmax, value_softmax, gradient_softmax, close_state, 0},
    {"softmax, label smoothing", smooth_catalogue, open_softmax, value_softmax, gradient_softmax, close_state, 0},
    {"softmax by blocks, label smoothing", smooth_blocks, open_softmax, value_softmax, gradient_softmax, close_state, 0},
    {"softmax, several targets", several_targets, open_softmax, value_softmax, gradient_softmax, close_state, 0},
    {"softmax, joint targets", joint_targets, open_softmax, value_softmax, gradient_softmax, close_state, 0},
    {"softmax by blocks, several targets", several_blocks, open_softmax, value_softmax, gradient_softmax, close_state, 0},
};
#define PAIRS ((int)(sizeof pairs / sizeof *pairs))

/* ---- the check --------------------------------------------------------------------------------------------------- */

static double slope(const struct pair *pair, problem *p, int32_t which, const float *direction)
{
    input *in = &p->in[which];
    float *saved = malloc(in->n * sizeof *saved);
    double side[2];
    memcpy(saved, in->x, in->n * sizeof *saved);
    for (int s = 0; s < 2; s++) {
        for (size_t j = 0; j < in->n; j++) in->x[j] = saved[j] + (float)(s ? -STEP : STEP) * direction[j];
        side[s] = pair->value(p);
    }
    memcpy(in->x, saved, in->n * sizeof *saved);
    free(saved);
    return (side[0] - side[1]) / (2 * STEP);
}

/* Direction 0 is that of the gradient; the others are random. */
static void check_direction(const struct pair *pair, problem *p, int32_t which, uint64_t number, double norm)
{
    const input *in = &p->in[which];
    float *direction = calloc(in->n, sizeof *direction);
    double expected = 0;
    for (size_t j = 0; j < in->n; j++) {
        if (!is_true(in, j)) continue;
        direction[j] = number ? wave(200 + number, (int64_t)j) : (float)((double)in->g[j] / norm);
        expected += (double)direction[j] * (double)in->g[j];
    }
    double found = slope(pair, p, which, direction);
    ck_assert_msg(fabs(found - expected) <= TOLERANCE * (pair->loose > 0 ? pair->loose : 1) * norm,
                  "%s (%s), input %d, direction %d: slope %g, gradient %g of %g", pair->name, p->k->name, (int)which,
                  (int)number, found, expected, norm);
    free(direction);
}

static void check_input(const struct pair *pair, problem *p, int32_t which)
{
    const input *in = &p->in[which];
    double square = 0;
    for (size_t j = 0; j < in->n; j++) {
        if (!is_true(in, j) && in->g[j] != 0) /* Check writes to a pipe for every assertion that holds */
            ck_abort_msg("%s: padding %zu of input %d has a gradient", pair->name, j, (int)which);
        square += (double)in->g[j] * (double)in->g[j];
    }
    ck_assert_msg(square > 0, "%s: input %d has no gradient", pair->name, (int)which);
    for (uint64_t number = 0; number < 5; number++) check_direction(pair, p, which, number, sqrt(square));
}

START_TEST(gradients_are_slopes)
{
    const struct pair *pair = &pairs[_i % PAIRS];
    problem p = {.k = sq_kernels_variant(_i / PAIRS), .row = pair->row};
    if (!p.k) return;
    pair->open(&p);
    pair->value(&p);
    pair->gradient(&p);
    for (int32_t i = 0; i < p.inputs; i++) check_input(pair, &p, i);
    if (pair->close) pair->close(&p);
    for (int32_t i = 0; i < p.inputs; i++) {
        free(p.in[i].x);
        free(p.in[i].g);
        free(p.in[i].live);
    }
    for (int i = 0; i < 8; i++) free(p.extra[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradients");
    TCase *tests = tcase_create("gradients");
    tcase_add_loop_test(tests, gradients_are_slopes, 0, 3 * PAIRS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
