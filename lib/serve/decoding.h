/* serve: the parts of a decode. Each step looks at what may follow every path, chooses which paths go on, and takes these a token
 * further. */
#ifndef SQ_DECODING_H
#define SQ_DECODING_H
#include "serve/decode.h"
#include "serve/recommend.h"
#include "serve/sessionpass.h"
#include "serve/topheap.h"

typedef struct sq_path {
    float *user;     /* [padded length of an item's vector] */
    int32_t *slots;  /* [steps] */
    int32_t *tokens; /* [steps] of its items, in the store */
    double *shares;  /* [steps] log probabilities of its items; NULL unless somebody asks for them */
    double log_probability;
} sq_path;

/* What one step says of one path: a softmax over the items that may follow, of scores / temperature. */
typedef struct sq_prospect {
    double largest, sum; /* sum of exp(score - largest) */
    double log_sum;      /* of exp(score), when the step is over */
    sq_topk best;
    int32_t unfit; /* 1: the score of an item that may follow is not a number */
    int32_t drawn; /* slot */
    double drawn_score;
    int64_t open; /* items that nobody bars, where the host's function has been asked */
} sq_prospect;

/* What the host's function bars from the next place of a path. */
typedef struct sq_ban {
    int64_t first, count; /* of the list of slots of all paths; rising, each once */
    const uint64_t *bits; /* NULL, or as in seqrec_filter; the host's */
    int64_t bits_first, bits_count;
} sq_ban;

/* A run of paths that a beam chooses among by themselves. */
typedef struct sq_group {
    int64_t first, count;
} sq_group;

typedef struct sq_decoding {
    /* given */
    seqrec_session *session;
    int64_t number; /* of the session in the call */
    const sq_session_view *view;
    const seqrec_decode *how;
    const seqrec_filter *filter;
    const int64_t *given; /* [steps] ids of the one path there is, or NULL: paths are to be found */
    int64_t threads;      /* that may look at paths at once; 1: those that do are the caller's business */
    /* how far it has come */
    int64_t step, count; /* items of each path before the step at hand; paths */
    int64_t done;        /* items of a path so far */
    int64_t settled;     /* of these, what the host was told of all paths of a beam */
    int32_t stopped;     /* 1: the host has enough */
    sq_path *now, *next; /* [width] */
    /* what may follow */
    sq_ready ready;
    int64_t offsets[2];
    seqrec_batch batch;
    sq_request request;
    const sq_session_cache *cache;
    int32_t *followed; /* [steps] slots of what is given */
    int64_t eligible;  /* items that may follow the session */
    uint8_t *allowed;  /* [chunks][SQ_CHUNK_ROWS] */
    int32_t *listed;   /* of an allow or deny list */
    /* looking */
    int64_t group;          /* paths of a task */
    int32_t kept;           /* best items of a path that a step looks at */
    sq_prospect *prospects; /* [width] */
    float *whole;           /* [threads][most_group][chunks][SQ_CHUNK_ROWS] where nuclei are drawn from */
    /* choosing */
    int32_t *heads;          /* [width] of each path's best items, the one to take next */
    sq_group *groups;        /* [groups] of c->now; before the first step each begins with the one path there is */
    uint16_t *chosen;        /* [chunks][SQ_CHUNK_ROWS] groups that chose an item in the step at hand; NULL: there is one group */
    uint32_t *orders;        /* [width / groups][kept] of the best items of a group's paths; NULL: as they are */
    uint32_t *order_scratch; /* [kept] */
    uint64_t *keys;          /* [2 * kept] */
    /* the host's functions */
    sq_ban *bans;    /* [width], or NULL: nothing is asked */
    int64_t *ids;    /* [steps] of a path */
    int32_t *banned; /* slots of all bans; a block */
    /* a token further */
    const int32_t **trails; /* [width] */
    sq_branches branches;
    sq_token_cache behind; /* the session's tokens */
    sq_desk rows, windows; /* taken as they are needed */
    /* what paths and prospects point into */
    float *floats;   /* users of both, then the scores of the heaps */
    int32_t *ints;   /* slots and tokens of both, then the slots of the heaps */
    double *doubles; /* shares of both */
} sq_decoding;

static inline int32_t sq_decoding_draws(const sq_decoding *c) { return c->how->method == SEQREC_DECODE_SAMPLE; }

/* Whether a step looks at the scores of all items at once. */
static inline int32_t sq_decoding_keeps_scores(const sq_decoding *c)
{
    return sq_decoding_draws(c) && c->kept == 0 && c->how->top_p < 1;
}

static inline size_t sq_decoding_slots(const sq_decoding *c)
{
    return (size_t)c->request.snapshot->parts.catalogue->chunks * SQ_CHUNK_ROWS;
}

static inline int64_t sq_decoding_id(const sq_decoding *c, int32_t slot)
{
    return sq_catalogue_id(c->request.snapshot->parts.catalogue, slot);
}

static inline int32_t sq_decoding_over(const sq_decoding *c) { return c->stopped || c->done == c->how->steps; }

/* decode.c: brings the session that was entered up to date and takes all memory. End the decoding whatever this answers. A step asks,
 * finds, tells and, unless the decoding is over, goes on. */
int32_t sq_decoding_begin(sq_decoding *c, seqrec_error *error);
/* The paths that go on, to c->now. */
int32_t sq_decoding_find(sq_decoding *c, seqrec_error *error);
/* Takes the paths a token further. */
void sq_decoding_go_on(sq_decoding *c);
/* items [width][steps], log_probabilities [width] or NULL, shares [width][steps] or NULL, found. */
void sq_decoding_deliver(sq_decoding *c, int64_t *items, double *log_probabilities, double *shares, int64_t *found);
void sq_decoding_end(sq_decoding *c);

/* decodelook.c: most paths of a task. */
int64_t sq_decoding_most_group(const sq_decoding *c);
/* What a step draws of a path with. */
uint64_t sq_decoding_key(const sq_decoding *c, int64_t rollout);
/* The item at share `unit` of `sum`, the sum of weights[n]. */
int32_t sq_decoding_pick(const float *weights, int32_t n, double sum, double unit);
/* The prospects of all paths. */
void sq_decoding_look(sq_decoding *c);

/* decodechoose.c: the paths that go on, to c->next; how many they are, 0: no path can. */
int64_t sq_decoding_choose(sq_decoding *c);
/* Puts c->now in the order of falling probability, equal ones as they were. */
void sq_decoding_sort(sq_decoding *c);

/* decodehost.c: asks the host's function what is barred from the next place of each path. */
int32_t sq_decoding_ask(sq_decoding *c, seqrec_error *error);
/* Tells the host what the step that is over has settled; 1: it wants no more. */
int32_t sq_decoding_tell(sq_decoding *c);
#endif
