"""tests: the tables and pictures of the sampling experiment, of the units that have run.

    sampling_report.py LINES FOLDER

reads the JSON lines that sampling.sh wrote and writes sampling.md, sampling-seconds.svg, sampling-cost.svg,
sampling-bytes.svg, sampling-tail.svg, sampling-orders.svg and sampling-gradients.svg to FOLDER. Which units there should be comes from `sampling.sh list`.
"""
import math
import os
import statistics
import sys

sys.dont_write_bytecode = True
from experiment_page import (dig, number, picture, planned, read_units, setting_of, table, what_has_run,  # noqa: E402
                             write_page)

LOSSES = ["sampled_softmax", "bce", "gbce-0.5", "gbce-0.75", "gbce-1"]
COUNTS = [1, 4, 16, 64, 256, 1024]
CENTRE = "sampled_softmax-k256"
CHECKPOINTS = ["early", "middle", "late"]
GROUPS = [("1", 0, 1), ("2-3", 1, 3), ("4-6", 3, 6), ("7-10", 6, 10)]  # deciles of popularity, 1 = most popular


# ---- the units ------------------------------------------------------------------------------------------------------

class Experiment:
    def __init__(self, units, plan):
        self.units = {name: units[name] for name in plan if name in units}
        self.plan = plan
        self.settings = {}  # name -> units of its seeds
        for name, unit in self.units.items():
            if "curve" in unit:
                cost = dig(units, ("costs", "costs", setting_of(name))) or {}
                unit["pace"] = cost.get("seconds") or pace(unit)
                unit["bytes"] = cost.get("peak_rss_bytes") or unit["train"]["peak_rss_bytes"]
                unit["curve"] = [[epoch, epoch * unit["pace"], metric] for epoch, _, metric in unit["curve"]]
                self.settings.setdefault(setting_of(name), []).append(unit)

    def order(self):
        """Settings that have run, in the order of the plan."""
        return list(dict.fromkeys(s for s in map(setting_of, self.plan) if s in self.settings))

    def mean(self, setting, *keys):
        """Of a figure over the seeds of a setting; None where there is none."""
        values = [value for value in (dig(unit, keys) for unit in self.settings.get(setting, [])) if value is not None]
        return sum(values) / len(values) if values else None

    def gradients(self, checkpoint):
        unit = self.units.get("gradient-" + checkpoint, {})
        return {line["setting"]: line for line in unit.get("gradients", [])}


def pace(unit):
    """Seconds of training per epoch where the unit "costs" has not run: the median over the stretches between validations."""
    points = [[0, 0, None]] + unit["curve"]
    stretches = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(points, points[1:])]
    return statistics.median(stretches) if stretches else unit["train"]["seconds_per_epoch"]


def seconds_of(unit):
    return unit["pace"] * unit["train"]["epochs"]


def reached(curve, axis, limit):
    """The best validation up to a number of epochs (axis 0) or seconds (axis 1)."""
    return max((point[2] for point in curve if point[axis] <= limit), default=None)


# ---- tables ---------------------------------------------------------------------------------------------------------

def grid(cell):
    """Loss by number of negatives; cell(setting) is a text."""
    rows = [[loss] + [cell(f"{loss}-k{k}") for k in COUNTS] + ["-"] for loss in LOSSES]
    rows.append(["softmax"] + ["-"] * len(COUNTS) + [cell("softmax")])
    return table(["loss"] + [f"k = {k}" for k in COUNTS] + ["all items"], rows)


def grid_settings(experiment):
    names = [f"{loss}-k{k}" for loss in LOSSES for k in COUNTS] + ["softmax"]
    return [name for name in names if name in experiment.settings]


def curve_mean(experiment, setting, axis, limit):
    values = [reached(unit["curve"], axis, limit) for unit in experiment.settings.get(setting, [])]
    return None if not values or None in values else sum(values) / len(values)


def shortest(experiment, names, axis):
    """The least that a unit of these settings has trained for: epochs (axis 0) or seconds (axis 1). None where no unit has a curve."""
    return min((unit["curve"][-1][axis] for name in names for unit in experiment.settings[name] if unit["curve"]), default=None)


def loss_section(experiment):
    lines = ["## Loss by number of negatives", ""]
    epochs, seconds = (shortest(experiment, grid_settings(experiment), axis) for axis in (0, 1))
    if epochs is None:
        return lines + ["No unit of this table has run.", ""]
    lines += ["NDCG@10 of the test part (E4), each unit after its own budget, at the weights that validation chose:", ""]
    lines += grid(lambda name: number(experiment.mean(name, "E4", "ndcg@10")))
    lines += [f"NDCG@10 of the validation part, the best of the first {epochs} epochs (the shortest budget among the units "
              "of this table):", ""]
    lines += grid(lambda name: number(curve_mean(experiment, name, 0, epochs)))
    lines += [f"The same within {seconds:.0f} seconds of training (those of the quickest unit of this table):", ""]
    lines += grid(lambda name: number(curve_mean(experiment, name, 1, seconds)))
    lines += ["Seconds of training per epoch / peak memory of the training in MB:", ""]
    return lines + grid(lambda name: cost(experiment, name))


def cost(experiment, name):
    return number(experiment.mean(name, "pace"), 2) + " / " + megabytes(experiment, name)


def megabytes(experiment, name):
    peak = experiment.mean(name, "bytes")
    return "-" if peak is None else f"{peak / 1e6:.0f}"


def baseline_rows(experiment, cells):
    reports = experiment.units.get("baselines")
    names = ["popularity", "markov"] if reports else []
    return [[f"*{name}*"] + cells(lambda *keys: dig(reports, (keys[0], "baselines", name) + keys[1:])) for name in names]


def figures(get):
    interval = get("E4", "ci", "ndcg@10")
    return [number(get("E4", "hr@10")), number(get("E4", "ndcg@10")) +
            (f" ({interval[0]:.4f}-{interval[1]:.4f})" if interval else ""), number(get("E4", "mrr")),
            number(get("E1", "ndcg@10")), number(get("E2", "ndcg@10")), number(get("E4", "coverage@10"), 3),
            number(get("E4", "nll"), 3), number(get("E4", "ece"))]


FIGURES = ["HR@10", "NDCG@10", "MRR", "NDCG@10 (E1)", "NDCG@10 (E2)", "coverage@10", "nll", "ECE"]


def mean_getter(experiment, name):
    """Intervals belong to one seed: with several there is none."""
    def get(*keys):
        if "ci" in keys:
            units = experiment.settings[name]
            return dig(units[0], keys) if len(units) == 1 else None
        return experiment.mean(name, *keys)
    return get


def all_section(experiment):
    rows = baseline_rows(experiment, lambda get: ["-"] + figures(get) + ["-", "-"])
    for name in experiment.order():
        rows.append([name, str(len(experiment.settings[name]))] + figures(mean_getter(experiment, name)) +
                    [number(statistics.mean(seconds_of(unit) for unit in experiment.settings[name]), 0), megabytes(experiment, name)])
    return ["## All settings", "",
            "Figures are of the test part under E4 unless the column names another protocol; nll and ECE are of the softmax "
            "of the scores over all items. In brackets the 95 % bootstrap interval over users, of single seeds; seconds are of "
            "the training without its validations.", ""] + \
        table(["setting", "seeds"] + FIGURES + ["seconds", "MB"], rows)


def base_of(name):
    """What a setting around the centre is held against: the centre, or what has its number of negatives."""
    return "sampled_softmax-k" + name.rsplit("-k", 1)[1] if "-k" in name else CENTRE


def first_seed(experiment, name):
    return dig(experiment.units.get(name + "-seed1"), ("E4", "ndcg@10"))


def change(experiment, name):
    own, base = first_seed(experiment, name), first_seed(experiment, base_of(name))
    return "-" if own is None or base is None or name == CENTRE else f"{own - base:+.4f}"


def around_section(experiment):
    late = experiment.gradients("late")
    names = [n for n in experiment.order() if n in (CENTRE, "softmax") or n not in grid_settings(experiment)]
    seconds = shortest(experiment, names, 1)
    rows = baseline_rows(experiment, lambda get: [number(get("E4", "ndcg@10"))] + ["-"] * 7)
    for name in names:
        rows.append([name, number(experiment.mean(name, "E4", "ndcg@10")), change(experiment, name),
                     number(curve_mean(experiment, name, 1, seconds)), number(experiment.mean(name, "E4", "nll"), 3),
                     number(experiment.mean(name, "E4", "ece")), number(experiment.mean(name, "E4", "coverage@10"), 3),
                     cost(experiment, name), number(dig(late.get(name), ("all", "expected_cosine")), 3)])
    lines = ["## Around the centre", "",
             f"One factor of {CENTRE} (seen = keep, sampler = uniform, logq = none, negatives of each position) is changed "
             "in each row; the change is to the centre's first seed. Settings with another k in their name have that many "
             "negatives, and are held against uniform ones of the same number. sampler-sce has buckets of 256 items in place "
             "of negatives. There is no logq-uniform-classic: it subtracts one constant from the scores of all candidates, which "
             "leaves the loss as it is, so that it is the centre. The best validation is NDCG@10 of the validation part within the "
             "seconds of the quickest unit of this table.", ""]
    spread = [unit["E4"]["ndcg@10"] for unit in experiment.settings.get(CENTRE, [])]
    if len(spread) > 1:
        lines += [f"The centre's {len(spread)} seeds lie between {min(spread):.4f} and {max(spread):.4f}: with one seed, a "
                  "difference of that size says nothing.", ""]
    else:
        lines += ["Of the centre, fewer than two seeds have run: how much of these differences is chance is not known.", ""]
    return lines + table(["setting", "NDCG@10", "change", f"best validation within {number(seconds, 0)} s", "nll", "ECE", "coverage@10",
                          "s per epoch / MB", "gradient, late"], rows)


# ---- protocols ------------------------------------------------------------------------------------------------------

def kendall(a, b):
    """Kendall's tau-b of two lists of figures; None without an order."""
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    signs = [((a[i] > a[j]) - (a[i] < a[j]), (b[i] > b[j]) - (b[i] < b[j])) for i, j in pairs]
    untied = math.sqrt(sum(s != 0 for s, _ in signs) * sum(t != 0 for _, t in signs))
    return sum(s * t for s, t in signs) / untied if untied else None


def ranked(experiment, protocol, metric):
    """Of all settings, in their order; of a protocol that samples negatives the means over its draws, where all have them."""
    names = experiment.order()
    drawn = [experiment.mean(n, protocol + "_draws", "model", metric) for n in names]
    return [experiment.mean(n, protocol, metric) for n in names] if None in drawn else drawn


def order_section(experiment):
    names = experiment.order()
    rows = []
    for one, other in (("E1", "E4"), ("E2", "E4"), ("E1", "E2")):
        taus = [kendall(*[ranked(experiment, protocol, metric) for protocol in (one, other)])
                for metric in ("hr@10", "ndcg@10")]
        rows.append([f"{one}, {other}"] + [number(tau, 3) for tau in taus])
    return ["## Do the protocols order the models alike?", "",
            f"Kendall's tau-b between the orders of {len(names)} settings (means over their seeds): 1 is the same order, 0 none in "
            "common. E1 ranks among 100 uniform negatives, E2 among 100 by popularity, both in the mean of ten draws (of one where a line has no more), E4 among all items.", ""] + \
        table(["protocols", "by HR@10", "by NDCG@10"], rows if len(names) > 1 else [])


def group_rate(deciles, first, last):
    chosen = [d for d in deciles[first:last] if d["users"] and d["hr@10"] is not None]
    users = sum(d["users"] for d in chosen)
    return sum(d["users"] * d["hr@10"] for d in chosen) / users if users else None


def group_cells(breakdowns):
    """breakdowns[protocol] are the reports of the seeds."""
    def cell(protocol, first, last):
        rates = [group_rate(deciles, first, last) for deciles in breakdowns[protocol]]
        rates = [rate for rate in rates if rate is not None]
        return number(sum(rates) / len(rates) if rates else None)
    return [cell("E4", first, last) for _, first, last in GROUPS] + \
        [cell(protocol, first, last) for protocol in ("E1", "E2") for _, first, last in (GROUPS[0], GROUPS[-1])]


def tail_section(experiment):
    rows = []
    reports = experiment.units.get("baselines")
    for name in ("popularity", "markov") if reports else ():
        rows.append([f"*{name}*"] + group_cells({p: [reports[p]["breakdown"][name]["decile"]] for p in ("E1", "E2", "E4")}))
    for name in experiment.order():
        rows.append([name] + group_cells({p: [unit[p]["breakdown"]["model"]["decile"] for unit in experiment.settings[name]]
                                          for p in ("E1", "E2", "E4")}))
    head = ["setting"] + [f"E4, {group[0]}" for group in GROUPS] + \
        [f"{p}, {group[0]}" for p in ("E1", "E2") for group in (GROUPS[0], GROUPS[-1])]
    return ["## Head and tail", "",
            "HR@10 of users whose target is in these deciles of the items by training count (1: the most popular tenth):", ""] + \
        table(head, rows)


# ---- gradients ------------------------------------------------------------------------------------------------------

def gradient_section(experiment):
    lines = {c: experiment.gradients(c) for c in CHECKPOINTS}
    names = list(dict.fromkeys(name for c in CHECKPOINTS for name in lines[c]))
    keys = ("expected_cosine", "ratio", "single_cosine")
    rows = [[name] + [" / ".join(number(dig(lines[c].get(name), ("all", key)), 3) for key in keys) for c in CHECKPOINTS]
            for name in names]
    some = next((line for c in CHECKPOINTS for line in lines[c].values()), None)
    about = f" ({some['users']} users, {some['draws']} draws)" if some else ""
    epochs = ", ".join(f"{c}: {dig(experiment.units.get('gradient-' + c), ('train', 'epochs')) or '-'}" for c in CHECKPOINTS)
    return ["## Gradients", "",
            f"Weights of a training with the full softmax after some epochs ({epochs}), one batch of training sequences{about}, no "
            "dropout: cosine of the expected gradient (given this batch, which in_batch and mixed draw from) to that of the full softmax / ratio of the norm of the mean of the draws to "
            "its norm / mean cosine of a single draw, over all parameters. The first is estimated and can come out a little above "
            "1; - is an estimate that found nothing but noise. The lines have the same for the items' rows and for the network "
            "alone.", ""] + table(["setting"] + CHECKPOINTS, rows)


# ---- pictures -------------------------------------------------------------------------------------------------------

def seconds_series(experiment):
    names = ["softmax"] + [f"sampled_softmax-k{k}" for k in COUNTS]
    return [(name, [(s, m) for _, s, m in experiment.settings[name][0]["curve"]]) for name in names
            if name in experiment.settings and experiment.settings[name][0]["curve"]]


def families(experiment):
    """(name, settings) of those that have run: the losses of the grid, and the rest."""
    groups = [(loss, [f"{loss}-k{k}" for k in COUNTS]) for loss in LOSSES] + [("softmax", ["softmax"])]
    groups.append(("around the centre", [n for n in experiment.order() if n not in grid_settings(experiment)]))
    groups = [(family, [n for n in names if n in experiment.settings]) for family, names in groups]
    return [(family, names) for family, names in groups if names]


def bytes_series(experiment):
    return [(family, sorted((experiment.mean(n, "bytes") / 1e6, experiment.mean(n, "E4", "ndcg@10")) for n in names))
            for family, names in families(experiment)]


def cost_series(experiment):
    """Every unit a point, also the seeds of one setting."""
    return [(family, sorted((seconds_of(unit), unit["E4"]["ndcg@10"]) for n in names for unit in experiment.settings[n]))
            for family, names in families(experiment)]


def tail_series(experiment):
    """HR@10 by the popularity of the target, of the centre, what trains on all items, and what differs from the centre by its loss or sampler."""
    names = [n for n in experiment.order() if n in ("softmax", CENTRE, "bce-k256", "gbce-0.75-k256") or n.startswith("sampler-")]
    series = []
    for name in names:
        deciles = [unit["E4"]["breakdown"]["model"]["decile"] for unit in experiment.settings[name]]
        rates = [[rate for rate in (group_rate(d, i, i + 1) for d in deciles) if rate is not None] for i in range(10)]
        series.append((name, [(i + 1, sum(r) / len(r)) for i, r in enumerate(rates) if r]))
    return [(name, points) for name, points in series if points]


def order_series(experiment):
    return [(protocol, sorted(zip(ranked(experiment, "E4", "ndcg@10"), ranked(experiment, protocol, "ndcg@10"))))
            for protocol in ("E1", "E2")] if experiment.order() else []


def gradient_series(experiment):
    checkpoint = next((c for c in reversed(CHECKPOINTS) if experiment.gradients(c)), None)
    lines = experiment.gradients(checkpoint) if checkpoint else {}
    series = []
    for loss in LOSSES:
        cosines = [(k, dig(lines.get(f"{loss}-k{k}"), ("all", "expected_cosine"))) for k in COUNTS]
        points = [(k, c) for k, c in cosines if c is not None]
        if points:
            series.append((loss, points))
    return checkpoint, series


def pictures(experiment):
    checkpoint, gradient = gradient_series(experiment)
    return [
        ("sampling-seconds.svg", "Validation over the seconds of training", "seconds of training", "NDCG@10 (E4, validation)",
         seconds_series(experiment), True, True),
        ("sampling-cost.svg", "Accuracy over the seconds of training, all units", "seconds of training",
         "NDCG@10 (E4, test)", cost_series(experiment), True, False),
        ("sampling-bytes.svg", "Accuracy over memory", "peak memory of the training, MB", "NDCG@10 (E4, test)",
         bytes_series(experiment), True, False),
        ("sampling-tail.svg", "Hits by the popularity of the target", "decile of the items by training count, 1 = most popular",
         "HR@10 (E4, test)", tail_series(experiment), False, True),
        ("sampling-orders.svg", "Models under protocols with sampled negatives and under the full ranking", "NDCG@10 under E4",
         "NDCG@10 under E1 and E2", order_series(experiment), False, False),
        ("sampling-gradients.svg", f"Expected gradient and that of the full softmax, {checkpoint} weights", "negatives", "cosine",
         gradient, True, True),
    ]


# ---- the page -------------------------------------------------------------------------------------------------------

def cost_words(experiment):
    costs = experiment.units.get("costs")
    if costs:
        return ("Seconds and memory are of two epochs of each setting, one setting after another, apart from the trainings: "
                f"the quicker of the two, on {costs['threads']} threads; those of a training are its epochs times that.")
    return ("Seconds are the epochs of a training times the median of its epochs, whatever else the machine did meanwhile: "
            "the unit that measures them apart has not run.")


def opening(experiment):
    run, commits = what_has_run(experiment.units, experiment.plan)
    some = next((unit for unit in experiment.units.values() if "train" in unit), None)
    lines = ["# Sampling of negatives", "",
             "Written by `make experiment-sampling` from sampling.jsonl, up to conclusions at its end; do not edit that part. What is "
             "varied, and the budgets, are in `tests/experiments/sampling.sh`.", "",
             *run]
    if some:
        lines += [f"Data {some['data']} ({some['train']['users']} users, {some['train']['items']} items), "
                  f"commits {commits}. The centre has three seeds when all has run, everything else one. " + cost_words(experiment), ""]
    return lines


def main(lines_path, folder):
    experiment = Experiment(read_units(lines_path), planned("sampling.sh"))
    page = opening(experiment)
    sections = [loss_section, around_section, all_section, order_section, tail_section, gradient_section]
    for section in sections:
        page += section(experiment)
    for name, title, x_name, y_name, series, log_x, lines in pictures(experiment):
        path = os.path.join(folder, name)
        if series:
            with open(path, "w", encoding="utf-8") as out:
                out.write(picture(title, x_name, y_name, series, log_x, lines))
            page += [f"![{title}]({name})", ""]
        elif os.path.exists(path):
            os.remove(path)
    write_page(os.path.join(folder, "sampling.md"), page)
    print(f"{len(experiment.units)} of {len(experiment.plan)} units have run: {os.path.join(folder, 'sampling.md')}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
