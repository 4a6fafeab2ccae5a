"""Train a demo pair: a hard and a soft network on digits in a child process, with their planes as they go."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import shown_catalogue
from penviz.app.trained_here import TrainedHere
from penviz.app.visitor import Visitor, known_visitor, sandbox, visitor
from penviz.app.widgets.page_head import STILL
from penviz.app.words import panels_in_words
from penviz.external.sandbox.answer import Budget, SandboxError
from penviz.external.sandbox.job import Job
from penviz.metrics.target_vectors import Targets
from penviz.plot.screen import template_figure
from penviz.projection.build_panel import build_panel
from penviz.projection.panel import Panel
from penviz.store.snapshots import Snapshots, snapshots_path

LABEL = "Train a hard and a soft network on digits"

LENGTHS = {
    "200 epochs, well past fitting the training set: 2 min on an idle machine": 200,
    "20 epochs, until they fit the training set: 20 s": 20,
}
"""How long the two are trained; the effect of smoothing comes for the most part after the fit."""

MEMORY_BYTES, CPU_SECONDS, WALL_SECONDS, FILE_BYTES = 2 << 30, 900, 3600, 256 << 20
"""What a training may use; 200 epochs take 1 GB and about 110 s of one core."""

NAMES = ("digits-hard", "digits-soft")

ALPHAS = (0.0, 0.1)

EVERY_SECONDS = 0.7

_CHOSEN = "trained-here"


def train_here(where: str, *, open: bool = False) -> None:
    """The offer to train, or what is under way; a change of the training reruns this and nothing else.

    Args:
        where: key that tells the places apart; open: shown as a button at once, not folded away.
    """
    who = known_visitor()
    training = who.training if who is not None else None
    busy = training is not None and training.job is not None
    place = st.container(key=f"train-here-{where}")
    with place:
        if busy:
            st.fragment(_under_way, run_every=EVERY_SECONDS, key=f"training-{where}")()
            return
        if training is not None and training.error:
            st.warning(training.error, icon=":material/warning:")
        offer = st.container() if open else st.expander("Train a demo pair", key=f"train-fold-{where}")
        with offer:
            if not open:
                st.html(
                    '<p class="pz-note">Trains two small networks on scikit-learn’s digits in a separate '
                    "process, without a download, and draws their planes as they train. Only you see the "
                    "runs, and they are removed when you close this page.</p>"
                )
            length = st.radio("How long", list(LENGTHS), key=f"train-length-{where}")
            if st.button(LABEL, key=f"train-{where}", icon=":material/model_training:"):
                _start(LENGTHS[length])
                st.rerun()


def _start(epochs: int) -> None:
    who = visitor()
    taken = {path.name for path in who.runs_directory.iterdir()}
    number = next(i for i in range(1, len(taken) + 2) if not taken & set(_names(i)))
    names = _names(number)
    arguments = {"names": list(names), "epochs": epochs}
    makes = [who.runs_directory / name for name in names]
    who.training = TrainedHere(None, names, time.monotonic())
    budget = Budget(MEMORY_BYTES, CPU_SECONDS, WALL_SECONDS, FILE_BYTES)
    try:
        who.training.job = who.workspace.start(sandbox(), "train digits", arguments, budget, makes)
    except InputError as error:
        who.training.error = str(error)


def _names(number: int) -> tuple[str, str]:
    """Names of the two runs of the first, second, ... training of a visitor."""
    hard, soft = NAMES
    return NAMES if number == 1 else (f"{hard}-{number}", f"{soft}-{number}")


def _under_way() -> None:
    """Progress, the newest plane of each network, and Cancel."""
    who = known_visitor()
    training = who.training if who is not None else None
    if who is None or training is None or training.job is None:
        return
    job = training.job
    if job.done:
        _take(who, training, job)
        st.rerun()
    told = job.progress
    words = "Starting: torch takes a few seconds to load." if not told else _words(told)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(float(told.get("done", 0)) / max(int(told.get("of", 1)), 1), 1.0), words)
        if st.button("Cancel", key="train-cancel"):
            job.cancel()
            job.wait(5)
            who.training = None
            st.rerun()
    panels = [_panel(job.directory / name, alpha) for name, alpha in zip(training.names, ALPHAS, strict=True)]
    if any(panels):
        figure = template_figure(
            panels, columns=2, dark=st.context.theme.type == "dark", height=330, legend=False
        )
        st.plotly_chart(figure, theme=None, key="train-plane", config=STILL, alt=panels_in_words(panels))


def _words(told: dict[str, object]) -> str:
    kind = ("hard targets", "label smoothing")[int(str(told.get("run", 0))) % 2]
    left = float(str(told.get("seconds_left", 0)))
    return f"{kind}: epoch {told.get('epoch')} of {told.get('epochs')} · {left:.0f} s left"


def _panel(directory: Path, alpha: float) -> Panel | None:
    """The newest epoch of a run in the making, each epoch on its own plane; None before the first."""
    path = snapshots_path(directory, "train")
    try:
        snapshots = Snapshots.load(path)
        newest = snapshots.at(-1)
        epoch = f"after epoch {snapshots.epochs[-1]}"
        return build_panel(newest, (0, 1, 2), targets=Targets.of(alpha), remark=epoch)
    except (InputError, OSError):  # not there yet, or gone with the job
        return None


def _take(who: Visitor, training: TrainedHere, job: Job) -> None:
    """Let the two runs be chosen on the page, or say why there are none."""
    training.job = None
    try:
        job.result()
    except SandboxError as error:
        training.error = str(error)
        return
    who.training = None
    st.session_state[_CHOSEN] = [who.runs_directory / name for name in training.names]
    st.toast(f"Trained in {time.monotonic() - training.started:.0f} s.")


def choose_trained() -> None:
    """Before a page is drawn: choose the runs that a training has just ended with."""
    directories: Sequence[Path] = st.session_state.pop(_CHOSEN, ())
    if not directories:
        return
    for group in shown_catalogue().groups:
        own = [run.name for run in group.runs if run.directory in directories]
        if own:
            if group.end:
                st.session_state["of"] = group.name
            st.session_state[f"runs{group.end}"] = own
