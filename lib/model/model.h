/* model: the handle. What readers see is one immutable snapshot; writers and trainers publish the next. */
#ifndef SQ_MODEL_H
#define SQ_MODEL_H
#include "base/lock.h"
#include "layer/embedding.h"
#include "model/catalogue.h"
#include "model/itemindex.h"
#include "model/itemnames.h"
#include "model/network.h"
#include "model/notes.h"

/* A block of dense parameters, shared by snapshots. */
typedef struct sq_weights {
    _Atomic int32_t references;
    float *at;           /* [layout.floats] */
    sq_gate_table gates; /* what reads use of position gates; made by sq_weights_settle, as the next */
    sq_relations *relations; /* [blocks] terms by distance; NULL: the model has none */
    sq_arena relations_at;   /* their memory */
    int32_t settled;     /* 1: that is done, and nothing is written any more */
} sq_weights;

/* What a snapshot consists of: a reference to each. One more is a field here, and a line each in sq_parts_drop and
 * sq_parts_inherit. */
typedef struct sq_parts {
    sq_weights *weights;
    sq_catalogue *catalogue; /* of items */
    sq_item_names *names;
    sq_catalogue *users; /* empty with user_embedding = none */
    sq_item_names *user_names;
    sq_notes *notes;
    sq_cover *cover; /* an index beside `catalogue`; NULL: none */
} sq_parts;

/* Everything a read needs; reference counted. */
typedef struct sq_snapshot {
    _Atomic int32_t references;
    sq_parts parts;
    uint64_t trained; /* rises with every snapshot of the model that has other weights than the one before */
} sq_snapshot;

#define SQ_IDLE_ARENAS 64
#define SQ_LOST_BYTES 96

struct seqrec_model {
    seqrec_context *context; /* retained */
    _Atomic int64_t references;
    sq_options options; /* model scope is fixed; training scope as last stored */
    char preset[32];
    char lost[SQ_LOST_BYTES]; /* what the file of the model had lost: it is for serving only; "": nothing. Fixed */
    sq_notes *foreign; /* training options of its file that this build does not know; NULL: none. Fixed */
    sq_layout layout;
    const sq_kernels *kernels;
    int32_t table; /* SQ_TABLE_*: what every published item table has beside its floats; changed by who holds `writing` */
    sq_lock writing; /* held by a writer from reading `current` to publishing */
    sq_lock reading; /* held while `current` is exchanged or retained, or `options` copied or changed: never longer */
    sq_snapshot *current;
    sq_lock arenas_lock;
    sq_arena arenas[SQ_IDLE_ARENAS]; /* working memory between calls */
    int32_t idle;
};

/* What the next snapshot has that the one before has not. */
typedef struct sq_change {
    sq_parts parts;    /* NULL: as before; the cover is of the items as they will be, and the one before is carried on to them */
    int32_t uncovered; /* 1: no index from now on */
} sq_change;

/* A model without items, with fresh weights. */
int32_t sq_model_create(seqrec_context *context, const sq_options *options, const char *preset, seqrec_model **out,
                        seqrec_error *error);
/* A model that begins with these parts, fresh where they are NULL; takes over their references, also on failure. */
int32_t sq_model_assemble(seqrec_context *context, const sq_options *options, const char *preset, sq_parts parts,
                          seqrec_model **out, seqrec_error *error);
/* The options, while a trainer may be storing others. */
void sq_model_options(const seqrec_model *model, sq_options *out);
/* Stores the training options of others: all, since they agree with each other only. Takes the model's locks. */
void sq_model_take_training(seqrec_model *model, const sq_options *options);
seqrec_model *sq_model_retain(seqrec_model *model);
void sq_model_release(seqrec_model *model);

/* Gives up the references; NULL is left out. */
void sq_parts_drop(const sq_memory *memory, sq_parts *parts);
/* Adds a reference to the part of `from` wherever there is none yet; the cover, which goes with its items, stays as it is. */
void sq_parts_inherit(sq_parts *parts, const sq_parts *from);

/* Of all these parts but a cover; takes over their references, also on failure: NULL when memory fails. */
sq_snapshot *sq_snapshot_create(const sq_memory *memory, sq_parts parts);
sq_snapshot *sq_snapshot_acquire(const seqrec_model *model);
sq_snapshot *sq_snapshot_retain(sq_snapshot *snapshot);
void sq_snapshot_release(const seqrec_model *model, sq_snapshot *snapshot);

/* Makes a snapshot that differs in `change` what readers see; takes over the references given, also on failure. The caller
 * holds model->writing. */
int32_t sq_model_publish(seqrec_model *model, sq_change change, seqrec_error *error);
/* Publishes the items with copies of another kind, which later tables have too. */
int32_t sq_model_quantise(seqrec_model *model, int32_t kind, seqrec_error *error);
/* Attaches an index of `base` (SEQREC_E_STATE when it covers too little), whose context is taken over but on failure; index NULL: takes the
 * model's away. */
int32_t sq_model_set_index(seqrec_model *model, sq_catalogue *base, const seqrec_index *index, seqrec_error *error);
/* Sets a note (NULL removes it) and publishes. */
int32_t sq_model_note(seqrec_model *model, const char *key, const char *value, seqrec_error *error);

sq_weights *sq_weights_create(const sq_memory *memory, size_t floats); /* zeroed, NULL when memory fails */
sq_weights *sq_weights_retain(sq_weights *weights);
void sq_weights_release(const sq_memory *memory, sq_weights *weights);
/* Derives what reads need; at once when that was done before. Weights that anyone may read have been settled, and do not change
 * from then on: publishing does it, and who reads a snapshot of a trainer. */
int32_t sq_weights_settle(const seqrec_model *model, sq_weights *weights, seqrec_error *error);

/* Working memory for a call: an idle arena of at least `bytes`, given back afterwards (one that was never borrowed may be, too). One
 * that is very large is not kept for the next call. */
int32_t sq_model_borrow(seqrec_model *model, size_t bytes, sq_arena *out, seqrec_error *error);
void sq_model_return(seqrec_model *model, sq_arena *arena);

/* Start vector of a new item or user, as training gives it: from (seed, id). sq_row_fill of catalogue.h; arg is
 * sq_item_start. */
typedef struct sq_item_start {
    uint64_t seed, stream;
    double deviation;
    int32_t tables, dim, padded;
    int64_t init;
} sq_item_start;
sq_item_start sq_item_start_of(const seqrec_model *model, int64_t items_after);
sq_item_start sq_user_start_of(const seqrec_model *model, int64_t users_after);
void sq_item_start_fill(void *start, int64_t id, float *row);

/* Pieces of the network that depend on options. */
/* The input embedding without dropout, for a user without a row. */
sq_embedding sq_embedding_of(const seqrec_model *model, const float *weights);
/* Where its gradients lie in a parameter block. */
sq_embedding_grads sq_embedding_grads_of(const seqrec_model *model, float *grads);
/* Where an item's output vector begins inside its row: 0 when tied. */
static inline size_t sq_output_offset(const sq_catalogue *c) { return c->tables == 2 ? (size_t)c->padded : 0; }
#endif
