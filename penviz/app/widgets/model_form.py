"""The form on a card of "Your model": what a visitor says of a file before it is checked or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz.app import uploads
from penviz.app.upload import Choices, Upload
from penviz.app.visitor import Visitor, data_directory
from penviz.app.widgets.data_choices import DataChoice
from penviz.app.widgets.snippets import capture_lines

TARGETS = {"unknown": "not known", "hard": "hard targets", "uniform": "label smoothing"}
SPLITS = ("validation", "train", "test")

LISTS = {
    "cifar10": ("CIFAR-10's: airplane, automobile, bird, ...", 10),
    "mnist": ("MNIST's: 0, 1, 2, ...", 10),
    "cifar100": ("CIFAR-100's: apple, aquarium_fish, baby, ...", 100),
    "imagenet": ("ImageNet's: tench, goldfish, great white shark, ...", 1000),
}
"""Name as of `--class-names` -> how it begins, and how many there are."""


def weights_form(who: Visitor, upload: Upload, choices: Sequence[DataChoice], missing: Sequence[str]) -> None:
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
    name = first.text_input("Name of the run", said.get("name", Path(upload.name).stem), 60, f"name-{key}")
    targets, alpha = _targets(upload, second, third)
    expected = fourth.number_input(
        "Expected accuracy, %",
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
    class_names = _choose_names(upload, *order) if images is not None and images.folder else ""
    wanted: Choices = {
        "class_names": class_names,
        "model": model,
        "dataset": dataset,
        "data_dir": str(data_directory()),
        "targets": targets,
        "label_smoothing": alpha,
        "expected": None if expected is None else expected / 100,
    }
    checked = bool(upload.check) and upload.choices == upload.choices | wanted
    if st.button(
        "Check again" if upload.check else "Check on 512 images",
        key=f"check-{key}",
        type="secondary" if checked else "primary",
        disabled=dataset is None,
    ):
        uploads.start_check(who, upload, wanted)
        st.rerun()
    if dataset is None:
        st.caption("Choose the images: the check runs 512 of them through each plausible input.")
    elif not upload.check:
        if images is not None and images.note:
            st.caption(images.note)
        st.caption(
            "The right weights with the wrong preprocessing still give a plausible picture, so penviz "
            "measures the accuracy first, and draws nothing until you have confirmed it."
        )


def arrays_form(who: Visitor, upload: Upload) -> None:
    """Which split these activations are, and of which run."""
    left, middle, right = st.columns(3)
    stem = Path(upload.name).stem
    guess = next((s for s in SPLITS if s in stem.lower()), SPLITS[0])
    bare = stem.removesuffix(guess).rstrip("-_.") or stem
    said = upload.fields
    name = left.text_input("Name of the run", said.get("name", bare), 60, f"name-{upload.id}")
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
    names = "" if named else _choose_names(upload, "Names of the classes", "numbers: class 0, class 1, ...")
    if st.button("Draw", type="primary", key=f"draw-{upload.id}"):
        files = {split: upload}
        if partner is not None:
            files["train" if split != "train" else "validation"] = who.uploads[partner]
        uploads.start_arrays(
            who, files, name, {"targets": targets, "label_smoothing": alpha, "class_names": names}
        )
        st.rerun()


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
        help=(
            "The weights do not show it. Unknown is fine: penviz then draws no optimum and concludes "
            "nothing about the targets."
        ),
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


def _choose_names(upload: Upload, label: str, plain: str) -> str:
    """The list that a visitor confirms, "" for none.

    Args:
        upload: whose file says how many classes there are; label: of the field; plain: what holds without.
    """
    n = upload.report.n_classes if upload.report else None
    fitting = {name: words for name, (words, k) in LISTS.items() if k == n}
    if not fitting:
        return ""
    options = {"": plain, **fitting}
    said = upload.fields.get("names")
    chosen = st.selectbox(
        label,
        list(options),
        _place(list(options), said),
        format_func=options.__getitem__,
        key=f"names-{upload.id}",
    )
    upload.fields["names"] = chosen
    return chosen


def _place(options: Sequence[str], said: str | None) -> int:
    """Where what was said before stands among the options; the first, if nowhere.

    A field is gone from the page while work takes its place, and comes back with what it said as its default:
    restored by session state alone it came back empty when a click was quicker than the browser's update.
    """
    return options.index(said) if said in options else 0
