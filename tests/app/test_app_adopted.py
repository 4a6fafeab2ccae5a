"""The page with runs that penviz did not train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from page_client import charts, checked, headline, html, table, warnings
from small_runs import make_adopted, make_run
from streamlit.testing.v1 import AppTest


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
    assert headline(app).startswith("The targets of theirs are not known: ")
    assert len(charts(app)) == 2
    assert "label-smoothing optimum" not in marks(app)
    assert "it lies at infinity; no optimum for unknown targets" in html(app)
    assert any("targets unknown" in note for note in notes(app))
    assert "penviz did not train theirs; its targets are not known." in html(app)
    assert '<th class="">theirs</th>' in table(app)
    assert "epochs" not in html(app)


def test_one_adopted_run_alone_with_one_split(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_adopted(tmp_path, "theirs", splits=("validation",))
    app = open_app()
    assert headline(app).startswith("theirs: ρ/d")
    assert "Its targets are not known." in html(app)
    assert len(charts(app)) == 1
    assert "class means on validation; axes cover 99.5 % of the stored points of the split" in html(app)
    assert "train" not in table(app)


def test_two_adopted_runs_are_compared_as_stated(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_adopted(tmp_path, "a", 0.0, per_class=120)
    make_adopted(tmp_path, "b", 0.1, per_class=120)
    app = open_app()
    assert "(α = 0.1, as stated)" in headline(app)
    assert "does not know what else differs" in html(app)
    assert "label-smoothing optimum" in marks(app)


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
    assert "label-smoothing optimum (none without a head)" in html(app)
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


def test_two_classes_without_a_head_have_no_nats(open_app: Callable[..., AppTest], tmp_path: Path) -> None:
    make_adopted(tmp_path, "bare", names=("cat", "dog"), head=False)
    shown = html(open_app())
    assert "<th>radius, feature units squared</th><th>distance, feature units squared</th>" in shown
    assert "half the difference of squared distances" in shown
    make_run(tmp_path, "own", names=("cat", "dog"))
    shown = html(open_app())
    assert "<th>radius</th><th>distance</th>" in shown
    assert shown.count(" nats</td>") == shown.count(" feature units squared</td>") == 4


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
    from penviz.app.catalogue import MORE_ROOTS, directory_digest, read_catalogue

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
    from penviz.app.catalogue import MORE_ROOTS, directory_digest, open_runs, read_catalogue
    from penviz.app.state import State
    from penviz.app.widgets.export import offer_planes
    from penviz.app.widgets.opened_recipe import controls_of
    from penviz.figures import build
    from penviz.figures.spec_files import find_runs

    shared, own = tmp_path / "shared", tmp_path / "own"
    make_run(shared, "soft", 0.1)
    make_adopted(own, "soft", 0.1)
    monkeypatch.setenv("PENVIZ_RUNS", str(shared))
    roots = (shared, own)
    monkeypatch.setattr("penviz.app.catalogue.st.session_state", {MORE_ROOTS: (own,)})
    (group,) = read_catalogue(roots, directory_digest(roots)).groups
    opened = open_runs(group.runs)
    offer = offer_planes(State(group, group.runs, (0, 1, 2)), opened)
    recipe = offer.spec
    assert controls_of(recipe, [group])["runs"] == ["soft", "soft (2)"]
    assert [run.path for run in recipe.runs] == [str(shared / "soft"), "soft"]  # the workspace is private
    again = build.build(recipe, build.open_runs(recipe, find_runs(recipe, own)))
    assert again.draw("svg") == offer.build(recipe).draw("svg")
