"""The command line: its verbs and how it ends."""

from __future__ import annotations

from typing import Annotated

import typer

from penviz import InputError, __version__, ending
from penviz.verbs.app import open_app
from penviz.verbs.calibrate import calibrate
from penviz.verbs.demo import demo
from penviz.verbs.distill import distill
from penviz.verbs.erasure import erasure
from penviz.verbs.extract import extract
from penviz.verbs.figure import figure
from penviz.verbs.inspection import inspect
from penviz.verbs.measure import measure
from penviz.verbs.models import models
from penviz.verbs.strict_command import StrictCommand
from penviz.verbs.sweep import sweep
from penviz.verbs.train import train

BY_RANKS = ("train", "distill", "extract")
"""Verbs whose work torchrun can deal to several processes."""


def _version(asked: bool) -> None:
    if asked:
        print(f"penviz {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See what training targets do to a classifier's penultimate layer."""
    if ending.n_ranks() > 1 and context.invoked_subcommand not in BY_RANKS:
        raise InputError(
            f"penviz {context.invoked_subcommand} is the work of one process: leave out torchrun."
        )


def application() -> typer.Typer:
    """All verbs, in the order in which help lists them."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="See what training targets do to a classifier's penultimate layer.",
    )
    verbs = (demo, train, sweep, distill, extract, inspect, measure, calibrate, erasure, figure, models)
    for verb in verbs:
        app.command(cls=StrictCommand)(verb)
    app.command(name="app", cls=StrictCommand)(open_app)
    app.callback()(_options)
    return app


def main() -> None:
    """Run a verb; bad input ends with one sentence on standard error and exit status 2."""
    ending.run(application())
