"""tests: the tables and pictures of the experiment on forecasts of several steps, of the units that have run.

    autoregression_report.py LINES FOLDER

reads the JSON lines that autoregression.sh wrote and writes autoregression.md and autoregression-STUDY-*.svg to FOLDER. What stands
from the heading "What this says" on is written by hand, and kept. Which units there should be comes from `autoregression.sh list`.
"""
import os
import sys

sys.dont_write_bytecode = True
from experiment_page import dig, number, picture, planned, read_units, table, what_has_run, write_page  # noqa: E402

STUDIES = {"ml-1m": "MovieLens-1M", "beauty": "Beauty", "ml-100k": "MovieLens-100k"}
MODELS = ["softmax", "absolute", "relative", "bce", "gbce", "hstu"]
COUNTED = ("popular", "markov")  # decoders without a model
SHOWN = "softmax"  # whose decoders the pictures compare
STEPS = (1, 2, 5, 10, 20)


class Study:
    def __init__(self, name, units):
        self.name = name
        self.units = {model: units[f"{name}-{model}"] for model in MODELS if f"{name}-{model}" in units}

    def get(self, model, *keys):
        return dig(self.units[model], ("forecast",) + keys)

    def any(self, *keys):
        return self.get(next(iter(self.units)), *keys)

    def steps(self):
        return [step for step in STEPS if step <= self.any("horizon")]


def mean(values):
    return sum(values) / len(values)


# ---- tables ---------------------------------------------------------------------------------------------------------

def cost(study, model, decoder):
    """Time, in that of the greedy path."""
    figures = study.get(model, "decoders")
    return "-" if decoder in COUNTED else number(figures[decoder]["milliseconds"] / figures["greedy"]["milliseconds"], 1)


def list_rows(study):
    rows = []
    for model in study.units:
        for name, figures in study.get(model, "decoders").items():
            if name in COUNTED and model != next(iter(study.units)):
                continue
            change, error = figures["ndcg@20_over_oneshot"]
            rows.append(["-" if name in COUNTED else model, name] +
                        [number(figures[key]) for key in ("recall@10", "recall@20", "ndcg@10", "ndcg@20")] +
                        ["-" if name == "oneshot" else f"{change:+.4f} ± {1.96 * error:.4f}", number(figures["path_recall@20"]),
                         number(figures["distinct"] / study.get(model, "items"), 3), cost(study, model, name)])
        teacher = study.get(model, "teacher")
        rows.append([model, "*teacher*"] + [number(teacher[key]) for key in ("recall@10", "recall@20", "ndcg@10", "ndcg@20")] +
                    ["-"] * 4)
    return rows


def step_rows(study, key):
    rows = []
    for model in study.units:
        entries = [(name, figures[key]) for name, figures in study.get(model, "decoders").items()]
        if key == "hit":
            entries.append(("*teacher*", study.get(model, "teacher", "hit")))
        for name, values in entries:
            if name in COUNTED and model != next(iter(study.units)):
                continue
            rows.append(["-" if name in COUNTED else model, name] + [number(values[step - 1]) for step in study.steps()] +
                        [number(mean(values))])
    return rows


def rank_rows(study, key):
    rows = []
    for model in study.units:
        ranks = study.get(model, key)
        cells = []
        for step in study.steps():
            true, made = ranks["true"][step - 1], ranks["made"][step - 1]
            cells.append(f"{true:.0f} / {made:.0f} ({made / true:.2f})" if true else "-")
        rows.append([model] + cells + [f"{mean(ranks[name + '_true']):.{digits}f} / {mean(ranks[name + '_made']):.{digits}f}"
                                       for name, digits in (("mrr", 4), ("nats", 3))][:1 + (key == "rank")])
    return rows


def popularity_rows(study):
    rows = []
    for model in study.units:
        series = [(name, figures["popularity"]) for name, figures in study.get(model, "decoders").items() if name not in COUNTED]
        if not rows:
            series.insert(0, ("*the true events*", study.get(model, "teacher", "popularity")))
        for name, values in series:
            rows.append(["-" if name.startswith("*") else model, name] +
                        [number(values[step - 1], 2) for step in study.steps()] + [number(mean(values), 2)])
    return rows


def calibration_rows(study):
    rows = []
    for model in study.units:
        figures, nats = study.get(model, "calibration"), study.get(model, "teacher", "nats")
        rows.append([model, number(figures["ece_true"]), number(figures["ece_made"])] +
                    [f"{p:.4f} / {right:.4f}" for p, right in zip(figures["probability"], figures["right"])] +
                    [number(nats[0], 3), number(nats[-1], 3), number(mean(nats), 3)])
    return rows


def training_rows(study):
    rows = []
    for model, unit in study.units.items():
        train = unit["train"]
        rows.append([model, f"`{unit['options']}`", f"{train['best_epoch']} of {train['epochs']}", number(train["best_valid"]),
                     number(unit["E4"]["ndcg@10"])])
    return rows


def by_step(study, last):
    return ["model", "decoder"] + [f"step {step}" for step in study.steps()] + [last]


def study_section(study):
    horizon, items = study.any("horizon"), study.any("items")
    lines = [f"## {STUDIES[study.name]}", "",
             f"{study.any('users')} users, their last {horizon} events, {items} items. The models, the epoch that validation chose, and "
             "the ordinary figures of the first held-out event (E4):", ""]
    lines += table(["model", "options", "epoch", "NDCG@10, validation", "NDCG@10, first event"], training_rows(study))
    lines += [f"Lists against the set of the {horizon} events. Change: NDCG@20 minus that of the model's one-shot list, with its 95 % "
              "interval over users. One path: recall@20 of a single path instead of the list made of them. Distinct: share of all items "
              f"that stand in some user's list. The teacher is given the true events before each of the {horizon} steps, and its figures "
              "are means over the steps of the one next item: a bound that no list can use. Cost: time, in that of the greedy path.", ""]
    lines += table(["model", "decoder", "recall@10", "recall@20", "NDCG@10", "NDCG@20", "change", "one path", "distinct", "cost"],
                   list_rows(study))
    lines += ["Paths step by step: the share of users whose item at a step is the true one (of drawn paths the mean).", ""]
    lines += table(by_step(study, "mean"), step_rows(study, "hit"))
    lines += ["Exposure bias: the geometric mean of the true item's rank behind the true events / behind the model's own greedy path "
              "(and their ratio), where that path does not have the item yet; the means over the steps of the mean reciprocal ranks, and of the nats that the true item costs.", ""]
    lines += table(["model"] + [f"step {step}" for step in study.steps()] + ["MRR", "nats"], rank_rows(study, "rank"))
    lines += ["Popularity of what is said: mean of log(1 + training events) of the items by step (of paths; of one-shot lists by "
              "place).", ""]
    lines += table(by_step(study, "mean"), popularity_rows(study))
    lines += ["Calibration of the best item of each step, with probabilities by a softmax of the scores over the items that may come: "
              "expected calibration error behind the true events and behind the greedy path; mean probability / share of right ones, of "
              "each; and the nats that the true item costs behind the true events.", ""]
    lines += table(["model", "ECE, true", "ECE, greedy", "true", "greedy", "nats, first step", "last", "mean"], calibration_rows(study))
    if study.any("timed"):
        lines += [f"There are {study.any('events_per_instant'):.2f} of these events to an instant. An item of a path counts here when it is "
                  "any of the events at the instant of its step:", ""]
        lines += table(by_step(study, "mean"), step_rows(study, "hit_set"))
        lines += ["Ranks as above, of the best ranked event of an instant, at its first step:", ""]
        lines += table(["model"] + [f"step {step}" for step in study.steps()] + ["MRR"], rank_rows(study, "set_rank"))
    return lines


# ---- pictures -------------------------------------------------------------------------------------------------------

def numbered(values):
    return list(enumerate(values, 1))


def ratio_series(study):
    series = []
    for model in study.units:
        ranks = study.get(model, "rank")
        points = [(h, made / true) for h, (true, made) in enumerate(zip(ranks["true"], ranks["made"]), 1) if true]
        series.append((model, points))
    return series


def decoder_series(study, key):
    if SHOWN not in study.units:
        return []
    series = [(name, numbered(figures[key])) for name, figures in study.get(SHOWN, "decoders").items()]
    return series + [("teacher" if key == "hit" else "true events", numbered(study.get(SHOWN, "teacher", key)))]


def pictures(study):
    title = STUDIES[study.name]
    return [
        ("ranks", f"{title}: what its own path costs a model", "rank behind the greedy path / behind the true events",
         ratio_series(study)),
        ("hits", f"{title}, {SHOWN}: hits by step", "share of users", decoder_series(study, "hit")),
        ("popularity", f"{title}, {SHOWN}: popularity by step", "mean log(1 + training events)", decoder_series(study, "popularity")),
    ]


def draw(study, folder):
    lines = []
    for kind, title, y_name, series in pictures(study):
        name = f"autoregression-{study.name}-{kind}.svg"
        series = [(label, points) for label, points in series if points]
        if series:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                out.write(picture(title, "step", y_name, series, False))
            lines += [f"![{title}]({name})", ""]
    return lines


# ---- the page -------------------------------------------------------------------------------------------------------

def opening(units, plan):
    run, commits = what_has_run(units, plan)
    return ["# Forecasts of several steps", "",
            "Written by `make experiment-autoregression` from autoregression.jsonl, up to the conclusions at its end; do not edit that part. "
            "The models and their budgets are in `tests/experiments/autoregression.sh`, what the decoders are and what is measured in "
            "`tests/experiments/autoregression.c`.", "",
            *run,
            f"One seed, commits {commits}. All beams and drawn paths have 20 items, none twice and none of the history; a beam of "
            "10 (its paths have one length, so that they are in the order of their probability per step), 30 paths of each "
            "temperature, made one list by reciprocal rank. Not measured: lists by the items' probabilities, genres by step, and HSTU with "
            "time, which would have to say when the next events come.", ""]


def main(lines_path, folder):
    units, plan = read_units(lines_path), planned("autoregression.sh")
    path = os.path.join(folder, "autoregression.md")
    page = opening(units, plan)
    for name in STUDIES:
        study = Study(name, units)
        if study.units:
            page += study_section(study) + draw(study, folder)
    write_page(path, page)
    print(f"{sum(name in units for name in plan)} of {len(plan)} units have run: {path}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
