"""The visitor's own runs: rename, download, keep, remove."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from functools import partial
from pathlib import Path

import streamlit as st

from penviz.app.catalogue import runs_directory
from penviz.app.uploads import being_made, remove
from penviz.app.visitor import Visitor, listens_locally
from penviz.app.widgets.controls import heading
from penviz.app.words import plain
from penviz.store.runs import Run, list_runs

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def your_runs(who: Visitor) -> None:
    """A line a run, with what can be done with it."""
    # A run that is written waits for the redraw that takes it over: listed earlier, its download would get a
    # new id then, and a click on the old one is lost.
    made_now = being_made(who)
    runs = [run for run in list_runs(who.runs_directory)[0] if run.directory not in made_now]
    if not runs:
        return
    heading("Your runs")
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center", key=f"mine-{run.name}"):
            scores = run.metrics.get(run.judged_on()) or next(iter(run.metrics.values()), {})
            score = f" · accuracy {100 * scores['accuracy']:.1f} %" if "accuracy" in scores else ""
            st.markdown(f"**{plain(run.name)}** · {plain(run.config.model)}{score}")
            drawn_now = any(upload.busy and upload.run == run.directory for upload in who.uploads.values())
            with st.popover("Rename", key=f"rename-{run.name}", disabled=drawn_now):
                _rename(who, run)
            st.download_button(
                "Download",
                partial(run_zip, run.directory),
                f"{run.name}.zip",
                on_click="ignore",
                key=f"zip-{run.name}",
                help="One .zip that penviz opens again: drop it here.",
            )
            if listens_locally() and st.button(
                "Keep", key=f"keep-{run.name}", help=f"Copy it to {runs_directory()}, where it stays."
            ):
                _keep(run)
            if st.button("Remove", key=f"forget-{run.name}", type="tertiary"):
                forget(who, run.directory)
                st.rerun()


def run_zip(directory: Path) -> bytes:
    """The files of a run as a .zip, stored: they are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(directory.iterdir()):
            if path.is_file():
                archive.write(path, f"{directory.name}/{path.name}")
    return buffer.getvalue()


def _rename(who: Visitor, run: Run) -> None:
    name = st.text_input("New name", run.name, key=f"name-{run.name}", max_chars=60)
    if name == run.name:
        return
    if not _NAME.fullmatch(name):
        st.warning("Use up to 60 of A-Z, a-z, 0-9, dot, hyphen and underscore; begin with a letter or digit.")
    elif (who.runs_directory / name).exists() or (runs_directory() / name).exists():
        st.warning(f"There is a run {name} already: choose another name.")
    elif st.button("Rename", key=f"rename-to-{run.name}"):
        target = who.runs_directory / name
        run.directory.rename(target)
        for upload in who.uploads.values():
            if upload.run == run.directory:
                upload.run = target
        st.rerun()


def _keep(run: Run) -> None:
    """Copy a run to the runs directory under a temporary name, then rename it."""
    target = runs_directory() / run.name
    if target.exists():
        st.warning(f"{runs_directory()} has a run {run.name} already: rename this one first.")
        return
    part = target.with_name(f".{run.name}.part")
    try:
        shutil.copytree(run.directory, part)
        os.replace(part, target)
    except OSError as error:
        st.warning(f"It cannot be written there: {error.strerror}.")
        return
    finally:
        shutil.rmtree(part, ignore_errors=True)
    st.toast(f"{run.name} is kept in {runs_directory()}.")


def forget(who: Visitor, directory: Path) -> None:
    """Remove a run and the upload that it came from."""
    shutil.rmtree(directory, ignore_errors=True)
    for upload in list(who.uploads.values()):
        if upload.run == directory:
            remove(who, upload)
