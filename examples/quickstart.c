/* example: generate events, train SASRec on them, and recommend. The program of the README. */
#include <seqrec.h>
#include <stdio.h>

int main(void)
{
    seqrec_error error = {0};
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    seqrec_dataset *events = NULL;
    seqrec_model *model = NULL;
    seqrec_trainer *trainer = NULL;
    seqrec_synth synth = {.struct_size = sizeof synth, .users = 1000, .items = 200};
    seqrec_filter unseen = {.struct_size = sizeof unseen, .exclude_seen = 1};
    int64_t history[] = {7, 12, 7, 31}, offsets[] = {0, 4}, items[5], found = 0;
    seqrec_batch user = {.struct_size = sizeof user, .sequences = 1, .offsets = offsets, .items = history};
    float scores[5];

    int failed = seqrec_context_create(NULL, NULL, 2, NULL, NULL, &context, &error) ||
                 seqrec_config_create(NULL, &config, &error) ||
                 seqrec_config_preset(config, "sasrec-softmax", &error) ||
                 seqrec_config_set(config, "epochs", "5", &error) ||
                 seqrec_dataset_synthesize(context, &synth, &events, NULL, &error) ||
                 seqrec_model_create(context, config, &model, &error) ||
                 seqrec_trainer_create(model, config, &trainer, &error) ||
                 seqrec_trainer_fit(trainer, events, NULL, NULL, &error) ||
                 seqrec_topk(model, &user, 5, &unseen, items, scores, &found, &error);
    for (int64_t i = 0; !failed && i < found; i++) printf("item %lld: %.3f\n", (long long)items[i], (double)scores[i]);
    if (failed) fprintf(stderr, "%s\n", error.message);
    seqrec_trainer_release(trainer);
    seqrec_model_release(model);
    seqrec_dataset_release(events);
    seqrec_config_release(config);
    seqrec_context_release(context);
    return failed ? 1 : 0;
}
