"""tests: the tables of the experiment on time, of the units that have run.

    time_report.py LINES

reads the JSON lines that time.sh wrote and prints a row of means over the seeds for each arm, and for each arm that is compared with
another the differences of NDCG@10: seed by seed and in the mean.
"""
import sys

sys.dont_write_bytecode = True
from experiment_page import INTERVAL, change, dig, mean, mean_difference, number, read_units, setting_of, table  # noqa: E402

READINGS = [("E4", "against", "time of the target known"), ("hidden", "against_hidden", "hidden"),
            ("set", "against_set", "events at one instant as a set")]


def both(seeds, key):
    return " / ".join(number(mean([dig(unit, (key, figure)) for unit in seeds])) for figure in ("hr@10", "ndcg@10"))


def seed_by_seed(differences):
    return " ".join("{:+.4f} [{:.4f}, {:.4f}]".format(d["ndcg@10"], *d["ci"]["ndcg@10"]) for d in differences)


def gain_rows(name, seeds):
    rows = []
    for _, key, reading in READINGS:
        differences = [dig(unit, (key, "difference")) for unit in seeds if key in unit]
        if differences:
            rows.append([f"{name}, {reading}", seed_by_seed(differences), change(mean_difference(differences, "hr@10")),
                         change(mean_difference(differences, "ndcg@10"))])
    return rows


def main(lines_path):
    arms = {}
    for name, unit in read_units(lines_path).items():
        arms.setdefault(setting_of(name), []).append(unit)
    lines = table(["arm", "seeds"] + [("HR@10 / NDCG@10, " if i == 0 else "") + reading for i, (_, _, reading) in enumerate(READINGS)] +
                  ["seconds an epoch"],
                  [[name, str(len(seeds))] + [both(seeds, key) for key, _, _ in READINGS] +
                   [number(mean([dig(unit, ("train", "seconds_per_epoch")) for unit in seeds]), 1)] for name, seeds in arms.items()])
    lines += table(["arm, less the one it is compared with", "NDCG@10, seed by seed", "HR@10, mean", "NDCG@10, mean"],
                   [row for name, seeds in arms.items() for row in gain_rows(name, seeds)])
    print("\n".join(lines + [INTERVAL]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
