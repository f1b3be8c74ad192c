/* eval: what is asked of an evaluation, whom it ranks for, and the figures of one scorer. */
#ifndef SQ_JOB_H
#define SQ_JOB_H
#include "eval/baselines.h"
#include "eval/pass.h"
#include "eval/report.h"

/* What one kind of evaluation wants of a job. */
typedef struct sq_job_plan {
    const sq_item_vectors *vectors; /* for diversity@k, the same for all scorers; NULL: without it */
    int64_t passes;                 /* scorers, for progress */
    int64_t resamples;              /* when the options leave it open */
    int32_t rows;                   /* of the report */
    int32_t popularity;             /* 1: needed in any case */
} sq_job_plan;

typedef struct sq_job {
    seqrec_context *context;
    const seqrec_dataset *dataset;
    const seqrec_evaluation *options;
    sq_division division;
    const sq_protocol *protocol;
    int32_t valid;     /* 1: rank validation targets */
    int64_t resamples; /* 0 = no intervals */
    int64_t last;      /* most last items in common */
    int64_t *cutoffs;
    int64_t cutoff_count;
    sq_figures figures;
    sq_cases cases;
    sq_candidates candidates;
    sq_popularity popularity; /* where something needs it */
    double *information;      /* [items] bits of an item's popularity, for novelty@k; or NULL */
    int32_t *by_popularity;   /* [items] */
    float *inverse_norms;     /* [items] */
    sq_pass pass;
    seqrec_report *report;
} sq_job;

/* Reads the options and takes all memory but that of values. Close the job whatever this answers. */
int32_t sq_job_open(sq_job *job, seqrec_context *context, const seqrec_dataset *dataset, const sq_division *division,
                    const seqrec_evaluation *options, const sq_job_plan *plan, seqrec_error *error);
void sq_job_close(sq_job *job);
/* values[figures.columns][cases], for one scorer at a time. */
double *sq_job_values(const sq_job *job, int64_t sheets, seqrec_error *error);
/* Ranks with `scorer`: fills values and the value of every figure of a whole row. */
int32_t sq_job_measure(sq_job *job, const sq_scorer *scorer, double *values, sq_figure *figures, seqrec_error *error);
/* Writes the protocol's sentence into the report. */
void sq_job_describe(sq_job *job);
/* For sq_resample: asks the caller's progress, with nothing new done; the argument is a job. */
int32_t sq_job_stop(void *job);
/* Whether a figure is a share of the whole lists or users, no mean: its interval is cut to 0 .. 1. */
int32_t sq_job_is_share(int32_t kind);
#endif
