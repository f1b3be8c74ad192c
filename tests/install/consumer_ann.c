/* install: the least a C program does with an installed libseqrec-ann: a graph, the list it gives, and a status where there is no model. */
#include <seqrec_ann.h>
#include <stdio.h>

enum { ITEMS = 500 };

int main(void)
{
    seqrec_error error = {0};
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    seqrec_ann *ann = NULL;
    int64_t ids[ITEMS], offsets[] = {0, 3}, items[5], found = 0;
    seqrec_batch user = {.struct_size = sizeof user, .sequences = 1, .offsets = offsets, .items = ids};
    seqrec_index_info info = {.struct_size = sizeof info};
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    if (seqrec_ann_version() != SEQREC_VERSION_NUMBER) return 1;
    if (seqrec_ann_build(NULL, NULL, &ann, &error) != SEQREC_E_ARGUMENT) return 1;
    int failed = seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, &error) || seqrec_config_create(NULL, &config, &error) ||
                 seqrec_model_create(context, config, &model, &error) || seqrec_items_put(model, ids, ITEMS, NULL, &error) ||
                 seqrec_ann_build(model, NULL, &ann, &error) || seqrec_ann_attach(ann, model, &error) ||
                 seqrec_topk(model, &user, 5, NULL, items, NULL, &found, &error) || seqrec_model_describe_index(model, &info, &error);
    if (failed) fprintf(stderr, "%s\n", error.message);
    seqrec_ann_release(ann);
    seqrec_model_release(model);
    seqrec_config_release(config);
    seqrec_context_release(context);
    return failed || found != 5 || info.searched != 1;
}
