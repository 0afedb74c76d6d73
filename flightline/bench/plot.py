"""A picture of a run: how long answers took, and when they came."""

from __future__ import annotations

from collections.abc import Sequence

import pygal
from pygal.style import CleanStyle

from flightline.bench.load import Answer


def svg(answers: Sequence[Answer], title: str) -> bytes:
    """Return an SVG of each request over the time of the run: first token, whole answer, errors."""
    style = CleanStyle(font_family="sans-serif")
    chart = pygal.XY(
        stroke=False,
        title=title,
        x_title="seconds since the run began",
        y_title="milliseconds",
        dots_size=2,
        style=style,
        legend_at_bottom=True,
        js=(),  # a picture: nothing is fetched to look at it
        include_x_axis=True,
        width=1000,
        height=560,
    )
    whole = [each for each in answers if each.error is None]
    chart.add("whole answer", [(each.began, _ms(each.ended - each.began)) for each in whole])
    chart.add(
        "first token",
        [(each.began, _ms(each.tokens_at[0] - each.began)) for each in whole if each.tokens_at],
    )
    chart.add(
        "error",
        [(each.began, _ms(each.ended - each.began)) for each in answers if each.error is not None],
    )
    drawn: bytes = chart.render()
    return drawn


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
