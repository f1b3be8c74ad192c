/* api: evaluation of a model, or of the baselines alone, on a dataset. */
#include <stdio.h>
#include "api/checks.h"
#include "eval/compare.h"
#include "eval/evaluate.h"
#include "eval/model_scorer.h"

/* What a model says about its training. */
typedef struct provenance {
    const char *split; /* as fit recorded it, or NULL */
    const char *data;  /* hash of the data, likewise */
    char hash[17];     /* of the dataset to evaluate on */
    int32_t same_data; /* it is the one the model was trained on */
} provenance;

static provenance provenance_of(const sq_notes *notes, const seqrec_dataset *dataset)
{
    provenance from = {.split = sq_notes_get(notes, "split"), .data = sq_notes_get(notes, "data_hash")};
    (void)snprintf(from.hash, sizeof from.hash, "%016llx", (unsigned long long)dataset->hash);
    from.same_data = from.data != NULL && strcmp(from.data, from.hash) == 0;
    return from;
}

/* The division asked for, else the first that is noted (one that holds nothing out cannot be evaluated), else leave-one-out. */
static int32_t choose_division(const char *asked, const char *const *noted, int32_t count, sq_division *out,
                               seqrec_error *error)
{
    if (asked != NULL) return sq_division_parse(asked, out, error);
    for (int32_t i = 0; i < count; i++) {
        if (noted[i] == NULL || sq_division_parse(noted[i], out, NULL) != SEQREC_OK) continue;
        if (out->kind != SQ_DIVISION_NONE) return SEQREC_OK;
    }
    return sq_division_parse(NULL, out, error);
}

/* Whether the division that the model was trained under is this one, and holds events out. */
static int32_t holds_out(const provenance *from, const sq_division *asked)
{
    sq_division trained;
    return from->split != NULL && sq_division_parse(from->split, &trained, NULL) == SEQREC_OK && trained.kind != SQ_DIVISION_NONE &&
           sq_division_same(&trained, asked);
}

/* On its own training data a model may be evaluated only under the division it was trained under, if that holds events out. */
static int32_t refuse_trained(const provenance *from, const sq_division *asked, seqrec_error *error)
{
    sq_division trained;
    if (!from->same_data) return SEQREC_OK;
    SQ_CHECK(
        from->split != NULL && sq_division_parse(from->split, &trained, NULL) == SEQREC_OK, error, SEQREC_E_STATE,
        "the model was trained on this data, and does not say with which split; allow_trained evaluates it all the "
        "same");
    SQ_CHECK(
        holds_out(from, asked), error, SEQREC_E_STATE,
        "the model was trained on this data with split \"%.60s\": other events than that split holds out were seen in "
        "training; allow_trained evaluates them all the same",
        from->split);
    return SEQREC_OK;
}

static int32_t is_of_other_data(const provenance *from)
{
    return from->data != NULL && !from->same_data;
}

/* A changed copy of the training data has another hash, and what is refused on the data itself goes unseen: so it is said.
 * who: the subject of the sentence. */
static void warn_of_other_data(const char *who, const provenance *from, seqrec_report *report)
{
    if (!is_of_other_data(from)) return;
    sq_report_warn(report,
                   "%s trained on data %.16s and this is data %s: that none of the events ranked here were "
                   "seen in training cannot be checked",
                   who, from->data, from->hash);
}

/* What allow_trained let through, and items that cannot be told apart from others at the end of every list. of: the model, for both sentences. */
static void warn_of_events(const char *of, const provenance *from, const sq_division *asked, const sq_scorer *scorer, const seqrec_dataset *dataset,
                           seqrec_report *report)
{
    const int64_t unknown = sq_model_scorer_unknown(scorer);
    if (from->same_data && !holds_out(from, asked))
        sq_report_warn(report, "%s was trained on this data with split \"%.60s\": events ranked here may have been seen in training", of,
                       from->split != NULL ? from->split : "?");
    if (unknown > 0)
        sq_report_warn(report, "%s lacks %lld of the %lld items of this data: they rank below all others, and histories skip them", of,
                       (long long)unknown, (long long)dataset->items);
}

static void warn_of_both(const provenance *a, const provenance *b, seqrec_report *report)
{
    if (is_of_other_data(a) && is_of_other_data(b) && strcmp(a->data, b->data) == 0) {
        warn_of_other_data("both models were", a, report);
    } else {
        warn_of_other_data("model a was", a, report);
        warn_of_other_data("model b was", b, report);
    }
}

static int32_t evaluate(seqrec_context *context, const seqrec_model *model, sq_snapshot *snapshot,
                        const seqrec_dataset *dataset, const seqrec_evaluation *how, seqrec_report **out,
                        seqrec_error *error)
{
    const provenance from = provenance_of(snapshot->parts.notes, dataset);
    sq_division division;
    sq_scorer scorer;
    SQ_TRY(choose_division(how->division, &from.split, 1, &division, error));
    if (!how->allow_trained) SQ_TRY(refuse_trained(&from, &division, error));
    SQ_TRY(sq_model_scorer_create(context, model, snapshot, dataset, &scorer, error));
    const int32_t status = sq_evaluate(context, dataset, &division, how, &scorer, out, error);
    if (status == SEQREC_OK) warn_of_other_data("the model was", &from, *out);
    if (status == SEQREC_OK) warn_of_events("the model", &from, &division, &scorer, dataset, *out);
    sq_model_scorer_free(&scorer);
    return status;
}

static int32_t evaluate_baselines(seqrec_context *context, const seqrec_dataset *dataset, const seqrec_evaluation *how,
                                  seqrec_report **out, seqrec_error *error)
{
    sq_division division;
    SQ_TRY(sq_division_parse(how->division, &division, error));
    return sq_evaluate(context, dataset, &division, how, NULL, out, error);
}

static int32_t read_evaluation(seqrec_evaluation *how, const seqrec_evaluation *evaluation, seqrec_error *error)
{
    if (evaluation == NULL) return SEQREC_OK;
    return sq_struct_read(how, sizeof *how, evaluation, SQ_EVALUATION_FIRST, "evaluation", error);
}

int32_t seqrec_evaluate(seqrec_context *context, const seqrec_model *model, const seqrec_dataset *dataset,
                        const seqrec_evaluation *evaluation, seqrec_report **out, seqrec_error *error)
{
    seqrec_evaluation how = {.struct_size = sizeof how};
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    SQ_TRY(read_evaluation(&how, evaluation, error));
    if (model == NULL) return evaluate_baselines(context, dataset, &how, out, error);
    SQ_TRY(sq_model_usable(model, error));
    sq_snapshot *snapshot = sq_snapshot_acquire(model);
    const int32_t status = evaluate(context, model, snapshot, dataset, &how, out, error);
    sq_snapshot_release(model, snapshot);
    return status;
}

/* Models compare when they saw the same events: trained on the same data under the same division, or neither says. */
static int32_t refuse_unlike(const provenance *a, const provenance *b, seqrec_error *error)
{
    sq_division divisions[2];
    SQ_CHECK((a->data == NULL) == (b->data == NULL), error, SEQREC_E_STATE,
             "model %s does not say what it was trained on and model %s does; allow_trained compares them all the same",
             a->data == NULL ? "a" : "b", a->data == NULL ? "b" : "a");
    if (a->data == NULL) return SEQREC_OK;
    SQ_CHECK(strcmp(a->data, b->data) == 0, error, SEQREC_E_STATE,
             "model a was trained on data %.16s and model b on data %.16s; allow_trained compares them all the same",
             a->data, b->data);
    const int32_t known = a->split != NULL && b->split != NULL &&
                          sq_division_parse(a->split, &divisions[0], NULL) == SEQREC_OK &&
                          sq_division_parse(b->split, &divisions[1], NULL) == SEQREC_OK;
    SQ_CHECK(known && sq_division_same(&divisions[0], &divisions[1]), error, SEQREC_E_STATE,
             "model a was trained with split \"%.60s\" and model b with \"%.60s\": they saw different events; "
             "allow_trained compares them all the same",
             a->split != NULL ? a->split : "?", b->split != NULL ? b->split : "?");
    return SEQREC_OK;
}

typedef struct side {
    const seqrec_model *model;
    sq_snapshot *snapshot;
    sq_scorer scorer;
    provenance from;
} side;

static int32_t compare(seqrec_context *context, side *a, side *b, const seqrec_dataset *dataset,
                       const seqrec_evaluation *how, seqrec_report **out, seqrec_error *error)
{
    sq_division division;
    a->from = provenance_of(a->snapshot->parts.notes, dataset);
    b->from = provenance_of(b->snapshot->parts.notes, dataset);
    if (!how->allow_trained) SQ_TRY(refuse_unlike(&a->from, &b->from, error));
    const char *const noted[] = {a->from.split, b->from.split};
    SQ_TRY(choose_division(how->division, noted, 2, &division, error));
    if (!how->allow_trained) SQ_TRY(refuse_trained(&a->from, &division, error));
    if (!how->allow_trained) SQ_TRY(refuse_trained(&b->from, &division, error));
    SQ_TRY(sq_model_scorer_create(context, a->model, a->snapshot, dataset, &a->scorer, error));
    SQ_TRY(sq_model_scorer_create(context, b->model, b->snapshot, dataset, &b->scorer, error));
    const int32_t status = sq_compare(context, dataset, &division, how, &a->scorer, &b->scorer, out, error);
    if (status != SEQREC_OK) return status;
    warn_of_both(&a->from, &b->from, *out);
    warn_of_events("model a", &a->from, &division, &a->scorer, dataset, *out);
    warn_of_events("model b", &b->from, &division, &b->scorer, dataset, *out);
    return SEQREC_OK;
}

static void leave(side *one)
{
    if (one->scorer.context != NULL) sq_model_scorer_free(&one->scorer);
    sq_snapshot_release(one->model, one->snapshot);
}

int32_t seqrec_compare(seqrec_context *context, const seqrec_model *a, const seqrec_model *b,
                       const seqrec_dataset *dataset, const seqrec_evaluation *evaluation, seqrec_report **out,
                       seqrec_error *error)
{
    seqrec_evaluation how = {.struct_size = sizeof how};
    SQ_CHECK(context != NULL, error, SEQREC_E_ARGUMENT, "context is NULL");
    SQ_CHECK(a != NULL && b != NULL, error, SEQREC_E_ARGUMENT, "model %s is NULL", a == NULL ? "a" : "b");
    SQ_CHECK(dataset != NULL, error, SEQREC_E_ARGUMENT, "dataset is NULL");
    SQ_CHECK(out != NULL, error, SEQREC_E_ARGUMENT, "out is NULL");
    SQ_TRY(sq_pool_check(context->pool, error));
    SQ_TRY(read_evaluation(&how, evaluation, error));
    SQ_TRY(sq_model_usable(a, error));
    SQ_TRY(sq_model_usable(b, error));
    side sides[2] = {{.model = a, .snapshot = sq_snapshot_acquire(a)},
                     {.model = b, .snapshot = sq_snapshot_acquire(b)}};
    const int32_t status = compare(context, &sides[0], &sides[1], dataset, &how, out, error);
    leave(&sides[1]);
    leave(&sides[0]);
    return status;
}
