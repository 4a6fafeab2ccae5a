"""The page in every state it can be in, through Streamlit's own test client: never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_runs import CLASSES, make_adopted, make_run
from streamlit.testing.v1 import AppTest

from penviz import figure
from penviz.recipe import RecipeError
from penviz.runs import read_run
from penviz.view.catalogue import Group
from penviz.view.opened_recipe import controls_of

APP = Path(__file__).parents[1] / "app.py"


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))

    def start(**parameters: Any) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        for key, value in parameters.items():
            app.query_params[key] = value
        return checked(app.run())

    return start


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].value
    assert not app.error
    return app


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def headline(app: AppTest) -> str:
    return html(app).split('<h1 class="pz-finding">')[1].split("</h1>")[0]


def table(app: AppTest) -> str:
    return next(e.proto.body for e in app.get("html") if "pz-table" in e.proto.body)


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def points(app: AppTest) -> list[str]:
    """The coordinates of all example points, as they go to the browser."""
    return [t["x"]["bdata"] for c in charts(app) for t in c["data"] if "customdata" in t]


def warnings(app: AppTest) -> str:
    return "\n".join(element.value for element in app.warning)


def pair(root: Path, **settings: Any) -> None:
    make_run(root, "hard", 0.0, **settings)
    make_run(root, "soft", 0.1, **settings)


def test_empty_directory_gives_the_commands(open_app: Callable[..., AppTest]) -> None:
    app = open_app()
    assert headline(app) == "No runs here."
    assert "penviz train digits" in app.code[0].value
    assert not charts(app)


def test_empty_directory_opens_the_shipped_runs(open_app: Callable[..., AppTest]) -> None:
    app = open_app()
    button = next(b for b in app.button if b.label == "Open the shipped runs")
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
    pair(tmp_path)
    app = open_app()
    assert "tighter training clusters" in headline(app)
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
    assert "30 drawn of 30 stored of 30 a class" in html(app)


def test_one_run(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "only", 0.0)
    app = open_app()
    assert headline(app).startswith("only: rho/d")
    assert len(charts(app)) == 1
    assert "change" not in table(app)


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
    make_run(tmp_path, "two", 0.0, names=("cat", "dog"))
    make_run(tmp_path, "soft", 0.1, names=("cat", "dog"))
    app = open_app()
    assert "label smoothing (alpha = 0.1) goes with" in headline(app)
    assert len(charts(app)) == 1
    assert "on the axis through the two templates" in html(app)
    assert not warnings(app)


def test_two_classes_beside_ten_are_a_group_of_their_own(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    pair(tmp_path)
    make_run(tmp_path, "two", 0.0, names=("cat", "dog"))
    app = open_app()
    assert len(charts(app)) == 2
    app.selectbox(key="of").set_value("cifar10 (2 classes)")
    checked(app.run())
    assert headline(app).startswith("two: rho/d ")
    assert len(charts(app)) == 1


def test_names_are_escaped(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    names = ("<b>x</b>", *CLASSES[1:])
    make_run(tmp_path, "odd", 0.0, names=names)
    assert "<b><b>x</b></b>" not in html(open_app())


def test_no_thumbnails_is_said(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    from small_runs import small_activations

    from penviz.measure.panel import build_panel
    from penviz.runs import read_run
    from penviz.view.tray import images_html

    directory = make_run(tmp_path, "hard", 0.0)
    panel = build_panel(small_activations(), (0, 1, 2))
    body, missing = images_html([panel], [(0, 0), (0, 5)], [read_run(directory)])
    assert missing == ["hard, train"]
    assert body.count("<figure") == 2


def test_the_tray_shows_sixty_at_most(tmp_path: Path) -> None:
    from small_runs import small_activations

    from penviz.measure.panel import build_panel
    from penviz.runs import read_run
    from penviz.view.tray import MOST_IMAGES, images_html

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
    plain, *_ = figure.new_recipe(runs, CLASSES[:3], width="140mm")
    controls = controls_of(plain, groups)
    assert controls["runs"] == ["hard", "soft"]
    assert (controls["paper-width"], controls["paper-own-width"]) == ("own", "140mm")
    with pytest.raises(RecipeError, match="more than a page shows"):
        controls_of(figure.new_recipe(runs, CLASSES[:3], **choice)[0], groups)


def test_fewer_examples_than_the_runs_before_had(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_run(tmp_path, "few", names=CLASSES[:4], per_class=60)
    make_run(tmp_path, "many", names=CLASSES[:5], per_class=146)
    app = open_app(of="cifar10 (5 classes)")
    app.slider(key="n").set_value(146)
    checked(app.run())
    app.selectbox(key="of").set_value("cifar10 (4 classes)")
    checked(app.run())
    assert app.slider(key="n").value == app.slider(key="n").max == 60


# Runs that penviz did not train.


def notes(app: AppTest) -> list[str]:
    """What stands in the panels."""
    return [note["text"] for chart in charts(app) for note in chart["layout"]["annotations"]]


def marks(app: AppTest) -> set[str]:
    return {trace["name"] for chart in charts(app) for trace in chart["data"] if "customdata" not in trace}


def test_unknown_targets_have_no_star_and_no_conclusion(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard", 0.0)
    make_adopted(tmp_path, "theirs")
    app = open_app()
    assert headline(app) == (
        "The targets of theirs are not known: penviz draws these runs and concludes nothing"
    )
    assert len(charts(app)) == 2
    assert "smoothing optimum" not in marks(app)
    assert "it lies at infinity; no optimum for unknown targets" in html(app)
    assert any("targets unknown" in note for note in notes(app))
    assert "penviz did not train theirs; its targets are not known." in html(app)
    assert '<th class="">theirs</th>' in table(app)
    assert "epochs" not in html(app)


def test_one_adopted_run_alone_with_one_split(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_adopted(tmp_path, "theirs", splits=("validation",))
    app = open_app()
    assert headline(app).startswith("theirs: rho/d")
    assert "Its targets are not known." in html(app)
    assert len(charts(app)) == 1
    assert "class means on validation; limits hold 99.5 % of the stored points of the split" in html(app)
    assert "train" not in table(app)


def test_two_adopted_runs_are_compared_as_stated(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_adopted(tmp_path, "a", 0.0)
    make_adopted(tmp_path, "b", 0.1)
    app = open_app()
    assert "(alpha = 0.1, as stated)" in headline(app)
    assert "does not know what else differs" in html(app)
    assert "smoothing optimum" in marks(app)


def test_an_adopted_run_is_not_paired_with_one_of_penviz(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_run(tmp_path, "hard", 0.0)
    make_adopted(tmp_path, "b", 0.1, model="tutorial_alexnet")
    app = open_app()
    assert headline(app).startswith("penviz did not train b and does not know what else differs")
    make_run(tmp_path, "soft", 0.1)
    app = open_app()
    assert app.button_group(key="runs").value == ["hard", "soft"]


def test_a_network_without_a_head_stands_on_class_means(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_adopted(tmp_path, "bare", 0.1, head=False, predicted_by="nearest class mean")
    app = open_app(templates="true")
    assert any("no head: class means on train as templates" in note for note in notes(app))
    assert any("accuracy of the nearest class mean" in note for note in notes(app))
    assert not [image for chart in charts(app) for image in chart["layout"]["images"]]
    assert marks(app) == {"class mean", "class mean as template"}
    assert "boundary of the nearest class mean" in html(app)
    assert "no optimum without a head" in html(app)
    assert "Plane of the three class means" in html(app)
    assert "NLL" not in table(app)
    assert all("confidence" not in t["hovertemplate"] for c in charts(app) for t in c["data"])
    make_run(tmp_path, "soft", 0.2)
    app = open_app(runs=["bare", "soft"])
    assert "decision boundary (no head: nearest mean)" in html(app)
    assert "smoothing optimum (none without a head)" in html(app)
    assert "hard (class means)" not in table(app)
    assert "(class means)</th>" in table(app)
    assert len([image for chart in charts(app) for image in chart["layout"]["images"]]) == 2


def test_a_quick_look_offers_its_classes_and_says_what_is_pending(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_adopted(tmp_path, "look", quick_look=("cat", "dog", "ship"))
    app = open_app()
    assert app.selectbox(key="left").options == ["cat (3)", "dog (5)", "ship (8)"]
    assert [app.selectbox(key=key).value for key in ("left", "right", "above")] == [3, 5, 8]
    assert "needs the full pass" in table(app)
    assert any("accuracy needs the full pass" in note for note in notes(app))
    assert not any("accuracy 0." in note for note in notes(app))
    app = open_app(left="bird (2)")
    assert len(charts(app)) == 1
    make_run(tmp_path, "hard", 0.0)
    app = open_app(runs=["hard", "look"])
    assert len(app.selectbox(key="left").options) == 3
    app.button_group(key="runs").set_value(["hard"])
    checked(app.run())
    assert len(app.selectbox(key="left").options) == 10
    app.selectbox(key="above").set_value(1)
    checked(app.run())
    app.button_group(key="runs").set_value(["hard", "look"])
    checked(app.run())
    assert [app.selectbox(key=key).value for key in ("left", "right", "above")] == [3, 5, 8]


def test_quick_looks_at_other_classes_share_no_picture(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    make_adopted(tmp_path, "one", quick_look=("cat", "dog", "ship"))
    make_adopted(tmp_path, "two", quick_look=(0, 1, 2))
    app = open_app()
    assert headline(app) == "These three classes cannot be drawn."
    assert "other classes need the full pass" in warnings(app)


def test_a_wrong_accuracy_stays_in_sight(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    sentence = "penviz measures 78.0 % where 93.1 % was expected: the input or the network may be wrong."
    make_adopted(tmp_path, "odd", accuracy={"measured": 0.78, "expected": 0.931, "warning": sentence})
    app = open_app()
    assert sentence in warnings(app)
    marked = [note for note in notes(app) if "accuracy 15 points below the stated" in note]
    assert len(marked) == 2


def test_classes_of_one_name_are_told_apart(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_adopted(tmp_path, "birds", names=("crane", "heron", "crane", "stork"))
    make_run(tmp_path, "own", 0.0)
    app = open_app(of="cifar10 (4 classes)")
    assert len(charts(app)) == 1
    assert "<b>crane (0)</b>" in html(app)
    assert "<b>crane (2)</b>" in html(app)
    assert any("crane (2)" in t["name"] for c in charts(app) for t in c["data"])


def test_the_runs_of_a_visitor_stand_beside_the_others(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    from penviz.view.catalogue import MORE_ROOTS, directory_digest, read_catalogue

    shared, own = tmp_path / "shared", tmp_path / "own"
    make_run(shared, "hard", 0.0)
    make_run(shared, "soft (2)", 0.1)
    make_run(shared, "soft", 0.1)
    make_adopted(own, "soft", 0.1)
    make_adopted(own, "theirs")
    roots = (shared, own)
    (group,) = read_catalogue(roots, directory_digest(roots)).groups
    assert [run.name for run in group.runs] == ["hard", "soft", "soft (2)", "soft (3)", "theirs"]
    assert [run.adopted for run in group.runs] == [False, False, False, True, True]
    before = directory_digest(roots)
    make_adopted(own, "more")
    assert directory_digest(roots) != before
    app = open_app()
    assert headline(app) == "No runs here."
    app.session_state[MORE_ROOTS] = roots
    checked(app.run())
    app.button_group(key="runs").set_value(["soft", "soft (3)"])
    checked(app.run())
    assert [("soft (3)" in c["layout"]["annotations"][0]["text"]) for c in charts(app)] == [False, True]


def test_the_recipe_of_a_visitors_run_opens_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from penviz import figure
    from penviz.view.catalogue import MORE_ROOTS, directory_digest, open_runs, read_catalogue
    from penviz.view.export import recipe_of
    from penviz.view.opened_recipe import controls_of
    from penviz.view.state import State

    shared, own = tmp_path / "shared", tmp_path / "own"
    make_run(shared, "soft", 0.1)
    make_adopted(own, "soft", 0.1)
    monkeypatch.setenv("PENVIZ_RUNS", str(shared))
    roots = (shared, own)
    monkeypatch.setattr("penviz.view.catalogue.st.session_state", {MORE_ROOTS: (own,)})
    (group,) = read_catalogue(roots, directory_digest(roots)).groups
    opened = open_runs(group.runs)
    recipe = recipe_of(State(group, group.runs, (0, 1, 2)), opened)
    assert controls_of(recipe, [group])["runs"] == ["soft", "soft (2)"]
    assert [run.path for run in recipe.runs] == [str(shared / "soft"), "soft"]  # the workspace is private
    found = figure.find_runs(recipe, own)
    again = figure.build_panels(recipe, found, figure.load_splits(recipe, found))
    here = figure.build_panels(recipe, [one.run for one in opened], [one.splits for one in opened])
    assert figure.draw(recipe, again, "svg") == figure.draw(recipe, here, "svg")
