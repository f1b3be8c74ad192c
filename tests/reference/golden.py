"""tests/reference: golden values for the C tests: writes and checks tests/unit/golden_values.h.

    golden.py            checks that the committed header is what PyTorch gives today (also --check)
    golden.py --write    writes it
    golden.py --show N   prints case N in full: user vectors and every gradient, to find where a mismatch starts
"""
import argparse
import itertools
import os
import re
import sys

try:
    import numpy as np
    import torch
except ImportError:
    print("golden: PyTorch or numpy is not installed (python3-torch, python3-numpy); skipped")
    sys.exit(77)

import losses_torch
from sasrec_torch import MASK, Options, SASRec, masked_pairs, training_pairs

HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "golden_values.h")
ITEMS, WINDOW, BLOCKS, NEGATIVES = 7, 6, 2, 3
# The last sequence is longer than the window; the first has no target.
SEQUENCES = [[3], [0, 5], [6, 2, 2, 4, 1], [1, 0, 3, 6, 5, 5, 2, 4, 0]]
# Places in the window (the last WINDOW events) that the bidirectional cases hide; the first sequence is too short.
PLACES = [[], [1], [1, 4], [0, 3]]
LOSSES = ("bce", "softmax", "sampled_softmax")
BLOCK_TENSORS = [part + kind for part in ("attention_norm", "query", "key", "value", "output", "ffn_norm", "ffn_in",
                                          "ffn_out") for kind in (".weight", ".bias")]
TENSORS = (["items.weight", "items.output", "position.weight"]
           + ["blocks.%d.%s" % (i, name) for i in range(BLOCKS) for name in BLOCK_TENSORS]
           + ["final_norm.weight", "final_norm.bias", "mask.weight", "embedding_norm.weight", "embedding_norm.bias",
              "head.weight", "head.bias", "head_norm.weight", "head_norm.bias"])

PREAMBLE = """\
/* tests: golden values of SASRec and BERT4Rec from PyTorch. Written by tests/reference/golden.py --write; do not edit.
 *
 * Every case: %(items)d items (rows 0..%(last)d), max_length %(window)d, %(blocks)d blocks, ffn_dim = dim,
 * LayerNorm eps 1e-8, no dropout, gelu by erf; temperature divides cosine scores.
 * Weights: golden_weight(). Sequences: golden_offsets, golden_rows (item rows, oldest first).
 *   users:   one pair per event of the window of each sequence, in order (a sequence longer than max_length has only
 *            its last max_length): digests of the user vector after that event.
 *   scores:  all items after the last event of each sequence.
 *   losses:  bce, softmax, sampled_softmax: mean over the targets of all sequences, each shifted by one and cut to
 *            its last max_length + 1 events. golden_negatives has the rows of the negatives of each target, in order.
 *            bce takes them as they are; in sampled_softmax a negative equal to the target takes no part.
 *   gradients: of losses[gradient_loss], one pair per tensor in the order of golden_tensors: its digests (0, 0:
 *            absent, or the key bias, whose gradient is 0).
 *   item_gradients: first digest of the gradient of each row of items.weight (tied: both uses of the row summed).
 * Cases with bidirectional = 1: users are those of the windows with [MASK] in place of their last event, scores those at
 *            this [MASK]; losses those of Cloze training: the last max_length events of each sequence with the places
 *            golden_places[golden_place_offsets[s]..] masked, golden_place_negatives as above.
 * Digests of x[n]: the sum of x[j] * cos(0.61 * j + 0.2), and the sum of x[j] * x[j]; the first is best compared
 * relative to the root of the second.
 * Values are float64 from weights rounded to float32. float32_error: the largest difference that float32 arithmetic
 * in PyTorch made in the case, relative to the largest magnitude of its group: users, scores, losses, each tensor's
 * gradient (at least 1 %% of the largest of all gradients, since that of a key bias is 0).
 */
#ifndef GOLDEN_VALUES_H
#define GOLDEN_VALUES_H

#include <math.h>
#include <stdint.h>

#define GOLDEN_ITEMS %(items)d
#define GOLDEN_WINDOW %(window)d
#define GOLDEN_BLOCKS %(blocks)d
#define GOLDEN_NEGATIVES %(negatives)d
#define GOLDEN_SEQUENCES %(sequences)d
#define GOLDEN_EVENTS %(events)d
#define GOLDEN_USERS %(users)d
#define GOLDEN_TARGETS %(targets)d
#define GOLDEN_PLACES %(places)d
#define GOLDEN_TENSORS %(tensors)d
#define GOLDEN_CASES %(cases)d

/* Element j (flat, row-major; linear weights are [out][in]) of tensor n of golden_tensors, in a model of width dim. */
static inline float golden_weight(int32_t n, int64_t j, int32_t dim)
{
    int32_t behind = 3 + 16 * GOLDEN_BLOCKS; /* final_norm, mask, embedding_norm, head, head_norm */
    int in_block = n >= 3 && n < behind, part = in_block ? (n - 3) %% 16 : -1;
    int norm_weight = part == 0 || part == 10 || n == behind || n == behind + 3 || n == behind + 7;
    int matrix = (in_block && !norm_weight && part %% 2 == 0) || n == behind + 5;
    double x = (double)j, amplitude = matrix ? 1.2 / sqrt((double)dim) : 0.4;
    return (float)((norm_weight ? 1.0 : 0.0) + amplitude * sin(1.3 * x + 0.01 * x * x + 0.7 * (double)n));
}
"""

STRUCT = """
typedef struct golden_case {
    const char *wiring; /* post_norm | pre_norm | original */
    const char *activation;
    const char *position; /* start | end | none */
    const char *score;    /* dot | cosine */
    double temperature;
    int32_t dim, heads, tied_output, scale_embeddings, output_projection;
    int32_t bidirectional, embedding_norm, final_norm, transform;
    int32_t gradient_loss; /* index into losses */
    double float32_error;
    double losses[3];
    double users[GOLDEN_USERS][2];
    double scores[GOLDEN_SEQUENCES][GOLDEN_ITEMS];
    double gradients[GOLDEN_TENSORS][2];
    double item_gradients[GOLDEN_ITEMS];
} golden_case;
"""


def weight(tensor, shape, dim):
    """The same formula as golden_weight() of the header."""
    name, j = TENSORS[tensor], np.arange(int(np.prod(shape)), dtype=np.float64)
    norm_weight = name.endswith("norm.weight")
    matrix = name.startswith(("blocks.", "head.")) and name.endswith(".weight") and not norm_weight
    amplitude = 1.2 / np.sqrt(dim) if matrix else 0.4
    values = float(norm_weight) + amplitude * np.sin(1.3 * j + 0.01 * j * j + 0.7 * tensor)
    return values.astype(np.float32).reshape(shape)


def cases():
    """All wirings, head counts, widths, output tables and activations; the other options take turns."""
    wirings, activations = ("post_norm", "pre_norm", "original"), ("relu", "gelu")
    grid = itertools.product(wirings, (1, 2), (8, 10, 50), (True, False), activations)
    for at, (wiring, heads, dim, tied, activation) in enumerate(grid):
        turn = at + at // 12  # 12 combinations of width, table and activation: each meets other options in each wiring
        cosine = turn % 4 == 3
        yield Options(items=ITEMS, dim=dim, max_length=WINDOW, wiring=wiring, blocks=BLOCKS, heads=heads,
                      activation=activation, tied_output=tied, score="cosine" if cosine else "dot",
                      temperature=0.5 if cosine else 1.0, position=("end", "start", "end", "start", "none")[at % 5],
                      scale_embeddings=at // 5 % 2 == 0,
                      output_projection=wiring != "original" and at % 7 != 2), turn % 3
    for at in range(15):  # BERT4Rec, and each of its pieces with and without the others
        yield Options(items=ITEMS, dim=(8, 10, 50)[at % 3], max_length=WINDOW, blocks=BLOCKS, heads=1 + at % 2,
                      wiring="pre_norm" if at % 5 == 4 else "post_norm", activation="relu" if at == 7 else "gelu",
                      tied_output=at % 4 != 1, score="cosine" if at % 6 == 3 else "dot",
                      temperature=0.5 if at % 6 == 3 else 1.0, position=("start", "end", "start", "none")[at % 4],
                      scale_embeddings=at % 3 == 1, norm_eps=1e-8,
                      mask="causal" if at >= 12 else "bidirectional", embedding_norm=at % 5 != 3,
                      final_norm=at % 4 == 2, head="none" if at % 7 == 6 else "transform"), (1, 2, 0)[at // 2 % 3]


def build(options, kind):
    """The model of a case in one precision."""
    model = SASRec(options).to(kind)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(weight(TENSORS.index(name), tuple(parameter.shape), options.dim)))
    return model


def pairs(mask):
    """Inputs, targets, and the places in the inputs that predict them, of every sequence that has any."""
    if mask == "causal":
        shifted = [training_pairs(events, WINDOW) for events in SEQUENCES if len(events) > 1]
        return [(inputs, targets, list(range(len(inputs)))) for inputs, targets in shifted]
    return [masked_pairs(events, WINDOW, places) + (places,) for events, places in zip(SEQUENCES, PLACES) if places]


def windows(mask):
    """What users and scores are of: every sequence cut to the window, its last event hidden where [MASK] asks for it."""
    cut = [events[-WINDOW:] for events in SEQUENCES]
    return cut if mask == "causal" else [events[:-1] + [MASK] for events in cut]


def negatives(mask):
    """[targets][NEGATIVES] rows; every fourth target finds itself among its negatives."""
    targets = [row for _, window, _ in pairs(mask) for row in window]
    return [[(2 * at + 3 * j + 1) % ITEMS if at % 4 or j else target for j in range(NEGATIVES)]
            for at, target in enumerate(targets)]


def losses(model):
    """The three losses over all sequences."""
    mask = model.options.mask
    users = torch.cat([model(inputs)[places] for inputs, _, places in pairs(mask)])
    targets = torch.tensor([row for _, window, _ in pairs(mask) for row in window])
    drawn = torch.tensor(negatives(mask))
    positive = model.scores(users, targets.unsqueeze(-1)).squeeze(-1)
    against = model.scores(users, drawn)
    return (losses_torch.bce(positive, against), losses_torch.softmax(model.scores(users), targets),
            losses_torch.sampled_softmax(positive, against, targets, drawn))


def digest(values):
    flat = np.asarray(values, dtype=np.float64).ravel()
    return float(flat @ np.cos(0.61 * np.arange(flat.size) + 0.2)), float(flat @ flat)


def evaluate(options, which, kind):
    """Everything of a case, as arrays: users [n][d], scores, losses, {tensor: gradient}."""
    model = build(options, kind)
    vectors = [model(events) for events in windows(options.mask)]
    values = losses(model)
    values[which].backward()
    return {
        "users": torch.cat(vectors).detach().numpy(),
        "scores": torch.stack([model.scores(users[-1]) for users in vectors]).detach().numpy(),
        "losses": np.array([float(value.detach()) for value in values]),
        "gradients": {name: parameter.grad.numpy() for name, parameter in model.named_parameters()
                      if parameter.grad is not None},
    }


def float32_error(exact, rough):
    """A key bias has the gradient 0 in exact arithmetic: a gradient is measured against 1 % of the largest or more."""
    def apart(a, b, least=0.0):
        return float(np.abs(a - b).max() / max(np.abs(a).max(), least))

    largest = max(np.abs(gradient).max() for gradient in exact["gradients"].values())
    outputs = [apart(exact[name], rough[name]) for name in ("users", "scores", "losses")]
    return max(outputs + [apart(gradient, rough["gradients"][name], largest / 100)
                          for name, gradient in exact["gradients"].items()])


def number(value):
    return "0" if abs(value) < 1e-14 else "%.9g" % value


def braces(rows):
    return "{%s}" % ", ".join(braces(row) if isinstance(row, (list, tuple)) else number(row) for row in rows)


def wrapped(text, width=114, indent="     "):
    """Breaks a line after commas; the header stays readable in a diff."""
    lines, line = [], ""
    for word in text.split(" "):
        if len(line) + len(word) + 1 > width:
            lines.append(line)
            line = indent + word
        else:
            line = line + " " + word if line else word
    return "\n".join(lines + [line])


def case_text(options, which):
    exact, rough = (evaluate(options, which, kind) for kind in (torch.float64, torch.float32))
    gradients = [digest(exact["gradients"][name]) if name in exact["gradients"] else (0.0, 0.0) for name in TENSORS]
    fields = [
        ".wiring = \"%s\", .activation = \"%s\", .position = \"%s\", .score = \"%s\", .temperature = %g," % (
            options.wiring, options.activation, options.position, options.score, options.temperature),
        ".dim = %d, .heads = %d, .tied_output = %d, .scale_embeddings = %d, .output_projection = %d," % (
            options.dim, options.heads, options.tied_output, options.scale_embeddings, options.output_projection),
        ".bidirectional = %d, .embedding_norm = %d, .final_norm = %d, .transform = %d," % (
            options.mask == "bidirectional", options.embedding_norm, options.final_norm, options.head == "transform"),
        ".gradient_loss = %d, .float32_error = %.1e, .losses = %s," % (
            which, float32_error(exact, rough), braces(exact["losses"].tolist())),
        ".users = %s," % braces([digest(row) for row in exact["users"]]),
        ".scores = %s," % braces(exact["scores"].tolist()),
        ".gradients = %s," % braces(gradients),
        ".item_gradients = %s" % braces([digest(row)[0] for row in exact["gradients"]["items.weight"]]),
    ]
    return "    {" + "\n     ".join(wrapped(field) for field in fields) + "}"


def array(declaration, rows):
    return wrapped("static const %s = %s;" % (declaration, braces(rows)), indent="    ")


def header_text():
    everything = list(cases())
    offsets = np.cumsum([0] + [len(events) for events in SEQUENCES]).tolist()
    drawn, places = negatives("causal"), sum(PLACES, [])
    text = PREAMBLE % {"items": ITEMS, "last": ITEMS - 1, "window": WINDOW, "blocks": BLOCKS, "negatives": NEGATIVES,
                       "sequences": len(SEQUENCES), "events": offsets[-1], "targets": len(drawn), "places": len(places),
                       "users": sum(min(len(events), WINDOW) for events in SEQUENCES), "tensors": len(TENSORS),
                       "cases": len(everything)}
    names = wrapped(", ".join("\"%s\"" % name for name in TENSORS), indent="    ", width=114)
    return "\n".join([
        text, array("int64_t golden_offsets[GOLDEN_SEQUENCES + 1]", offsets),
        array("int32_t golden_rows[GOLDEN_EVENTS]", sum(SEQUENCES, [])),
        array("int32_t golden_negatives[GOLDEN_TARGETS][GOLDEN_NEGATIVES]", drawn),
        array("int64_t golden_place_offsets[GOLDEN_SEQUENCES + 1]",
              np.cumsum([0] + [len(hidden) for hidden in PLACES]).tolist()),
        array("int32_t golden_places[GOLDEN_PLACES]", places),
        array("int32_t golden_place_negatives[GOLDEN_PLACES][GOLDEN_NEGATIVES]", negatives("bidirectional")),
        "static const char *const golden_tensors[GOLDEN_TENSORS] = {\n    %s};" % names,
        STRUCT, "static const golden_case golden_cases[GOLDEN_CASES] = {",
        ",\n".join(case_text(options, which) for options, which in everything), "};\n#endif\n"])


def check(text):
    """The committed header against a fresh one: same words, and numbers that agree to what a BLAS may change."""
    with open(HEADER, encoding="utf-8") as file:
        committed = file.read()
    shape = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
    ours, theirs = (shape.sub("#", re.sub(r"\.float32_error = \S+", "", body)).split() for body in (text, committed))
    if ours != theirs:
        return "the words of golden_values.h differ from what golden.py writes"
    numbers = [np.array([float(x) for x in shape.findall(re.sub(r"\.float32_error = \S+", "", body))])
               for body in (text, committed)]
    apart = np.abs(numbers[0] - numbers[1]) / np.maximum(np.abs(numbers[1]), 1e-3)
    if apart.max() > 1e-7:
        at = int(apart.argmax())
        return "number %d of golden_values.h is %.9g, PyTorch gives %.9g" % (at, numbers[1][at], numbers[0][at])
    return None


def show(at):
    options, which = list(cases())[at]
    values = evaluate(options, which, torch.float64)
    np.set_printoptions(precision=9, suppress=True, linewidth=140, threshold=1 << 20)
    print(options, "\ngradients of", LOSSES[which])
    for name in ("users", "scores", "losses"):
        print(name, values[name], sep="\n")
    for name, gradient in values["gradients"].items():
        print("gradient of", name, gradient, sep="\n")


def main():
    parser = argparse.ArgumentParser(description="golden values of the C tests")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--show", type=int, metavar="N")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.show is not None:
        return show(arguments.show)
    text = header_text()
    if arguments.write:
        with open(HEADER, "w", encoding="utf-8") as file:
            file.write(text)
        return None
    return check(text)


if __name__ == "__main__":
    sys.exit(main())
