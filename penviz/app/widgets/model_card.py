"""A card of "Your model": one file, from what it is to its place in the grid."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from penviz.app import uploads
from penviz.app.links import grid_link
from penviz.app.upload import Upload
from penviz.app.visitor import Visitor
from penviz.app.widgets.data_choices import DataChoice
from penviz.app.widgets.model_form import arrays_form, weights_form
from penviz.app.widgets.model_report import (
    check_html,
    details_html,
    duration_text,
    folder_text,
    head_text,
    setup_text,
    summary_line,
    tensors_html,
)
from penviz.app.words import plain_sentence
from penviz.demo import SHIPPED
from penviz.external.reader.report import OF_WEIGHTS
from penviz.external.sandbox.job import Job

STEPS = {
    "reading": "Reading what it is",
    "matching": "Looking for networks that fit",
    "checking": "Trying inputs",
    "drawing": "Running the images",
}


def _refusal(upload: Upload) -> None:
    """Why a step ended without a result, and the next step that works."""
    sentence, _, lines = upload.error.partition("\n")
    st.warning(sentence, icon=":material/report:")
    if lines:
        st.code(lines, language=None)
    if upload.advice:
        st.markdown(plain_sentence(upload.advice))
    if upload.stage == "refused" and upload.report is not None and upload.report.lines:
        st.code("\n".join(upload.report.lines), language="python", wrap_lines=True)


def card(who: Visitor, upload: Upload, choices: Sequence[DataChoice], missing: Sequence[str]) -> None:
    """Draw one upload in whatever stage it is.

    Args:
        who: the visitor; upload: one of theirs.
        choices: images it can be tried on; missing: built-in sets that are not on this disk.
    """
    with st.container(border=True, key=f"card-{upload.id}"):
        with st.container(horizontal=True, vertical_alignment="top", key=f"head-{upload.id}"):
            report = upload.report
            line = "" if report is None else summary_line(report)
            st.html(f'<div class="pz-file">{escape(upload.name)}</div><p class="pz-note">{escape(line)}</p>')
            icon = ":material/close:"
            if st.button("Remove", key=f"remove-{upload.id}", icon=icon, type="tertiary"):
                uploads.remove(who, upload)
                st.rerun()
        if upload.error:
            _refusal(upload)
        if upload.busy:
            _waiting(upload)
        elif upload.stage == "drawn":
            _drawn(who, upload)
        elif report is not None and upload.stage != "refused":
            if report.holds_activations:
                arrays_form(who, upload)
            elif report.kind in ("npz", "npy"):
                st.warning(
                    "These arrays are not activations: penviz looks for features [n, d] and labels [n]. "
                    "If this is a data set, run `penviz extract CHECKPOINT --dataset FILE.npz --out DIR`.",
                    icon=":material/help:",
                )
            elif report.kind in OF_WEIGHTS:
                weights_form(who, upload, choices, missing)
                if upload.stage == "checked":
                    _checked(who, upload)
        if report is not None:
            with st.expander("What is in the file"):
                st.html(details_html(report))
                if report.tensors:
                    st.html(tensors_html(report.tensors))


def _waiting(upload: Upload) -> None:
    """How far the step is, and the way out of it."""
    job = upload.job
    assert isinstance(job, Job)
    done, n = job.progress.get("done"), job.progress.get("of")
    passed = time.monotonic() - upload.started
    text = STEPS[upload.stage]
    if job.progress.get("what"):
        text += f": {job.progress['what']}"
    if done and n:
        left = duration_text(job.progress.get("seconds_left") or passed * (n - done) / done)
        text += f", {done:,} of {n:,}, {left} left"
    else:
        text += f", {passed:.0f} s"
    st.progress(min(done / n, 1.0) if done and n else 0.0, text)
    if st.button("Cancel", key=f"cancel-{upload.id}"):
        uploads.cancel(upload)
        st.rerun()


def _checked(who: Visitor, upload: Upload) -> None:
    """The table of accuracies, the question, and the three classes to look at first."""
    check: dict[str, Any] = upload.check
    rows = check["rows"]
    key = f"row-{upload.id}-{upload.checks}"
    picked = st.session_state.get(key, upload.fields.get("row", 0))
    row = rows[picked]
    if check.get("input"):
        st.caption(check["input"]["sentence"])
    question = f"penviz measures {100 * row['accuracy']:.1f} % on {row['n']:,} {check['split']} images."
    st.html(f'<p class="pz-ask">{escape(check["question"] if picked == 0 else question)}</p>')
    if picked == 0 and check["evidence"]:
        st.caption(check["evidence"])
    for sentence in check["warnings"]:
        st.warning(sentence, icon=":material/warning:")
    names = check["class_names"]
    left, right = st.columns(2)
    left.selectbox(
        "Input",
        range(len(rows)),
        picked,
        format_func=lambda i: f"{setup_text(rows[i])}: {100 * rows[i]['accuracy']:.1f} %",
        key=key,
    )
    upload.fields["row"] = picked
    triple = None
    if upload.choices["dataset"] not in SHIPPED:  # those are few: all of them are run at once
        triple = right.multiselect(
            "Three classes to look at first",
            names,
            upload.fields.get("triple", names[:3]),
            max_selections=3,
            key=f"triple-{upload.id}-{upload.checks}",
        )
        upload.fields["triple"] = triple
    with st.container(horizontal=True, vertical_alignment="center"):
        ready = triple is None or len(triple) == 3
        if st.button("Yes, draw", type="primary", key=f"draw-{upload.id}", disabled=not ready):
            uploads.start_drawing(who, upload, row, triple)
            st.rerun()
        if st.button("No, change input", key=f"change-{upload.id}"):
            upload.check, upload.stage = {}, "ready"
            st.rerun()
        st.caption(head_text(check["head"]))
    if check.get("undecided"):
        st.caption(check["undecided"])
    with st.expander(f"All {len(rows)} inputs tried"):
        st.html(check_html(rows, picked))


def _drawn(who: Visitor, upload: Upload) -> None:
    """What came of it, and the way to the grid."""
    if upload.run is None:
        words = folder_text(upload.check) if upload.check else "It belongs to the run drawn beside it."
        st.html(f'<p class="pz-ask">{escape(words)}</p>')
        return
    words = "Three of its classes are on Clusters." if upload.quick else "It is on Clusters."
    st.html(f'<p class="pz-ask"><b>{words}</b></p>')
    with st.container(horizontal=True, vertical_alignment="center"):
        grid_link("See it on Clusters", upload.run)
        if upload.quick:
            left = duration_text(upload.seconds_all)
            label = f"Continue with all ({left})" if left else "Continue with all"
            if st.button(label, key=f"all-{upload.id}"):
                uploads.start_drawing(who, upload, upload.choices["row"], None)
                st.rerun()
