"""tests/reference: how a SASRec model of a file is served in PyTorch, and the same network as ONNX graphs.

The model is one that bench_serve left in a folder (t5.safetensors) beside the windows of all users and the ten items that the
library recommends (users.tsv). A request is what seqrec_topk does: the ten best of all items without those of the window. `Served`
is what one would write for production: queries, keys and values by one product, the bias by distance and the mask of the future in
one table made beforehand, windows of fewer events padded at the left as SASRec.pytorch pads them, but with the padding closed to
attention, for the library has none. Each pass is over the whole window: PyTorch keeps no keys and values between calls. With
`newest` the last block computes the newest event alone, as the library does, and published code does not. Ids become rows before
the clock runs.

    serve_torch.py FOLDER   writes the ONNX graphs there, and windows and best ten as int64 for serve_onnx.js
"""
import json
import math
import os
import sys
import time

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError:
    print("serve_torch: PyTorch or numpy is not installed (python3-torch, python3-numpy)", file=sys.stderr)
    sys.exit(77)

import safetensors_numpy
from sasrec_torch import t5_bucket

BEST, BATCH = 10, 128
CLOSED = -1e9  # finite: a row of padding sees padding only
ASKED = {"wiring": "post_norm", "heads": "1", "head_dim": "0", "activation": "relu", "attention": "softmax", "mask": "causal",
         "position": "none", "relative": "t5", "time": "none", "scale_embeddings": "true", "embedding_norm": "false",
         "final_norm": "true", "head": "none", "tied_output": "true", "item_bias": "false", "score": "dot", "mixer": "attention",
         "user_embedding": "none", "gates": "none", "attention_output": "true", "attention_span": "0", "calendar": "false"}
# Graph or variant: windows that are full, one a call, or batches of padded ones; the newest event alone in the last block.
VARIANTS = {"cold": (False, False), "cold-newest": (False, True), "batch": (True, False), "batch-newest": (True, True)}


def linear(tensors, *names):
    """Layers side by side as one, with weights [in][out]."""
    return (torch.cat([tensors[name + ".weight"] for name in names]).T.contiguous(),
            torch.cat([tensors[name + ".bias"] for name in names]))


class Served(nn.Module):
    """Windows [batch][length] of rows from 1 on, 0 in front of shorter ones -> ids of the best ten."""

    def __init__(self, tensors, metadata, padded, newest):
        super().__init__()
        other = {key: metadata["model." + key] for key, value in ASKED.items() if metadata["model." + key] != value}
        if other:
            raise ValueError("serve_torch serves no model with %s" % other)
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
        self.padded, self.newest, self.length = padded, newest, int(metadata["model.max_length"])
        self.blocks, self.eps = int(metadata["model.blocks"]), float(metadata["model.norm_epsilon"])
        weights = tensors["items.weight"]
        self.dim = weights.shape[1]
        self.keep("inputs", torch.cat([torch.zeros(1, self.dim), weights]) * math.sqrt(self.dim))
        self.keep("outputs", torch.cat([torch.zeros(1, self.dim), weights]).T.contiguous())
        self.keep("unless_padding", torch.cat([torch.full((1,), CLOSED), torch.zeros(len(weights))]))
        self.keep("ids", torch.cat([torch.zeros(1, dtype=torch.long), tensors["items.id"]]))
        buckets, distance = int(metadata["model.relative_buckets"]), int(metadata["model.relative_distance"])
        past = torch.tensor([t5_bucket(-back, buckets, distance, False) for back in range(self.length)])
        places = torch.arange(self.length)
        back = places.unsqueeze(1) - places
        for b in range(self.blocks):
            name = "blocks.%d." % b
            table = tensors[name + "relative_bias.weight"][past, 0]
            self.keep("bias%d" % b, table[back.clamp(min=0)].masked_fill(back < 0, CLOSED).unsqueeze(0))
            for kept, *parts in (("mix", "query", "key", "value"), ("out", "output"), ("in", "ffn_in"), ("ffn", "ffn_out")):
                self.keep("%s%d" % (kept, b), linear(tensors, *(name + part for part in parts)))
            for norm in ("attention_norm", "ffn_norm"):
                self.keep("%s%d" % (norm, b), (tensors[name + norm + ".weight"], tensors[name + norm + ".bias"]))
        self.keep("final", (tensors["final_norm.weight"], tensors["final_norm.bias"]))

    def keep(self, name, value):
        for at, tensor in enumerate(value if isinstance(value, tuple) else (value,)):
            self.register_buffer(name + "_%d" % at if isinstance(value, tuple) else name, tensor)

    def pair(self, name, b=""):
        return getattr(self, "%s%s_0" % (name, b)), getattr(self, "%s%s_1" % (name, b))

    def layer(self, x, name, b):
        weight, bias = self.pair(name, b)
        return torch.matmul(x, weight) + bias

    def norm(self, x, name, b=""):
        return nn.functional.layer_norm(x, (self.dim,), *self.pair(name, b), self.eps)

    def block(self, x, b, closed):
        rows = slice(-1, None) if self.newest and b == self.blocks - 1 else slice(None)
        query, key, value = self.layer(x, "mix", b).split(self.dim, dim=-1)
        scores = torch.matmul(query[:, rows], key.transpose(1, 2)) / math.sqrt(self.dim) + getattr(self, "bias%d" % b)[:, rows]
        if closed is not None:
            scores = scores + closed
        mixed = torch.matmul(torch.softmax(scores, dim=-1), value)
        x = self.norm(x[:, rows] + self.layer(mixed, "out", b), "attention_norm", b)
        return self.norm(x + self.layer(torch.relu(self.layer(x, "in", b)), "ffn", b), "ffn_norm", b)

    def forward(self, windows):
        x = nn.functional.embedding(windows, self.inputs)
        closed = ((windows == 0).to(x.dtype) * CLOSED).unsqueeze(1) if self.padded else None
        for b in range(self.blocks):
            x = self.block(x, b, closed)
        scores = torch.matmul(self.norm(x[:, -1], "final"), self.outputs) + self.unless_padding
        return self.ids[scores.scatter(1, windows, CLOSED).topk(BEST, dim=1).indices]


def read_users(folder, ids, length):
    """Windows [users][length] as rows from 1 on, padded in front by 0, and what the library recommends [users][10]."""
    row = {int(id): at + 1 for at, id in enumerate(ids)}
    windows, best = [], []
    with open(os.path.join(folder, "users.tsv"), encoding="ascii") as file:
        for line in file:
            events, theirs = ([int(word) for word in part.split()] for part in line.split("\t"))
            windows.append([0] * (length - len(events)) + [row[event] for event in events])
            best.append(theirs)
    return torch.tensor(windows), torch.tensor(best)


def read_served(folder, variant):
    tensors, metadata = safetensors_numpy.read(os.path.join(folder, "t5.safetensors"))
    network = Served(tensors, metadata, *VARIANTS[variant]).eval()
    return (network,) + read_users(folder, tensors["items.id"], network.length)


def agreement(ours, theirs):
    """Share of the library's ten that are among theirs."""
    return float((ours.unsqueeze(2) == theirs.unsqueeze(1)).any(2).float().mean())


def time_cold(network, windows, calls):
    """Seconds of each call for one user with a full window, after a tenth as many that are not counted."""
    full, seconds = windows[(windows != 0).all(1)], []
    for at in range(-(calls // 10), calls):
        window = full[at % len(full)].unsqueeze(0)
        start = time.perf_counter()
        network(window)
        if at >= 0:
            seconds.append(time.perf_counter() - start)
    return seconds


def time_batches(network, windows, passes):
    """Seconds of each pass over all users, behind one batch that is not counted."""
    seconds = []
    network(windows[:BATCH])
    for _ in range(passes):
        start = time.perf_counter()
        for first in range(0, len(windows), BATCH):
            network(windows[first:first + BATCH])
        seconds.append(time.perf_counter() - start)
    return seconds


def measure(folder, variant, threads, calls, passes, most=0):
    """A row of figures as a dict, of the first `most` users (0: all); the number of threads is set by the caller."""
    network, windows, best = read_served(folder, variant)
    if most:
        windows, best, calls = windows[:most], best[:most], min(calls, most)
    one = variant.startswith("cold")
    some = ((windows != 0).all(1) if one else torch.ones(len(windows), dtype=torch.bool)).nonzero().squeeze(1)[:BATCH]
    with torch.inference_mode():
        same = agreement(best[some], network(windows[some]))
        seconds = time_cold(network, windows, calls) if one else time_batches(network, windows, passes)
    users = 1 if one else len(windows)
    return {"bench": "peer", "name": "torch-" + variant, "version": torch.__version__, "threads": threads, "users": users,
            "calls": len(seconds), "p50_ms": round(1e3 * float(np.percentile(seconds, 50)), 4),
            "p99_ms": round(1e3 * float(np.percentile(seconds, 99)), 4),
            "users_per_second": round(users / float(np.median(seconds)), 1), "agreement": round(same, 4),
            "fastest_step": min(seconds)}


def export(folder):
    for variant, (padded, _) in VARIANTS.items():
        network, windows, best = read_served(folder, variant)
        full = windows[(windows != 0).all(1)][:1]
        axes = {"windows": {0: "batch"}, "best": {0: "batch"}} if padded else None
        torch.onnx.export(network, (full,), os.path.join(folder, variant + ".onnx"), opset_version=13, input_names=["windows"],
                          output_names=["best"], dynamic_axes=axes)
    windows.numpy().astype("<i8").tofile(os.path.join(folder, "windows.i64"))
    best.numpy().astype("<i8").tofile(os.path.join(folder, "best.i64"))
    print(json.dumps({"users": len(windows), "length": network.length, "best": BEST}))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: serve_torch.py FOLDER")
    export(sys.argv[1])
