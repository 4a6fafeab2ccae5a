"""The command line: its verbs and how it ends."""

from __future__ import annotations

from typing import Annotated

import typer

from penviz import InputError, __version__, exit_codes
from penviz.cli.app import open_app
from penviz.cli.calibrate import calibrate
from penviz.cli.demo import demo
from penviz.cli.distill import distill
from penviz.cli.erasure import erasure
from penviz.cli.extract import extract
from penviz.cli.figure import figure
from penviz.cli.inspection import inspect
from penviz.cli.measure import measure
from penviz.cli.models import models
from penviz.cli.strict_command import StrictCommand
from penviz.cli.sweep import sweep
from penviz.cli.train import train

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
    if exit_codes.n_ranks() > 1 and context.invoked_subcommand not in BY_RANKS:
        raise InputError(
            f"penviz {context.invoked_subcommand} runs in one process: start it without torchrun."
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
    exit_codes.run(application())
