"""tests/reference: SASRec and BERT4Rec in PyTorch, written from the equations; what the C library is compared with.

One sequence at a time, without padding and without dropout, in float32 or float64. The names of the parameters are
those of the tensors in a model file, so that a state_dict is a file's content and the other way round.
"""
import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Options:
    """Model options; wiring is "post_norm", "pre_norm" or "original", position "start", "end" or "none"."""

    items: int
    dim: int
    max_length: int
    wiring: str = "post_norm"
    blocks: int = 2
    heads: int = 1
    ffn_dim: int = 0  # 0: as dim
    activation: str = "relu"  # or "gelu", by the error function
    output_projection: bool = True  # behind the heads; the 2018 model has none
    scale_embeddings: bool = True  # item vectors times sqrt(dim) on their way in
    tied_output: bool = True
    item_bias: bool = False  # the last number of an item's vector is added to its scores
    score: str = "dot"  # or "cosine"
    temperature: float = 1.0  # divides cosines
    position: str = "start"
    norm_eps: float = 1e-8
    mask: str = "causal"  # or "bidirectional": every event sees its whole sequence, and row -1 is [MASK]
    embedding_norm: bool = False
    final_norm: bool = True
    head: str = "none"  # or "transform": BERT's dense layer, GELU and norm before scoring

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


class Block(nn.Module):
    def __init__(self, options):
        super().__init__()
        dim = options.width()
        inner = options.ffn_dim or dim
        self.options = options
        if options.mixer == "spectral":
            self.filter, self.filter_norm = Filter(options), nn.LayerNorm(dim, eps=options.norm_eps)
        else:
            self.attention_norm = nn.LayerNorm(dim, eps=options.norm_eps)
            self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
            if options.output_projection:
                self.output = nn.Linear(dim, dim)
        self.ffn_norm = nn.LayerNorm(dim, eps=options.norm_eps)
        self.ffn_in, self.ffn_out = nn.Linear(dim, inner), nn.Linear(inner, dim)

    def attention(self, asking, known):
        """Softmax attention of one sequence; heads are slices of the channels."""
        n, dim = known.shape
        heads, width = self.options.heads, dim // self.options.heads
        query, key, value = (layer(x).view(n, heads, width).transpose(0, 1)
                             for layer, x in ((self.query, asking), (self.key, known), (self.value, known)))
        logits = query @ key.transpose(1, 2) / math.sqrt(width)
        future = torch.ones(n, n, dtype=torch.bool).triu(1 if self.options.mask == "causal" else n)
        mixed = torch.softmax(logits.masked_fill(future, -math.inf), dim=-1) @ value
        mixed = mixed.transpose(0, 1).reshape(n, dim)
        return self.output(mixed) if self.options.output_projection else mixed

    def mix(self, x):
        return self.filter(x) if self.options.mixer == "spectral" else self.attention(x, x)

    def mix_norm(self, x):
        return self.filter_norm(x) if self.options.mixer == "spectral" else self.attention_norm(x)

    def feed_forward(self, x):
        act = torch.relu if self.options.activation == "relu" else nn.functional.gelu
        return self.ffn_out(act(self.ffn_in(x)))

    def forward(self, x):
        if self.options.wiring == "post_norm":
            x = self.mix_norm(x + self.mix(x))
            return self.ffn_norm(x + self.feed_forward(x))
        if self.options.wiring == "pre_norm":
            x = x + self.mix(self.mix_norm(x))
            return x + self.feed_forward(self.ffn_norm(x))
        # 2018: only the query is normalised, and both residuals start from the normalised tensor.
        y = self.attention_norm(x)
        z = self.ffn_norm(y + self.attention(y, x))
        return z + self.feed_forward(z)


class SASRec(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.options = options
        self.items = Table(options)
        if options.position != "none":
            self.position = nn.Embedding(options.max_length, options.width())
        if options.mask == "bidirectional":
            self.mask = nn.Embedding(1, options.dim)
        if options.embedding_norm:
            self.embedding_norm = nn.LayerNorm(options.width(), eps=options.norm_eps)
        if options.user_embedding != "none":
            self.users = Users(options)
        self.blocks = nn.ModuleList([Block(options) for _ in range(options.blocks)])
        if options.final_norm:
            self.final_norm = nn.LayerNorm(options.width(), eps=options.norm_eps)
        if options.head == "transform":
            self.head = nn.Linear(options.width(), options.width())
            self.head_norm = nn.LayerNorm(options.width(), eps=options.norm_eps)

    def forward(self, rows, user=None):
        """User vectors [n][dim] after each event of one sequence of item rows, oldest first, cut to the window; `user` is
        the row of the sequence's user. A concatenated user's part of the score is left out: it is the same for all items."""
        rows = torch.as_tensor(rows, dtype=torch.long)[-self.options.max_length:]
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
        if self.options.position != "none":
            places = torch.arange(len(rows))
            x = x + self.position(places if self.options.position == "start" else len(rows) - 1 - places)
        if how == "prefix":
            x = torch.cat([vector.unsqueeze(0), x])
        if self.options.embedding_norm:
            x = self.embedding_norm(x)
        for block in self.blocks:
            x = block(x)
        if self.options.final_norm:
            x = self.final_norm(x)
        if self.options.head == "transform":
            x = self.head_norm(nn.functional.gelu(self.head(x)))
        return x[-len(rows):, :self.options.dim]

    def user(self, rows, user=None):
        """User vector [dim] after a history: at its last event, or at a [MASK] behind it."""
        if self.options.mask == "bidirectional":
            rows = list(rows)[max(0, len(rows) - self.options.max_length + 1):] + [MASK]
        return self(rows, user)[-1]

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
