/* unit: copies of a safetensors file with one thing changed and the checksums right, or without checksums. */
#ifndef REWRITTEN_FILE_H
#define REWRITTEN_FILE_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model/safetensors.h"

/* What a copy differs in; all NULL: nothing. */
typedef struct rewriting {
    const char *key, *value;    /* metadata set, or left out when value is NULL */
    const char *without, *with; /* tensor left out; tensor added, with two floats */
    const char *tensor;         /* tensor with `bytes` bytes changed from element `element` on */
    int64_t element;
    const void *values;
    size_t bytes;
} rewriting;

static inline sq_memory plain_memory(void)
{
    sq_memory memory;
    ck_assert_int_eq(sq_memory_init(&memory, NULL, NULL), SEQREC_OK);
    return memory;
}

static inline sq_tensor_file *opened(const char *path)
{
    sq_memory memory = plain_memory();
    seqrec_error error = {0};
    sq_tensor_file *file = NULL;
    ck_assert_msg(sq_tensor_file_open(&memory, path, &file, &error) == SEQREC_OK, "%s: %s", path, error.message);
    return file;
}

static inline void *tensor_bytes(const sq_tensor_file *file, const sq_tensor *tensor, const rewriting *how)
{
    char *data = malloc((size_t)tensor->bytes + 1);
    ck_assert_int_eq(sq_tensor_read(file, tensor, data, NULL), SEQREC_OK);
    if (how->tensor != NULL && strcmp(how->tensor, tensor->name) == 0) {
        size_t at = (size_t)how->element * sq_dtype_bytes(tensor->dtype);
        ck_assert_uint_le(at + how->bytes, (size_t)tensor->bytes);
        memcpy(data + at, how->values, how->bytes);
    }
    return data;
}

static inline void rewrite(const char *from, const char *to, rewriting how)
{
    enum { MOST = 256 };
    static const float two[2] = {1, 2};
    void *data[MOST] = {NULL};
    sq_memory memory = plain_memory();
    seqrec_error error = {0};
    sq_tensor_writer *writer;
    const char *key, *value;
    const sq_tensor *tensor;
    sq_tensor_file *file = opened(from);
    ck_assert_int_eq(sq_tensor_writer_create(&memory, &writer, NULL), SEQREC_OK);
    for (int64_t i = 0; sq_tensor_file_text_at(file, i, &key, &value); i++) {
        if (how.key != NULL && strcmp(how.key, key) == 0) continue;
        ck_assert_int_eq(sq_tensor_writer_text(writer, key, value, NULL), SEQREC_OK);
    }
    if (how.key != NULL && how.value != NULL)
        ck_assert_int_eq(sq_tensor_writer_text(writer, how.key, how.value, NULL), SEQREC_OK);
    for (int64_t i = 0; (tensor = sq_tensor_file_at(file, i)) != NULL; i++) {
        ck_assert_int_lt(i, MOST);
        if (how.without != NULL && strcmp(how.without, tensor->name) == 0) continue;
        data[i] = tensor_bytes(file, tensor, &how);
        ck_assert_int_eq(
            sq_tensor_writer_add(writer, tensor->name, tensor->dtype, tensor->rank, tensor->shape, data[i], NULL),
            SEQREC_OK);
    }
    if (how.with != NULL)
        ck_assert_int_eq(sq_tensor_writer_add(writer, how.with, SQ_F32, 1, &(int64_t){2}, two, NULL), SEQREC_OK);
    ck_assert_msg(sq_tensor_writer_save(writer, to, &error) == SEQREC_OK, "%s: %s", to, error.message);
    sq_tensor_writer_free(writer);
    sq_tensor_file_close(file);
    for (int i = 0; i < MOST; i++) free(data[i]);
}

static inline void rewrite_text(const char *from, const char *to, const char *key, const char *value)
{
    rewrite(from, to, (rewriting){.key = key, .value = value});
}

static inline void rewrite_without(const char *from, const char *to, const char *tensor)
{
    rewrite(from, to, (rewriting){.without = tensor});
}

static inline void rewrite_with(const char *from, const char *to, const char *tensor)
{
    rewrite(from, to, (rewriting){.with = tensor});
}

static inline void rewrite_values(const char *from, const char *to, const char *tensor, int64_t element,
                                  const void *values, size_t bytes)
{
    rewrite(from, to, (rewriting){.tensor = tensor, .element = element, .values = values, .bytes = bytes});
}

static inline void text_in(const char *path, const char *key, char *out, size_t room)
{
    sq_tensor_file *file = opened(path);
    const char *value = sq_tensor_file_text(file, key);
    ck_assert_msg(value != NULL, "%s has no %s", path, key);
    snprintf(out, room, "%s", value);
    sq_tensor_file_close(file);
}

/* Takes the checksums out as another program would: every "xxh3..." pair of the metadata, whose first is one of them. */
static inline void rewrite_plain(const char *from, const char *to)
{
    FILE *file = fopen(from, "rb");
    ck_assert_ptr_nonnull(file);
    static char bytes[1 << 20], header[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file), length, kept = 0;
    ck_assert(fclose(file) == 0 && size < sizeof bytes);
    memcpy(&length, bytes, 8);
    const char *at = bytes + 8, *end = at + length;
    while (at < end) {
        if (strncmp(at, "\"xxh3", 5) != 0) {
            header[kept++] = *at++;
            continue;
        }
        at = strstr(at, "\":\"") + 3;
        at = strchr(at, '"') + 1;
        if (*at == ',')
            at++;
        else
            kept--; /* the comma before the last pair */
    }
    file = fopen(to, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert(fwrite(&kept, 1, 8, file) == 8 && fwrite(header, 1, kept, file) == kept &&
              fwrite(end, 1, size - 8 - length, file) == size - 8 - length && fclose(file) == 0);
}
#endif
