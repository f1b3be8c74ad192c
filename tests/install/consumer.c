/* install: the least a C program does with an installed libseqrec. */
#include <seqrec.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    if (seqrec_version() != SEQREC_VERSION_NUMBER) return 1;
    if (strcmp(seqrec_status_name(SEQREC_E_RANGE), "SEQREC_E_RANGE") != 0) return 1;

    seqrec_config *config = NULL;
    seqrec_error error;
    if (seqrec_config_create(NULL, &config, &error) != SEQREC_OK) return 1;
    int32_t status = seqrec_config_set(config, "no-such-option", "1", &error);
    seqrec_config_release(config);
    if (status != SEQREC_E_UNSUPPORTED) return 1;

    seqrec_context *context = NULL;
    if (seqrec_context_create(NULL, NULL, 2, NULL, NULL, &context, &error) != SEQREC_OK) return 1;
    seqrec_context_release(context);
    puts(seqrec_build_info());
    return 0;
}
