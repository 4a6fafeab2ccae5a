"""The page "Distillation": what a teacher keeps about the other classes, what others found, a fair test."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from penviz.app.catalogue import Group, Opened, is_own, path_word, run_roots
from penviz.app.links import only_link
from penviz.app.run_selection import with_chosen_runs
from penviz.app.style import SCROLLER
from penviz.app.widgets.charts import show_charts
from penviz.app.widgets.command_lines import command_lines
from penviz.app.widgets.controls import heading
from penviz.app.widgets.distillation_words import MEANING, advice_html, found_html
from penviz.app.widgets.empty import show_warnings
from penviz.app.widgets.export import Made, export_charts
from penviz.app.widgets.page_head import page_head
from penviz.app.widgets.share import share
from penviz.app.words import plain
from penviz.demo import SHIPPED
from penviz.figures.charts import distillation as distillation_chart
from penviz.figures.charts import erasure as erasure_chart
from penviz.metrics.erased import TEMPERATURES, Erased
from penviz.metrics.information import SAMPLES, left_words
from penviz.store.activations import Activations
from penviz.store.pilots import Condition, Pilot, condition_name, conditions, find_pilots
from penviz.store.run_config import RunError
from penviz.store.runs import SPLITS, Run, read_run
from penviz.store.safe_text import safe_record, safe_text
from penviz.study.teacher_comparison import unfair

PILOT_TEMPERATURES, PILOT_SEEDS = 3, 3
"""What penviz distill --pilot tries when nothing else is said."""


def show_distillation() -> None:
    """Draw the page for the chosen runs."""
    with_chosen_runs("distillation", _page)


def _page(group: Group, opened: list[Opened]) -> None:
    runs = [one.run for one in opened]
    watched = [one for one in opened if erasure_chart.followed(one.run)]
    charts = erasure_chart.build([one.run for one in watched], details=True) if watched else ()
    with page_head("Is this a good teacher? Clusters alone cannot tell you.", MEANING):
        share(runs, shlex.join(["penviz", "erasure", *map(path_word, runs)]))
        if watched:
            export_charts(watched, {"erasure": ({"details": True}, charts)}, key="export-erasure")
    st.html(_numbers(opened))
    if charts:
        heading("Training dynamics")
        show_charts(charts[:3], "erasure")
    _pilots()
    _fair_test(opened)
    _students(group)
    heading("What others found")
    st.html(found_html())
    heading("What the articles advise, and the evidence against it")
    st.html(advice_html())


@st.cache_resource(max_entries=64, show_spinner=False)
def _erased(digest: str, _activations: Activations) -> Erased | None:
    """Keyed by the file's digest, never by arrays."""
    return Erased.of(_activations)


def _information(run: Run) -> dict[str, Any] | None:
    """erasure.json of a run, where it can be read and is of its present weights."""
    try:
        record = safe_record(json.loads((run.directory / "erasure.json").read_text(encoding="utf-8")))
        first, other = record["classes"]
        fits = (
            record["checkpoint_sha256"] == run.model_sha256
            and math.isfinite(record["values"]["mutual_information"])
            and isinstance(first, str)
            and isinstance(other, str)
            and record["examples"] >= 1
            and record.get("samples", SAMPLES) >= 1
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if fits else None


def _numbers(opened: Sequence[Opened]) -> str:
    """The table: a run a row, the numbers of each split."""
    splits = [s for s in SPLITS if any(s in one.splits for one in opened)]
    known = [_information(one.run) for one in opened]
    columns = ["non-target logits", "1 − S", *(f"γ, T = {t:g}" for t in TEMPERATURES)]
    top = "".join(f'<th class="pz-split pz-top" colspan="{len(columns)}">{s}</th>' for s in splits)
    second = "".join(
        f'<th class="{"pz-split" if i == 0 else ""}">{c}</th>' for _ in splits for i, c in enumerate(columns)
    )
    rows = ""
    for one, record in zip(opened, known, strict=True):
        cells = f"<td>{record['values']['mutual_information']:.2f}</td>" if record else "<td>·</td>"
        for split in splits:
            found = _erased(one.digests[split], one.splits[split]) if split in one.splits else None
            values = (
                ["·"] * len(columns)
                if found is None
                else [f"{found.spread:.2f}", f"{found.instability:.3f}"]
                + [f"{found.gamma[t]:.3f}" for t in TEMPERATURES]
            )
            cells += "".join(
                f'<td class="{"pz-split" if i == 0 else ""}">{v}</td>' for i, v in enumerate(values)
            )
        rows += f"<tr><td>{escape(one.run.name)}</td>{cells}</tr>"
    head = (
        f'<tr><th rowspan="2">run</th><th rowspan="2">information</th>{top}</tr>'
        f'<tr class="pz-second">{second}</tr>'
    )
    record = next((r for r in known if r), None)
    if record:
        first, other = record["classes"]
        about = (
            f"<b>information</b> what z({escape(first)}) − z({escape(other)}) still reveals about which "
            f"training image it came from, in nats, at most {math.log(record['examples']):.2f}; "
            f"{left_words(record.get('samples', SAMPLES))}"
        )
        if not all(r.get("augmented", True) for r in known if r):
            about += "; in a run measured without augmentation every image counts as told apart"
    else:
        paths = " ".join(shlex.quote(path_word(one.run)) for one in opened)
        about = f"<b>information</b> needs the network: <code>penviz erasure {escape(paths)}</code>"
    notes = " ".join(["All stored examples.", *(note for one in opened for note in one.notes)])
    return (
        f'{SCROLLER}<table class="pz-table"><thead>{head}</thead><tbody>{rows}</tbody></table>'
        "</div>"
        f'<p class="pz-note">{about}; <b>non-target logits</b> standard deviation within an example, in '
        "nats, mean over the examples; <b>1 − S</b> spread of the probabilities within a class (Shen et al. "
        "2021); <b>γ</b> smoothing of labels that would take as much from the true class as this teacher "
        f"does at T (Müller et al. 2019). {escape(notes)}</p>"
    )


def _pilots() -> None:
    found, damaged = find_pilots(run_roots())
    show_warnings(damaged)
    for number, pilot in enumerate(p for p in found if p.rows):
        heading(f"Students: {pilot.teachers} teaches {pilot.student}, {pilot.dataset}")
        left, right = st.columns([3, 2], gap="medium")
        with left:
            chart = distillation_chart.chart_of(pilot)
            show_charts([chart], f"pilot-{number}", height=430)
        with right:
            st.html(_results(pilot))
            if student := _first_student(pilot):
                with st.container(width="content"):
                    figure: dict[str, Made] = {"distillation": ({}, (chart,))}
                    one = [Opened(student, {}, {})]
                    label = plain(f"Export students of {safe_text(pilot.directory.name)}")
                    export_charts(one, figure, key=f"export-pilot-{number}", label=label)


def _first_student(pilot: Pilot) -> Run | None:
    """A run by which the figure finds its test again; None where the students were removed."""
    for row in pilot.rows:
        if row.role != "teacher":
            try:
                return read_run(pilot.directory / row.run)
            except RunError:
                return None
    return None


def _results(pilot: Pilot) -> str:
    """A table of the teachers, the students alone, and each teacher's best temperature beside T = 1."""
    split = pilot.reported_on
    rows = ""
    shown = [c for c in conditions(pilot) if c.role != "distilled" or c.tuned or c.temperature == 1]
    for one in shown:
        values = [100 * v for v in one.values(split)]
        spread = f"<br><small>{min(values):.2f} to {max(values):.2f}</small>" if len(values) > 1 else ""
        best = "<small>best T on validation</small>" if one.tuned else ""
        gamma = "·" if one.gamma is None else f"{one.gamma:.3f}"
        rows += (
            f"<tr><td>{escape(condition_name(one))}{best}</td><td>{100 * one.mean(split):.2f}{spread}</td>"
            f"<td>{gamma}</td></tr>"
        )
    return (
        f'{SCROLLER}<table class="pz-table"><thead><tr><th>{_seeds(shown)}, {pilot.epochs} '
        f"epochs a student</th><th>accuracy,<br>{split}, %</th><th>γ</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="pz-note">{_honesty(pilot)}</p>'
    )


def _seeds(shown: Sequence[Condition]) -> str:
    n = max(len(one.rows) for one in shown)
    return "one seed" if n == 1 else f"{n} seeds, least to greatest"


def _honesty(pilot: Pilot) -> str:
    said = "T was chosen on validation."
    if pilot.reported_on == "validation":
        said = "There is no test split: T was chosen on the same examples, which flatters the best one."
    if not pilot.finished:
        said += " The experiment is still running: not all students are trained."
    if pilot.loss == "squared-logits":
        said += (
            f" Loss: {1 - pilot.weight:g} of the labels and {pilot.weight:g} of half the squared difference "
            "of the logits."
        )
    return said


def _fair_test(opened: Sequence[Opened]) -> None:
    """The command for the chosen teachers, and about how long it takes."""
    heading("The fair test")
    teachers = [o.run for o in opened if o.run.config.label_smoothing is not None and _may_teach(o.run)]
    st.html(
        '<p class="pz-note">Judge each teacher by its students, at the temperature that suits it best; T = 1 '
        "is among those tried. Compare them with the student trained alone, on hard labels and on labels "
        "smoothed by each teacher's γ. Use three seeds, choose T on validation and report on test.</p>"
    )
    if not teachers:
        st.html(
            '<p class="pz-note">Choose networks with hard or smoothed labels; those of your own need stated '
            "targets and their checkpoint.</p>"
        )
        return
    if reason := unfair(teachers):
        st.html(f'<p class="pz-note">{escape(reason)}</p>')
        return
    student = _student_of(teachers[0])
    words = ["penviz", "distill", *(path_word(run) for run in teachers), "--student", student]
    if whole := SHIPPED.get(teachers[0].config.dataset):
        words += ["--dataset", whole]
    out = Path(path_word(teachers[0])).parent / f"{student}-pilot"
    command = shlex.join([*words, "--pilot", "--out", out.as_posix()])
    st.code(command_lines(command), language="bash", wrap_lines=True)
    said = [_duration(teachers, student)]
    if any(is_own(run) for run in teachers):
        said.insert(
            0, "First keep the networks that you brought (page Your model), then give their directory."
        )
    if teachers[0].config.model != student:
        said.append("The student may be any network of penviz; <code>penviz models</code> lists them.")
    st.html(f'<p class="pz-note">{" ".join(said)}</p>')


def _may_teach(run: Run) -> bool:
    """Whether a run has a network: one that came as activations has none."""
    return not run.adopted or bool(run.record["adopted"].get("preprocessing"))


def _student_of(teacher: Run) -> str:
    """The teacher's own network where penviz trains it, else a usual one for images of its size."""
    if not teacher.adopted:
        return teacher.config.model
    height, _, channels = teacher.record.get("image_shape") or (0, 0, 0)
    return "resnet20" if channels == 3 and height >= 24 else "fc800"


def _duration(teachers: Sequence[Run], student: str) -> str:
    """About how long the test takes, from the time that a run of the student's network took an epoch."""
    said = "The command prints an estimate before it starts."
    timed = [
        float(run.record.get("seconds") or 0) / len(history)
        for run in teachers
        if (history := run.record.get("history")) and run.config.model == student
    ]
    if not timed or min(timed) <= 0:
        return said
    kinds = len({run.config.label_smoothing for run in teachers})
    students = PILOT_SEEDS * (PILOT_TEMPERATURES * kinds + 1 + kinds)
    a_teacher = 1.3  # a forward pass of the teacher beside the student's three
    minutes = students * min(timed) * a_teacher / 60
    length = f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.0f} hours"
    each = "about a minute" if minutes < 1.5 else f"about {length}"
    return (
        f"{students} students ({escape(student)}), {each} for each epoch (<code>--epochs</code>) at the "
        f"speed of these runs. {said}"
    )


def _students(group: Group) -> None:
    """Students that lie beside their teacher, each with a link to both in the grid."""
    pairs = [
        (student, teacher)
        for student in group.runs
        for teacher in group.runs
        if student.config.targets == "distilled"
        and (student.config.teacher, student.config.teacher_sha256) == (teacher.name, teacher.model_sha256)
    ]
    if not pairs:
        return
    heading("Students beside their teachers, each in its own template plane")
    for student, teacher in pairs:
        only_link(f"{student.name} learned from {teacher.name}", group, [teacher.name, student.name])
