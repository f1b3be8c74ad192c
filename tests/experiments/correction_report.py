"""tests: the tables and pictures of the experiment on positions, of the units that have run.

    correction_report.py LINES FOLDER

reads the JSON lines that correction.sh wrote and writes correction.md and correction-*.svg to FOLDER. What stands from the heading
"What this says" on is written by hand, and kept. Which units there should be comes from `correction.sh list`.
"""
import os
import sys

sys.dont_write_bytecode = True
from experiment_page import (change, dig, mean, mean_difference, number, picture, planned, read_units, table,  # noqa: E402
                             what_has_run, write_page)

ARMS = ["end", "start", "none", "random_end", "random_end-1", "reversed", "literal", "literal-none", "shaw-8", "shaw-32", "shaw-0", "t5", "bias", "rotary", "alibi"]
NAMES = {"ml-1m": "MovieLens-1M", "beauty": "Beauty", "fifth": "a fifth of MovieLens-1M's users",
         "heads": "MovieLens-1M, eight heads", "stop": "MovieLens-1M, trained to the early stop",
         "heldout": "MovieLens-1M without a tenth of the users", "ties": "MovieLens-100k, events at one instant in a drawn order",
         "later": "MovieLens-100k, what came later than nine tenths of all events (E9)"}
LOSSES = {"sampled_softmax": "sampled softmax", "softmax": "full softmax", "bce": "BCE"}
GROUPS = [("ml-1m", "sampled_softmax", 200), ("ml-1m", "softmax", 200), ("ml-1m", "bce", 200), ("beauty", "sampled_softmax", 50),
          ("beauty", "softmax", 50), ("ml-1m", "sampled_softmax", 50), ("ml-1m", "sampled_softmax", 2277),
          ("heads", "sampled_softmax", 200), ("stop", "sampled_softmax", 200),
          ("fifth", "sampled_softmax", 50), ("heldout", "sampled_softmax", 200),
          ("ties", "sampled_softmax", 200), ("later", "sampled_softmax", 200)]


def of_shared_seeds(arms):
    """Of each arm the units whose seeds all arms have, so that means compare. An arm that shares none with those before it is left out."""
    seeds = {arm: {unit["unit"].rsplit("-seed", 1)[1] for unit in found} for arm, found in arms.items()}
    shared, kept = None, []
    for arm, own in seeds.items():
        both = own if shared is None else shared & own
        if both:
            shared, kept = both, kept + [arm]
    return {arm: [unit for unit in arms[arm] if unit["unit"].rsplit("-seed", 1)[1] in shared] for arm in kept}


class Group:
    """The units of a study, a loss and a window, by arm."""

    def __init__(self, units, study, loss, length):
        self.study, self.loss, self.length = study, loss, length
        arms = {}
        for arm in ARMS:
            found = [u for u in units.values() if (u["study"], u["loss"], u["length"], u["arm"]) == (study, loss, length, arm)]
            if found:
                arms[arm] = found
        self.arms = of_shared_seeds(arms)

    def title(self):
        return f"{NAMES[self.study]}, {LOSSES[self.loss]}, windows of {self.length} events"

    def mean(self, arm, *keys):
        return mean([dig(unit, keys) for unit in self.arms[arm]])

    def difference(self, arm, against, metric):
        return mean_difference([dig(unit, (against, "difference")) for unit in self.arms[arm] if against in unit], metric)


def seeds_of(group, arm):
    """NDCG@10 less the window-end arm's, seed by seed."""
    found = [dig(unit, ("against_end", "difference", "ndcg@10")) for unit in group.arms[arm] if "against_end" in unit]
    return " ".join(f"{value:+.4f}" for value in found) if len(found) > 1 else "-"


def seconds(group, arm):
    """Seconds of an epoch; those of another machine are marked, and count alone where there are such."""
    elsewhere = [unit for unit in group.arms[arm] if "machine" in unit]
    value = number(mean([dig(unit, ("train", "seconds_per_epoch")) for unit in elsewhere or group.arms[arm]]), 1)
    return value + " †" if elsewhere else value


# ---- tables ---------------------------------------------------------------------------------------------------------

def main_rows(group):
    baselines = dig(next(iter(group.arms.values()))[0], ("E4", "baselines")) or {}
    rows = [[f"*{name}*", "-", number(dig(figures, ("hr@10",))), number(dig(figures, ("ndcg@10",)))] + ["-"] * 4
            for name, figures in baselines.items()]
    for arm, units in group.arms.items():
        rows.append([arm, str(len(units)), number(group.mean(arm, "E4", "hr@10")), number(group.mean(arm, "E4", "ndcg@10")),
                     change(group.difference(arm, "against_end", "ndcg@10")), seeds_of(group, arm),
                     number(group.mean(arm, "train", "best_epoch"), 0), seconds(group, arm)])
    return rows


def fifths(group, key):
    """[(place, least, most, users)] of the fifths by length that have users: those of one length are not parted."""
    parts = dig(next(iter(group.arms.values()))[0], (key, "breakdown", "model", "quintile"))
    return [(i, part["least"], part["most"], part["users"]) for i, part in enumerate(parts) if part["users"] > 0]


def quintiles(group, arm, key):
    return [group.mean(arm, key, "breakdown", "model", "quintile", i, "ndcg@10") for i, _, _, _ in fifths(group, key)]


def quintile_heads(group, key):
    return [f"{least}-{most} ({users})" for _, least, most, users in fifths(group, key)]


def quintile_rows(group, key):
    return [[arm] + [number(value) for value in quintiles(group, arm, key)] for arm in group.arms]


def gain_rows(group):
    """Less the window-end arm by fifths of the users, with the 95 % interval over the users of each."""
    rows = []
    for arm, units in group.arms.items():
        found = [dig(unit, ("against_end", "breakdown", "difference", "quintile")) for unit in units]
        if all(found):
            rows.append([arm] + [change(mean_difference([parts[i] for parts in found], "ndcg@10")) for i, _, _, _ in fifths(group, "E4")])
    return rows


def inner_heads(group):
    """The groups of places, by the events before them, that there are."""
    parts = dig(next(iter(group.arms.values()))[0], ("inner", "model", "groups"))
    return [(i, f"{part['least']}-{part.get('most', '')} ({part['places']:,})") for i, part in enumerate(parts) if part["places"] > 0]


def inner_rows(group):
    return [[arm, number(group.mean(arm, "inner", "model", "ndcg@10"))] +
            [number(group.mean(arm, "inner", "model", "groups", i, "ndcg@10")) for i, _ in inner_heads(group)] for arm in group.arms]


def inner_gain_rows(group):
    rows = []
    for arm, units in group.arms.items():
        found = [dig(unit, ("inner", "difference")) for unit in units]
        if all(found):
            rows.append([arm, change(mean_difference(found, "ndcg@10"))] +
                        [change(mean_difference([whole["groups"][i] for whole in found], "ndcg@10")) for i, _ in inner_heads(group)])
    return rows


def older_rows(group):
    """Per cent that scores change by, of their spread / per cent of the ten best that stay, by the older events in front."""
    ages = range(1, len(dig(next(iter(group.arms.values()))[0], ("inner", "older", "rows"))))
    figure = lambda arm, i, name: 100 * group.mean(arm, "inner", "older", "rows", i, name)
    return [[arm] + [f"{figure(arm, i, 'changed'):.0f} / {figure(arm, i, 'overlap@10'):.0f}" for i in ages] +
            [number(group.mean(arm, "inner", "older", "rows", i, "ndcg@10")) for i in (0, ages[-1])] for arm in group.arms]


def inner_section(group):
    found = dig(next(iter(group.arms.values()))[0], ("inner",))
    heads = [head for _, head in inner_heads(group)]
    lines = [f"Before each event but the first two of the {found['users']} users who were left out, by the number of events before it (how many "
             "places; the interval is over users; popularity and Markov were not asked there):", ""]
    lines += table(["arm", "NDCG@10"] + heads, inner_rows(group))
    lines += ["Minus end:", ""] + table(["arm", "all"] + heads, inner_gain_rows(group))
    older = found["older"]
    if older["users"]:
        lines += [f"What older events change: the {older['users']} of these users with {older['recent'] + older['rows'][-1]['older']} events before "
                  f"their last are asked after the newest {older['recent']}, and with so many older ones in front. Root mean square of the changes of "
                  "unseen items' scores, in per cent of the scores' standard deviation / per cent of the ten best items that stay; and NDCG@10 with "
                  "none and with the most in front:", ""]
        lines += table(["arm"] + [f"{row['older']} older" for row in older["rows"][1:]] + ["NDCG@10, none", "the most"], older_rows(group))
    return lines


def window_rows(group, key, windows):
    """NDCG@10 with other windows, and what share that is of the figure with the model's own."""
    rows = []
    for arm in group.arms:
        whole, cells = group.mean(arm, "E4", "ndcg@10"), []
        for most in windows:
            value = group.mean(arm, key, most, "ndcg@10")
            cells.append("-" if value is None else f"{value:.4f} ({100 * value / whole:.0f} %)")
        rows.append([arm] + cells + [number(whole)])
    return rows


def has(group, key):
    return any(key in unit for units in group.arms.values() for unit in units)


def other_rows(group):
    figures = [("E4", f"{name}@{k}") for name, k in (("hr", 1), ("hr", 5), ("hr", 20), ("ndcg", 5), ("ndcg", 20))]
    figures += [("E4", "mrr"), ("E1", "hr@10"), ("E1", "ndcg@10")]
    return [[arm] + [number(group.mean(arm, *keys)) for keys in figures] for arm in group.arms]


def group_section(group):
    lines = [f"## {group.title()}", ""]
    lines += table(["arm", "seeds", "HR@10", "NDCG@10", "minus end", "seed by seed", "best epoch", "s an epoch"], main_rows(group))
    lines += table(["arm", "HR@1", "HR@5", "HR@20", "NDCG@5", "NDCG@20", "MRR", "E1 HR@10", "E1 NDCG@10"], other_rows(group))
    lines += ["NDCG@10 by the length of the history, by fifths of the users as far as lengths part them (how many):", ""]
    lines += table(["arm"] + quintile_heads(group, "E4"), quintile_rows(group, "E4"))
    gains = gain_rows(group)
    if gains:
        lines += ["Minus end, of each fifth:", ""] + table(["arm"] + quintile_heads(group, "E4"), gains)
    if has(group, "inner"):
        lines += inner_section(group)
    if has(group, "longer"):
        lines += ["The same models reading the newest 100 and 200 events, which they were not trained on, where no table of positions is in the "
                  "way; in per cent of their NDCG@10 at 50:", ""]
        lines += table(["arm", "100", "200", "50"], window_rows(group, "longer", ("100", "200")))
    if has(group, "newest"):
        lines += ["The same models asked after the newest 20 and 50 events alone (what is older is then no longer filtered either), and in "
                  "per cent of their NDCG@10 after whole histories:", ""]
        lines += table(["arm", "20", "50", "all"], window_rows(group, "newest", ("20", "50")))
    return lines


# ---- pictures -------------------------------------------------------------------------------------------------------

def length_series(group):
    """Less the window-end arm, by the middle of each fifth's lengths."""
    if "end" not in group.arms:
        return []
    middles = [(least * most) ** 0.5 for _, least, most, _ in fifths(group, "E4")]
    base = quintiles(group, "end", "E4")
    return [(arm, [(x, value - other) for x, value, other in zip(middles, quintiles(group, arm, "E4"), base)])
            for arm in group.arms if arm != "end"]


def inner_series(group):
    """Less the window-end arm, by the middle of each group's counts of events before a place; the last has twice its least."""
    parts = dig(next(iter(group.arms.values()))[0], ("inner", "model", "groups"))
    middles = [(part["least"] * part.get("most", 2 * part["least"])) ** 0.5 for part in parts]
    return [(arm, [(middles[i], group.mean(arm, "inner", "difference", "groups", i, "ndcg@10")) for i, _ in inner_heads(group)])
            for arm in group.arms if arm != "end"]


def draw(group, folder):
    lines = []
    for key, what, series_of in (("E4", "length of the history", length_series), ("inner", "events before the place", inner_series)):
        if not all(key in unit for units in group.arms.values() for unit in units):
            continue
        series = series_of(group)
        if not series:
            continue
        name = f"correction-{group.study}-{group.loss}-{group.length}-{key}.svg"
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.write(picture(group.title(), what, "NDCG@10 minus that of end", series, True))
        lines += [f"![{group.title()}: by {what}]({name})", ""]
    return lines


# ---- the page -------------------------------------------------------------------------------------------------------

EXPLAINED = """E4: all items are ranked, those of the history left out; the last event of each user, chosen by the validation event before it.
E1: a hundred sampled negatives, only to compare with older papers.

- `end`, `start`: a learned table of positions, counted from the newest or the oldest event of the window; `none`: no positions. There are no pads,
  so that SASRec's table over a window that is padded on the left, and one that is counted backwards, are both `end`.
- `random_end`: `end`, where half of the training sequences stop at a random event, so that the table's first rows are trained behind many prefixes
  (`random_end-1`: all of them, each epoch anew). It is no pure control: it trains four fifths of the targets of `end` an epoch (windows of
  200), some of them events before `end`'s window.
- `reversed`: the position of an item is its distance from the prediction, in one pass: the paper's rule in the first block, in the second, which all
  models here have, a scheme of its own (ARCHITECTURE.md).
- `literal`: the paper's rule at any depth, by training every prefix as a sample of its own; `literal-none`: such samples without positions.
- `shaw-K`: learned keys and values of the distance, clipped at K (0: never); `t5`, `bias`, `alibi`: numbers added to the scores of attention;
  `rotary`: rotated queries and keys.

*Minus end* is the figure of an arm minus that of `end`, for the same users, data, loss and seed, with the 95 % bootstrap interval over users; a mean over
seeds (the users are the same: more seeds do not narrow it). The interval does not include the variation between trainings and is not corrected for the number
of arms. Seeds that not all arms of a table have run are left out of it. Seconds are of one thread on a busy machine, and compare with nothing; those with a †
are of sixteen units at once on sixteen cores, and compare with each other.

Hypotheses, written before the first run: the gain of `reversed` over `end` is larger for long histories than for short ones, and with BCE than
with softmax; `random_end` has a part of it; trained on windows of 50 events and reading 200, arms by distance gain or keep what they have."""


def opening(units, plan):
    run, commits = what_has_run(units, plan)
    return ["# Positions", "",
            "Written by `make experiment-correction` from correction.jsonl, up to the conclusions at its end; do not edit that part. The arms "
            "and their budget are in `tests/experiments/correction.sh`.", "",
            *run,
            f"Commits {commits}. {EXPLAINED}", ""]


def main(lines_path, folder):
    units, plan = read_units(lines_path), planned("correction.sh")
    page = opening(units, plan)
    for study, loss, length in GROUPS:
        group = Group(units, study, loss, length)
        if group.arms:
            page += group_section(group) + draw(group, folder)
    path = os.path.join(folder, "correction.md")
    write_page(path, page)
    print(f"{sum(name in units for name in plan)} of {len(plan)} units have run: {path}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
