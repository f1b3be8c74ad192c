/* fuzz: the bytes of a graph's file, as they are and with head and sums put right. What is read must answer and take changes; what is not
 * must say why and leave nothing. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "hostile_bytes.h"
#include "seqrec_ann.h"

enum { ITEMS = 20, BODY = 104, ELEMENTS_AT = 64, UPPER_AT = 72, BODY_SUM_AT = 88, HEAD_SUM_AT = 96 };

static seqrec_model *model;
static int file;
static char path[40];
static uint8_t sound[BODY]; /* the head of a graph of this model */
static size_t element_bytes;

/* A file in memory, of these bytes. */
static void write_file(const uint8_t *bytes, size_t size)
{
    demand(ftruncate(file, 0) == 0);
    demand(pwrite(file, bytes, size, 0) == (ssize_t)size);
}

static void new_model(void)
{
    static const char *const settings[] = {"dim", "4", "max_length", "6", "blocks", "1"};
    seqrec_context *context = NULL;
    seqrec_config *config = NULL;
    int64_t ids[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    demand(seqrec_context_create(NULL, NULL, 0, NULL, NULL, &context, NULL) == SEQREC_OK);
    demand(seqrec_config_create(NULL, &config, NULL) == SEQREC_OK);
    for (int32_t i = 0; i < 6; i += 2) demand(seqrec_config_set(config, settings[i], settings[i + 1], NULL) == SEQREC_OK);
    demand(seqrec_model_create(context, config, &model, NULL) == SEQREC_OK);
    demand(seqrec_items_put(model, ids, ITEMS, NULL, NULL) == SEQREC_OK);
    seqrec_config_release(config);
    seqrec_context_release(context);
}

/* The head is read from a file that is written for it: a save puts a new file in the place of its path. */
static void read_sound(void)
{
    seqrec_ann_options options = {.struct_size = sizeof options, .links = 2, .build_breadth = 4};
    seqrec_ann *ann = NULL;
    char saved[] = "/tmp/fuzz_index.XXXXXX";
    const int at = mkstemp(saved);
    demand(at >= 0);
    demand(seqrec_ann_build(model, &options, &ann, NULL) == SEQREC_OK);
    demand(seqrec_ann_save(ann, saved, NULL) == SEQREC_OK);
    seqrec_ann_release(ann);
    FILE *in = fopen(saved, "rb");
    demand(in != NULL && fread(sound, 1, BODY, in) == BODY);
    fclose(in);
    close(at);
    demand(unlink(saved) == 0);
    uint64_t width, links;
    memcpy(&width, sound + 16, 8);
    memcpy(&links, sound + 24, 8);
    element_bytes = 4 + 8 * links + (width + 15) / 16 * 64 + 8;
}

/* Lists of three behind a graph; one without enough of the items is refused, and all items are scored. Returns how many it can name. */
static int64_t ask(seqrec_ann *ann)
{
    const int64_t offsets[] = {0, 2}, history[] = {3, 5};
    const seqrec_batch batch = {.struct_size = sizeof batch, .sequences = 1, .offsets = offsets, .items = history};
    int64_t items[3], found = 0;
    float scores[3];
    seqrec_ann_info info = {.struct_size = sizeof info};
    demand(seqrec_ann_describe(ann, &info, NULL) == SEQREC_OK && info.items >= 0 && info.items <= ITEMS);
    const int32_t status = seqrec_ann_attach(ann, model, NULL);
    demand(status == SEQREC_OK || (status == SEQREC_E_STATE && info.items < ITEMS * 3 / 4));
    demand(seqrec_topk(model, &batch, 3, NULL, items, scores, &found, NULL) == SEQREC_OK && found == 3);
    demand(seqrec_model_set_index(model, NULL, NULL, NULL) == SEQREC_OK);
    return info.items;
}

static void use(seqrec_ann *ann)
{
    seqrec_ann *next = NULL;
    const int64_t items = ask(ann);
    const int32_t status = seqrec_ann_update(ann, model, &next, NULL);
    demand(status == SEQREC_OK || (status == SEQREC_E_STATE && items == 0 && next == NULL));
    if (status == SEQREC_OK) ask(next);
    seqrec_ann_release(next);
}

static void load(void)
{
    seqrec_error error = {0};
    seqrec_ann *ann = NULL;
    const int32_t status = seqrec_ann_load(model, path, 0, &ann, &error);
    demand((status == SEQREC_OK) == (ann != NULL));
    if (status == SEQREC_OK)
        use(ann);
    else
        demand(error.status == status && error.message[0] != '\0' &&
               (status == SEQREC_E_FORMAT || status == SEQREC_E_STATE || status == SEQREC_E_UNSUPPORTED || status == SEQREC_E_MEMORY));
    seqrec_ann_release(ann);
}

/* The input with the head of a graph of this model: as many elements as it says and has room for, all else as upper lists. */
static void load_signed(const uint8_t *bytes, size_t size)
{
    if (size < BODY + element_bytes + 4) return;
    uint8_t *copy = malloc(size);
    demand(copy != NULL);
    memcpy(copy, bytes, size);
    memcpy(copy, sound, ELEMENTS_AT);
    const uint64_t most = (size - BODY) / (element_bytes + 4), elements = 1 + (bytes[ELEMENTS_AT] - 1u) % most;
    const uint64_t upper = size - BODY - elements * (element_bytes + 4);
    memcpy(copy + ELEMENTS_AT, &elements, 8);
    memcpy(copy + UPPER_AT, &upper, 8);
    const uint64_t body = XXH3_64bits(copy + BODY, size - BODY);
    memcpy(copy + BODY_SUM_AT, &body, 8);
    const uint64_t head = XXH3_64bits(copy, HEAD_SUM_AT);
    memcpy(copy + HEAD_SUM_AT, &head, 8);
    write_file(copy, size);
    load();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (model == NULL) {
        file = memfd_create("graph", 0);
        demand(file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        new_model();
        read_sound();
    }
    write_file(bytes, size);
    load();
    load_signed(bytes, size);
    return 0;
}
