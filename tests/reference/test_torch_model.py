"""tests/reference: the library against PyTorch, through ctypes and model files: same file, same scores, both ways; and
the same weights after the same training steps. Needs $SEQREC_LIBRARY; exit 77 when PyTorch or numpy is missing."""
import math
import os
import re
import sys
import tempfile
import unittest

try:
    import numpy as np
    import torch
except ImportError:
    print("test_torch_model: PyTorch or numpy is not installed (python3-torch, python3-numpy); skipped")
    sys.exit(77)
if not os.environ.get("SEQREC_LIBRARY"):
    sys.exit("test_torch_model: SEQREC_LIBRARY must name the shared library")

import losses_torch
import safetensors_numpy
import seqrec_ctypes as seqrec
import serve_torch
from sasrec_torch import Block, Options, SASRec, masked_pairs, training_pairs

HEADERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "include", "seqrec")
ITEM_IDS = [13 * i - 70 for i in range(90)]  # some negative, none a row number
# The library's option: the attribute of Options.
NAMES = {"dim": "dim", "blocks": "blocks", "heads": "heads", "head_dim": "head_dim", "ffn_dim": "ffn_dim", "max_length": "max_length",
         "wiring": "wiring", "attention_output": "output_projection", "activation": "activation",
         "position": "position", "scale_embeddings": "scale_embeddings", "tied_output": "tied_output",
         "item_bias": "item_bias", "score": "score",
         "temperature": "temperature", "norm_epsilon": "norm_eps", "mask": "mask", "embedding_norm": "embedding_norm",
         "final_norm": "final_norm", "head": "head", "attention": "attention", "attention_span": "attention_span",
         "hstu_length": "hstu_length",
         "norm_affine": "norm_affine", "residual_gate": "residual_gate", "relative": "relative",
         "relative_clip": "relative_clip", "relative_buckets": "relative_buckets", "relative_distance": "relative_distance",
         "rotary_base": "rotary_base", "user_embedding": "user_embedding", "user_dim": "user_dim",
         "mixer": "mixer", "spectral_window": "spectral_window", "position_place": "position_place", "time": "time",
         "time_request": "time_request", "time_span": "time_span", "time_unit": "time_unit", "calendar": "calendar",
         "channels": "channels"}
# Preset and options of each model compared; every value of every model option occurs.
VARIANTS = [
    ("sasrec", {}),
    ("sasrec-original", {"dim": 10, "max_length": 9}),
    ("sasrec-softmax", {"blocks": 3, "position": "start"}),
    ("sasrec-sampled-softmax", {"heads": 4, "tied_output": False}),
    ("sasrec", {"dim": 50, "heads": 2, "activation": "gelu", "ffn_dim": 120, "max_length": 20}),
    ("sasrec", {"dim": 24, "heads": 3, "wiring": "pre_norm", "score": "cosine", "temperature": 0.07, "ffn_dim": 7}),
    ("sasrec", {"dim": 16, "blocks": 1, "position": "none", "scale_embeddings": False, "attention_output": False}),
    ("sasrec-original", {"dim": 50, "heads": 5, "activation": "gelu", "tied_output": False, "score": "cosine"}),
    ("sasrec", {"dim": 33, "blocks": 0, "norm_epsilon": 1e-5}),
    ("sasrec", {"dim": 20, "embedding_norm": True, "final_norm": False, "head": "transform"}),
    ("sasrec", {"dim": 50, "heads": 5, "relative": "shaw", "relative_clip": 30, "position": "none"}),
    ("sasrec-original", {"dim": 24, "heads": 2, "relative": "bias"}),
    ("sasrec", {"dim": 24, "heads": 3, "relative": "t5", "relative_buckets": 12, "relative_distance": 60, "wiring": "pre_norm"}),
    ("sasrec", {"dim": 32, "heads": 4, "relative": "alibi", "position": "none", "norm_affine": False}),
    ("sasrec", {"dim": 36, "heads": 2, "relative": "rotary", "rotary_base": 500, "position": "none"}),
    ("sasrec", {"dim": 20, "heads": 2, "position": "reversed", "max_length": 60}),
    ("sasrec-original", {"dim": 20, "position": "reversed"}),
    ("sasrec", {"wiring": "pre_norm", "activation": "swiglu", "residual_gate": True, "ffn_dim": 70, "heads": 2}),
    ("sasrec", {"attention": "hstu", "wiring": "pre_norm", "relative": "bias", "hstu_length": 211, "score": "cosine",
                "final_norm": False, "position": "start", "norm_epsilon": 1e-6}),
    ("sasrec", {"attention": "hstu", "wiring": "pre_norm", "heads": 2, "dim": 50, "max_length": 20}),
    ("sasrec", {"attention": "hstu", "wiring": "pre_norm", "relative": "bias", "hstu_length": 211, "score": "cosine", "heads": 2,
                "final_norm": False, "position": "start", "norm_epsilon": 1e-6, "time": "bias"}),
    ("sasrec", {"time": "bias", "time_request": False, "heads": 5, "position": "none", "max_length": 30}),
    ("sasrec-original", {"dim": 20, "heads": 2, "time": "intervals", "time_span": 50, "position_place": "attention",
                         "max_length": 25}),
    ("sasrec", {"dim": 24, "time": "intervals", "time_span": 9, "relative": "shaw", "relative_clip": 12, "position": "start"}),
    ("sasrec", {"dim": 24, "time": "intervals", "time_span": 40, "time_unit": "seen", "position": "start", "max_length": 40}),
    ("bert4rec", {"time": "bias", "max_length": 30}),
    ("sasrec-softmax", {"calendar": True, "dim": 24}),
    ("hstu-time", {"channels": "apart", "activation": "swiglu", "ffn_dim": 40, "dim": 24, "heads": 3, "max_length": 30}),
    ("hstu", {"channels": "apart", "dim": 20, "heads": 2, "relative_clip": 7}),
    ("bert4rec", {"calendar": True, "time": "bias", "max_length": 30}),
    ("sasrec", {"dim": 24, "heads": 2, "head_dim": 9, "time": "intervals", "time_span": 30, "position_place": "attention",
                "attention_span": 10}),
    ("sasrec", {"dim": 20, "heads": 3, "head_dim": 16, "relative": "shaw", "relative_clip": 30}),
    ("sasrec", {"dim": 50, "heads": 4, "head_dim": 6, "wiring": "pre_norm", "relative": "rotary", "position": "none"}),
    ("sasrec-original", {"dim": 48, "heads": 3, "head_dim": 16}),
    ("sasrec", {"dim": 20, "heads": 2, "head_dim": 30, "position": "reversed", "max_length": 60}),
    ("bert4rec", {"head_dim": 9, "dim": 20}),
    ("sasrec", {"attention": "hstu", "wiring": "pre_norm", "heads": 3, "head_dim": 25, "dim": 50, "max_length": 20}),
    ("sasrec", {"attention": "hstu", "wiring": "pre_norm", "heads": 2, "head_dim": 5, "dim": 34, "relative": "shaw"}),
    ("sasrec", {"dim": 36, "heads": 3, "attention_span": 7}),
    ("sasrec-original", {"dim": 24, "heads": 2, "relative": "bias", "attention_span": 30}),
    ("sasrec", {"dim": 50, "heads": 5, "relative": "shaw", "attention_span": 12, "max_length": 30, "position": "none"}),
    ("sasrec", {"dim": 24, "heads": 3, "relative": "t5", "relative_buckets": 12, "relative_distance": 60, "attention_span": 1}),
    ("sasrec", {"dim": 32, "heads": 4, "relative": "alibi", "position": "none", "attention_span": 20}),
    ("sasrec", {"dim": 36, "heads": 2, "relative": "rotary", "position": "none", "attention_span": 16}),
    ("sasrec", {"dim": 20, "heads": 2, "position": "reversed", "max_length": 60, "attention_span": 5}),
    ("sasrec", {"attention": "hstu", "wiring": "pre_norm", "heads": 2, "dim": 50, "relative": "bias", "attention_span": 9}),
    ("bert4rec", {"relative": "shaw", "relative_clip": 9, "position": "none"}),
    ("bert4rec", {"relative": "t5", "max_length": 30}),
    ("bert4rec", {}),
    ("bert4rec", {"dim": 18, "max_length": 9, "position": "end", "wiring": "pre_norm", "final_norm": True,
                  "embedding_norm": False, "scale_embeddings": True, "norm_epsilon": 1e-8}),
    ("bert4rec", {"dim": 48, "heads": 3, "max_length": 20, "tied_output": False, "score": "cosine", "head": "none",
                  "item_bias": False}),
    ("sasrec", {"dim": 20, "item_bias": True}),
    ("sasrec", {"dim": 20, "mixer": "spectral", "spectral_window": 12}),
    ("sasrec", {"dim": 50, "mixer": "spectral", "wiring": "pre_norm", "max_length": 21, "position": "none"}),
    ("bert4rec", {"heads": 1, "mixer": "spectral", "spectral_window": 9}),
    ("sasrec-softmax", {"dim": 16, "item_bias": True, "tied_output": False}),
]
# The same with users.
USER_IDS = [5, -3, 10 ** 12, 7]
USER_VARIANTS = [
    ("sasrec", {"user_embedding": "added", "dim": 20, "heads": 2}),
    ("sse-pt", {"dim": 12, "user_dim": 18, "heads": 3, "max_length": 9}),
    ("sse-pt", {"dim": 16, "wiring": "post_norm", "position": "start", "scale_embeddings": False}),
    ("sasrec", {"user_embedding": "prefix", "dim": 50, "max_length": 9, "score": "cosine", "temperature": 0.1}),
    ("sasrec-softmax", {"user_embedding": "prefix", "tied_output": False}),
    ("sse-pt", {"dim": 17, "user_dim": 15, "heads": 2, "item_bias": True}),
    ("sasrec", {"user_embedding": "added", "dim": 16, "item_bias": True, "tied_output": False}),
    ("sasrec", {"user_embedding": "prefix", "dim": 20, "item_bias": True}),
    ("sasrec", {"user_embedding": "prefix", "dim": 20, "time": "bias", "relative": "t5"}),
    ("sse-pt", {"calendar": True, "time_request": False, "dim": 20}),
    ("sasrec", {"user_embedding": "prefix", "calendar": True, "dim": 20}),
    ("sasrec", {"user_embedding": "added", "dim": 20, "mixer": "spectral", "spectral_window": 5}),
]


def histories():
    """Sequences of ids: one event, repeats, shorter and much longer than the windows."""
    random = np.random.default_rng(5)
    sequences = [random.choice(ITEM_IDS, size=n).tolist() for n in (1, 2, 3, 8, 9, 10, 21, 60, 200, 260)]
    return sequences + [[ITEM_IDS[4]] * 7]


def clock(sequence):
    """The times of a sequence's events, some of them the same, and that of the request: functions of its items."""
    gaps = [abs(id * 7919) % 40009 if id % 3 else 0 for id in sequence]
    return [1000000000 + int(time) for time in np.cumsum(gaps)], 1000012345 + sum(gaps)


class Library:
    """A context, and what is created in it, released at the end of a with block."""

    def __enter__(self):
        self.handles = []
        self.context = self.keep("context", seqrec.create("context_create", None, None, 0, seqrec.LOG(), None))
        self.folder = tempfile.TemporaryDirectory()
        return self

    def __exit__(self, *_):
        for kind, handle in reversed(self.handles):
            getattr(seqrec.lib, "seqrec_%s_release" % kind)(handle)
        self.folder.cleanup()

    def keep(self, kind, handle):
        self.handles.append((kind, handle))
        return handle

    def config(self, preset, options):
        return self.keep("config", seqrec.config(preset, **options))

    def model(self, preset, options):
        """An untrained model that knows ITEM_IDS."""
        config = self.config(preset, options)
        model = self.keep("model", seqrec.create("model_create", self.context, config))
        ids = seqrec.int64s(ITEM_IDS)
        seqrec.call("items_put", model, seqrec.pointer(ids), len(ids), None)
        if options.get("user_embedding") or preset == "sse-pt":
            ids = seqrec.int64s(USER_IDS)
            seqrec.call("users_put", model, seqrec.pointer(ids), len(ids), None)
        return model

    def save(self, model):
        path = os.path.join(self.folder.name, "model.safetensors")
        seqrec.call("model_save", model, path.encode())
        return safetensors_numpy.read(path)

    def load(self, tensors, metadata):
        """A model from a file that another program wrote: the checksums of the library's own file are left out."""
        path = os.path.join(self.folder.name, "torch.safetensors")
        safetensors_numpy.write(path, tensors, {k: v for k, v in metadata.items() if not k.startswith("xxh3")})
        return self.keep("model", seqrec.create("model_load", self.context, path.encode()))


def torch_options(library, model):
    """Options of the PyTorch model, as the library tells them."""
    config = library.keep("config", seqrec.create("model_config", model))
    options = Options(items=len(ITEM_IDS), dim=0, max_length=0, users=len(USER_IDS))
    for name, attribute in NAMES.items():
        value, like = seqrec.text("config_get", config, name.encode()), getattr(options, attribute)
        setattr(options, attribute, value == "true" if isinstance(like, bool) else type(like)(value))
    return options


def torch_model(options, tensors):
    """The PyTorch model whose state is the file's tensors of the same names."""
    model = SASRec(options)
    state = {name: torch.from_numpy(np.array(tensors[name])) for name in model.state_dict()}
    model.load_state_dict(state)
    return model


def rows_of(tensors):
    """Row of each item id in the item tensors."""
    ids = next(t for t in tensors.values() if t.dtype == np.int64 and set(t.ravel().tolist()) == set(ITEM_IDS))
    return {id: row for row, id in enumerate(ids.tolist())}


def sequence_users():
    """A user for each history; 99 has no row."""
    return [(USER_IDS + [99])[at % 5] for at in range(len(histories()))]


def user_rows(tensors):
    """Row of each user in the user tensors, None without one, by history."""
    ids = tensors["users.id"].tolist() if "users.id" in tensors else []
    return [ids.index(user) if user in ids else None for user in sequence_users()]


def torch_scores(model, rows, sequences, users=None):
    """Scores [sequences][ITEM_IDS] and user vectors."""
    with torch.no_grad():
        users = torch.stack([model.user([rows[id] for id in sequence], user, clock(sequence))
                             for sequence, user in zip(sequences, users or [None] * len(sequences))])
        return model.scores(users)[:, [rows[id] for id in ITEM_IDS]].numpy(), users.numpy()


def randomise(model, seed):
    """Weights of the size of a trained model's, biases and gains included."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 1 / parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else 0.2
            parameter.normal_(0, spread, generator=random)
            if name.endswith("norm.weight"):
                parameter.add_(1)


def training_clock(times, length, causal):
    """The times of a training sample's inputs, and those they look back from."""
    return training_pairs(times, length) if causal else (times[-length:], times[-length:])


def train_in_torch(model, rows, sequences, steps, by=None, **adam):
    """Full-softmax steps on whole sequences, as the library takes them, in Cloze training with mask_last_share = 1; returns
    the loss of each."""
    optimizer, lost, length = torch.optim.Adam(model.parameters(), **adam), [], model.options.max_length
    causal = model.options.mask == "causal"
    for _ in range(steps):
        pairs = [training_pairs(events, length) if causal else
                 masked_pairs(events, length, [min(len(events), length) - 1])
                 for events in ([rows[id] for id in sequence] for sequence in sequences) if len(events) > 1]
        owners = [user for sequence, user in zip(sequences, by or [None] * len(sequences)) if len(sequence) > 1]
        clocks = [training_clock(clock(sequence)[0], length, causal) for sequence in sequences if len(sequence) > 1]
        users = torch.cat([model(inputs, user, when)[slice(None) if causal else slice(-1, None)]
                           for (inputs, _), user, when in zip(pairs, owners, clocks)])
        loss = losses_torch.softmax(model.scores(users), torch.tensor(sum((targets for _, targets in pairs), [])))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        lost.append(float(loss.detach()))
    return lost


def pre_norm_in_one_pass(model, rows):
    """Vectors after each event of a sequence when the events before each prediction are a sequence of their own whose positions count back
    from it: one pre-normed block in one pass. The norm of e_j + p[d], d = i - j, is the item's part and the position's, both centred, over a
    deviation of the pair, whose variance is that of either and twice their covariance: one more product, of items with positions."""
    o, block, n, p = model.options, model.blocks[0], len(rows), model.position.weight
    x = model.items.weight[rows] * math.sqrt(o.dim) + p[0]
    moved, norm = p[:n] - p[0], block.attention_norm
    x0, m0 = x - x.mean(1, keepdim=True), moved - moved.mean(1, keepdim=True)
    i, j = torch.arange(n).unsqueeze(1), torch.arange(n)
    back = (i - j).clamp(min=0)
    variance = (x0 ** 2).mean(1) + (m0 ** 2).mean(1)[back] + 2 * (x0 @ m0.T / o.dim)[j.expand(n, n), back]
    over = (variance + o.norm_eps).rsqrt()

    def parts(layer):
        """Of items, of positions and of neither, by head."""
        heads = (t.view(-1, o.heads, o.head_width()).transpose(0, 1) for t in
                 ((x0 * norm.weight) @ layer.weight.T, (m0 * norm.weight) @ layer.weight.T, layer(norm.bias)))
        return list(heads)
    query = block.query(norm(x)).view(n, o.heads, -1).transpose(0, 1)
    (k_item, k_place, k_bias), (v_item, v_place, v_bias) = parts(block.key), parts(block.value)
    by_place = (query @ k_place.transpose(1, 2)).gather(2, back.expand(o.heads, n, n))
    logits = (query @ k_item.transpose(1, 2) + by_place) * over + query @ k_bias.transpose(1, 2)
    weights = torch.softmax((logits / math.sqrt(o.head_width())).masked_fill(j > i, -math.inf), dim=-1)
    each = weights * over
    mixed = each @ v_item + torch.zeros(o.heads, n, n).scatter_add(2, back.expand(o.heads, n, n), each) @ v_place + v_bias
    x = x + block.output(mixed.transpose(0, 1).reshape(n, -1))
    return model.final_norm(x + block.feed_forward(block.ffn_norm(x)))


class TorchModel(unittest.TestCase):
    def assert_close(self, ours, theirs, tolerance=1e-5):
        scale = max(1.0, float(np.abs(theirs).max()))
        self.assertLessEqual(float(np.abs(np.asarray(ours) - theirs).max()), tolerance * scale)

    def test_the_binding_has_every_function_of_the_headers(self):
        functions = set()
        for name in os.listdir(HEADERS):
            with open(os.path.join(HEADERS, name), encoding="utf-8") as file:
                text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
            functions |= set(re.findall(r"\bseqrec_(\w+)\(", text))
        self.assertEqual(functions, set(seqrec.SIGNATURES))

    def test_the_reference_attends_as_the_stock_pytorch_layer(self):
        torch.manual_seed(2)
        block = Block(Options(items=1, dim=12, max_length=9, heads=3))
        stock = torch.nn.MultiheadAttention(12, 3)
        with torch.no_grad():
            parts = (block.query, block.key, block.value)
            stock.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            stock.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
            stock.out_proj.load_state_dict(block.output.state_dict())
            x = torch.randn(9, 12)
            future = torch.ones(9, 9, dtype=torch.bool).triu(1)
            theirs, _ = stock(x, x, x, attn_mask=future)
            self.assert_close(block.attend(x, x, None).numpy(), theirs.numpy(), 1e-6)

    def test_pytorch_scores_a_saved_model_as_the_library_does(self):
        for preset, options in VARIANTS:
            with self.subTest(preset=preset, **options), Library() as library:
                model = library.model(preset, options)
                tensors, _ = library.save(model)
                theirs, _ = torch_scores(torch_model(torch_options(library, model), tensors), rows_of(tensors),
                                         histories())
                self.assert_close(seqrec.score(model, histories(), ITEM_IDS, None, clock), theirs)

    def test_the_network_that_serving_is_held_against_recommends_as_the_reference_does(self):
        with Library() as library:
            model = library.model("sasrec", {"dim": 64, "position": "none", "relative": "t5", "max_length": 20})
            tensors, metadata = library.save(model)
            network = torch_model(torch_options(library, model), tensors)
            randomise(network, 3)
            tensors.update({name: value.numpy() for name, value in network.state_dict().items()})
            rows = rows_of(tensors)
            for variant, (padded, newest) in serve_torch.VARIANTS.items():
                some = [[rows[id] for id in sequence[-20:]] for sequence in histories() if padded or len(sequence) >= 20]
                with self.subTest(variant=variant), torch.no_grad():
                    scores = network.scores(torch.stack([network.user(sequence) for sequence in some]))
                    windows = torch.tensor([[0] * (20 - len(sequence)) + [row + 1 for row in sequence] for sequence in some])
                    for at, sequence in enumerate(some):
                        scores[at, sequence] = -np.inf
                    theirs = tensors["items.id"][scores.topk(serve_torch.BEST, dim=1).indices.numpy()]
                    ours = serve_torch.Served(tensors, metadata, padded, newest)(windows)
                    self.assertEqual(ours.tolist(), theirs.tolist())

    def test_the_library_scores_pytorch_weights_as_pytorch_does(self):
        for at, (preset, options) in enumerate(VARIANTS):
            with self.subTest(preset=preset, **options), Library() as library:
                template = library.model(preset, options)
                tensors, metadata = library.save(template)
                network = SASRec(torch_options(library, template))
                randomise(network, at)
                tensors.update({name: value.numpy() for name, value in network.state_dict().items()})
                model = library.load(tensors, metadata)
                theirs, users = torch_scores(network, rows_of(tensors), histories())
                self.assert_close(seqrec.score(model, histories(), ITEM_IDS, None, clock), theirs)
                if network.options.score == "dot":
                    self.assert_close(seqrec.encode(model, histories(), network.options.dim, clock), users)

    def test_the_literal_rule_of_one_pre_normed_block_has_a_form_in_one_pass(self):
        with Library() as library:
            template = library.model("sasrec", {"wiring": "pre_norm", "blocks": 1, "dim": 20, "heads": 2, "max_length": 60})
            tensors, metadata = library.save(template)
            network = SASRec(torch_options(library, template))
            randomise(network, 8)
            tensors.update({name: value.numpy() for name, value in network.state_dict().items()})
            events, rows = [ITEM_IDS[k * k % 90] for k in range(50)], rows_of(tensors)
            literal = seqrec.encode(library.load(tensors, metadata), [events[:n] for n in range(1, 51)], 20)
            with torch.no_grad():
                self.assert_close(literal, pre_norm_in_one_pass(network, [rows[id] for id in events]).numpy())

    def test_softmax_steps_with_adam_give_the_weights_that_pytorch_gives(self):
        # A large epsilon keeps gradients that are nearly 0 from becoming steps of full size.
        common = {"loss": "softmax", "dropout": 0, "learning_rate": 0.01, "beta2": 0.98, "epsilon": 0.001,
                  "item_updates": "exact", "dropout_residual": -1}
        for preset, options in VARIANTS:
            with self.subTest(preset=preset, **options), Library() as library:
                training = dict(common, mask_last_share=1) if preset.startswith("bert4rec") else common
                model = library.model(preset, dict(options, **training))
                tensors, _ = library.save(model)
                network = torch_model(torch_options(library, model), tensors)
                lost = train_in_torch(network, rows_of(tensors), histories(), steps=3, lr=0.01, betas=(0.9, 0.98),
                                      eps=0.001)
                ours = self.train_in_library(library, model, dict(options, **training), preset, steps=3)
                self.assert_close(ours, np.array(lost))
                trained, _ = library.save(model)
                for name, parameter in network.named_parameters():
                    with self.subTest(tensor=name):
                        self.assert_close(trained[name], parameter.detach().numpy(), 2e-5)

    def test_users_score_and_train_as_in_pytorch(self):
        training = {"loss": "softmax", "dropout": 0, "learning_rate": 0.01, "beta2": 0.98, "epsilon": 0.001,
                    "item_updates": "exact", "user_default_share": 0, "unknown_users": "default", "sse_item": 0,
                    "sse_user": 0}
        for at, (preset, options) in enumerate(USER_VARIANTS):
            with self.subTest(preset=preset, **options), Library() as library:
                template = library.model(preset, dict(options, **training))
                tensors, metadata = library.save(template)
                network = SASRec(torch_options(library, template))
                randomise(network, at)
                tensors.update({name: value.numpy().copy() for name, value in network.state_dict().items()})
                model, by = library.load(tensors, metadata), user_rows(tensors)
                theirs, _ = torch_scores(network, rows_of(tensors), histories(), by)
                self.assert_close(seqrec.score(model, histories(), ITEM_IDS, sequence_users(), clock), theirs)
                lost = train_in_torch(network, rows_of(tensors), histories(), 3, by, lr=0.01, betas=(0.9, 0.98),
                                      eps=0.001)
                ours = self.train_in_library(library, model, dict(options, **training), preset, 3, sequence_users())
                self.assert_close(ours, np.array(lost))
                trained, _ = library.save(model)
                for name, parameter in network.named_parameters():
                    with self.subTest(tensor=name):
                        self.assert_close(trained[name], parameter.detach().numpy(), 5e-5)

    def train_in_library(self, library, model, options, preset, steps, users=None):
        trainer = library.keep("trainer", seqrec.create("trainer_create", model, library.config(preset, options)))
        batch, stats, lost = seqrec.batch_of(histories(), users, clock), seqrec.StepStats(), []
        for _ in range(steps):
            seqrec.call("trainer_step", trainer, seqrec.byref(batch), seqrec.byref(stats))
            lost.append(stats.loss)
        seqrec.call("trainer_publish", trainer)
        return lost


if __name__ == "__main__":
    unittest.main(verbosity=1)
