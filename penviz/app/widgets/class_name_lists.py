"""Standard lists of class names, proposed where a file has as many classes and the visitor confirms one."""

from __future__ import annotations

import streamlit as st

from penviz.app.upload import Upload

LISTS = {
    "cifar10": ("CIFAR-10's: airplane, automobile, bird, ...", 10),
    "mnist": ("MNIST's: 0, 1, 2, ...", 10),
    "cifar100": ("CIFAR-100's: apple, aquarium_fish, baby, ...", 100),
    "imagenet": ("ImageNet's: tench, goldfish, great white shark, ...", 1000),
}
"""Name as of `--class-names` -> how it begins, and how many there are."""


def choose_names(upload: Upload, label: str, plain: str) -> str:
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
        list(options).index(said) if said in options else 0,
        format_func=options.__getitem__,
        key=f"names-{upload.id}",
    )
    upload.fields["names"] = chosen
    return chosen
