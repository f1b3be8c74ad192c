/* fuzz: the bytes of a session, as they are and with head and checksum put right. What is restored must answer, and be saved as the
 * same bytes; what is not must say why and leave nothing. */
#include "hostile_bytes.h"
#include "model/checksum.h"
#include "seqrec.h"

#define MOST_BYTES ((size_t)16 << 20)
enum { ITEMS = 20, LEAST = 48, PER_EVENT = 16 };

static seqrec_model *new_model(seqrec_context *context, const seqrec_allocator *host)
{
    static const char *const settings[] = {"dim", "4", "max_length", "6", "position", "none", "relative", "rotary"};
    seqrec_config *config = NULL;
    seqrec_model *model = NULL;
    int64_t ids[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) ids[i] = i;
    demand(seqrec_config_create(host, &config, NULL) == SEQREC_OK);
    for (int32_t i = 0; i < 8; i += 2) demand(seqrec_config_set(config, settings[i], settings[i + 1], NULL) == SEQREC_OK);
    demand(seqrec_model_create(context, config, &model, NULL) == SEQREC_OK);
    demand(seqrec_items_put(model, ids, ITEMS, NULL, NULL) == SEQREC_OK);
    seqrec_config_release(config);
    return model;
}

static void use(seqrec_session *session, const uint8_t *bytes, size_t size)
{
    int64_t items[3], found = 0;
    float out[8];
    size_t needed = 0;
    uint8_t *again = malloc(size);
    demand(again != NULL);
    demand(seqrec_session_save(session, again, size, &needed, NULL) == SEQREC_OK);
    demand(needed == size && memcmp(again, bytes, size) == 0);
    free(again);
    const int64_t candidates[] = {1, 2}, event = 5;
    int32_t status = seqrec_session_topk(session, 3, NULL, items, NULL, &found, NULL);
    demand(status == SEQREC_E_MEMORY || (status == SEQREC_OK && found == 3));
    status = seqrec_session_append(session, &event, NULL, 1, SEQREC_UNKNOWN_ERROR, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY);
    status = seqrec_session_ahead(session, candidates, 2, out, NULL);
    demand(status == SEQREC_OK || status == SEQREC_E_MEMORY);
}

static void restore(seqrec_sessions *pool, const uint8_t *bytes, size_t size)
{
    seqrec_error error = {0};
    seqrec_session *session = NULL;
    const int32_t status = seqrec_session_restore(pool, bytes, size, &session, &error);
    demand((status == SEQREC_OK) == (session != NULL));
    if (status == SEQREC_OK)
        use(session, bytes, size);
    else
        demand(error.status == status && error.message[0] != '\0' &&
               (status == SEQREC_E_FORMAT || status == SEQREC_E_ARGUMENT || status == SEQREC_E_MEMORY));
    seqrec_session_release(session);
}

/* The events of the input behind the head of a session of this model. */
static void restore_signed(seqrec_sessions *pool, const uint8_t *bytes, size_t size)
{
    if (size < LEAST) return;
    uint8_t *copy = malloc(size);
    uint8_t head[LEAST];
    seqrec_session *empty = NULL;
    demand(copy != NULL);
    memcpy(copy, bytes, size);
    demand(seqrec_session_open(pool, NULL, NULL, NULL, 0, SEQREC_UNKNOWN_SKIP, &empty, NULL) == SEQREC_OK);
    demand(seqrec_session_save(empty, head, sizeof head, NULL, NULL) == SEQREC_OK);
    seqrec_session_release(empty);
    memcpy(copy, head, 16);
    for (size_t i = 0; i < 8; i++) copy[32 + i] = (uint8_t)((uint64_t)((size - LEAST) / PER_EVENT) >> (8 * i));
    const uint64_t sum = sq_checksum_of(copy, size - 8);
    for (size_t i = 0; i < 8; i++) copy[size - 8 + i] = (uint8_t)(sum >> (8 * i));
    restore(pool, copy, size);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bounded state;
    const seqrec_allocator host = bounded_allocator(&state, MOST_BYTES);
    seqrec_context *context = NULL;
    seqrec_sessions *pool = NULL;
    demand(seqrec_context_create(&host, NULL, 0, NULL, NULL, &context, NULL) == SEQREC_OK);
    seqrec_model *model = new_model(context, &host);
    demand(seqrec_sessions_create(model, SIZE_MAX, &pool, NULL) == SEQREC_OK);
    restore(pool, bytes, size);
    restore_signed(pool, bytes, size);
    seqrec_sessions_release(pool);
    seqrec_model_release(model);
    seqrec_context_release(context);
    demand(state.blocks == 0 && state.bytes == 0);
    return 0;
}
