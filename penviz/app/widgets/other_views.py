"""Other views than the template plane: linear ones at once, UMAP when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from penviz.app.catalogue import Opened
from penviz.app.state import State
from penviz.figures.embeddings import UmapPlan
from penviz.figures.umap_points import Job, UmapError, kept
from penviz.projection.embedding import LINEAR, Embedding, embed
from penviz.store.activations import Activations

_JOBS = "umap-jobs"


def embeddings_of(state: State, opened: Sequence[Opened]) -> list[Embedding] | None:
    """An embedding a run, or None while UMAP is not computed; then the page says so and offers it.

    Raises:
        InputError: features that cannot be drawn so.
    """
    keys = ["|".join(one.digests.values()) for one in opened]
    if state.view in LINEAR:
        return [
            _linear(key, state.classes, state.view, state.all_classes, one.splits)
            for key, one in zip(keys, opened, strict=True)
        ]
    plans = [
        _plan(key, state.classes, state.all_classes, one.splits)
        for key, one in zip(keys, opened, strict=True)
    ]
    found = [kept(plan.request) for plan in plans]
    if all(map is not None for map in found):
        return [plan.embedding(*map) for plan, map in zip(plans, found, strict=True) if map is not None]
    _offer([plan for plan, map in zip(plans, found, strict=True) if map is None])
    return None


@st.cache_resource(max_entries=32, show_spinner=False)
def _linear(
    key: str,
    classes: tuple[int, int, int],
    view: str,
    all_classes: bool,
    _splits: Mapping[str, Activations],
) -> Embedding:
    """Keyed by the digests of the run's files."""
    return embed(_splits, classes, view, all_classes)


@st.cache_resource(max_entries=8, show_spinner=False)
def _plan(
    key: str, classes: tuple[int, int, int], all_classes: bool, _splits: Mapping[str, Activations]
) -> UmapPlan:
    """Keyed by the digests of the run's files."""
    return UmapPlan.of(_splits, classes, all_classes, 0)


def _offer(plans: Sequence[UmapPlan]) -> None:
    """A button that starts UMAP, or how far it is."""
    jobs: dict[str, Job] = st.session_state.setdefault(_JOBS, {})
    own = [jobs[plan.request.key] for plan in plans if plan.request.key in jobs]
    failed = [job for job in own if job.done]
    for job in failed:
        del jobs[job.request.key]
    if len(own) == len(plans) and not failed:
        st.fragment(_progress, run_every=0.7, key="umap-progress")(own)
        return
    for job in failed:
        try:
            job.result()
        except UmapError as error:
            st.warning(str(error), icon=":material/warning:")
    examples = sum(len(plan.fit) for plan in plans)
    st.markdown(
        f"UMAP runs in a process of its own on {examples:,} examples of "
        f"{len(plans)} {'run' if len(plans) == 1 else 'runs'}. It takes about half a minute per run, longer "
        "the first time, and is kept on disk."
    )
    if st.button("Compute UMAP", type="primary", key="umap-start"):
        for plan in plans:
            jobs.setdefault(plan.request.key, Job(plan.request))
        st.rerun(scope="fragment")


def _progress(jobs: Sequence[Job]) -> None:
    """A bar a run, and a way to stop; the page is drawn again when all are done."""
    if all(job.done for job in jobs):
        st.rerun()
    for number, job in enumerate(jobs, start=1):
        head = f"Run {number} of {len(jobs)}: " if len(jobs) > 1 else ""
        st.progress(1.0 if job.done else job.share, f"{head}{'done' if job.done else job.words}")
    if st.button("Cancel", key="umap-cancel"):
        for job in jobs:
            job.cancel()
            job.wait(5)
        st.rerun()
