/* ann: failures on their way to a status. Inside, they are thrown; nothing leaves an exported function but a status. */
#ifndef SQ_ANN_FAILURE_HPP
#define SQ_ANN_FAILURE_HPP
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>
#include "seqrec_ann.h"

namespace sq_ann {

struct Failure {
    seqrec_error error;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) inline void refuse(int32_t status, const char *format, ...)
{
    Failure f = {};
    va_list arguments;
    va_start(arguments, format);
    f.error.status = status;
    std::vsnprintf(f.error.message, sizeof f.error.message, format, arguments);
    va_end(arguments);
    throw f;
}

/* Throws what a call of libseqrec gave. */
inline void check(int32_t status, const seqrec_error &error)
{
    if (status != SEQREC_OK) throw Failure{error};
}

inline int32_t tell(seqrec_error *error, int32_t status, const char *message)
{
    if (error == nullptr) return status;
    std::memset(error, 0, sizeof *error);
    error->status = status;
    std::snprintf(error->message, sizeof error->message, "%s", message);
    return status;
}

/* Runs `body`; whatever it throws becomes a status. */
template <class Body> int32_t guarded(seqrec_error *error, Body body) noexcept
{
    try {
        body();
        return SEQREC_OK;
    } catch (const Failure &f) {
        return tell(error, f.error.status, f.error.message);
    } catch (const std::bad_alloc &) {
        return tell(error, SEQREC_E_MEMORY, "no memory for the graph");
    } catch (const std::length_error &) {
        return tell(error, SEQREC_E_MEMORY, "no memory for the graph: it would be too large");
    } catch (const std::system_error &e) {
        return tell(error, SEQREC_E_MEMORY, e.what());
    } catch (const std::exception &e) {
        const bool memory = std::strncmp(e.what(), "Not enough memory", 17) == 0; /* hnswlib's word for it */
        return tell(error, memory ? SEQREC_E_MEMORY : SEQREC_E_STATE, e.what());
    } catch (...) {
        return tell(error, SEQREC_E_STATE, "the graph failed for an unknown reason");
    }
}

}
#endif
