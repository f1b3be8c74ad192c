"""tests: the tables of the paired experiment, of the units that have run.

    paired_report.py LINES

reads the JSON lines that paired.sh wrote and prints a row for each of them and, for each pair, a row with means over its seeds. What
is a mean over draws of the negatives too has rows of its own.
"""
import sys

sys.dont_write_bytecode = True
from experiment_page import INTERVAL, change, dig, mean, mean_difference, number, read_units, setting_of, table  # noqa: E402


def both(figures):
    return number(dig(figures, ("hr@10",))) + " / " + number(dig(figures, ("ndcg@10",)))


# ---- a row for each line --------------------------------------------------------------------------------------------

def with_interval(difference, metric):
    low, high = difference["ci"][metric]
    return f"{difference[metric]:+.4f} [{low:.4f}, {high:.4f}]"


def over(unit, key):
    difference = dig(unit.get(key), ("difference",))
    if difference is None:
        return ["-"] * 3
    return [unit["reference"], with_interval(difference, "hr@10"), with_interval(difference, "ndcg@10")]


def unit_rows(unit):
    seconds = number(dig(unit, ("train", "seconds_per_epoch")), 2)
    valid = number(dig(unit, ("train", "best_valid")))
    rows = [[unit["unit"], valid, both(unit.get("figures"))] + over(unit, "against") + [seconds]]
    if "E1_draws" in unit:
        draws = unit["E1_draws"]
        rows.append([f"{unit['unit']}, {draws['draws']} draws", valid, both(draws["model"])] + over(unit, "against_draws") + [seconds])
    return rows


# ---- a row for each pair --------------------------------------------------------------------------------------------

def pair_row(name, comparisons):
    """comparisons: of the seeds, as `seqrec compare` says them."""
    def figures(row):
        return {f: mean([c[row][f] for c in comparisons]) for f in ("hr@10", "ndcg@10")}
    differences = [c["difference"] for c in comparisons]
    return [name, str(len(comparisons)), both(figures("a")), both(figures("b")), change(mean_difference(differences, "hr@10")),
            change(mean_difference(differences, "ndcg@10"))]


def pair_rows(units):
    pairs = {}
    for unit in units.values():
        if "against" in unit:
            pairs.setdefault((setting_of(unit["unit"]), unit["reference"]), []).append(unit)
    rows = []
    for (arm, reference), seeds in pairs.items():
        rows.append(pair_row(f"{arm} over {reference}", [unit["against"] for unit in seeds]))
        draws = [unit["against_draws"] for unit in seeds if "against_draws" in unit]
        for count in sorted({d["draws"] for d in draws}):
            rows.append(pair_row(f"{arm} over {reference}, {count} draws", [d for d in draws if d["draws"] == count]))
    return rows


def main(lines_path):
    units = read_units(lines_path)
    lines = table(["unit", "best validation", "HR@10 / NDCG@10", "over", "difference of HR@10", "of NDCG@10", "seconds an epoch"],
                  [row for unit in units.values() for row in unit_rows(unit)])
    lines += table(["pair", "seeds", "HR@10 / NDCG@10", "of the other", "difference of HR@10", "of NDCG@10"], pair_rows(units))
    print("\n".join(lines + [INTERVAL]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
