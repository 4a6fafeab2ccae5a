"""What holds for every input, tried on inputs that hypothesis makes: the same ones in every run."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from external.reader.test_hostile import sound_report
from external.reader.test_mutations import LIMITS, sound_files
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from study.test_study import TRIPLE, in_memory

from penviz.external.reader.inspection import inspect_file
from penviz.figures.spec import FigureSpec, SpecRun
from penviz.plot.paper.style import FigureStyle
from penviz.plot.screen import Marks
from penviz.projection.plane import DegeneratePlane, Plane
from penviz.store.run_config import RunConfig
from penviz.store.runs import RUN_FILE, read_run, write_json
from penviz.study.study import Study


def tried(n: int) -> settings:
    """Without shrinking: add `Phase.shrink` to look into a failure."""
    phases = (Phase.explicit, Phase.generate)
    return settings(
        derandomize=True, deadline=None, max_examples=n, phases=phases, report_multiple_bugs=False
    )


numbers = st.floats(-1e3, 1e3)


@st.composite
def heads(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Templates [3, d], biases [3] and features [4, d]."""
    d = draw(st.integers(2, 6))
    shapes = ((3, d), (3,), (4, d))
    w, b, x = (draw(arrays(np.float64, shape, elements=numbers)) for shape in shapes)
    return w, b, x


@tried(200)
@given(heads())
def test_coordinates_give_the_logit_differences(made: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """However far a feature lies from the plane, and whatever the biases are."""
    w, b, x = made
    try:
        plane = Plane.through(w, b)
    except DegeneratePlane:
        assume(False)
    z = x @ w.T + b
    found = plane.logit_differences(plane.project(x))
    scale = (1 + np.abs(x).max()) * (1 + np.abs(w).max()) * w.shape[1]
    assert np.abs(found - (z[:, 1:] - z[:, :1])).max() <= 1e-12 * scale


PLACE = Path(tempfile.mkdtemp(prefix="penviz-properties-"))


@pytest.fixture(scope="module", autouse=True)
def _removed() -> Iterator[None]:
    yield
    shutil.rmtree(PLACE)


SOUND = sound_files(PLACE / "canary")
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=4
)


@tried(300)
@given(st.sampled_from(sorted(SOUND)), EDITS)
def test_every_damaged_file_gives_a_report(label: str, edits: list[tuple[float, int, bytes]]) -> None:
    """Bytes cut out and others put in, anywhere; no code of the file runs."""
    data, wrap = SOUND[label]
    for place, length, new in edits:
        at = int(place * len(data))
        data = data[:at] + new + data[at + length :]
    path = PLACE / "file"
    path.write_bytes(wrap(data))
    sound_report(inspect_file(path, name=label, limits=LIMITS))
    assert not (PLACE / "canary").exists()


words = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=12)
shares = st.floats(1e-6, 0.99)
sizes = st.integers(1, 10**6)
targets = st.one_of(
    st.just(("hard", 0.0)), st.tuples(st.sampled_from(["uniform", "others", "sampled", "clip"]), shares)
)
configs = st.builds(
    lambda kind, **more: RunConfig(targets=kind[0], label_smoothing=kind[1], **more),
    targets,
    dataset=words,
    model=words,
    epochs=sizes,
    batch_size=sizes,
    lr=st.floats(1e-300, 1e300),
    momentum=shares,
    nesterov=st.booleans(),
    milestones=st.lists(shares, max_size=4).map(tuple),
    seed=st.integers(0, 2**31 - 1),
    split_seed=st.none() | st.integers(0, 2**31 - 1),
    image_size=st.integers(4, 1024),
    precision=st.sampled_from(["float32", "bfloat16"]),
)


@tried(60)
@given(configs)
def test_a_config_comes_back_from_run_json(config: RunConfig) -> None:
    write_json(PLACE / RUN_FILE, {"config": config.to_json()})
    assert read_run(PLACE).config == config


@st.composite
def specs(draw: st.DrawFn) -> FigureSpec:
    named = draw(st.lists(words, min_size=1, max_size=3, unique=True))
    splits = draw(st.lists(st.sampled_from(["train", "validation", "test"]), min_size=1, unique=True))
    return FigureSpec(
        tuple(SpecRun(name, draw(words), draw(words), dict.fromkeys(splits, draw(words))) for name in named),
        draw(st.tuples(*[words | st.integers(0, 99)] * 3)),
        splits=tuple(splits),
        scale=draw(st.sampled_from(["distance", "own", "same"])),
        bias=draw(st.booleans()),
        per_class=draw(st.integers(1, 500)),
        seed=draw(st.integers(0, 2**31 - 1)),
        marks=draw(st.builds(Marks, means=st.booleans(), shading=st.booleans(), pull=st.booleans())),
        venue=draw(st.sampled_from(["icml", "acl", "140mm"])),
        layout=draw(st.sampled_from(["grid", "strip", "figure1"])),
        dpi=draw(st.integers(50, 1200)),
        style=draw(st.builds(FigureStyle, font_size=st.none() | st.floats(5, 24), by_split=st.booleans())),
    )


@tried(150)
@given(specs())
def test_a_figure_comes_back_from_its_recipe(spec: FigureSpec) -> None:
    assert FigureSpec.from_yaml(spec.to_yaml()) == spec


RUNS = [in_memory(f"{a:g}-{seed}", a, seed, per_class=40) for a in (0.0, 0.1) for seed in (0, 1)]


def answers(order: list[int]) -> dict[str, Any]:
    """What a study says of the runs, by their names."""
    study = Study.of([RUNS[i] for i in order])
    comparison, rows = study.compare(TRIPLE), {}
    for row in comparison.table.rows:
        rows[row.number.key] = dict(zip(comparison.names, row.values, strict=True))
    drawn = {(p.run, p.split): (p.xy.tolist(), p.limits, p.unit) for p in comparison.panels}
    calibration = study.calibration().finding
    return {"finding": comparison.finding, "rows": rows, "drawn": drawn, "calibration": calibration.headline}


@tried(12)
@given(st.permutations(range(len(RUNS))))
def test_a_study_does_not_depend_on_the_order_of_its_runs(order: list[int]) -> None:
    assert answers(order) == answers(sorted(order))


FAULTS: list[tuple[Callable[[], None], object, str, Callable[[Callable], Callable]]] = [
    (
        test_coordinates_give_the_logit_differences,
        Plane,
        "through",
        lambda of: staticmethod(lambda w, b: replace(found := of(w, b), offset=found.offset - b[1:] + b[0])),
    ),
    (
        test_a_config_comes_back_from_run_json,
        RunConfig,
        "to_json",
        lambda of: lambda self: of(self) | {"lr": math.floor(self.lr) or self.lr},
    ),
    (
        test_a_figure_comes_back_from_its_recipe,
        FigureSpec,
        "to_yaml",
        lambda of: lambda self: of(replace(self, dpi=300)),
    ),
]


@pytest.mark.parametrize(("holds", "owner", "name", "fault"), FAULTS, ids=[f[0].__name__ for f in FAULTS])
def test_an_error_is_seen(
    holds: Callable[[], None], owner: object, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault(getattr(owner, name)))
    with pytest.raises(AssertionError):
        holds()
