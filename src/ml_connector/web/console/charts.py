"""Small pictures in rows, as SVG made here: bars of a day, a line against its budget. One series, one colour."""

from collections.abc import Sequence

from markupsafe import Markup

BARS_WIDTH, BARS_HEIGHT = 104, 20
LINE_WIDTH, LINE_HEIGHT = 120, 22


def bars(values: Sequence[int], name: str) -> Markup:
    """One bar for each value, zero-based, on its own scale."""
    highest = max(values, default=0)
    step = BARS_WIDTH / max(len(values), 1)
    parts = [
        f"M{(index + 0.5) * step:.1f} {BARS_HEIGHT}v-{max(1.0, value / highest * (BARS_HEIGHT - 2)):.1f}"
        for index, value in enumerate(values)
        if value
    ]
    return Markup('<svg class="bars" viewBox="0 0 {} {}" role="img" aria-label="{}"><path d="{}"/></svg>').format(
        BARS_WIDTH, BARS_HEIGHT, name, "".join(parts)
    )


def line(points: Sequence[float | None], budget: float, name: str) -> Markup:
    """A line against its budget, which is dotted; the budget is the scale, so that heights compare. Gaps are gaps."""
    top = max([budget * 1.1, *(each for each in points if each is not None)]) or 1.0
    step = LINE_WIDTH / max(len(points) - 1, 1)

    def place(index: int, value: float) -> tuple[float, float]:
        return index * step, LINE_HEIGHT - 1 - value / top * (LINE_HEIGHT - 3)

    path, drawing = "", False
    last: tuple[float, float] | None = None
    for index, value in enumerate(points):
        if value is None:
            drawing = False
            continue
        last = place(index, value)
        path += f"{'L' if drawing else 'M'}{last[0]:.1f} {last[1]:.1f}"
        drawing = True
    late = "line dead" if any(each is not None and each > budget for each in points) else "line"
    end = Markup('<circle cx="{}" cy="{}" r="2"/>').format(f"{last[0]:.1f}", f"{last[1]:.1f}") if last else ""
    dotted = place(0, budget)[1]
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}"><path class="budget" d="M0 {}H{}"/>'
        '<path d="{}"/>{}</svg>'
    ).format(late, LINE_WIDTH, LINE_HEIGHT, name, f"{dotted:.1f}", LINE_WIDTH, path, end)


WIDE_WIDTH, WIDE_HEIGHT = 1000, 280


def wide(points: Sequence[float | None], budget: float | None, name: str) -> Markup:
    """A line over the whole width, zero-based, its budget dotted: the page's chart where no script draws a better."""
    top = max([(budget or 0.0) * 1.1, *(each * 1.1 for each in points if each is not None)]) or 1.0
    step = WIDE_WIDTH / max(len(points) - 1, 1)
    path, drawing = "", False
    for index, value in enumerate(points):
        if value is not None:
            path += f"{'L' if drawing else 'M'}{index * step:.1f} {WIDE_HEIGHT - value / top * WIDE_HEIGHT:.1f}"
        drawing = value is not None
    dotted = (
        Markup('<path class="budget" d="M0 {}H{}"/>').format(
            f"{WIDE_HEIGHT - budget / top * WIDE_HEIGHT:.1f}", WIDE_WIDTH
        )
        if budget is not None
        else ""
    )
    return Markup(
        '<svg class="wide" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}'
        '<path d="{}"/></svg>'
    ).format(WIDE_WIDTH, WIDE_HEIGHT, name, dotted, path)


def meter(part: float, name: str) -> Markup:
    """How much of a budget is used: quiet below 70 %, amber up to it, red beyond."""
    kind = "dead" if part > 1 else "hold" if part >= 0.7 else ""
    return Markup(
        '<svg class="meter {}" viewBox="0 0 100 5" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="{}" height="5"/></svg>'
    ).format(kind, name, f"{min(max(part, 0), 1) * 100:.0f}")
