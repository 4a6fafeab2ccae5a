"""What the Plotly figure of charts holds, read back from its traces and axes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from small_charts import bars, cloud, curves, diagram, every_kind

from penviz.plot.chart_look import (
    SERIES_COLOURS,
    SERIES_COLOURS_DARK,
    SERIES_MARKS,
    SERIES_SYMBOLS,
    bar_places,
    limits_x,
    limits_y,
    step_outline,
    ticks,
)
from penviz.plot.chart_screen import chart_figure
from penviz.plot.theme import CLASS_COLOURS, CLASS_SHAPES, DARK, LIGHT, rgb
from penviz.projection.chart import Chart, Series


def traces(charts: list[Chart], **choices: Any) -> list[dict[str, Any]]:
    return list(chart_figure(charts, **choices).to_dict()["data"])


def named(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (one,) = [trace for trace in found if trace.get("name") == name]
    return one


def test_values_are_float32_and_those_of_the_series() -> None:
    found = chart_figure([diagram("hard", 0)]).data
    own = next(t for t in found if t["name"] == "hard: ECE 0.041")
    assert own["x"].dtype == own["y"].dtype == np.float32
    series = diagram("hard", 0).series[1]
    np.testing.assert_allclose(own["y"], series.y, rtol=1e-6)
    np.testing.assert_allclose(own["error_y"]["array"], np.where(np.isnan(series.y), np.nan, 0.05), rtol=1e-5)


def test_a_name_has_one_entry_in_the_legend() -> None:
    found = traces(every_kind())
    shown = [t["name"] for t in found if t.get("showlegend")]
    assert len(shown) == len(set(shown))
    wanted = {s.name for c in every_kind() for s in c.series} | {"perfect calibration"}
    assert set(shown) == wanted


def test_hover_names_the_axes_with_their_units_and_the_interval() -> None:
    found = traces([curves()])
    said = named(found, "hard")["hovertemplate"]
    assert "label smoothing α: %{x" in said
    assert "NLL (nats): %{y" in said
    assert named(found, "hard")["text"][0] == " [0.9, 1.1]"


def test_a_band_is_closed_and_parted_at_gaps() -> None:
    x = np.arange(5.0)
    y = np.array([1, 1, np.nan, 1, 1])
    figure = chart_figure([Chart("", "x", "y", (Series("s", x, y, y - 1, y + 1),))])
    band = next(t for t in figure.data if t["fill"] == "toself")
    assert np.isnan(band["x"]).sum() == 2
    np.testing.assert_array_equal(band["y"][:4], [0, 0, 2, 2])


def test_frames_with_a_meaning_are_locked_and_others_can_be_zoomed() -> None:
    layout = chart_figure([diagram("hard", 0), curves()]).to_dict()["layout"]
    assert layout["xaxis"]["fixedrange"]
    assert not layout["xaxis2"]["fixedrange"]
    assert layout["yaxis"]["scaleanchor"] == "x"
    assert layout["xaxis"]["range"] == [0, 1]


def test_many_points_are_drawn_with_webgl() -> None:
    assert named(traces([cloud(6000)]), "triples")["type"] == "scattergl"
    assert named(traces([cloud(300)]), "triples")["type"] == "scatter"


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        chart_figure([])


def test_bars_of_two_series_do_not_lie_over_each_other() -> None:
    places = bar_places(bars())
    (left, width), (right, other) = places[0], places[1]
    assert width == other
    np.testing.assert_allclose(right - left, width)
    assert width <= 0.5


def test_the_outline_of_a_histogram_has_its_area() -> None:
    x, y = step_outline(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0]))
    assert np.trapezoid(y, x) == pytest.approx(6)
    assert (x[0], x[-1], y[0], y[-1]) == (-0.5, 2.5, 0, 0)


def test_limits_hold_values_intervals_and_bars() -> None:
    low, high = limits_y(curves())
    assert low < 1.2 - 0.36
    assert high > 1.7
    assert limits_y(bars())[0] == 0
    assert limits_x(bars())[0] < -0.4
    assert limits_x(Chart("", "", "", (Series("s", np.zeros(0), np.zeros(0)),))) == (0, 1)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.04, 0.64), (0, 61234), (0.0101, 0.0102), (-3, 2)])
@pytest.mark.parametrize("most", [2, 3, 4, 6])
def test_ticks_are_round_inside_and_not_too_many(low: float, high: float, most: int) -> None:
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most
    assert all(low - 1e-9 <= value <= high + 1e-9 for value, _ in found)
    words = [word for _, word in found]
    assert len(set(words)) == len(words)
    for value, word in found:
        assert float(word.replace("−", "-").replace(",", "")) == pytest.approx(value, abs=1e-9)


# Colours.


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [c / 255 for c in rgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(colour: str) -> np.ndarray:
    """CIE 1976 L*a*b* of an sRGB colour, white point D65."""
    c = np.array(rgb(colour)) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(matrix) @ c / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(
    ("colours", "page"), [(SERIES_COLOURS, LIGHT.page), (SERIES_COLOURS_DARK, DARK.page)]
)
def test_series_can_be_seen_and_are_no_classes(colours: tuple[str, ...], page: str) -> None:
    assert all(contrast(colour, page) >= 3 for colour in colours)
    for one in colours:
        assert all(np.linalg.norm(lab(one) - lab(other)) > 18 for other in CLASS_COLOURS), one
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(lab(one) - lab(other)) > 18, (one, other)


def test_the_colour_test_sees_a_class_colour() -> None:
    assert np.linalg.norm(lab("#0072B2") - lab("#0877b4")) < 18
    assert contrast("#ffff00", LIGHT.page) < 3


def test_marks_of_series_are_no_classes() -> None:
    assert not set(SERIES_SYMBOLS) & set(CLASS_SHAPES)
    assert not set(SERIES_MARKS) & {"o", "s", "^"}
    assert len(SERIES_MARKS) == len(SERIES_SYMBOLS) == len(SERIES_COLOURS) + 1


def test_names_stand_as_they_are_written() -> None:
    x = np.array([0.0, 1.0])
    chart = Chart("<i>dog</i>", "z(<i>dog</i>)", "y", (Series("a<b", x, x),))
    figure = chart_figure([chart]).to_dict()
    assert figure["layout"]["annotations"][0]["text"] == "<b>&lt;i&gt;dog&lt;/i&gt;</b>"
    assert figure["layout"]["xaxis"]["title"]["text"] == "z(&lt;i&gt;dog&lt;/i&gt;)"
    assert [trace["name"] for trace in figure["data"]] == ["a&lt;b"]
