"""The page in every state it can be in, through Streamlit's own test client: never a traceback."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_client import charts, checked, headline, html, pair, points, table, warnings
from small_runs import CLASSES, make_run
from streamlit.testing.v1 import AppTest

from penviz.app.catalogue import Group
from penviz.app.widgets.opened_recipe import controls_of
from penviz.figures.new_figure import new_figure
from penviz.figures.spec_yaml import RecipeError
from penviz.store.runs import read_run


def test_empty_directory_gives_the_commands(open_app: Callable[..., AppTest]) -> None:
    app = open_app()
    assert headline(app) == "No runs here."
    assert "penviz train digits" in app.code[0].value
    assert not charts(app)


def test_empty_directory_opens_the_demo_pair(open_app: Callable[..., AppTest]) -> None:
    app = open_app()
    button = next(b for b in app.button if b.label == "Open the demo pair")
    button.click().run()
    assert not app.exception
    assert len(charts(app)) == 2
    assert "clusters" in headline(app)


def test_missing_directory_gives_the_commands(
    open_app: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path / "nowhere"))
    assert headline(open_app()) == "No runs here."


def test_pair_is_drawn_hard_above_soft(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path, per_class=110)
    app = open_app()
    assert "training clusters are" in headline(app)
    assert "tighter" in headline(app)
    hard, soft = charts(app)
    words = [note["text"] for chart in (hard, soft) for note in chart["layout"]["annotations"]]
    titles = [w for w in words if "hard targets" in w or "label smoothing" in w]
    assert [("hard" in t, "validation" in t) for t in titles] == [
        (True, False),
        (True, True),
        (False, False),
        (False, True),
    ]
    assert "hard" in table(app)
    assert "change [95 %]" in table(app)
    assert "110 drawn of 110 stored of 110 a class" in html(app)


def test_one_run(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "only", 0.0)
    app = open_app()
    assert headline(app).startswith("only: ρ/d")
    assert len(charts(app)) == 1
    assert "change [95 %]" not in table(app)
    assert "pz-change" not in table(app)


def test_one_split(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path, splits=("train",))
    app = open_app()
    assert len(charts(app)) == 2
    assert "validation" not in table(app)


def test_splits_that_differ_leave_a_hole(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "hard", 0.0)
    make_run(tmp_path, "soft", 0.1, splits=("train",))
    app = open_app()
    both, one = charts(app)
    assert both["layout"]["xaxis"]["domain"] == one["layout"]["xaxis"]["domain"]
    assert "xaxis2" not in one["layout"]


def test_three_runs_have_a_row_each(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    for name, alpha in (("hard", 0.0), ("soft", 0.1), ("softer", 0.2)):
        make_run(tmp_path, name, alpha)
    app = open_app(runs=["hard", "soft", "softer"])
    assert len(charts(app)) == 3
    assert table(app).count("<tr><td>") == 3


def test_no_run_chosen(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app()
    app.button_group(key="runs").set_value([])
    checked(app.run())
    assert headline(app) == "Choose a run."


def test_damaged_run_is_left_out_with_advice(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    app = open_app()
    assert "broken" in warnings(app)
    assert len(charts(app)) == 2


# np.load leaves a damaged archive open until it is collected.
def test_truncated_activations_are_left_out(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    path = tmp_path / "soft" / "activations-validation.npz"
    path.write_bytes(path.read_bytes()[:200])
    app = open_app()
    assert "penviz extract" in warnings(app)
    assert "soft" in warnings(app)
    assert len(charts(app)) == 2


# np.load leaves a damaged archive open until it is collected.
def test_only_damaged_runs(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "soft", 0.1, splits=("train",))
    path = tmp_path / "soft" / "activations-train.npz"
    path.write_bytes(b"no")
    assert "penviz extract" in warnings(open_app())


def test_run_without_activations(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "bare", 0.0, splits=())
    app = open_app()
    assert headline(app) == "No runs here."
    assert "penviz extract" in warnings(app)


def test_stale_activations_warn_and_are_drawn(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "hard", 0.0)
    make_run(tmp_path, "soft", 0.1, stale=True)
    app = open_app()
    assert "stale" in warnings(app)
    assert "penviz extract" in warnings(app)
    assert "hard" not in warnings(app)
    assert len(charts(app)) == 2


def test_class_change_changes_points_and_numbers(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app()
    before = points(app), table(app), headline(app)
    app.selectbox(key="above").set_value(5)
    checked(app.run())
    assert points(app) != before[0]
    assert table(app) != before[1]
    assert "dog" in html(app)


def test_choosing_a_class_twice_swaps(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app()
    app.selectbox(key="left").set_value(1)
    checked(app.run())
    assert [app.selectbox(key=key).value for key in ("left", "right", "above")] == [1, 0, 2]


def test_preset_sets_the_three_classes(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app(left="dog (5)")
    app.selectbox(key="preset").set_value("Figure 1, row 1: airplane, automobile, bird")
    checked(app.run())
    assert [app.selectbox(key=key).value for key in ("left", "right", "above")] == [0, 1, 2]


def test_link_restores_the_state(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    plain = open_app()
    app = open_app(left="dog (5)", scale="own", n="20", means="false", runs="soft")
    assert app.selectbox(key="left").value == 5
    assert app.slider(key="n").value == 20
    assert not app.toggle(key="means").value
    assert len(charts(app)) == 1
    assert "20 drawn of 30 stored" in html(app)
    assert "feature units, each run on axes of its own" in html(app)
    assert points(app) != points(plain)


def test_link_with_nonsense_opens_the_page(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app(left="unicorn (77)", right="bird (2)", above="bird (2)", n="x", scale="?", runs="gone")
    assert len(charts(app)) == 2
    assert any("chosen twice" in caption.value for caption in app.caption)


def test_toggles_change_the_figure(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app()
    before = json.dumps(charts(app))
    for key in ("means", "templates", "boundaries", "optimum", "shading", "errors", "bias"):
        app.toggle(key=key).set_value(not app.toggle(key=key).value)
        checked(app.run())
        after = json.dumps(charts(app))
        assert after != before, key
        before = after


def test_scales_and_layouts(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    app = open_app()
    ranges = set()
    for scale in ("distance", "own", "same"):
        app.button_group(key="scale").set_value(scale)
        checked(app.run())
        ranges.add(str([chart["layout"]["xaxis"]["range"] for chart in charts(app)]))
    assert len(ranges) == 3
    for layout in ("strip", "square", "auto"):
        app.button_group(key="layout").set_value(layout)
        checked(app.run())


def test_hard_targets_alone_have_no_optimum(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "hard", 0.0)
    assert "it lies at infinity" in html(open_app())


def test_runs_of_other_classes_form_a_group(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    pair(tmp_path)
    make_run(tmp_path, "digits", 0.0, names=tuple("0123456789"), dataset="digits")
    app = open_app()
    assert app.selectbox(key="of").options == ["cifar10 (10 classes)", "digits (10 classes)"]
    assert len(charts(app)) == 2
    app.selectbox(key="of").set_value("digits (10 classes)")
    checked(app.run())
    assert len(charts(app)) == 1
    assert "classes 0, 1, 2" in html(app)


def test_a_hundred_classes_are_searchable_by_name(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    names = ("apple", "aquarium_fish", "baby", "beaver", "dolphin", "otter", *(f"c{i}" for i in range(94)))
    pair(tmp_path, names=names, per_class=6, dataset="cifar100")
    app = open_app()
    assert [app.selectbox(key=key).value for key in ("left", "right", "above")] == [3, 4, 5]
    assert len(app.selectbox(key="left").options) == 100
    assert app.selectbox(key="left").options[4] == "dolphin (4)"
    assert len(app.selectbox(key="preset").options) == 2


def test_two_classes_have_an_axis(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "two", 0.0, names=("cat", "dog"), per_class=200)
    make_run(tmp_path, "soft", 0.1, names=("cat", "dog"), per_class=200)
    app = open_app()
    assert headline(app).startswith("Label smoothing (α = 0.1): ")
    assert len(charts(app)) == 1
    assert "on the axis through the two templates" in html(app)
    assert "<th>radius, nats</th><th>distance, nats</th>" in html(app)
    assert not warnings(app)
    app.session_state["share"] = True
    checked(app.run())
    (command,) = [code.value for code in app.code if code.value.startswith("penviz figure")]
    words = shlex.split(command.replace("\\\n", ""))
    assert words[2:4] == [str(tmp_path / "two"), str(tmp_path / "soft")]
    assert words[4:8] == ["--figure", "two-classes", "--option", "scale=distance"]


def test_two_classes_beside_ten_are_a_group_of_their_own(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    pair(tmp_path)
    make_run(tmp_path, "two", 0.0, names=("cat", "dog"))
    app = open_app()
    assert len(charts(app)) == 2
    app.selectbox(key="of").set_value("cifar10 (2 classes)")
    checked(app.run())
    assert headline(app).startswith("two: ρ/d ")
    assert len(charts(app)) == 1


def test_names_are_escaped(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    names = ("<b>x</b>", *CLASSES[1:])
    make_run(tmp_path, "odd", 0.0, names=names)
    assert "<b><b>x</b></b>" not in html(open_app())


def test_no_thumbnails_is_said(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    from small_runs import small_activations

    from penviz.app.widgets.image_drawer import images_html
    from penviz.projection.build_panel import build_panel
    from penviz.store.runs import read_run

    directory = make_run(tmp_path, "hard", 0.0)
    panel = build_panel(small_activations(), (0, 1, 2))
    body, missing = images_html([panel], [(0, 0), (0, 5)], [read_run(directory)])
    assert missing == ["hard, train"]
    assert body.count("<figure") == 2


def test_the_tray_shows_sixty_at_most(tmp_path: Path) -> None:
    from small_runs import small_activations

    from penviz.app.widgets.image_drawer import MOST_IMAGES, images_html
    from penviz.projection.build_panel import build_panel
    from penviz.store.runs import read_run

    directory = make_run(tmp_path, "hard", 0.0, thumbnails=True)
    panel = build_panel(small_activations(), (0, 1, 2))
    body, missing = images_html([panel], [(0, i) for i in range(90)], [read_run(directory)])
    assert not missing
    assert body.count("<img") == MOST_IMAGES


@pytest.mark.parametrize(
    "choice",
    [{"dpi": 450}, {"seed": 1}, {"text": "path"}, {"splits": ["train"]}, {"bold_best": True}, {"font": 1}],
)
def test_a_recipe_that_the_page_has_no_control_for_is_not_shown_as_another(
    choice: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    runs = [make_run(tmp_path, "hard"), make_run(tmp_path, "soft", 0.1)]
    groups = [Group("all", CLASSES, tuple(map(read_run, runs)))]
    if "font" in choice:
        (tmp_path / "own.ttf").write_bytes(b"any")
        choice = {"font": tmp_path / "own.ttf"}
    plain = new_figure(runs, {"classes": CLASSES[:3], "width": "140mm"}).spec
    controls = controls_of(plain, groups)
    assert controls["runs"] == ["hard", "soft"]
    assert (controls["paper-width"], controls["paper-own-width"]) == ("own", "140mm")
    with pytest.raises(RecipeError, match="A page cannot show"):
        controls_of(new_figure(runs, {"classes": CLASSES[:3], **choice}).spec, groups)
    for other in (replace(plain, film=(1,)), new_figure(runs, {"figure": "reliability"}).spec):
        with pytest.raises(RecipeError, match="A page cannot show"):
            controls_of(other, groups)


def test_fewer_examples_than_the_runs_before_had(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "few", names=CLASSES[:4], per_class=60)
    make_run(tmp_path, "many", names=CLASSES[:5], per_class=146)
    app = open_app(of="cifar10 (5 classes)")
    app.slider(key="n").set_value(146)
    checked(app.run())
    app.selectbox(key="of").set_value("cifar10 (4 classes)")
    checked(app.run())
    assert app.slider(key="n").value == app.slider(key="n").max == 60
