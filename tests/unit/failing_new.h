/* unit: operator new that fails at the n-th request. */
#ifndef FAILING_NEW_H
#define FAILING_NEW_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
/* Lets `requests` more succeed and the next one fail, once; below 0: none fails. */
void failing_new_after(int64_t requests);
/* Whether it has failed since. */
int32_t failing_new_reached(void);
/* Requests so far. */
int64_t failing_new_requests(void);
/* Blocks outstanding. */
int64_t failing_new_blocks(void);
#ifdef __cplusplus
}
#endif
#endif
