"""tests: the table of the experiment on noise, of the units that have run.

    noise_report.py LINES

reads the JSON lines that noise.sh wrote and prints a row for each data, model and share of noise: means over the seeds that are there.
"""
import sys

sys.dont_write_bytecode = True
from experiment_page import INTERVAL, change, dig, mean, mean_difference, number, read_units, setting_of, table  # noqa: E402


def both(seeds, histories):
    return " / ".join(number(mean([dig(unit, (histories, figure)) for unit in seeds])) for figure in ("hr@10", "ndcg@10"))


def row(name, seeds):
    differences = [unit["against"]["difference"] for unit in seeds if "against" in unit]
    return [name, str(len(seeds)), both(seeds, "noisy"), both(seeds, "clean"), str(len(differences)) if differences else "-",
            change(mean_difference(differences, "hr@10")), change(mean_difference(differences, "ndcg@10"))]


def main(lines_path):
    settings = {}
    for name, unit in read_units(lines_path).items():
        settings.setdefault(setting_of(name), []).append(unit)
    lines = table(["data, model, share replaced", "seeds", "HR@10 / NDCG@10", "the same after clean histories", "compared",
                   "HR@10 less sasrec's after clean histories", "NDCG@10 less sasrec's"],
                  [row(name, seeds) for name, seeds in settings.items()])
    print("\n".join(lines + [INTERVAL]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
