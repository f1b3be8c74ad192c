/* seqrec.h: the public interface of libseqrec, self-attentive sequential recommendation. */
/** @file
 * The public interface of libseqrec, self-attentive sequential recommendation: all of its parts, each of which can also be included
 * alone. seqrec/core.h is what the ABI promise covers; the others are experimental, and exported under the symbol version SEQREC_EXPERIMENTAL.
 *
 * Conventions that hold for every function:
 *   - Fallible calls return a status: SEQREC_OK (0) or a negative SEQREC_E_* code. The optional last parameter
 *     `error` (may be NULL) receives the code and a sentence naming the value and the rule; it is written only on failure.
 *   - A failed call changes nothing: handles stay usable, outputs of multi-item calls are all or nothing.
 *   - Handles are opaque. Every *_release accepts NULL.
 *   - Thread rule, stated per function: R = any number of threads at once, also beside one W call on the same handle;
 *     W = one thread at a time per handle; C = one thread at a time, alone on that handle; S, of sessions = W on the session, R on its pool.
 *   - What comes through an `**out` is the caller's to release, with the function of its kind; on failure *out is as it was.
 *   - A struct that begins with `struct_size` may be of another release of this header. The host zeroes it and sets struct_size to
 *     sizeof it: E_ARGUMENT when that is less than the struct had in its first release, E_UNSUPPORTED when bytes this library does
 *     not know are not 0; of a longer struct that is filled in, what this library does not know stays as it was. In structs that
 *     the library passes to callbacks it sets struct_size itself: a field behind that is not there.
 *   - Ids are the host's own int64 values; no value is reserved for padding or "none".
 *   - Shapes are row-major. B sequences, N events in all, V items, d = option `dim`, k list length.
 *   - Nothing is printed, no environment is read, no thread is created unless asked for; callbacks run on the calling thread
 *     unless said otherwise and must not unwind through the library.
 */
#ifndef SEQREC_H
#define SEQREC_H

#include "seqrec/core.h"
#include "seqrec/retrieval.h"
#include "seqrec/users.h"
#include "seqrec/sessions.h"
#include "seqrec/datasets.h"
#include "seqrec/trainers.h"
#include "seqrec/evaluations.h"

#endif /* SEQREC_H */
