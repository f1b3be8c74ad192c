"""tests/reference: SASRec and BERT4Rec in PyTorch, written from the equations; what the C library is compared with.

One sequence at a time, without padding and without dropout, in float32 or float64. The names of the parameters are
those of the tensors in a model file, so that a state_dict is a file's content and the other way round.
"""
import datetime
import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Options:
    """Model options; wiring is "post_norm", "pre_norm" or "original", position "start", "end", "none" or "reversed"."""

    items: int
    dim: int
    max_length: int
    wiring: str = "post_norm"
    blocks: int = 2
    heads: int = 1
    head_dim: int = 0  # width of a head; 0: what heads make of the network's width
    ffn_dim: int = 0  # 0: as dim
    activation: str = "relu"  # or "gelu", by the error function, or "swiglu", without biases
    output_projection: bool = True  # behind the heads; the 2018 model has none
    scale_embeddings: bool = True  # item vectors times sqrt(dim) on their way in
    tied_output: bool = True
    item_bias: bool = False  # the last number of an item's vector is added to its scores
    score: str = "dot"  # or "cosine"
    temperature: float = 1.0  # divides cosines
    position: str = "start"
    position_place: str = "input"  # or "attention": in keys and values
    norm_eps: float = 1e-8
    mask: str = "causal"  # or "bidirectional": every event sees its whole sequence, and row -1 is [MASK]
    embedding_norm: bool = False
    final_norm: bool = True
    head: str = "none"  # or "transform": BERT's dense layer, GELU and norm before scoring

    attention: str = "softmax"  # or "hstu"
    attention_span: int = 0  # events that attention sees at most; 0: all
    hstu_length: int = 0  # 0: as max_length
    norm_affine: bool = True
    residual_gate: bool = False
    relative: str = "none"  # or "shaw", "bias", "t5", "alibi", "rotary"
    relative_clip: int = 0  # 0: max_length - 1
    relative_buckets: int = 32
    relative_distance: int = 128
    rotary_base: float = 10000.0
    time: str = "none"  # or "bias" (HSTU), "intervals" (TiSASRec)
    time_request: bool = True  # a bias looks back from the next event, not from the event itself
    time_span: int = 256
    time_unit: str = "window"  # or "seen": the smallest gap up to each event
    channels: str = "mixed"  # or "apart": biases weigh values by themselves (FuXi)
    calendar: bool = False  # vectors of hour, weekday and month (UTC) at the input
    mixer: str = "attention"  # or "spectral": a learned filter for each channel in the place of attention
    spectral_window: int = 0  # events it covers; 0: max_length

    users: int = 0  # rows of the user table
    user_embedding: str = "none"  # or "added", "concatenated" (SSE-PT), "prefix"
    user_dim: int = 0  # of a concatenated vector; 0: as dim

    def user_width(self):
        return self.user_dim or self.dim

    def width(self):
        """Of the network."""
        return self.dim + (self.user_width() if self.user_embedding == "concatenated" else 0)

    def head_width(self):
        return self.head_dim or self.width() // self.heads

    def mixed_width(self):
        """Of all heads together."""
        return self.heads * self.head_width()


MASK = -1


class Users(nn.Module):
    """User vectors, and the one of users without a row."""

    def __init__(self, options):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(options.users, options.user_width()) * 0.02)
        self.default = nn.Parameter(torch.zeros(options.user_width()))

    def forward(self, row):
        return self.default if row is None else self.weight[row]


class Table(nn.Module):
    """Item vectors, and output vectors of their own when they are not tied."""

    def __init__(self, options):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(options.items, options.dim + options.item_bias) * 0.02)
        if not options.tied_output:
            self.output = nn.Parameter(torch.randn(options.items, options.dim + options.item_bias) * 0.02)

    def targets(self):
        return getattr(self, "output", self.weight)


class Filter(nn.Module):
    """irfft(W) as a filter: over an event and those before it, or both ways over half of the window to either side."""

    def __init__(self, options):
        super().__init__()
        self.window = options.spectral_window or options.max_length
        self.ahead = self.window // 2 if options.mask == "bidirectional" else 0
        shape = self.window // 2 + 1, options.width()
        self.real, self.imaginary = nn.Parameter(torch.randn(shape) * 0.02), nn.Parameter(torch.randn(shape) * 0.02)

    def forward(self, x):
        taps = torch.fft.irfft(torch.complex(self.real, self.imaginary), n=self.window, dim=0).roll(self.ahead, 0)
        n = len(x)
        lags = torch.arange(n).unsqueeze(1) - torch.arange(n) + self.ahead  # [row, event]
        seen = (lags >= 0) & (lags < self.window)
        return torch.einsum("tsd,sd->td", taps[lags.clamp(0, self.window - 1)] * seen.unsqueeze(-1), x)


class Weight(nn.Module):
    """A tensor by the name of a table."""

    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(*shape) * 0.02)


def norm(options, dim):
    return nn.LayerNorm(dim, eps=options.norm_eps, elementwise_affine=options.norm_affine)


def t5_bucket(offset, buckets, distance, both_ways):
    """Raffel et al. 2020, of key - query."""
    first, n = 0, max(-offset, 0)
    if both_ways:
        buckets //= 2
        first, n = (buckets if offset > 0 else 0), abs(offset)
    exact = buckets // 2
    if n < exact:
        return first + n
    return first + min(exact + int(math.log(n / exact) / math.log(distance / exact) * (buckets - exact)), buckets - 1)


class Relation(nn.Module):
    """What attention knows of distances: [heads][n][n] terms of scores before and behind the root, and values by pair."""

    def __init__(self, options, width):
        super().__init__()
        o = self.options = options
        longest = min(o.max_length + (o.user_embedding == "prefix"), o.attention_span or math.inf) - 1
        clips = o.relative in ("shaw", "bias") and 0 < o.relative_clip < longest
        self.past = o.relative_clip if clips else longest
        self.both = o.mask == "bidirectional"
        self.columns = (2 if self.both else 1) * self.past + 1

    def tables(self, block, width):
        """The parameters, which belong to the block."""
        o = self.options
        if o.relative == "shaw":
            block.relative_key, block.relative_value = nn.Embedding(self.columns, width), nn.Embedding(self.columns, width)
        if o.relative == "bias":
            block.relative_bias = Weight(self.columns)
        if o.relative == "t5":
            block.relative_bias = nn.Embedding(o.relative_buckets, o.heads)
        if o.time == "bias":
            block.time_bias = Weight(129)

    def places(self, n):
        offset = torch.arange(n).unsqueeze(0) - torch.arange(n).unsqueeze(1)
        return offset, (offset + self.past).clamp(0, self.columns - 1)

    def by_time(self, block, around):
        """The bias by time, of pairs [n][n]; what around.when has in front is no event and takes the first one's time."""
        if self.options.time != "bias":
            return 0
        times, asks = around.when
        apart = ((asks if self.options.time_request else times).unsqueeze(1) - times.unsqueeze(0)).abs().clamp(min=1)
        return block.time_bias.weight[(torch.log(apart.double()) / 0.301).floor().long().clamp(0, 128)]

    def bias(self, block, n):
        o, (offset, index) = self.options, self.places(n)
        if o.relative == "bias":
            return block.relative_bias.weight[index].expand(o.heads, n, n)
        if o.relative == "t5":
            bucket = [[t5_bucket(int(x), o.relative_buckets, o.relative_distance, self.both) for x in row] for row in offset]
            return block.relative_bias.weight[torch.tensor(bucket)].permute(2, 0, 1)
        if o.relative == "alibi":
            slopes = torch.tensor([2 ** (-8 * (h + 1) / o.heads) for h in range(o.heads)])
            return -slopes.view(-1, 1, 1) * offset.abs()
        return 0

    def intervals(self, n, width, around):
        """Vectors that keys and values have more by time, [heads][n][n][width]."""
        times = around.when[0].double()
        seen = [[gap for gap in times[:i + 1].diff().tolist() if gap > 0] for i in range(n)]
        unit = torch.tensor([min(gaps, default=1) for gaps in (seen if self.options.time_unit == "seen" else seen[-1:] * n)])
        tau = ((times - times[0]) / unit.unsqueeze(1)).round()  # [query][event]
        index = (tau.diagonal().unsqueeze(1) - tau).abs().clamp(max=self.options.time_span).long()
        return [table.weight[index].view(n, n, self.options.heads, width).permute(2, 0, 1, 3)
                for table in (around.time_key, around.time_value)]

    def pairs(self, block, n, width, around):
        """Vectors that keys and values have more in each pair, [heads][n][n][width], or None."""
        by_distance = self.by_distance(block, n, width, around)
        if self.options.time != "intervals":
            return by_distance
        by_time = self.intervals(n, width, around)
        return [a + b for a, b in zip(by_distance, by_time)] if by_distance else by_time

    def by_distance(self, block, n, width, around):
        o, (offset, index) = self.options, self.places(n)
        if o.relative == "shaw":
            return [t.weight[index].expand(o.heads, n, n, width) for t in (block.relative_key, block.relative_value)]
        if o.position != "reversed":
            return None
        moved = around.position.weight - around.position.weight[0]
        by_distance = ((moved @ layer.weight.T).view(-1, o.heads, width) for layer in (block.key, block.value))
        return [t[(-offset).clamp(min=0)].permute(2, 0, 1, 3) for t in by_distance]


def rotary(x, base):
    """Su et al. 2021 with the halves as pairs; x [heads][n][width]."""
    half = x.shape[2] // 2
    angle = torch.arange(x.shape[1]).unsqueeze(1) * base ** (-torch.arange(half) / half)
    a, b = x[:, :, :half], x[:, :, half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], dim=2)


class Attention(nn.Module):
    """Softmax or pointwise attention of one sequence; heads are slices of the channels."""

    def __init__(self, options, dim):
        super().__init__()
        biased = options.attention == "softmax"
        self.options = options
        self.query, self.key, self.value = (nn.Linear(dim, options.mixed_width(), bias=biased) for _ in range(3))
        self.relation = Relation(options, options.head_width())
        self.relation.tables(self, options.head_width())

    def mixed(self, asking, known, around):
        """around: the model, for what its blocks share."""
        n, o = len(known), self.options
        heads, width = o.heads, o.head_width()
        act = nn.functional.silu if o.attention == "hstu" else nn.Identity()
        query, key, value = (act(layer(x)).view(n, heads, width).transpose(0, 1)
                             for layer, x in ((self.query, asking), (self.key, known), (self.value, known)))
        if o.position_place == "attention":
            key, value = (x + table(around.places).view(n, heads, width).transpose(0, 1)
                          for x, table in ((key, around.position_key), (value, around.position_value)))
        if o.relative == "rotary":
            query, key = rotary(query, o.rotary_base), rotary(key, o.rotary_base)
        pairs = self.relation.pairs(self, n, width, around)
        logits = query @ key.transpose(1, 2)
        if pairs:
            logits = logits + torch.einsum("hid,hijd->hij", query, pairs[0])
        biases = [self.relation.bias(self, n), self.relation.by_time(self, around)]
        logits = logits / (1 if o.attention == "hstu" else math.sqrt(width))
        if o.channels == "mixed":
            logits = logits + biases[0] + biases[1]
        pairs_of = torch.ones(n, n, dtype=torch.bool)
        unseen = pairs_of.triu(1 if o.mask == "causal" else n) | pairs_of.tril(-(o.attention_span or n))
        if o.attention == "hstu":
            weights = nn.functional.silu(logits).masked_fill(unseen, 0) / (o.hstu_length or o.max_length)
        else:
            weights = torch.softmax(logits.masked_fill(unseen, -math.inf), dim=-1)
        mixed = weights @ value
        if pairs:
            mixed = mixed + torch.einsum("hij,hijd->hid", weights, pairs[1])
        channels = [mixed]
        if o.channels == "apart":
            there = [o.relative == "bias", o.time == "bias"]
            channels += [torch.zeros(n, n).add(bias).masked_fill(unseen, 0) @ value for bias, has in zip(biases, there) if has]
        return torch.cat([c.transpose(0, 1).reshape(n, o.mixed_width()) for c in channels], dim=1)


class HSTUBlock(Attention):
    """Zhai et al. 2024: [U, V, Q, K] = silu(norm(x) W), output of U * norm(attention); norms have no parameters. With channels apart
    and gated layers behind it: FuXi."""

    def __init__(self, options):
        dim = options.width()
        super().__init__(options, dim)
        channels = 1 if options.channels == "mixed" else 1 + (options.relative == "bias") + (options.time == "bias")
        wide, inner = channels * options.mixed_width(), options.ffn_dim or dim
        self.unit, self.output = nn.Linear(dim, wide, bias=False), nn.Linear(wide, dim)
        if options.activation == "swiglu":
            self.ffn_gate, self.ffn_in, self.ffn_out = (nn.Linear(a, b, bias=False) for a, b in ((dim, inner), (dim, inner), (inner, dim)))

    def forward(self, x, around=None):
        def plain(z):
            return nn.functional.layer_norm(z, z.shape[1:], eps=self.options.norm_eps)
        y = plain(x)
        x = x + self.output(nn.functional.silu(self.unit(y)) * plain(self.mixed(y, y, around)))
        if self.options.activation != "swiglu":
            return x
        y = plain(x)
        return x + self.ffn_out(nn.functional.silu(self.ffn_gate(y)) * self.ffn_in(y))


class Block(Attention):
    def __init__(self, options):
        dim = options.width()
        super().__init__(options, dim)
        inner, biased = options.ffn_dim or dim, options.activation != "swiglu"
        if options.mixer == "spectral":
            self.filter, self.filter_norm = Filter(options), norm(options, dim)
            del self.query, self.key, self.value
        else:
            self.attention_norm = norm(options, dim)
            if options.output_projection:
                self.output = nn.Linear(options.mixed_width(), dim)
        self.ffn_norm = norm(options, dim)
        self.ffn_in, self.ffn_out = nn.Linear(dim, inner, bias=biased), nn.Linear(inner, dim, bias=biased)
        if not biased:
            self.ffn_gate = nn.Linear(dim, inner, bias=False)
        if options.residual_gate:
            self.attention_residual_gate, self.ffn_residual_gate = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def attend(self, asking, known, around):
        if self.options.mixer == "spectral":
            return self.filter(known)
        mixed = self.mixed(asking, known, around)
        return self.output(mixed) if self.options.output_projection else mixed

    def mix_norm(self, x):
        return self.filter_norm(x) if self.options.mixer == "spectral" else self.attention_norm(x)

    def feed_forward(self, x):
        if self.options.activation == "swiglu":
            return self.ffn_out(nn.functional.silu(self.ffn_gate(x)) * self.ffn_in(x))
        act = torch.relu if self.options.activation == "relu" else nn.functional.gelu
        return self.ffn_out(act(self.ffn_in(x)))

    def forward(self, x, around=None):
        if self.options.wiring == "post_norm":
            x = self.mix_norm(x + self.attend(x, x, around))
            return self.ffn_norm(x + self.feed_forward(x))
        if self.options.wiring == "pre_norm":
            gated = self.options.residual_gate
            y = self.mix_norm(x)
            x = x + self.attend(y, y, around) * (torch.sigmoid(self.attention_residual_gate(x)) if gated else 1)
            return x + self.feed_forward(self.ffn_norm(x)) * (torch.sigmoid(self.ffn_residual_gate(x)) if gated else 1)
        # 2018: only the query is normalised, and both residuals start from the normalised tensor.
        y = self.attention_norm(x)
        z = self.ffn_norm(y + self.attend(y, x, around))
        return z + self.feed_forward(z)


class SASRec(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.items = Table(options)
        if options.position_place == "attention":
            self.position_key, self.position_value = (nn.Embedding(options.max_length, options.mixed_width()) for _ in range(2))
        elif options.position != "none":
            self.position = nn.Embedding(options.max_length, options.width())
        if options.time == "intervals":
            self.time_key, self.time_value = (nn.Embedding(options.time_span + 1, options.mixed_width()) for _ in range(2))
        if options.calendar:
            self.calendar = nn.Embedding(24 + 7 + 12, options.width())
        if options.mask == "bidirectional":
            self.mask = nn.Embedding(1, options.dim)
        if options.embedding_norm:
            self.embedding_norm = norm(options, options.width())
        if options.user_embedding != "none":
            self.users = Users(options)
        self.blocks = nn.ModuleList([(HSTUBlock if options.attention == "hstu" else Block)(options) for _ in range(options.blocks)])
        if options.final_norm:
            self.final_norm = norm(options, options.width())
        if options.head == "transform":
            self.head = nn.Linear(options.width(), options.width())
            self.head_norm = norm(options, options.width())

    def forward(self, rows, user=None, when=None):
        """User vectors [n][dim] after each event of one sequence of item rows, oldest first, cut to the window; `user` is
        the row of the sequence's user, `when` the times of the events and those they look back from. A concatenated user's part
        of the score is left out: it is the same for all items."""
        rows = torch.as_tensor(rows, dtype=torch.long)[-self.options.max_length:]
        if when:
            times, asks = (torch.as_tensor(x, dtype=torch.long)[-len(rows):] for x in when)
            front = times[:1] if self.options.user_embedding == "prefix" else times[:0]
            self.when = torch.cat([front, times]), torch.cat([front, asks])
        x = self.items.weight[rows.clamp(min=0), :self.options.dim]
        if self.options.mask == "bidirectional":
            x = torch.where((rows == MASK).unsqueeze(-1), self.mask.weight, x)
        if self.options.scale_embeddings:
            x = x * math.sqrt(self.options.dim)
        how = self.options.user_embedding
        if how != "none":
            vector = self.users(user) * (math.sqrt(self.options.user_width()) if self.options.scale_embeddings else 1)
        if how == "added":
            x = x + vector
        elif how == "concatenated":
            x = torch.cat([x, vector.expand(len(rows), -1)], dim=1)
        places = torch.arange(len(rows))
        self.places = len(rows) - 1 - places if self.options.position == "end" else places
        if self.options.position != "none" and self.options.position_place == "input":
            places = self.places
            x = x + self.position(places * 0 if self.options.position == "reversed" else places)
        if self.options.calendar:
            stands = asks if self.options.time_request else times
            dates = [datetime.datetime.fromtimestamp(int(t), datetime.timezone.utc) for t in stands]
            x = x + self.calendar(torch.tensor([[d.hour, 24 + d.weekday(), 30 + d.month] for d in dates])).sum(dim=1)
        if how == "prefix":
            x = torch.cat([vector.unsqueeze(0), x])
        if self.options.embedding_norm:
            x = self.embedding_norm(x)
        for block in self.blocks:
            x = block(x, self)
        if self.options.final_norm:
            x = self.final_norm(x)
        if self.options.head == "transform":
            x = self.head_norm(nn.functional.gelu(self.head(x)))
        return x[-len(rows):, :self.options.dim]

    def user(self, rows, user=None, clock=None):
        """User vector [dim] after a history: at its last event, or at a [MASK] behind it. clock: its times, and that of the request."""
        times, ask = clock or ([0] * len(rows), 0)
        asks = times[1:] + [ask]
        if self.options.mask == "bidirectional":
            rows = list(rows)[max(0, len(rows) - self.options.max_length + 1):] + [MASK]
            times = asks = times + [ask]
        return self(rows, user, (times, asks))[-1]

    def scores(self, users, rows=None):
        """Scores [..., items] of user vectors, for all items or for the rows of a tensor shaped [..., k]."""
        targets = self.items.targets()
        if self.options.item_bias:
            users = torch.cat([users, torch.ones(users.shape[:-1] + (1,))], dim=-1)
        if self.options.score == "cosine":
            users = nn.functional.normalize(users, dim=-1) / self.options.temperature
            targets = nn.functional.normalize(targets, dim=-1)
        if rows is None:
            return users @ targets.T
        return (targets[rows] @ users.unsqueeze(-1)).squeeze(-1)


def training_pairs(events, max_length):
    """Inputs and targets of a training sequence: shifted by one, cut to its last max_length + 1 events."""
    window = events[-(max_length + 1):]
    return window[:-1], window[1:]


def masked_pairs(events, max_length, places):
    """Inputs and targets of a Cloze sample: the last max_length events with those at `places` hidden, and these."""
    window = events[-max_length:]
    return [MASK if at in places else row for at, row in enumerate(window)], [window[at] for at in places]
