"""reference: reads and writes safetensors files with numpy alone; docs/FILE-FORMAT.md has the layout.

    tensors, metadata = read(path)
    write(path, {"w": numpy.zeros((2, 3), numpy.float32)}, {"format": "text"})

Checksums are not computed: what `write` makes is a plain file without them, and `read` leaves them unchecked (`read`
hides their keys, so that metadata can be passed on to `write`). Run as a program it tests itself.
"""

import json
import os
import struct
import sys

import numpy

ALIGNMENT = 64
HEADER_LIMIT = 100_000_000
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}
NAMES = {numpy.dtype(code): name for name, code in TYPES.items()}


def _without_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key occurs twice among {keys}")
    return dict(pairs)


def read_header(path):
    """The header as (dict, byte where the data begins)."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > HEADER_LIMIT:
            raise ValueError(f"{path}: a header of {length} bytes")
        text = file.read(length)
    if len(text) != length or not text.startswith(b"{"):
        raise ValueError(f"{path}: the header is cut or does not begin with '{{'")
    return json.loads(text.decode("utf-8"), object_pairs_hook=_without_duplicates), 8 + length


def _decode(raw, dtype, shape):
    if dtype == "BF16":  # the upper half of a float32
        wide = numpy.frombuffer(raw, "<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape)
    return numpy.frombuffer(raw, TYPES[dtype]).reshape(shape).copy()


def read(path):
    """All tensors by name, in the order of the data, and the metadata without the keys of checksums."""
    header, start = read_header(path)
    metadata = header.pop("__metadata__", {})
    size = os.path.getsize(path) - start
    tensors, end = {}, 0
    with open(path, "rb") as file:
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, stop = entry["data_offsets"]
            if begin != end or stop > size:
                raise ValueError(f"{path}: tensor {name!r} is at {begin}..{stop} after {end} of {size} bytes")
            file.seek(start + begin)
            tensors[name] = _decode(file.read(stop - begin), entry["dtype"], entry["shape"])
            end = stop
    if end != size:
        raise ValueError(f"{path}: {size - end} bytes behind the last tensor")
    return tensors, {key: value for key, value in metadata.items() if key != "xxh3" and not key.startswith("xxh3.")}


def _evenness(array):
    """The largest power of two up to ALIGNMENT that divides the size: tensors in falling order of it are all aligned."""
    power = ALIGNMENT
    while array.nbytes % power:
        power //= 2
    return power


def write(path, tensors, metadata=None):
    """Writes the tensors (anything numpy makes an array of) and texts; the file has no checksums."""
    arrays = {name: numpy.asarray(value, order="C") for name, value in tensors.items()}
    header, end = {}, 0
    if metadata:
        header["__metadata__"] = {str(key): str(value) for key, value in metadata.items()}
    order = sorted(arrays, key=lambda name: -_evenness(arrays[name]))
    for name in order:
        array = arrays[name]
        dtype = NAMES[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            file.write(arrays[name].astype(TYPES[header[name]["dtype"]], copy=False).tobytes())


def _self_test():
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.safetensors")
        tensors = {
            "odd": numpy.arange(13, dtype=numpy.uint8),
            "w": numpy.linspace(-1, 1, 32, dtype=numpy.float32).reshape(2, 16),
            "ids": numpy.array([-(2**63), 2**63 - 1], numpy.int64),
            "scalar": numpy.float32(3),
            "empty": numpy.zeros((0, 5), numpy.float32),
            "transposed": numpy.arange(6, dtype=numpy.int32).reshape(2, 3).T,
        }
        write(path, tensors, {"name": "t\u00e9xt"})
        again, metadata = read(path)
        assert metadata == {"name": "t\u00e9xt"}, metadata
        assert set(again) == set(tensors)
        for name, value in tensors.items():
            assert again[name].dtype == numpy.asarray(value).dtype and again[name].shape == numpy.shape(value), name
            assert numpy.array_equal(again[name], value), name
        assert read_header(path)[1] % ALIGNMENT == 0
        with open(path, "ab") as file:
            file.write(b"x")
        try:
            read(path)
        except ValueError:
            return
        raise AssertionError("a byte behind the last tensor went unnoticed")


if __name__ == "__main__":
    _self_test()
    print("safetensors_numpy: all right")
    sys.exit(0)
