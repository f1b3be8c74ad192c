"""tests: what the pages of experiments share: the units of a script, tables, pictures."""
import html
import json
import math
import os
import subprocess

DASHED = ' stroke-dasharray="5 3"'
COLOURS = ["#1b6ca8", "#c0392b", "#2e8b57", "#b8860b", "#6a4c93", "#d2691e", "#555555", "#008b8b"]


def planned(script):
    """The units that a script lists."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), script)
    listed = subprocess.run(["sh", path, "list"], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in listed.splitlines()]


def read_units(path):
    units = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                unit = json.loads(line)
                units[unit["unit"]] = unit
    return units


def what_has_run(units, plan):
    """Lines on which of the planned units have run, and the commits that those were made at."""
    missing = [name for name in plan if name not in units]
    commits = sorted({c for name in plan if name in units for c in units[name]["commit"].split(",")})
    return [f"**{len(plan) - len(missing)} of {len(plan)} units have run**" +
            ("." if not missing else "; without a line so far: " + ", ".join(missing) + "."), ""], ", ".join(commits)


def dig(record, keys):
    for key in keys:
        if record is None:
            return None
        record = record.get(key) if isinstance(record, dict) else record[key]
    return record


def number(value, digits=4):
    return "-" if value is None else f"{value:.{digits}f}"


def setting_of(unit):
    """The name without its seed."""
    return unit.rsplit("-seed", 1)[0]


def mean(values):
    """Of those that are not None; None of none."""
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


INTERVAL = ("Differences are means over the seeds, ± the mean half of their 95 % intervals over users: the users are the same, so that "
            "more seeds do not narrow it, and it has nothing of the noise of training.")


def mean_difference(differences, metric):
    """Of the seeds' differences over the same users: (mean, half of the interval), as INTERVAL says; None of none."""
    if not differences:
        return None
    return mean([d[metric] for d in differences]), mean([(d["ci"][metric][1] - d["ci"][metric][0]) / 2 for d in differences])


def change(difference):
    return "-" if difference is None else f"{difference[0]:+.4f} ± {difference[1]:.4f}"


def table(head, rows):
    if not rows:
        return ["No unit of this table has run.", ""]
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + \
        ["| " + " | ".join(row) + " |" for row in rows] + [""]


def ticks(low, high, log):
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        marks = [m * 10.0 ** p for p in powers for m in (1, 2, 5)]
        return [mark for mark in marks if low <= mark <= high]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= 6)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def span(values, log):
    low, high = min(values), max(values)
    if log:
        return low / 1.15, high * 1.15
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1
    return low - margin, high + margin


def picture(title, x_name, y_name, series, log_x, lines=True):
    """series: (name, [(x, y), ...]), one colour each. SVG."""
    left, top, width, height = 70, 40, 520, 320
    xs = [x for _, points in series for x, _ in points]
    ys = [y for _, points in series for _, y in points]
    (x0, x1), (y0, y1) = span(xs, log_x), span(ys, False)
    scale = math.log10 if log_x else float

    def across(x):
        return left + width * (scale(x) - scale(x0)) / (scale(x1) - scale(x0))

    def down(y):
        return top + height * (y1 - y) / (y1 - y0)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="780" height="420" font-family="sans-serif" font-size="12">',
           '<rect width="780" height="420" fill="white"/>',
           f'<text x="{left}" y="22" font-size="14" font-weight="bold">{html.escape(title)}</text>',
           f'<text x="{left + width / 2}" y="{top + height + 44}" text-anchor="middle">{html.escape(x_name)}</text>',
           f'<text transform="translate(18,{top + height / 2}) rotate(-90)" text-anchor="middle">{html.escape(y_name)}</text>',
           f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>']
    for x in ticks(x0, x1, log_x):
        out.append(f'<path d="M{across(x):.1f},{top}V{top + height}" stroke="#eee"/>'
                   f'<text x="{across(x):.1f}" y="{top + height + 18}" text-anchor="middle">{x:g}</text>')
    for y in ticks(y0, y1, False):
        out.append(f'<path d="M{left},{down(y):.1f}H{left + width}" stroke="#eee"/>'
                   f'<text x="{left - 8}" y="{down(y) + 4:.1f}" text-anchor="end">{y:.3g}</text>')
    for i, (name, points) in enumerate(series):
        colour, again = COLOURS[i % len(COLOURS)], i >= len(COLOURS)  # a colour that comes again is dashed, and its box is empty
        if lines:
            path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
            out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{DASHED if again else ""}/>')
        out += [f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="{2 if lines else 4}" fill="{colour}"/>' for x, y in points]
        out.append(f'<rect x="605" y="{top + 18 * i}" width="10" height="10" stroke="{colour}" fill="{"none" if again else colour}"/>'
                   f'<text x="621" y="{top + 18 * i + 10}">{html.escape(name)}</text>')
    return "\n".join(out) + "\n</svg>\n"


BY_HAND = "## What this says"


def write_page(path, lines):
    """The page, with the conclusions that stand in it so far."""
    conclusions = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as page:
            text = page.read()
        conclusions = text[text.index(BY_HAND):] if BY_HAND in text else ""
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines).rstrip() + "\n" + ("\n" + conclusions if conclusions else ""))
