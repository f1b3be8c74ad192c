"""tests/reference: a thin ctypes binding of include/seqrec.h, for tests; the library is the file $SEQREC_LIBRARY names.

`lib` has every function with its C signature. Failures of the helpers below raise SeqrecError with the library's
message.
"""
import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_char, c_char_p, c_double, c_float, c_int32, c_int64,
                    c_size_t, c_uint8, c_uint64, c_void_p)

import numpy as np

OK, E_ARGUMENT, E_RANGE, E_UNSUPPORTED, E_MEMORY, E_NOT_FOUND, E_EXISTS = 0, -1, -2, -3, -4, -5, -6
E_STATE, E_FORMAT, E_IO, E_CANCELLED, E_NUMERIC, E_DEPENDENCY = -7, -8, -9, -10, -11, -12
UNKNOWN_SKIP, UNKNOWN_ERROR = 0, 1

# ---- Structs and callbacks -------------------------------------------------------------------------------------------

I32P, I64P, F32P, F64P = POINTER(c_int32), POINTER(c_int64), POINTER(c_float), POINTER(c_double)
U8P = POINTER(c_uint8)
SIZEP = POINTER(c_size_t)
PROGRESS = CFUNCTYPE(c_int32, c_void_p, c_char_p, c_int64, c_int64)
LOG = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
TASK = CFUNCTYPE(None, c_void_p, c_int32)


class Error(Structure):
    _fields_ = [("status", c_int32), ("reserved", c_int32), ("message", c_char * 248)]


class Sized(Structure):
    """A struct whose first member is its own size; keyword arguments set the others."""

    def __init__(self, **values):
        super().__init__(struct_size=ctypes.sizeof(type(self)), **values)


class Allocator(Sized):
    _fields_ = [("struct_size", c_size_t), ("context", c_void_p),
                ("allocate", CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)),
                ("release", CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_size_t))]


class Executor(Sized):
    _fields_ = [("struct_size", c_size_t), ("context", c_void_p), ("width", c_int32), ("reserved", c_int32),
                ("run", CFUNCTYPE(None, c_void_p, c_int32, TASK, c_void_p))]


class OptionInfo(Sized):
    _fields_ = ([("struct_size", c_size_t)]
                + [(name, c_char_p) for name in ("name", "scope", "kind", "initial", "choices")]
                + [("lowest", c_double), ("highest", c_double), ("since", c_char_p), ("help", c_char_p), ("needs", c_char_p)])


class Batch(Sized):
    _fields_ = [("struct_size", c_size_t), ("sequences", c_int64), ("offsets", I64P), ("items", I64P),
                ("timestamps", I64P), ("values", F32P), ("weights", F32P), ("actions", I32P), ("users", I64P),
                ("request_times", I64P)]


class Filter(Sized):
    _fields_ = [("struct_size", c_size_t), ("exclude_seen", c_int32), ("unknown_items", c_int32), ("allow", I64P),
                ("allow_count", c_int64), ("deny", I64P), ("deny_count", c_int64), ("skipped", I64P),
                ("strangers", I64P), ("bits", POINTER(c_uint64)), ("bits_first", c_int64), ("bits_count", c_int64)]


class VectorsInfo(Sized):
    _fields_ = [("struct_size", c_size_t), ("items", c_int64), ("slots", c_int64), ("width", c_int64),
                ("cosine", c_int32), ("reserved", c_int32)]


class Index(Sized):
    _fields_ = [("struct_size", c_size_t), ("context", c_void_p), ("breadth", c_int64),
                ("search", CFUNCTYPE(c_int32, c_void_p, F32P, c_int64, I32P, I64P)),
                ("release", CFUNCTYPE(None, c_void_p))]


class IndexInfo(Sized):
    _fields_ = [("struct_size", c_size_t), ("attached", c_int32), ("reserved", c_int32), ("covered", c_int64),
                ("beside", c_int64), ("searched", c_int64), ("scanned", c_int64), ("failed", c_int64)]


class Reader(Sized):
    _fields_ = ([("struct_size", c_size_t)]
                + [(name, c_char_p) for name in ("format", "user", "item", "value", "timestamp", "separator")]
                + [("header", c_int32), ("has_minimum", c_int32), ("minimum_value", c_double), ("progress", PROGRESS),
                   ("progress_context", c_void_p)])


class DatasetStats(Sized):
    _fields_ = [("struct_size", c_size_t), ("users", c_int64), ("items", c_int64), ("events", c_int64),
                ("shortest", c_int64), ("longest", c_int64), ("length_quantiles", c_double * 5), ("density", c_double),
                ("repeats", c_int64), ("ties", c_int64), ("has_timestamps", c_int32), ("has_values", c_int32),
                ("has_names", c_int32), ("reserved", c_int32), ("hash", c_uint64), ("values_hash", c_uint64)]


class Synth(Sized):
    _fields_ = [("struct_size", c_size_t), ("users", c_int64), ("items", c_int64), ("clusters", c_int64),
                ("shortest", c_int64), ("longest", c_int64), ("drift", c_double), ("markov", c_double),
                ("zipf", c_double), ("successors", c_int64), ("seed", c_uint64)]


class Ceiling(Sized):
    _fields_ = [("struct_size", c_size_t), ("users", c_int64), ("hit10", c_double), ("ndcg10", c_double)]


class StepStats(Sized):
    _fields_ = [("struct_size", c_size_t), ("step", c_int64), ("targets", c_int64), ("loss", c_double),
                ("grad_norm", c_double), ("learning_rate", c_double), ("waiting", c_int64)]


class EpochStats(Sized):
    _fields_ = [("struct_size", c_size_t), ("epoch", c_int64), ("targets", c_int64), ("loss", c_double),
                ("seconds", c_double), ("metric", c_double), ("improved", c_int32), ("reserved", c_int32),
                ("learning_rate", c_double)]


EPOCH = CFUNCTYPE(c_int32, c_void_p, POINTER(EpochStats))


class Negatives(Sized):
    _fields_ = [("struct_size", c_size_t), ("tokens", c_int64), ("rows", c_int64), ("k", c_int64), ("targets", I64P),
                ("items", I64P), ("log_probabilities", F32P)]


NEGATIVES = CFUNCTYPE(c_int32, c_void_p, POINTER(Negatives))


class Fit(Sized):
    _fields_ = [("struct_size", c_size_t), ("split", c_char_p), ("checkpoint", c_char_p), ("checkpoint_every", c_int64),
                ("epoch", EPOCH), ("epoch_context", c_void_p), ("progress", PROGRESS), ("progress_context", c_void_p)]


class FitStats(Sized):
    _fields_ = [("struct_size", c_size_t), ("epochs", c_int64), ("best_epoch", c_int64), ("best_metric", c_double),
                ("seconds_per_epoch", c_double), ("tokens_per_second", c_double), ("cancelled", c_int32),
                ("reserved", c_int32)]


class Evaluation(Sized):
    _fields_ = [("struct_size", c_size_t), ("protocol", c_char_p), ("split", c_char_p), ("division", c_char_p),
                ("cutoffs", I64P), ("cutoff_count", c_int64), ("bootstrap", c_int64), ("baselines", c_int32),
                ("allow_trained", c_int32), ("seed", c_uint64), ("progress", PROGRESS), ("progress_context", c_void_p),
                ("users", I64P), ("user_count", c_int64), ("beyond", c_int32), ("breakdown", c_int32),
                ("cold_events", c_int64), ("last_items", c_int64), ("hide_request_time", c_int32), ("instant_sets", c_int32)]


class SessionsInfo(Sized):
    _fields_ = [("struct_size", c_size_t), ("sessions", c_int64), ("cached", c_int64), ("dropped", c_int64),
                ("cache_bytes", c_size_t), ("event_bytes", c_size_t), ("budget", c_size_t)]


class SessionInfo(Sized):
    _fields_ = [("struct_size", c_size_t), ("rule", c_int32), ("has_user", c_int32), ("user", c_int64),
                ("events", c_int64), ("cached", c_int64), ("waiting", c_int64), ("cache_bytes", c_size_t),
                ("event_bytes", c_size_t), ("reason", c_char_p)]


class DecodeMask(Sized):
    _fields_ = [("struct_size", c_size_t), ("session", c_int64), ("path", c_int64), ("step", c_int64), ("items", I64P),
                ("deny", I64P), ("deny_count", c_int64), ("bits", POINTER(c_uint64)), ("bits_first", c_int64), ("bits_count", c_int64)]


MASK = CFUNCTYPE(c_int32, c_void_p, POINTER(DecodeMask))


class Decoded(Sized):
    _fields_ = [("struct_size", c_size_t), ("session", c_int64), ("path", c_int64), ("step", c_int64), ("item", c_int64),
                ("log_probability", c_double)]


TOLD = CFUNCTYPE(c_int32, c_void_p, POINTER(Decoded))


class Decode(Sized):
    _fields_ = [("struct_size", c_size_t), ("method", c_int32), ("repeats", c_int32), ("steps", c_int64),
                ("width", c_int64), ("top_k", c_int64), ("temperature", c_double), ("seed", c_uint64),
                ("interval", c_int64), ("top_p", c_double), ("mask", MASK), ("mask_context", c_void_p),
                ("told", TOLD), ("told_context", c_void_p), ("done", I64P),
                ("groups", c_int64), ("diversity", c_double), ("step_log_probabilities", POINTER(c_double))]


# ---- Functions: name: (result, arguments); a trailing ERR is the `error` parameter -----------------------------------

H, OUT, ERR = c_void_p, POINTER(c_void_p), POINTER(Error)
TEXT = [c_char_p, c_size_t, SIZEP, ERR]  # out, out_bytes, needed, error
SIGNATURES = {
    "status_name": (c_char_p, [c_int32]),
    "version": (c_int32, []),
    "build_info": (c_char_p, []),
    "context_create": (c_int32, [POINTER(Allocator), POINTER(Executor), c_int32, LOG, c_void_p, OUT, ERR]),
    "context_release": (None, [H]),
    "config_create": (c_int32, [POINTER(Allocator), OUT, ERR]),
    "config_release": (None, [H]),
    "config_preset": (c_int32, [H, c_char_p, ERR]),
    "config_set": (c_int32, [H, c_char_p, c_char_p, ERR]),
    "config_get": (c_int32, [H, c_char_p] + TEXT),
    "option_describe": (c_int32, [c_int32, POINTER(OptionInfo)]),
    "preset_name": (c_char_p, [c_int32]),
    "model_create": (c_int32, [H, H, OUT, ERR]),
    "model_retain": (H, [H]),
    "model_release": (None, [H]),
    "model_save": (c_int32, [H, c_char_p, ERR]),
    "model_load": (c_int32, [H, c_char_p, OUT, ERR]),
    "model_load_longer": (c_int32, [H, c_char_p, c_int64, OUT, ERR]),
    "model_config": (c_int32, [H, OUT, ERR]),
    "model_note": (c_int32, [H, c_char_p] + TEXT),
    "model_set_note": (c_int32, [H, c_char_p, c_char_p, ERR]),
    "items_put": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "items_update": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "items_remove": (c_int32, [H, I64P, c_int64, ERR]),
    "items_get": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "items_locate": (c_int32, [H, c_int64, I32P, I32P, ERR]),
    "items_count": (c_int64, [H]),
    "items_width": (c_int64, [H]),
    "items_next": (c_int32, [H, I64P, I64P, c_int64, I64P, ERR]),
    "items_set_names": (c_int32, [H, I64P, POINTER(c_char_p), c_int64, ERR]),
    "items_name": (c_int32, [H, c_int64] + TEXT),
    "items_find": (c_int32, [H, c_char_p, I64P, ERR]),
    "score": (c_int32, [H, POINTER(Batch), I64P, I64P, c_int64, POINTER(Filter), F32P, ERR]),
    "topk": (c_int32, [H, POINTER(Batch), c_int64, POINTER(Filter), I64P, F32P, I64P, ERR]),
    "encode": (c_int32, [H, POINTER(Batch), POINTER(Filter), F32P, ERR]),
    "users_put": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "users_update": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "users_forget": (c_int32, [H, I64P, c_int64, ERR]),
    "users_get": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "users_locate": (c_int32, [H, c_int64, I32P, I32P, ERR]),
    "users_count": (c_int64, [H]),
    "users_width": (c_int64, [H]),
    "users_next": (c_int32, [H, I64P, I64P, c_int64, I64P, ERR]),
    "users_name": (c_int32, [H, c_int64] + TEXT),
    "users_find": (c_int32, [H, c_char_p, I64P, ERR]),
    "sessions_create": (c_int32, [H, c_size_t, OUT, ERR]),
    "sessions_release": (None, [H]),
    "sessions_swap": (c_int32, [H, H, ERR]),
    "sessions_describe": (c_int32, [H, POINTER(SessionsInfo), ERR]),
    "session_open": (c_int32, [H, I64P, I64P, I64P, c_int64, c_int32, OUT, ERR]),
    "session_release": (None, [H]),
    "session_ask_at": (c_int32, [H, c_int64, ERR]),
    "session_append": (c_int32, [H, I64P, I64P, c_int64, c_int32, ERR]),
    "session_topk": (c_int32, [H, c_int64, POINTER(Filter), I64P, F32P, I64P, ERR]),
    "session_score": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "session_encode": (c_int32, [H, F32P, ERR]),
    "session_ahead": (c_int32, [H, I64P, c_int64, F32P, ERR]),
    "session_decode": (c_int32, [H, POINTER(Decode), POINTER(Filter), I64P, F64P, I64P, ERR]),
    "sessions_decode": (c_int32, [H, OUT, c_int64, POINTER(Decode), POINTER(Filter), I64P, F64P, I64P, ERR]),
    "session_follow": (c_int32, [H, I64P, c_int64, c_int64, F64P, ERR]),
    "aggregate": (c_int32, [POINTER(Allocator), I64P, c_int64, c_int64, F64P, c_int32, c_int64, I64P, F64P, I64P, ERR]),
    "rerank_mmr": (c_int32, [H, I64P, F64P, c_int64, c_double, c_int64, I64P, F64P, ERR]),
    "session_describe": (c_int32, [H, POINTER(SessionInfo), ERR]),
    "session_save": (c_int32, [H, c_void_p, c_size_t, SIZEP, ERR]),
    "session_restore": (c_int32, [H, c_void_p, c_size_t, OUT, ERR]),
    "session_evict": (c_int32, [H, ERR]),
    "dataset_create": (c_int32, [H, POINTER(Batch), OUT, ERR]),
    "dataset_read": (c_int32, [H, c_char_p, POINTER(Reader), OUT, ERR]),
    "dataset_retain": (H, [H]),
    "dataset_release": (None, [H]),
    "dataset_kcore": (c_int32, [H, c_int64, c_int64, OUT, ERR]),
    "dataset_join": (c_int32, [POINTER(H), c_int64, c_int32, OUT, ERR]),
    "dataset_shuffle_ties": (c_int32, [H, c_uint64, OUT, ERR]),
    "dataset_corrupt": (c_int32, [H, c_double, c_char_p, c_uint64, OUT, ERR]),
    "dataset_describe": (c_int32, [H, POINTER(DatasetStats), ERR]),
    "dataset_sequence": (c_int32, [H, c_int64, I64P, POINTER(I64P), POINTER(I64P), I64P, ERR]),
    "dataset_values": (c_int32, [H, c_int64, POINTER(POINTER(c_float)), ERR]),
    "dataset_division": (c_int32, [H, c_char_p, c_int64, I64P, I64P, ERR]),
    "dataset_items": (c_int32, [H, I64P, c_int64, I64P, ERR]),
    "dataset_item_name": (c_int32, [H, c_int64, POINTER(c_char_p), ERR]),
    "dataset_match_items": (c_int32, [H, H, I64P, c_int64, I64P, U8P, ERR]),
    "dataset_user_name": (c_int32, [H, c_int64, POINTER(c_char_p), ERR]),
    "dataset_synthesize": (c_int32, [H, POINTER(Synth), OUT, POINTER(Ceiling), ERR]),
    "model_gates": (c_int32, [H, POINTER(c_double), c_int64, I64P, ERR]),
    "model_gates_on": (c_int32, [H, POINTER(Batch), POINTER(c_double), c_int64, I64P, ERR]),
    "model_quantise": (c_int32, [H, c_int32, ERR]),
    "model_export": (c_int32, [H, c_char_p, c_int32, c_int32, ERR]),
    "model_map": (c_int32, [H, c_char_p, c_int32, OUT, ERR]),
    "vectors_open": (c_int32, [H, OUT, ERR]),
    "vectors_retain": (H, [H]),
    "vectors_release": (None, [H]),
    "vectors_describe": (c_int32, [H, POINTER(VectorsInfo), ERR]),
    "vectors_read": (c_int32, [H, c_int64, c_int64, F32P, U8P, ERR]),
    "vectors_compare": (c_int32, [H, H, c_int64, c_int64, U8P, ERR]),
    "vectors_checksum": (c_int32, [H, POINTER(c_uint64), ERR]),
    "model_set_index": (c_int32, [H, H, POINTER(Index), ERR]),
    "model_describe_index": (c_int32, [H, POINTER(IndexInfo), ERR]),
    "trainer_create": (c_int32, [H, H, OUT, ERR]),
    "trainer_release": (None, [H]),
    "trainer_step": (c_int32, [H, POINTER(Batch), POINTER(StepStats), ERR]),
    "trainer_publish": (c_int32, [H, ERR]),
    "trainer_publish_best": (c_int32, [H, ERR]),
    "trainer_set": (c_int32, [H, c_char_p, c_char_p, ERR]),
    "trainer_set_popularity": (c_int32, [H, I64P, F64P, c_int64, ERR]),
    "trainer_set_negatives": (c_int32, [H, NEGATIVES, c_void_p, ERR]),
    "trainer_fit": (c_int32, [H, H, POINTER(Fit), POINTER(FitStats), ERR]),
    "trainer_save": (c_int32, [H, c_char_p, ERR]),
    "trainer_load": (c_int32, [H, c_char_p, OUT, OUT, ERR]),
    "evaluate": (c_int32, [H, H, H, POINTER(Evaluation), OUT, ERR]),
    "compare": (c_int32, [H, H, H, H, POINTER(Evaluation), OUT, ERR]),
    "report_release": (None, [H]),
    "report_get": (c_int32, [H, c_char_p, c_char_p, F64P, F64P, F64P, ERR]),
    "report_metric": (c_char_p, [H, c_char_p, c_int32]),
    "report_protocol": (c_char_p, [H]),
    "report_warning": (c_char_p, [H, c_int32]),
}


def load(path):
    """Loads a library and gives every function of the header its signature."""
    library = ctypes.CDLL(path)
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, "seqrec_" + name)
        function.restype, function.argtypes = result, arguments
    return library


lib = load(os.environ["SEQREC_LIBRARY"]) if os.environ.get("SEQREC_LIBRARY") else None

# ---- Helpers ---------------------------------------------------------------------------------------------------------


class SeqrecError(Exception):
    """A call that failed; `status` is the SEQREC_E_* code."""

    def __init__(self, status, message):
        super().__init__("%s: %s" % (lib.seqrec_status_name(status).decode(), message))
        self.status = status


def call(name, *arguments):
    """Calls seqrec_NAME with an error record behind the arguments."""
    error = Error()
    status = getattr(lib, "seqrec_" + name)(*arguments, byref(error))
    if status != OK:
        raise SeqrecError(status, error.message.decode("utf-8", "replace"))


def create(name, *arguments):
    """Calls a function whose parameters end in (out, error) and returns the new handle."""
    out = c_void_p()
    call(name, *arguments, byref(out))
    return out


def text(name, *arguments):
    """Calls a function that copies a text out, e.g. text("config_get", config, b"dim")."""
    room = ctypes.create_string_buffer(4097)
    call(name, *arguments, room, len(room), None)
    return room.value.decode()


def int64s(values):
    return np.ascontiguousarray(values, dtype=np.int64)


def floats(values):
    return np.ascontiguousarray(values, dtype=np.float32)


def pointer(array):
    """Pointer to a contiguous array; the caller keeps the array."""
    kind = {"int64": c_int64, "int32": c_int32, "float32": c_float, "float64": c_double}[array.dtype.name]
    return array.ctypes.data_as(POINTER(kind))


def batch_of(sequences, users=None, clock=None):
    """A Batch of lists of item ids, and of a user id for each; clock(sequence) gives the times of its events and that of the request.
    It keeps the arrays it points into."""
    offsets = int64s(np.cumsum([0] + [len(sequence) for sequence in sequences]))
    items = int64s(np.concatenate([int64s(sequence) for sequence in sequences]) if sequences else [])
    batch = Batch(sequences=len(sequences), offsets=pointer(offsets), items=pointer(items))
    batch.kept = (offsets, items)
    if users is not None:
        ids = int64s(users)
        batch.users, batch.kept = pointer(ids), batch.kept + (ids,)
    if clock is not None:
        clocks = [clock(sequence) for sequence in sequences]
        times, asks = int64s(np.concatenate([int64s(times) for times, _ in clocks])), int64s([ask for _, ask in clocks])
        batch.timestamps, batch.request_times, batch.kept = pointer(times), pointer(asks), batch.kept + (times, asks)
    return batch


def config(preset=None, **options):
    """A config handle; values become text as str() gives it, booleans as true and false."""
    handle = create("config_create", None)
    try:
        if preset:
            call("config_preset", handle, preset.encode())
        for name, value in options.items():
            value = str(value).lower() if isinstance(value, bool) else str(value)
            call("config_set", handle, name.encode(), value.encode())
    except SeqrecError:
        lib.seqrec_config_release(handle)
        raise
    return handle


def score(model, sequences, candidates, users=None, clock=None):
    """Scores [sequences][candidates]."""
    batch, ids = batch_of(sequences, users, clock), int64s(candidates)
    out = np.zeros((len(sequences), len(ids)), np.float32)
    call("score", model, byref(batch), pointer(ids), None, len(ids), None, pointer(out))
    return out


def topk(model, sequences, k, **filters):
    """(items [B][k], scores [B][k], found [B])."""
    batch, count = batch_of(sequences), len(sequences)
    items, scores, found = np.zeros((count, k), np.int64), np.zeros((count, k), np.float32), np.zeros(count, np.int64)
    call("topk", model, byref(batch), k, byref(Filter(**filters)), pointer(items), pointer(scores), pointer(found))
    return items, scores, found


def encode(model, sequences, dim, clock=None):
    """User vectors [sequences][dim]."""
    batch = batch_of(sequences, None, clock)
    out = np.zeros((len(sequences), dim), np.float32)
    call("encode", model, byref(batch), None, pointer(out))
    return out
