"""tests/reference: how fast PyTorch does what libseqrec trains, for the ratios of `make bench`.

The work is that of SASRec.pytorch, operation by operation: left-padded batches, stock torch.nn.MultiheadAttention, a
boolean causal mask, kernel-1 convolutions, LayerNorm eps 1e-8, Adam(0.9, 0.98). Only the train step is timed (forward,
backward, Adam): reading the data, drawing users and drawing negatives are outside. Each variant runs in a process of
its own, so that its peak memory is its own, and prints one JSON object on one line.

    bench_torch.py --data ml-1m.txt --threads 2 --steps 5 [--blas auto] [--variants bce-d50-p0.2,predict-d50]

Variants: bce | softmax-padded | softmax-unpadded | predict, then -d<width>, then -p<dropout> (not for predict).
softmax-padded computes logits of every padded position over V + 1 rows and lets the cross-entropy ignore the padding;
softmax-unpadded drops the padding positions before the product with the items. predict scores all items for one user.
"""
import argparse
import glob
import json
import math
import os
import re
import subprocess
import sys
import time

VARIANTS = ("bce-d50-p0.2,bce-d50-p0,bce-d64-p0.2,bce-d64-p0,softmax-padded-d64-p0.2,softmax-padded-d64-p0,"
            "softmax-unpadded-d64-p0.2,softmax-unpadded-d64-p0,predict-d50")
TRIAL = "bce-d64-p0"
BLAS_FOLDERS = "/usr/lib/*-linux-gnu*/%s"
# Package folder and BLIS_ARCH_TYPE. BLIS 0.9 takes a processor newer than itself for "generic" and is then half as fast
# as with the kernels of an older one (numbers of 0.9: 3 is haswell, 6 is zen3), so those are tried as well.
BLAS_CHOICES = (("blis-openmp", None), ("blis-openmp", "6"), ("blis-openmp", "3"), ("openblas-pthread", None),
                ("openblas-openmp", None))


# ---- The parent: chooses a BLAS, starts one process per variant ------------------------------------------------------


def child_environment(threads, folder, kernels):
    """Thread counts must be in the environment before a BLAS is loaded."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS"):
        environment[name] = str(threads)
    if folder:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [folder, environment.get("LD_LIBRARY_PATH")]))
    if kernels:
        environment["BLIS_ARCH_TYPE"] = kernels
    return environment


def run_child(arguments, variant, blas, steps, warmup):
    threads = 1 if variant.startswith("predict") else arguments.threads
    command = [sys.executable, os.path.abspath(__file__), "--child", variant, "--data", arguments.data, "--threads",
               str(threads), "--steps", str(steps), "--warmup", str(warmup), "--batch", str(arguments.batch),
               "--length", str(arguments.length)]
    done = subprocess.run(command, env=child_environment(threads, *blas), stdout=subprocess.PIPE,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError("variant %s ended with status %d" % (variant, done.returncode))
    return json.loads(done.stdout.splitlines()[-1])


def fastest_blas(arguments):
    """Tries each BLAS found for two steps; returns ((folder, kernels), {label: seconds per step})."""
    best, tried = (None, None), {}
    for name, kernels in BLAS_CHOICES:
        for folder in glob.glob(BLAS_FOLDERS % name):
            try:
                seconds = run_child(arguments, TRIAL, (folder, kernels), steps=2, warmup=1)["fastest_step"]
            except RuntimeError:
                continue  # kernels this processor or this BLIS does not have
            if seconds < min(tried.values(), default=math.inf):
                best = (folder, kernels)
            tried[name + (" BLIS_ARCH_TYPE=" + kernels if kernels else "")] = seconds
    return best, tried


def parent(arguments):
    blas, tried = ((arguments.blas, None), None) if arguments.blas != "auto" else fastest_blas(arguments)
    for variant in arguments.variants.split(","):
        try:
            result = run_child(arguments, variant, blas, arguments.steps, arguments.warmup)
        except RuntimeError as problem:
            sys.exit("bench_torch: %s" % problem)
        if tried is not None:
            result["blas_tried"] = tried
        print(json.dumps(result), flush=True)


# ---- The child: one variant ------------------------------------------------------------------------------------------


def read_histories(path):
    """Lines of 'user item' in time order -> (training histories without the last two events, number of items)."""
    import numpy as np

    pairs = np.fromfile(path, dtype=np.int64, sep=" ").reshape(-1, 2)
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    cuts = np.flatnonzero(np.diff(pairs[:, 0])) + 1
    histories = [h[:-2] if len(h) > 3 else h for h in np.split(pairs[:, 1], cuts)]
    return [h for h in histories if len(h) > 1], int(pairs[:, 1].max())


def make_batches(histories, items, count, batch, length):
    """Left-padded inputs, positives and negatives of `count` batches; users in shuffled passes."""
    import numpy as np

    random = np.random.default_rng(1)
    order = np.concatenate([random.permutation(len(histories)) for _ in range(1 + count * batch // len(histories))])
    batches = []
    for at in range(count):
        inputs, positives = np.zeros((batch, length), np.int64), np.zeros((batch, length), np.int64)
        for row, user in enumerate(order[at * batch:(at + 1) * batch]):
            window = histories[user][-(length + 1):]
            inputs[row, length - len(window) + 1:] = window[:-1]
            positives[row, length - len(window) + 1:] = window[1:]
        negatives = random.integers(1, items + 1, size=inputs.shape) * (positives != 0)
        batches.append((inputs, positives, negatives))
    return batches


def build_model(torch, items, dim, length, dropout, blocks=2, heads=1):
    """SASRec.pytorch's default network: post-norm blocks and a final LayerNorm; row 0 of both tables is padding."""
    nn = torch.nn

    class FeedForward(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Conv1d(dim, dim, kernel_size=1)
            self.outer = nn.Conv1d(dim, dim, kernel_size=1)
            self.drop_inner, self.drop_outer = nn.Dropout(dropout), nn.Dropout(dropout)

        def forward(self, x):
            hidden = torch.relu(self.drop_inner(self.inner(x.transpose(-1, -2))))
            return self.drop_outer(self.outer(hidden)).transpose(-1, -2)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.items = nn.Embedding(items + 1, dim, padding_idx=0)
            self.positions = nn.Embedding(length + 1, dim, padding_idx=0)
            self.drop = nn.Dropout(dropout)
            self.attention = nn.ModuleList([nn.MultiheadAttention(dim, heads, dropout) for _ in range(blocks)])
            self.feed_forward = nn.ModuleList([FeedForward() for _ in range(blocks)])
            self.norms = nn.ModuleList([nn.LayerNorm(dim, eps=1e-8) for _ in range(2 * blocks + 1)])

        def forward(self, inputs):
            x = self.items(inputs) * dim ** 0.5
            width = inputs.shape[1]
            x = x + self.positions(torch.arange(1, width + 1).unsqueeze(0) * (inputs != 0))
            x = self.drop(x)
            hidden = ~torch.tril(torch.ones(width, width, dtype=torch.bool))
            for i in range(blocks):
                x = x.transpose(0, 1)
                mixed, _ = self.attention[i](x, x, x, attn_mask=hidden)
                x = self.norms[2 * i](x + mixed).transpose(0, 1)
                x = self.norms[2 * i + 1](x + self.feed_forward[i](x))
            return self.norms[-1](x)

    network = Network()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_normal_(parameter)
    with torch.no_grad():
        network.items.weight[0] = 0
        network.positions.weight[0] = 0
    return network


def loss_of(torch, kind, network, inputs, positives, negatives):
    vectors, valid = network(inputs), positives != 0
    if kind == "bce":
        rule = torch.nn.BCEWithLogitsLoss()
        plus = (vectors * network.items(positives)).sum(-1)[valid]
        minus = (vectors * network.items(negatives)).sum(-1)[valid]
        return rule(plus, torch.ones_like(plus)) + rule(minus, torch.zeros_like(minus))
    if kind == "softmax-unpadded":
        logits = vectors[valid] @ network.items.weight.T
        return torch.nn.functional.cross_entropy(logits, positives[valid])
    logits = vectors @ network.items.weight.T
    return torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), positives.view(-1), ignore_index=0)


def time_steps(torch, kind, network, batches, warmup):
    """Seconds of each train step after `warmup` untimed ones, and the last loss."""
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.9, 0.98))
    seconds = []
    for at, batch in enumerate(batches):
        tensors = [torch.from_numpy(array) for array in batch]
        start = time.perf_counter()
        adam.zero_grad()
        loss = loss_of(torch, kind, network, *tensors)
        loss.backward()
        adam.step()
        if at >= warmup:
            seconds.append(time.perf_counter() - start)
    return seconds, float(loss.detach())


def time_predict(torch, network, history, items, length, calls=100):
    """Seconds of each call that scores every item for one user, after ten untimed calls."""
    network.eval()
    window = torch.zeros(1, length, dtype=torch.long)
    window[0, length - len(history[-length:]):] = torch.from_numpy(history[-length:].copy())
    candidates, seconds = torch.arange(1, items + 1), []
    with torch.no_grad():
        for at in range(calls + 10):
            start = time.perf_counter()
            last = network(window)[:, -1, :]
            network.items(candidates).matmul(last.unsqueeze(-1)).squeeze(-1)
            if at >= 10:
                seconds.append(time.perf_counter() - start)
    return seconds


def loaded_blas():
    """Real paths of the BLAS libraries this process has mapped."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {line.split()[-1] for line in maps if re.search(r"/lib(blas|mkl)[^/]*\.so", line)}
    return sorted(os.path.realpath(path) for path in paths)


def peak_bytes():
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def child(arguments):
    import numpy as np
    import torch

    match = re.fullmatch(r"(bce|softmax-padded|softmax-unpadded|predict)-d(\d+)(?:-p([0-9.]+))?", arguments.child)
    if not match:
        sys.exit("bench_torch: unknown variant '%s'" % arguments.child)
    kind, dim, dropout = match.group(1), int(match.group(2)), float(match.group(3) or 0)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    histories, items = read_histories(arguments.data)
    network = build_model(torch, items, dim, arguments.length, dropout)
    result = {"variant": arguments.child, "threads": arguments.threads, "torch": torch.__version__}
    if kind == "predict":
        longest = max(histories, key=len)
        seconds = time_predict(torch, network, longest, items, arguments.length)
        result.update(items=items, p50_seconds=float(np.percentile(seconds, 50)),
                      p99_seconds=float(np.percentile(seconds, 99)))
    else:
        batches = make_batches(histories, items, arguments.warmup + arguments.steps, arguments.batch, arguments.length)
        seconds, loss = time_steps(torch, kind, network, batches, arguments.warmup)
        per_step, steps = float(np.median(seconds)), math.ceil(len(histories) / arguments.batch)
        result.update(steps=len(seconds), seconds_per_step=per_step, fastest_step=min(seconds), loss=loss,
                      steps_per_epoch=steps, seconds_per_epoch=per_step * steps)
    result.update(peak_rss_bytes=peak_bytes(), blas=loaded_blas(), blis_arch_type=os.environ.get("BLIS_ARCH_TYPE"))
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description="times PyTorch on the work libseqrec is compared with")
    parser.add_argument("--data", required=True, help="lines of 'user item' in time order")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each variant")
    parser.add_argument("--warmup", type=int, default=1, help="untimed steps before them")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--variants", default=VARIANTS, help="comma-separated; default: %(default)s")
    parser.add_argument("--blas", help="folder of libblas.so.3, or 'auto': try those installed, take the fastest")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        import torch  # noqa: F401
    except ImportError:
        print("bench_torch: PyTorch is not installed (python3-torch); no comparison")
        sys.exit(77)
    (child if arguments.child else parent)(arguments)


if __name__ == "__main__":
    main()
