"""The page "Your model": drop a file, see what it is, check it by its accuracy, put it into the grid."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from penviz import InputError
from penviz.app import uploads
from penviz.app.style import style_sheet
from penviz.app.visitor import Visitor, data_directory, offers_disk, sandbox, visitor
from penviz.app.widgets.data_choices import checkpoints_below, data_choices, missing_sets
from penviz.app.widgets.model_card import card
from penviz.app.widgets.model_runs import your_runs
from penviz.app.widgets.snippets import SNIPPETS
from penviz.app.words import plain
from penviz.demo import EXAMPLE
from penviz.store.safe_text import safe_text

_NONCE = "dropped"
_REFUSED = "drop-refused"
"""Key in the session: why files of the last drop were not kept."""


def show_model() -> None:
    """Draw the page for this visitor."""
    st.html(style_sheet(st.context.theme.type == "dark"))
    with st.container(key="model"):
        st.html(
            '<h1 class="pz-finding">Your model</h1>'
            '<p class="pz-detail">Drop a checkpoint to see its classes on the page Clusters. penviz '
            "reads the file without running anything in it. It is kept in a private directory on the "
            "computer that runs penviz, and removed when you close this page.</p>"
        )
        who = visitor()
        sandbox().warm_up()  # torch takes seconds to import: start while the visitor looks for the file
        uploads.poll(who)
        _drop(who)
        _example(who)
        if offers_disk():
            _from_disk(who)
        busy = any(upload.busy for upload in who.uploads.values())
        st.fragment(_cards, run_every=1.0 if busy else None, key="cards")(who)
        your_runs(who)  # not polled: a redraw gives downloads new ids, and a click on an old one is lost
        if not who.uploads:
            _what_fits()
        missing = [words for limit, words in LIMITS.items() if sandbox().enforced.get(limit) is False]
        if missing:
            st.caption(f"On this system penviz reads your files without a limit on {', '.join(missing)}.")


def _drop(who: Visitor) -> None:
    """The place to drop files; each is written to the visitor's directory and Streamlit's copy let go."""
    number = st.session_state.get(_NONCE, 0)
    files = st.file_uploader(
        "Checkpoints, activations, saved runs, or a zip of images",
        accept_multiple_files=True,
        key=f"drop-{number}",
        help="state dicts (.pth, .pt, .safetensors), activations (.npz, .safetensors), a run saved by penviz "
        "or an image folder (.zip)",
    )
    for sentence in st.session_state.get(_REFUSED, []):
        st.error(sentence)
    if not files:
        return
    refused: list[str] = []
    st.session_state[_REFUSED] = refused
    for file in files:
        try:
            kept = who.workspace.keep(file.name, file, st.get_option("server.maxUploadSize") * 2**20)
        except InputError as error:
            refused.append(plain(f"{safe_text(file.name)}: {error}"))
            continue
        uploads.bring(who, file.name, kept.path, kept)
    st.session_state[_NONCE] = number + 1  # a fresh, empty place: the bytes are on disk now
    st.rerun()


def _example(who: Visitor) -> None:
    """A checkpoint to try the page with, until it is there."""
    if any(upload.path == EXAMPLE for upload in who.uploads.values()):
        return
    with st.container(horizontal=True, vertical_alignment="center", key="example"):
        if st.button("Try an example", key="try-example", icon=":material/play_arrow:"):
            uploads.bring_example(who, data_directory())
            st.rerun()
        st.caption("A CIFAR-10 network in the kind of file that training scripts save, on 1,000 test images.")


def _from_disk(who: Visitor) -> None:
    directory = data_directory()
    found = checkpoints_below(directory)
    if not found:
        return
    chosen = st.selectbox(
        "Or choose one of these",
        found,
        index=None,
        format_func=lambda path: str(Path(path).relative_to(directory)),
        key="from-disk",
        placeholder=f"{len(found)} files below {directory}",
    )
    if chosen is not None and st.button("Look at it", key="look"):
        uploads.bring(who, Path(chosen).name, Path(chosen))
        st.rerun()


def _cards(who: Visitor) -> None:
    """A card a file, newest first; polled while work is under way."""
    folders = {who.uploads[id].name: place for id, place in who.folders.items()}
    choices = data_choices(data_directory(), offers_disk(), folders)
    missing = missing_sets(data_directory())
    for upload in reversed(list(who.uploads.values())):
        card(who, upload, choices, missing)
    # After the cards, which hear a click that came with this run: to start again first would lose it. The
    # whole page, because the cards may poll less often then, or no longer.
    if uploads.poll(who):
        st.rerun()


def _what_fits() -> None:
    blocks = "".join(f"<div><b>{title}</b><p>{text}</p></div>" for title, text in FITS.items())
    st.html(f'<div class="pz-fits">{blocks}</div>')
    with st.expander("Bring a network that lives in your code: PyTorch, JAX or TensorFlow"):
        for name, text in SNIPPETS.items():
            st.markdown(f"**{name}**")
            st.code(text, language="python")


LIMITS = {
    "memory": "memory",
    "cpu_time": "processor time",
    "wall_time": "time",
    "file_size": "the size of files",
    "open_files": "open files",
    "processes": "further processes",
    "network": "the network",
    "reading": "files that it may read",
    "writing": "files that it may write",
    "system_calls": "system calls",
    "dies_with_app": "running after the app has closed",
}
"""What the sandbox enforces where the system lets it -> words."""

FITS = {
    "A checkpoint": "A state dict as <code>.pth</code>, <code>.pt</code> or <code>.safetensors</code>: "
    "penviz's own networks, CIFAR ResNets, every torchvision classifier, timm where it is installed. "
    "Wrappers such as <code>state_dict</code> and prefixes such as <code>module.</code> are undone.",
    "Activations": "From any framework: <code>features</code> [n, d], <code>labels</code> [n], and the last "
    "layer's <code>weight</code> [K, d] and <code>bias</code> [K] if it has them, one <code>.npz</code> "
    "for each split.",
    "Images": "penviz has 1,000 test images each of CIFAR-10 and CIFAR-100. To use your own, drop a "
    "<code>.zip</code> with <code>train/</code> and <code>validation/</code>, one folder for each class, "
    "beside the checkpoint and choose it there.",
}
"""What can be dropped: title -> text."""
