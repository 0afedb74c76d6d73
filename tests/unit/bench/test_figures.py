"""Figures are what numpy and a pencil say they are."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flightline.bench.figures import figures, spread
from flightline.bench.load import Answer
from flightline.bench.plot import svg

TWO = [
    Answer(0.0, 1.0, (0.2, 0.5, 1.0), 3, 10),
    Answer(1.0, 2.0, (1.4, 1.5, 1.6, 2.0), 4, 10),
    Answer(1.5, 4.0, error="HTTP 503"),
]


def test_figures_by_pencil() -> None:
    found = figures(TWO, joules=70.0)
    assert found.seconds == 4.0
    assert found.failed == 1
    assert found.errors == {"HTTP 503": 1}
    assert found.requests_per_second == 0.5
    assert found.output_tokens_per_second == 7 / 4
    assert found.joules_per_token == 10.0
    assert found.time_to_first_token and found.inter_token_latency and found.whole_answer
    assert round(found.time_to_first_token.mean) == 300
    assert found.inter_token_latency.count == 5
    assert round(found.inter_token_latency.maximum) == 500
    assert round(found.whole_answer.percentiles[50]) == 1000


def test_percentiles_are_those_of_numpys_default_method() -> None:
    # numpy.percentile([1..10], [50, 90, 95, 99]) = 5.5, 9.1, 9.55, 9.91 (numpy 2.1)
    found = spread(value / 1000 for value in range(1, 11))
    assert found is not None
    assert [round(value, 2) for value in found.percentiles.values()] == [5.5, 9.1, 9.55, 9.91]


def test_an_error_alone_has_no_times() -> None:
    found = figures([TWO[2]])
    assert found.whole_answer is None
    assert found.joules_per_token is None
    assert found.to_json()["time_to_first_token"] is None


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=50))
def test_percentiles_rise_and_stay_within_the_values(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    inorder = [min(values) * 1000, *found.percentiles.values(), found.maximum]
    assert all(low <= high + 1e-6 for low, high in pairwise(inorder))


def test_the_plot_is_an_svg_that_fetches_nothing() -> None:
    drawn = svg(TWO, 'a <model> & "more"').decode()
    root = ET.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert not [each for each in root.iter() if each.tag.endswith("script") and each.get("href")]
    assert "http://kozea.fr" not in drawn.replace("xmlns", "") or "src=" not in drawn
