/* unit: whole trainings under the AVX2 and the AVX-512 table give the same bits. */
#include <stdio.h>
#include "run_suite.h"
#include "trainer_state.h"

enum { ITEMS = 300, STEPS = 6 };

/* Each kind of training once more under every wiring. */
static sq_options options_of(int index)
{
    sq_options o = small_options("sasrec");
    training_kind(index, &o);
    o.dim = 50; /* no multiple of any vector */
    o.heads = 2;
    o.max_length = 40;
    o.micro_batch = 64;
    o.dropout = 0.2;
    o.learning_rate = 0.01;
    o.wiring = index % 3;
    o.activation = index % 2 ? SQ_ACTIVATION_GELU : SQ_ACTIVATION_RELU;
    return o;
}

static trainer_state trained(const sq_options *o, const sq_kernels *kernels, double *loss)
{
    small_model s = small_open(o, 1, ITEMS);
    s.model->kernels = kernels;
    small_train(&s, o);
    for (uint64_t i = 0; i < STEPS; i++) {
        small_batch b;
        small_draw(&b, 20 * i, 12, 1, 60, ITEMS);
        *loss = small_step(s.trainer, &b);
    }
    trainer_state state = state_of(s.trainer);
    small_close(&s);
    return state;
}

START_TEST(avx2_and_avx512_train_to_the_same_bits)
{
    const sq_options o = options_of(_i);
    double loss, other_loss;
    trainer_state v3 = trained(&o, sq_kernels_variant(1), &loss), v4 = trained(&o, sq_kernels_variant(2), &other_loss);
    same_state(&v3, &v4);
    ck_assert(memcmp(&loss, &other_loss, sizeof loss) == 0);
    state_free(&v3);
    state_free(&v4);
}
END_TEST

int main(void)
{
    if (sq_kernels_variant(1) == NULL || sq_kernels_variant(2) == NULL) {
        (void)printf("1..0 # SKIP this processor has not both AVX2 and AVX-512\n");
        /* A TAP reader takes the line above; anything else takes the status. */
        return getenv("CK_TAP_LOG_FILE_NAME") != NULL ? EXIT_SUCCESS : 77;
    }
    Suite *suite = suite_create("variants");
    TCase *tests = tcase_create("variants");
    tcase_add_loop_test(tests, avx2_and_avx512_train_to_the_same_bits, 0, TRAINING_KINDS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
