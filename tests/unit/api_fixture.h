/* unit: a context, options and a small model through the public interface, on an allocator that can fail. */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "failing_allocator.h"

typedef struct api_fixture {
    failing_allocator memory;
    seqrec_allocator allocator;
    seqrec_context *context;
    seqrec_config *config;
    seqrec_model *model;
    seqrec_error error; /* of the last call that got it */
} api_fixture;

static api_fixture api;

#define EXPECT(wanted, call)                                                                                           \
    do {                                                                                                               \
        memset(&api.error, 0, sizeof api.error);                                                                       \
        int32_t got_ = (call);                                                                                         \
        ck_assert_msg(got_ == (wanted), "%s: %s %s, not %s", #call, seqrec_status_name(got_), api.error.message,       \
                      seqrec_status_name(wanted));                                                                     \
        if (got_ == SEQREC_OK) ck_assert_msg(api.error.message[0] == 0, "%s wrote an error and succeeded", #call);     \
    } while (0)

/* A failure whose message holds `hint`. */
#define REFUSED(wanted, hint, call)                                                                                    \
    do {                                                                                                               \
        EXPECT(wanted, call);                                                                                          \
        ck_assert_int_eq(api.error.status, (wanted));                                                                  \
        ck_assert_msg(strstr(api.error.message, (hint)) != NULL, "%s: \"%s\" lacks \"%s\"", #call, api.error.message,  \
                      (hint));                                                                                         \
    } while (0)

/* Makes the n-th request of `call` fail for n = 1, 2, ... until it succeeds: each failure is E_MEMORY, leaves nothing behind,
 * and `check` holds after it. What a success allocates is undone by `undo`. */
#define EACH_ALLOCATION_FAILS(call, check, undo)                                                                       \
    do {                                                                                                               \
        int64_t failed_ = 0;                                                                                           \
        for (;; failed_++) {                                                                                           \
            int64_t before_ = atomic_load(&api.memory.blocks);                                                         \
            memset(&api.error, 0, sizeof api.error);                                                                   \
            atomic_store(&api.memory.to_fail, failed_);                                                                \
            int32_t outcome_ = (call);                                                                                 \
            int32_t reached_ = atomic_load(&api.memory.to_fail) < 0;                                                   \
            atomic_store(&api.memory.to_fail, -1);                                                                     \
            if (outcome_ == SEQREC_OK) {                                                                               \
                ck_assert_msg(!reached_, "%s: succeeded though request %lld failed", #call, (long long)failed_ + 1);   \
                undo;                                                                                                  \
                break;                                                                                                 \
            }                                                                                                          \
            ck_assert_msg(outcome_ == SEQREC_E_MEMORY && api.error.status == outcome_ && api.error.message[0] != 0,    \
                          "%s: request %lld failed: %s %s", #call, (long long)failed_ + 1,                             \
                          seqrec_status_name(outcome_), api.error.message);                                            \
            ck_assert_msg(atomic_load(&api.memory.blocks) == before_, "%s: request %lld failed and left blocks",       \
                          #call, (long long)failed_ + 1);                                                              \
            check;                                                                                                     \
        }                                                                                                              \
        ck_assert_msg(failed_ > 0, "%s allocated nothing", #call);                                                     \
    } while (0)

static inline void api_set(const char *name, const char *value)
{
    EXPECT(SEQREC_OK, seqrec_config_set(api.config, name, value, &api.error));
}

/* A model of 3 dimensions, one block and windows of 4. */
static inline void api_open_on(int32_t threads, const char *tied_output)
{
    api.allocator = failing_allocator_of(&api.memory);
    EXPECT(SEQREC_OK, seqrec_context_create(&api.allocator, NULL, threads, NULL, NULL, &api.context, &api.error));
    EXPECT(SEQREC_OK, seqrec_config_create(&api.allocator, &api.config, &api.error));
    api_set("dim", "3");
    api_set("blocks", "1");
    api_set("max_length", "4");
    api_set("tied_output", tied_output);
    EXPECT(SEQREC_OK, seqrec_model_create(api.context, api.config, &api.model, &api.error));
}

static inline void api_open_tied(void)
{
    api_open_on(0, "true");
}

static inline void api_open_untied(void)
{
    api_open_on(0, "false");
}

/* Everything that was allocated has been given back. */
static inline void api_close(void)
{
    seqrec_model_release(api.model);
    seqrec_config_release(api.config);
    seqrec_context_release(api.context);
    ck_assert_int_eq(atomic_load(&api.memory.blocks), 0);
}

/* Runs `body` in a forked child; it returns 0 when all was as it should be. */
static inline int api_in_child(int (*body)(void))
{
    int status = -1;
    pid_t child = fork();
    ck_assert(child >= 0);
    if (child == 0) _exit(body());
    ck_assert(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What a child returns: the number, from 1, of the first of its calls that did not answer `wanted`, or 0. */
static inline int api_first_other(const int32_t *statuses, size_t n, int32_t wanted)
{
    for (size_t i = 0; i < n; i++)
        if (statuses[i] != wanted) return (int)i + 1;
    return 0;
}
#define FIRST_OTHER(statuses, wanted) api_first_other(statuses, sizeof(statuses) / sizeof *(statuses), wanted)
#endif
