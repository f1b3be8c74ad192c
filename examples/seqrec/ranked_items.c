/* seqrec tool: a list of recommended items as JSON. */
#include "ranked_items.h"
#include <stdio.h>

void print_name(const char *name)
{
    for (; *name; name++) putchar((unsigned char)*name < 0x20 || *name == 0x7F ? ' ' : *name);
}

const char *item_name(const seqrec_model *model, int64_t item, char name[NAME_BYTES])
{
    if (seqrec_items_name(model, item, name, NAME_BYTES, NULL, NULL) != SEQREC_OK) name[0] = 0;
    return name;
}

void emit_items(json_writer *json, const seqrec_model *model, const int64_t *items, const float *scores, int64_t count)
{
    char name[NAME_BYTES];
    emit_array(json, "items");
    for (int64_t i = 0; i < count; i++) {
        emit_object(json, NULL);
        emit_count(json, "id", items[i]);
        emit_real(json, "score", (double)scores[i]);
        if (item_name(model, items[i], name)[0]) emit_text(json, "name", name);
        emit_end(json, '}');
    }
    emit_end(json, ']');
}
