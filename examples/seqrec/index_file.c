/* seqrec tool: indexes of libseqrec-ann. */
#include "index_file.h"
#include "terminal.h"

#ifdef SEQREC_TOOL_ANN
#include "seqrec_ann.h"

int write_index(const seqrec_model *model, const index_options *options, const char *path, index_facts *facts)
{
    seqrec_error error = {0};
    seqrec_ann *ann = NULL;
    seqrec_ann_info info = {.struct_size = sizeof info};
    const seqrec_ann_options asked = {.struct_size = sizeof asked,
                                      .links = options->links,
                                      .build_breadth = options->build_breadth,
                                      .seed = (uint64_t)options->seed,
                                      .threads = (int32_t)options->threads};
    const double start = now_seconds();
    if (seqrec_ann_build(model, &asked, &ann, &error) != SEQREC_OK) return fail_value("index", "building", &error);
    facts->seconds = now_seconds() - start;
    int outcome = 0;
    if (seqrec_ann_save(ann, path, &error) != SEQREC_OK) outcome = fail_file(path, "writing", &error);
    if (!outcome && seqrec_ann_describe(ann, &info, &error) != SEQREC_OK) outcome = fail_library("describing", &error);
    facts->items = info.items;
    facts->bytes = (double)info.bytes;
    seqrec_ann_release(ann);
    return outcome;
}

int attach_index(seqrec_model *model, const char *path, int64_t breadth)
{
    seqrec_error error = {0};
    seqrec_ann *ann = NULL;
    if (seqrec_ann_load(model, path, breadth, &ann, &error) != SEQREC_OK) return fail_file(path, "loading", &error);
    const int outcome = seqrec_ann_attach(ann, model, &error) == SEQREC_OK ? 0 : fail_file(path, "attaching", &error);
    seqrec_ann_release(ann);
    return outcome;
}

#else

int write_index(const seqrec_model *model, const index_options *options, const char *path, index_facts *facts)
{
    (void)model, (void)options, (void)path, (void)facts;
    return fail("this build has no libseqrec-ann: no index can be built");
}

int attach_index(seqrec_model *model, const char *path, int64_t breadth)
{
    (void)model, (void)breadth;
    return fail("%s: this build has no libseqrec-ann: no index can be read", path);
}

#endif
