"""A card of "Your model": one file, from what it is to its place in the grid."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz.app import uploads
from penviz.app.links import grid_link
from penviz.app.upload import Upload
from penviz.app.visitor import Visitor, data_directory
from penviz.app.widgets.class_name_lists import choose_names
from penviz.app.widgets.data_choices import DataChoice
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
from penviz.app.widgets.snippets import capture_lines
from penviz.app.words import plain_sentence
from penviz.demo import SHIPPED
from penviz.external.reader.report import OF_WEIGHTS
from penviz.external.sandbox.job import Job

TARGETS = {"unknown": "not known", "hard": "hard targets", "uniform": "label smoothing"}
STEPS = {
    "reading": "Reading what it is",
    "matching": "Looking for networks that fit",
    "checking": "Trying inputs",
    "drawing": "Running the images",
}
SPLITS = ("validation", "train", "test")


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
                _arrays(who, upload)
            elif report.kind in ("npz", "npy"):
                st.warning(
                    "These arrays are no activations: penviz looks for features [n, d] and labels [n]. A "
                    "data set in an .npz goes into the data directory, to try a checkpoint on.",
                    icon=":material/help:",
                )
            elif report.kind in OF_WEIGHTS:
                _choose(who, upload, choices, missing)
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


def _place(options: Sequence[str], said: str | None) -> int:
    """Where what was said before stands among the options; the first, if nowhere.

    A field is gone from the page while work takes its place, and comes back with what it said as its default:
    restored by session state alone it came back empty when a click was quicker than the browser's update.
    """
    return options.index(said) if said in options else 0


def _choose(who: Visitor, upload: Upload, choices: Sequence[DataChoice], missing: Sequence[str]) -> None:
    """Which network, which images, what it was trained on, and the accuracy that is known of it."""
    if not any(candidate["complete"] for candidate in upload.candidates):
        _unknown_network(upload)
    if not upload.candidates:
        return
    left, right = st.columns(2)
    models = [c["name"] for c in upload.candidates]
    evidence = {c["name"]: c["evidence"] for c in upload.candidates}
    key, said = upload.id, upload.fields
    model = left.selectbox(
        "Network",
        models,
        _place(models, said.get("model")),
        format_func=lambda m: f"{m} · {evidence[m]}",
        key=f"model-{key}",
    )
    labels = {choice.source: choice.label for choice in choices}
    chosen = said.get("dataset")
    proposed = None if chosen else _chosen_elsewhere(who, upload)
    if st.session_state.get(f"dataset-{key}") is None and proposed in labels:
        st.session_state[f"dataset-{key}"] = proposed
    dataset = right.selectbox(
        "Images with labels",
        list(labels),
        _place(list(labels), chosen) if chosen in labels else None,
        format_func=labels.__getitem__,
        key=f"dataset-{key}",
        placeholder="What it was trained on",
        help=f"Not on this computer: {', '.join(missing)}." if missing else None,
    )
    first, second, third, fourth = st.columns(4)
    name = first.text_input("Name in the grid", said.get("name", Path(upload.name).stem), 60, f"name-{key}")
    targets, alpha = _targets(upload, second, third)
    expected = fourth.number_input(
        "Accuracy you know, %",
        0.0,
        100.0,
        said.get("expected"),
        0.1,
        key=f"expected-{key}",
        placeholder="if you know it",
        help="From your training log or the paper, on these images. Empty is fine.",
    )
    upload.choices["name"] = name
    upload.fields |= {"model": model, "dataset": dataset, "name": name, "expected": expected}
    images = next((choice for choice in choices if choice.source == dataset), None)
    order = ("Order of the network's classes", "alphabetical, as the folders")
    class_names = choose_names(upload, *order) if images is not None and images.folder else ""
    wanted = {
        "class_names": class_names,
        "model": model,
        "dataset": dataset,
        "data_dir": str(data_directory()),
        "targets": targets,
        "label_smoothing": alpha,
        "expected": None if expected is None else expected / 100,
    }
    checked = bool(upload.check) and all(upload.choices.get(k) == v for k, v in wanted.items())
    if st.button(
        "Check again" if upload.check else "Check on 512 images",
        key=f"check-{key}",
        type="secondary" if checked else "primary",
        disabled=dataset is None,
    ):
        uploads.start_check(who, upload, **wanted)
        st.rerun()
    if dataset is None:
        st.caption("Choose the images: the check runs 512 of them through each plausible input.")
    elif not upload.check:
        if images is not None and images.note:
            st.caption(images.note)
        st.caption(
            "The right weights with the wrong pixels still give a plausible picture, so penviz measures the "
            "accuracy first. Nothing is drawn before you have seen it."
        )


def _chosen_elsewhere(who: Visitor, upload: Upload) -> str | None:
    """The images last chosen for another file, which this one is likely to be tried on too."""
    others = [other for other in who.uploads.values() if other is not upload]
    chosen = [st.session_state.get(f"dataset-{o.id}") or o.fields.get("dataset") for o in others]
    return next((source for source in reversed(chosen) if source), None)


def _unknown_network(upload: Upload) -> None:
    """What to do about a file that fits no known network: lines that write what this page accepts."""
    assert upload.report is not None
    st.warning(
        "No network that penviz knows has just these keys and shapes. Run these lines where your network is "
        "defined, and drop the zip here. Or name the network on the command line: `penviz extract FILE "
        "--model file.py:Name --dataset DATA --out DIR`.",
        icon=":material/help:",
    )
    st.code(capture_lines(upload.report), language="python", wrap_lines=True)


def _targets(upload: Upload, left: DeltaGenerator, right: DeltaGenerator) -> tuple[str, float | None]:
    """What the visitor says it was trained on, and alpha: None where it is not known."""
    targets = left.selectbox(
        "Trained on",
        list(TARGETS),
        _place(list(TARGETS), upload.fields.get("targets")),
        format_func=TARGETS.__getitem__,
        key=f"targets-{upload.id}",
        help="It cannot be read off the weights. Unknown is fine: then penviz draws no optimum and concludes "
        "nothing about the targets.",
    )
    alpha = right.number_input(
        "alpha",
        0.001,
        0.999,
        upload.fields.get("alpha", 0.1),
        0.05,
        key=f"alpha-{upload.id}",
        format="%.3f",
        disabled=targets != "uniform",
    )
    upload.fields |= {"targets": targets, "alpha": alpha}
    return targets, {"unknown": None, "hard": 0.0, "uniform": alpha}[targets]


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


def _arrays(who: Visitor, upload: Upload) -> None:
    """Which split these activations are, and of which run."""
    left, middle, right = st.columns(3)
    stem = Path(upload.name).stem
    guess = next((s for s in SPLITS if s in stem.lower()), SPLITS[0])
    bare = stem.removesuffix(guess).rstrip("-_.") or stem
    said = upload.fields
    name = left.text_input("Name in the grid", said.get("name", bare), 60, f"name-{upload.id}")
    split = middle.selectbox(
        "Split", SPLITS, _place(SPLITS, said.get("split", guess)), key=f"split-{upload.id}"
    )
    others = {
        other.id: other.name
        for other in who.uploads.values()
        if other is not upload
        and other.stage == "ready"
        and other.report is not None
        and other.report.holds_activations
    }
    partner = right.selectbox(
        "The other split, if it is here",
        list(others),
        _place(list(others), said["partner"]) if said.get("partner") in others else None,
        format_func=others.__getitem__,
        key=f"partner-{upload.id}",
        placeholder="one split is enough",
        disabled=not others,
    )
    upload.fields |= {"name": name, "split": split, "partner": partner}
    targets, alpha = _targets(upload, *st.columns(2))
    named = upload.report is not None and any(t.key == "class_names" for t in upload.report.tensors)
    names = "" if named else choose_names(upload, "Names of the classes", "numbers: class 0, class 1, ...")
    if st.button("Draw", type="primary", key=f"draw-{upload.id}"):
        files = {split: upload}
        if partner is not None:
            files["train" if split != "train" else "validation"] = who.uploads[partner]
        uploads.start_arrays(
            who, files, name, {"targets": targets, "label_smoothing": alpha, "class_names": names}
        )
        st.rerun()


def _drawn(who: Visitor, upload: Upload) -> None:
    """What came of it, and the way to the grid."""
    if upload.run is None:
        words = folder_text(upload.check) if upload.check else "It belongs to the run drawn beside it."
        st.html(f'<p class="pz-ask">{escape(words)}</p>')
        return
    words = "Three classes of it stand in the grid." if upload.quick else "It stands in the grid."
    st.html(f'<p class="pz-ask"><b>{words}</b></p>')
    with st.container(horizontal=True, vertical_alignment="center"):
        grid_link("See it in the grid", upload.run)
        if upload.quick:
            left = duration_text(upload.seconds_all)
            label = f"Continue with all ({left})" if left else "Continue with all"
            if st.button(label, key=f"all-{upload.id}"):
                uploads.start_drawing(who, upload, upload.choices["row"], None)
                st.rerun()
