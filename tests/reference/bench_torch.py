"""tests/reference: how fast PyTorch does what libseqrec trains, for the ratios of `make bench`.

The work is that of SASRec.pytorch, operation by operation: left-padded batches, stock torch.nn.MultiheadAttention, a
boolean causal mask, kernel-1 convolutions, LayerNorm eps 1e-8, Adam(0.9, 0.98). Only the train step is timed (forward,
backward, Adam): reading the data, drawing users and drawing negatives are outside. Each variant runs in a process of
its own, so that its peak memory is its own, and prints one JSON object on one line.

    bench_torch.py --data ml-1m.txt --threads 2 --steps 5 [--blas auto] [--device cuda] [--variants bce-d50-p0.2,predict-d50]

With --device cuda the network and the batches are on the GPU before a step begins, and a step ends when the GPU has done it.

Variants: bce | softmax-padded | softmax-unpadded | gbce-published | gbce-plain | hstu-published | hstu-plain | cloze | predict, then -d<width>, then
-p<dropout> (not for predict). softmax-padded computes logits of every padded position over V + 1 rows and lets the
cross-entropy ignore the padding; softmax-unpadded drops the padding positions before the product with the items. The gbce
variants are gSASRec (its block, a separate output table, 256 negatives a position): gbce-published does what its published
code does (257 rows gathered for every padded position, the positive logit calibrated in double precision), gbce-plain the
same loss with the padding dropped first and in single precision. cloze is BERT4Rec: right-padded, attention both ways with
a key padding mask, a fifth of the events masked, logits of the masked events alone. hstu is HSTU's layer with a
bias by distance (without time) and 128 negatives a position under cosine scores: hstu-published does what its research code does
(jagged tensors padded for the scores, a bias tensor of every pair made in each layer, item vectors normed for each of 129 rows a
position), hstu-plain norms the table once, slices one bias by distance, and gathers real positions only. predict scores all items for one user.
serve-cold | serve-cold-newest | serve-batch | serve-batch-newest: serve_torch.py on the model and the users in the folder --serve, one
user a call on one thread, or batches.
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
            "softmax-unpadded-d64-p0.2,softmax-unpadded-d64-p0,gbce-plain-d128-p0.5,cloze-d64-p0.2,gbce-published-d128-p0.5,"
            "hstu-published-d50-p0.2,hstu-plain-d50-p0.2,predict-d50")
NEGATIVES, CALIBRATION, MASKED = 256, 0.75, 0.2
HSTU_NEGATIVES, HSTU_LENGTH, HSTU_TEMPERATURE = 128, 211, 0.05
TRIAL, TRIAL_USERS = "bce-d64-p0", 512
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


def run_child(arguments, variant, blas, steps, warmup, users=0):
    threads = 1 if variant.startswith(("predict", "serve-cold")) else arguments.threads
    command = [sys.executable, os.path.abspath(__file__), "--child", variant, "--data", arguments.data, "--threads",
               str(threads), "--steps", str(steps), "--warmup", str(warmup), "--batch", str(arguments.batch),
               "--length", str(arguments.length), "--device", arguments.device, "--serve", arguments.serve, "--calls", str(arguments.calls), "--users", str(users)]
    done = subprocess.run(command, env=child_environment(threads, *blas), stdout=subprocess.PIPE,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError("variant %s ended with status %d" % (variant, done.returncode))
    return json.loads(done.stdout.splitlines()[-1])


def fastest_blas(arguments):
    """Tries each BLAS found for two steps; returns ((folder, kernels), {label: seconds per step})."""
    best, tried = (None, None), {}
    first = arguments.variants.split(",")[0]
    trial = first if first.startswith("serve-") else TRIAL
    for name, kernels in BLAS_CHOICES:
        for folder in glob.glob(BLAS_FOLDERS % name):
            try:
                seconds = run_child(arguments, trial, (folder, kernels), steps=2, warmup=1, users=TRIAL_USERS)["fastest_step"]
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


def build_gsasrec(torch, items, dim, length, dropout, blocks=2):
    """gSASRec's network: query normed and residual from it, no output projection, second table for the output."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
            self.inner, self.outer = nn.Linear(dim, dim), nn.Linear(dim, dim)
            self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.drop = nn.Dropout(dropout)

        def forward(self, x, real, closed):
            y = self.first(x)
            scores = self.query(y) @ self.key(x).transpose(1, 2) / math.sqrt(dim)
            shares = torch.softmax(scores.masked_fill(closed, -math.inf), dim=-1).nan_to_num()
            z = self.second(self.drop(shares) @ self.value(x) + y)
            return (self.drop(self.outer(self.drop(torch.relu(self.inner(z))))) + z) * real

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.items, self.output = nn.Embedding(items + 2, dim), nn.Embedding(items + 2, dim)
            self.positions = nn.Embedding(length, dim)
            self.blocks = nn.ModuleList([Block() for _ in range(blocks)])
            self.final, self.drop = nn.LayerNorm(dim), nn.Dropout(dropout)

        def forward(self, inputs):
            real, width = (inputs != 0).unsqueeze(-1), inputs.shape[1]
            x = self.drop(self.items(inputs) + self.positions(torch.arange(width))) * real
            future = ~torch.tril(torch.ones(width, width, dtype=torch.bool))
            closed = future | (inputs == 0).unsqueeze(1)
            for block in self.blocks:
                x = block(x, real, closed)
            return self.final(x)

    return Network()


def build_hstu(torch, items, dim, length, dropout, blocks=2):
    """HSTU's layers of one head: right-padded input, positions from the window's start, norms without parameters."""
    nn, silu, norm = torch.nn, torch.nn.functional.silu, lambda x: torch.nn.functional.layer_norm(x, (dim,), eps=1e-6)

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.uvqk = nn.Parameter(torch.randn(dim, 4 * dim) * 0.02)
            self.by_distance = nn.Parameter(torch.randn(2 * HSTU_LENGTH - 1) * 0.02)
            self.out, self.drop = nn.Linear(dim, dim), nn.Dropout(dropout)

        def bias(self, width, published):
            n = HSTU_LENGTH
            if not published:
                return self.by_distance.unfold(0, width, 1)[n - width:n].flip(0)
            turned = nn.functional.pad(self.by_distance, [0, n]).repeat(n)
            turned = turned[:-n].reshape(1, n, 3 * n - 2)
            edge = (2 * n - 1) // 2
            return turned[:, :, edge:-edge][:, :width, :width]

        def forward(self, x, real, causal, published):
            u, v, q, k = silu(norm(x) @ self.uvqk).split(dim, dim=-1)
            scores = torch.einsum("bnd,bmd->bnm", q, k) + self.bias(x.shape[1], published)
            weights = silu(scores) / HSTU_LENGTH * causal
            mixed = torch.einsum("bnm,bmd->bnd", weights, v * real)
            return (self.out(self.drop(u * norm(mixed))) + x) * real

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.items, self.positions = nn.Embedding(items + 1, dim), nn.Embedding(HSTU_LENGTH, dim)
            self.layers, self.drop = nn.ModuleList([Layer() for _ in range(blocks)]), nn.Dropout(dropout)

        def forward(self, inputs, published):
            real = (inputs != 0).unsqueeze(-1).float()
            x = self.drop(self.items(inputs) * dim ** 0.5 + self.positions(torch.arange(inputs.shape[1]))) * real
            causal = torch.tril(torch.ones(inputs.shape[1], inputs.shape[1]))
            for layer in self.layers:
                x = layer(x, real, causal, published)
            return nn.functional.normalize(x, dim=-1, eps=1e-6)

    return Network()


def hstu(torch, network, inputs, positives, items, published):
    """Sampled softmax over a positive and 128 uniform negatives of each position, all vectors of length one."""
    normed, real = torch.nn.functional.normalize, positives != 0
    turned = (torch.arange(inputs.shape[1]) + inputs.shape[1] - real.sum(1, keepdim=True)) % inputs.shape[1]
    inputs, positives = inputs.gather(1, turned), positives.gather(1, turned)
    real = positives != 0
    vectors, wanted = network(inputs, published)[real], positives[real]
    drawn = torch.randint(1, items + 1, (len(wanted), HSTU_NEGATIVES))
    if published:
        plus = (vectors * normed(network.items(wanted), dim=-1, eps=1e-6)).sum(-1, keepdim=True)
        minus = torch.einsum("td,tnd->tn", vectors, normed(network.items(drawn), dim=-1, eps=1e-6))
    else:
        table = normed(network.items.weight, dim=-1, eps=1e-6)
        rows = torch.nn.functional.embedding
        plus = (vectors * rows(wanted, table)).sum(-1, keepdim=True)
        minus = torch.einsum("td,tnd->tn", vectors, rows(drawn, table))
    minus = (minus / HSTU_TEMPERATURE).masked_fill(drawn == wanted.unsqueeze(-1), -5e4)
    logits = torch.cat([plus / HSTU_TEMPERATURE, minus], dim=1)
    return torch.nn.functional.cross_entropy(logits, torch.zeros(len(wanted), dtype=torch.long))


def build_bert4rec(torch, items, dim, length, dropout, blocks=2, heads=2):
    """BERT4Rec at width `dim`: post-norm blocks with GELU of width 4 d, a dense layer before the tied table."""
    nn = torch.nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.items, self.positions = nn.Embedding(items + 2, dim, padding_idx=0), nn.Embedding(length, dim)
            self.norm, self.drop = nn.LayerNorm(dim, eps=1e-12), nn.Dropout(dropout)
            self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(dim, heads, 4 * dim, dropout, "gelu", 1e-12, True)
                                         for _ in range(blocks)])
            self.head, self.head_norm = nn.Linear(dim, dim), nn.LayerNorm(dim, eps=1e-12)

        def forward(self, inputs, masked):
            x = self.drop(self.norm(self.items(inputs) + self.positions(torch.arange(inputs.shape[1]))))
            for block in self.blocks:
                x = block(x, src_key_padding_mask=inputs == 0)
            return self.head_norm(nn.functional.gelu(self.head(x[masked])))

    return Network()


def gbce_published(torch, network, inputs, positives, items):
    """gBCE as gSASRec computes it: the positive logit becomes the one whose probability is sigma(s)^beta."""
    alpha = NEGATIVES / (items - 1)
    beta = alpha * (CALIBRATION * (1 - 1 / alpha) + 1 / alpha)
    negatives = torch.randint(1, items + 1, (*positives.shape, NEGATIVES))
    rows = network.output(torch.cat([positives.unsqueeze(-1), negatives], -1))
    logits = torch.einsum("bsd,bsnd->bsn", network(inputs), rows)
    tiny, huge = 1e-10, torch.finfo(torch.float64).max
    positive = torch.sigmoid(logits[..., :1].double()).clamp(tiny, 1 - tiny).pow(-beta).clamp(1 + tiny, huge)
    positive = (1 / (positive - 1)).clamp(tiny, huge).log()
    logits = torch.cat([positive, logits[..., 1:].double()], -1)
    truth = torch.zeros_like(logits)
    truth[..., 0] = 1
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(-1)
    valid = (positives != 0).double()
    return (each * valid).sum() / valid.sum()


def gbce_plain(torch, network, inputs, positives, items):
    valid, alpha, softplus = positives != 0, NEGATIVES / (items - 1), torch.nn.functional.softplus
    beta, vectors = CALIBRATION * (alpha - 1) + 1, network(inputs)[valid]
    negatives = torch.randint(1, items + 1, (len(vectors), NEGATIVES))
    plus = (vectors * network.output(positives[valid])).sum(-1)
    minus = (network.output(negatives) @ vectors.unsqueeze(-1)).squeeze(-1)
    return ((beta * softplus(-plus) + softplus(minus).sum(-1)) / (NEGATIVES + 1)).mean()


def cloze(torch, network, inputs, items):
    """Windows turned to the left, a fifth of their events masked."""
    length = inputs.shape[1]
    real = (inputs != 0).sum(1, keepdim=True)
    turned = (torch.arange(length) + length - real) % length
    windows = inputs.gather(1, turned)
    masked = (torch.rand(windows.shape) < MASKED) & (windows != 0)
    masked[:, 0] |= ~masked.any(1)
    logits = network(windows.masked_fill(masked, items + 1), masked) @ network.items.weight[1:items + 1].T
    return torch.nn.functional.cross_entropy(logits, windows[masked] - 1)


def loss_of(torch, kind, network, inputs, positives, negatives, items):
    if kind.startswith("gbce"):
        return (gbce_published if kind == "gbce-published" else gbce_plain)(torch, network, inputs, positives, items)
    if kind.startswith("hstu"):
        return hstu(torch, network, inputs, positives, items, kind == "hstu-published")
    if kind == "cloze":
        return cloze(torch, network, inputs, items)
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


def waiting(torch, device):
    """What to call before the clock is read."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None


def time_steps(torch, kind, network, batches, warmup, items, device):
    """Seconds of each train step after `warmup` untimed ones, and the last loss."""
    wait = waiting(torch, device)
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.9, 0.98))
    seconds = []
    for at, batch in enumerate(batches):
        tensors = [torch.tensor(array) for array in batch]
        wait()
        start = time.perf_counter()
        adam.zero_grad()
        loss = loss_of(torch, kind, network, *tensors, items)
        loss.backward()
        adam.step()
        wait()
        if at >= warmup:
            seconds.append(time.perf_counter() - start)
    return seconds, float(loss.detach())


def time_predict(torch, network, history, items, length, device, calls=100):
    """Seconds of each call that scores every item for one user, after ten untimed calls."""
    network.eval()
    wait = waiting(torch, device)
    window = torch.zeros(1, length, dtype=torch.long)
    window[0, length - len(history[-length:]):] = torch.tensor(history[-length:])
    candidates, seconds = torch.arange(1, items + 1), []
    with torch.no_grad():
        for at in range(calls + 10):
            start = time.perf_counter()
            last = network(window)[:, -1, :]
            network.items(candidates).matmul(last.unsqueeze(-1)).squeeze(-1)
            wait()
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


def serve(arguments):
    import torch
    import serve_torch

    torch.set_num_threads(arguments.threads)
    result = serve_torch.measure(arguments.serve, arguments.child[len("serve-"):], arguments.threads, arguments.calls, arguments.steps,
                                 arguments.users)
    result.update(blas=loaded_blas(), blis_arch_type=os.environ.get("BLIS_ARCH_TYPE"))
    print(json.dumps(result))


def child(arguments):
    import numpy as np
    import torch

    if arguments.child.startswith("serve-"):
        return serve(arguments)

    match = re.fullmatch(r"(bce|softmax-padded|softmax-unpadded|gbce-published|gbce-plain|hstu-published|hstu-plain|cloze|predict)-d(\d+)(?:-p([0-9.]+))?", arguments.child)
    if not match:
        sys.exit("bench_torch: unknown variant '%s'" % arguments.child)
    kind, dim, dropout = match.group(1), int(match.group(2)), float(match.group(3) or 0)
    torch.set_num_threads(arguments.threads)
    if arguments.device != "cpu":
        torch.set_default_device(arguments.device)
    torch.manual_seed(1)
    histories, items = read_histories(arguments.data)
    build = build_hstu if kind.startswith("hstu") else build_gsasrec if kind.startswith("gbce") else build_bert4rec if kind == "cloze" else build_model
    network = build(torch, items, dim, arguments.length, dropout)
    result = {"variant": arguments.child, "threads": arguments.threads, "torch": torch.__version__}
    if kind == "predict":
        longest = max(histories, key=len)
        seconds = time_predict(torch, network, longest, items, arguments.length, arguments.device)
        result.update(items=items, p50_seconds=float(np.percentile(seconds, 50)),
                      p99_seconds=float(np.percentile(seconds, 99)))
    else:
        batches = make_batches(histories, items, arguments.warmup + arguments.steps, arguments.batch, arguments.length)
        seconds, loss = time_steps(torch, kind, network, batches, arguments.warmup, items, arguments.device)
        per_step, steps = float(np.median(seconds)), len(histories) / arguments.batch  # the last batch counts as far as it goes
        result.update(steps=len(seconds), seconds_per_step=per_step, fastest_step=min(seconds), loss=loss,
                      steps_per_epoch=steps, seconds_per_epoch=per_step * steps)
    if arguments.device == "cpu":
        result.update(peak_rss_bytes=peak_bytes(), blas=loaded_blas(), blis_arch_type=os.environ.get("BLIS_ARCH_TYPE"))
    else:
        result.update(device=torch.cuda.get_device_name(), peak_device_bytes=torch.cuda.max_memory_allocated())
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description="times PyTorch on the work libseqrec is compared with")
    parser.add_argument("--data", default="", help="lines of 'user item' in time order; serve variants need none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: not with serve variants")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each variant, passes of serve-batch")
    parser.add_argument("--warmup", type=int, default=1, help="untimed steps before them")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--variants", default=VARIANTS, help="comma-separated; default: %(default)s")
    parser.add_argument("--serve", default="", help="folder that bench_serve filled")
    parser.add_argument("--calls", type=int, default=10000, help="timed calls of serve-cold")
    parser.add_argument("--users", type=int, default=0, help=argparse.SUPPRESS)
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
