/* model: where each parameter lives in the one block of dense parameters, and how it is called in files. */
#ifndef SQ_PARAMETERS_H
#define SQ_PARAMETERS_H
#include "model/options.h"

/* A parameter as files see it: [rows][cols] with rows inputs and cols outputs (rank 1: cols only); in a file a matrix is
 * [cols][rows], PyTorch's order. Element (r, c) is at offset + place(r) * ld + place(c), where heads are padded:
 * place(x) = x / group * group_ld + x % group. */
typedef struct sq_parameter {
    char name[64];
    int32_t rank;
    int32_t table; /* 1: a table of vectors, stored [rows][cols] in files */
    int64_t rows, cols;
    int64_t row_group, row_group_ld, col_group, col_group_ld;
    size_t offset, ld;
    int32_t fan_in, fan_out; /* of what starts at random; fan_in 0 = starts at `start`, fan_out 0 = deviation init_std whatever init */
    float start;
} sq_parameter;

/* Offsets of one block's parameters. */
typedef struct sq_block_at {
    size_t norm1_gain, norm1_bias, qkv, qkv_bias, output, output_bias, norm2_gain, norm2_bias, ffn_in, ffn_in_bias,
        ffn_out, ffn_out_bias;
    size_t spectrum, taps;        /* mixer = spectral: [2 * frequencies][dp], and [window][dp] made of it, no parameters */
    size_t gates;                 /* gates = position: [length][lp] */
    size_t gate_sides, gate_open; /* gates = content: [dp][2 * rp], and their common logit */
    size_t relative_keys, relative_values; /* [columns][relative_ld] */
    size_t relative_bias;                  /* by distance: [columns]; by bucket: [buckets][bias_ld] */
    size_t time_bias;                      /* time = bias: [SQ_TIME_BUCKETS] */
    size_t unit;                           /* attention = hstu: the matrix of u */
    size_t residual_gate[2], residual_gate_bias[2]; /* residual_gate: of attention's and the feed-forward layers' branch */
} sq_block_at;

#define SQ_MOST_BLOCKS 64
#define SQ_BLOCK_PARAMETERS 26 /* at most, of a block */
#define SQ_OTHER_PARAMETERS 21 /* at most, outside blocks */
#define SQ_MOST_PARAMETERS (SQ_MOST_BLOCKS * SQ_BLOCK_PARAMETERS + SQ_OTHER_PARAMETERS)

/* Widths, true and padded to multiples of 16, and offsets of everything; floats = size of a parameter block. */
typedef struct sq_layout {
    int32_t d, dp;           /* model width */
    int32_t part;            /* floats of d that score items: all, or those before a concatenated user's */
    int32_t bias;            /* 1: an item's vector ends with a bias, which meets a 1 */
    int32_t vd, vp;          /* an item's vector: part + bias */
    int32_t ud, up;          /* a user's vector */
    int32_t heads, dh, dhp;  /* head width */
    int32_t hp;              /* heads * dhp: width of q, k and v */
    int32_t e;               /* heads * dh: the heads side by side; d, but with a head_dim */
    int32_t channels;        /* what each head has: 1, or one more for each bias with channels = apart */
    int32_t m, mp;           /* channels * e: all of it side by side */
    int32_t f, fp;           /* feed-forward width */
    int32_t blocks, length;  /* max_length */
    int32_t lp;              /* gates = position: row of gates, else 0 */
    int32_t rank, rp;        /* gates = content: width of a projection, else 0 */
    int32_t bidirectional;   /* attention sees the whole sequence */
    int32_t span;            /* the events that it sees at most, itself included; 0: all of a window */
    const sq_scheme *scheme; /* by distance */
    int32_t past, columns;   /* its tables as in attention/relation.h; 0 columns: none */
    int32_t relative_ld, bias_ld;
    int32_t placed;              /* position_place = attention */
    int32_t timed, time_columns; /* option time, and the rows of its tables */
    int32_t dated;               /* the times of events are read: timed, or there is a calendar */
    float *cosines, *sines;  /* relative = rotary: [tokens of a window][dh / 2] of the angles */
    float pointwise;         /* attention = hstu: what its scores are multiplied by; else 0 */
    int32_t residual_gate;
    int32_t window, ahead;   /* mixer = spectral: taps of a filter, else 0; those of events to come */
    int32_t final_norm, transform; /* 1: there is one */
    size_t position_keys, position_values; /* position_place = attention: [length][hp] */
    size_t time_keys, time_values;         /* time = intervals: [time_columns][hp] */
    size_t calendar;                       /* option calendar: [SQ_CALENDAR_ROWS][dp] */
    size_t position, mask, embedding_gain, embedding_bias, final_gain, final_bias, head, head_bias, head_norm_gain,
        head_norm_bias, user_default, log_scale, ones, zeros, head_ones, floats;
    sq_block_at *block;
    sq_parameter *parameters;
    int32_t count;
    uint8_t *is_matrix; /* [floats / 16]: 1 where a line of 16 belongs to a matrix or table, not to a bias or norm */
} sq_layout;

/* The option for which a dated layout reads times. */
static inline const char *sq_layout_dated_by(const sq_layout *l)
{
    if (l->timed == SQ_TIME_NONE) return "calendar = true";
    return l->timed == SQ_TIME_BIAS ? "time = bias" : "time = intervals";
}

/* Widths, parameters and their places; without what is computed for each of them, as a file that is not yet trusted asks for no more. */
int32_t sq_layout_outline(const sq_memory *memory, const sq_options *options, sq_layout *out, seqrec_error *error);
int32_t sq_layout_create(const sq_memory *memory, const sq_options *options, sq_layout *out, seqrec_error *error);
void sq_layout_free(const sq_memory *memory, sq_layout *layout);

static inline int64_t sq_parameter_elements(const sq_parameter *p) { return p->rows * p->cols; }

/* Of all parameters, as files hold them: without padding. */
static inline int64_t sq_layout_elements(const sq_layout *l)
{
    int64_t n = 0;
    for (int32_t i = 0; i < l->count; i++) n += sq_parameter_elements(&l->parameters[i]);
    return n;
}

static inline size_t sq_parameter_index(const sq_parameter *p, int64_t r, int64_t c)
{
    int64_t row = r / p->row_group * p->row_group_ld + r % p->row_group;
    int64_t col = c / p->col_group * p->col_group_ld + c % p->col_group;
    return p->offset + (size_t)row * p->ld + (size_t)col;
}

/* The user vector u [vp] of the network's output out: what an item's vector is multiplied by. A concatenated user's part of the
 * score is the same for every item and left out. */
void sq_layout_item_part(const sq_layout *layout, const float *out, float *u);

/* A normal value of this deviation, with init = truncated_normal drawn again while it is beyond two deviations. */
double sq_start_value(int64_t init, double deviation, uint64_t key, uint64_t counter);
/* What divides cosine scores: fixed, or learned and cut at temperature_lowest (HLLM: a logit scale of at most 100). weights: a
 * parameter block. */
float sq_temperature(const sq_layout *layout, const sq_options *options, const float *weights);
/* Start values from (seed, parameter name, element); padding stays zero. values [floats], zeroed. */
void sq_layout_initialise(const sq_layout *layout, const sq_options *options, float *values);
/* Dimensions of the parameter in files; rank 1 fills shape[0] only. */
static inline void sq_parameter_shape(const sq_parameter *p, int64_t shape[2])
{
    shape[0] = p->table ? p->rows : p->cols;
    if (p->rank == 2) shape[1] = p->table ? p->cols : p->rows;
}
/* Between a block and the order of files: flat [elements]. */
void sq_parameter_export(const sq_parameter *p, const float *values, float *flat);
void sq_parameter_import(const sq_parameter *p, const float *flat, float *values);
#endif
