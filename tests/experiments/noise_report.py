"""tests: the tables and pictures of the experiment on noise, of the units that have run.

    noise_report.py LINES FOLDER

reads the JSON lines that noise.sh wrote and writes noise.md and noise-*.svg to FOLDER: means over the seeds that are there. What stands
from the heading "What this says" on is written by hand, and kept. Which units there should be comes from `noise.sh list`.
"""
import os
import sys

sys.dont_write_bytecode = True
from experiment_page import (INTERVAL, change, dig, mean, mean_difference, number, picture, planned, read_units, table,  # noqa: E402
                             what_has_run, write_page)

STUDIES = {"ml-100k": "MovieLens-100k", "beauty": "Beauty"}
MODELS = ["sasrec", "rec-denoiser"]


class Study:
    """The units of one data set: [share][model] is a list of them, one for each seed that both models have."""

    def __init__(self, units, name):
        found = {}
        for unit in units.values():
            study, model, share, seed = unit["study"], unit["arm"], unit["share"], unit["seed"]
            if study == name:
                found.setdefault(share, {}).setdefault(seed, {})[model] = unit
        self.name = name
        self.shares = {share: [pair for pair in seeds.values() if len(pair) == len(MODELS)] for share, seeds in sorted(found.items())}
        self.shares = {share: pairs for share, pairs in self.shares.items() if pairs}

    def mean(self, share, model, *keys):
        return mean([dig(pair[model], keys) for pair in self.shares[share]])

    def both(self, share, model, *keys):
        return " / ".join(number(self.mean(share, model, *keys, figure)) for figure in ("hr@10", "ndcg@10"))

    def kept(self, share, model):
        """Of its NDCG@10 without noise, after clean histories."""
        if 0 not in self.shares:
            return "-"
        return f"{100 * self.mean(share, model, 'clean', 'ndcg@10') / self.mean(0, model, 'clean', 'ndcg@10'):.0f} %"


def clean_rows(study):
    rows = []
    for share, pairs in study.shares.items():
        differences = [pair["rec-denoiser"]["against"]["difference"] for pair in pairs]
        rows.append([f"{100 * share:.0f} %", str(len(pairs))] + [study.both(share, model, "clean") for model in MODELS] +
                    [change(mean_difference(differences, figure)) for figure in ("hr@10", "ndcg@10")] +
                    [study.kept(share, model) for model in MODELS])
    return rows


def noisy_rows(study):
    return [[f"{100 * share:.0f} %"] + [study.both(share, model, "noisy") for model in MODELS] +
            [study.both(share, "sasrec", "noisy", "baselines", name) for name in ("popularity", "markov")] for share in study.shares]


def section(study, folder):
    title = STUDIES[study.name]
    lines = [f"## {title}", "", "After clean histories, HR@10 / NDCG@10, and what of a model's NDCG@10 without noise is left:", ""]
    lines += table(["replaced", "seeds"] + MODELS + ["HR@10, rec-denoiser less sasrec", "NDCG@10"] + [f"{model} keeps" for model in MODELS],
                   clean_rows(study))
    lines += ["After histories with the noise, HR@10 / NDCG@10; popularity and Markov are counted in the same events:", ""]
    lines += table(["replaced"] + MODELS + ["*popularity*", "*markov*"], noisy_rows(study))
    if len(study.shares) > 1:
        series = [(f"{model}, {histories} histories", [(100 * share, study.mean(share, model, histories, "ndcg@10")) for share in study.shares])
                  for histories in ("clean", "noisy") for model in MODELS]
        with open(os.path.join(folder, f"noise-{study.name}.svg"), "w", encoding="utf-8") as out:
            out.write(picture(f"{title}: noise in the training events", "per cent of the training events replaced", "NDCG@10 (E4, test)", series, False))
        lines += [f"![{title}: accuracy by noise](noise-{study.name}.svg)", ""]
    return lines


def main(lines_path, folder):
    units, plan = read_units(lines_path), planned("noise.sh")
    run, commits = what_has_run(units, plan)
    page = ["# Noise", "",
            "Written by `make experiment-noise` from noise.jsonl, up to the conclusions at its end; do not edit that part. The models and their "
            "budget are in `tests/experiments/noise.sh`.", "",
            *run,
            f"Commits {commits}. A share of the training events is replaced by other items at random, uniform over the catalogue; what is held out is never "
            "touched. E4: all items are ranked, those of the history left out; the last event of each user, chosen by the validation event before it. Both "
            f"models of a seed meet the same noise, each seed another. {INTERVAL}", ""]
    for name in STUDIES:
        study = Study(units, name)
        if study.shares:
            page += section(study, folder)
    path = os.path.join(folder, "noise.md")
    write_page(path, page)
    print(f"{sum(name in units for name in plan)} of {len(plan)} units have run: {path}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
