"""`penviz distill`: a student of a teacher, and the fair test of several teachers."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Unpack

import typer

from penviz.cli import options
from penviz.cli.options import check_progress, check_resumed, data_of, set_threads
from penviz.exit_codes import n_ranks, say, say_finished
from penviz.store.run_config import RunError
from penviz.store.runs import read_run

OF_TESTS = ("student", "temperatures", "seeds")
"""Options that say nothing about a single student."""

OF_ONE = ("temperature", "seed", "validate_every", "compiled")
"""Options that say nothing about a test of teachers, which chooses these itself or cannot use them."""


@options.with_network_settings
def distill(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(help="A teacher's run and the student's network; with --pilot or --sweep, teachers."),
    ],
    *,
    out: Annotated[
        Path, typer.Option(help="Directory of the student; with --pilot or --sweep, of all students.")
    ],
    student: Annotated[
        str | None, typer.Option(help="With --pilot or --sweep: network of the students.")
    ] = None,
    pilot: Annotated[
        bool,
        typer.Option(
            "--pilot",
            help="The fair test: every teacher at every temperature, the student alone, three seeds.",
        ),
    ] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="As figure 5 of the paper: soft teachers at T = 1 only.")
    ] = False,
    temperature: Annotated[
        float, typer.Option(help="Temperature that the teacher's logits are divided by.")
    ] = 1.0,
    weight: Annotated[
        float, typer.Option(help="Share of the teacher in the loss; the rest has hard targets.")
    ] = 1.0,
    student_temperature: Annotated[
        float,
        typer.Option(help="Temperature that the student's logits are divided by in the teacher's share."),
    ] = 1.0,
    loss: Annotated[str, typer.Option(help="cross-entropy, or squared-logits.")] = "cross-entropy",
    temperatures: Annotated[
        str, typer.Option(help="With --pilot or --sweep: temperatures to try.")
    ] = "1,2,4",
    seeds: Annotated[str, typer.Option(help="With --pilot or --sweep: seeds of the students.")] = "0,1,2",
    seed: Annotated[int, typer.Option(help="Seed of the student's weights, order and augmentation.")] = 0,
    dataset: options.Where = "",
    trust: options.Trust = False,
    data_dir: options.DataDir = Path("data"),
    device: options.Device = "auto",
    threads: options.Threads = None,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Epochs between evaluations of a single student.")
    ] = 1,
    compiled: options.Compiled = False,
    resume: options.Resume = False,
    progress: options.ProgressKind = "bar",
    **settings: Unpack[options.NetworkSettings],
) -> None:
    """Train a student on a teacher's probabilities, or test teachers with --pilot."""
    progress = check_progress(progress)
    chosen: dict[str, Any] = {
        "distillation_weight": weight,
        "student_temperature": student_temperature,
        "distillation_loss": loss,
        **settings,
        "milestones": tuple(settings["milestones"] or ()) or None,
    }
    command = shlex.join(["penviz", *sys.argv[1:]])
    if pilot and sweep:
        raise RunError("Choose --pilot or --sweep.")
    _refuse_ignored(context, is_test=pilot or sweep)
    if (pilot or sweep) and n_ranks() > 1:
        raise RunError("A test of teachers runs in one process: start it without torchrun.")
    if pilot or sweep:
        if student is None:
            raise RunError("Name the students' network with --student: see penviz models.")
        kind = "pilot" if pilot else "sweep"
        tried = [_number(word, "--temperatures") for word in temperatures.split(",")]
        numbers = [_seed(word) for word in seeds.split(",")]
        where = {"out": out, "data_dir": data_dir, "dataset": dataset, "device": device, "command": command}
        _test(kind, runs, student, tried, numbers, chosen, where, threads, progress, trust)
        return
    if len(runs) != 2:
        raise RunError("Give a teacher's run and the student's network, or several teachers with --pilot.")
    if out.is_dir() and any(out.iterdir()) and not resume:
        raise RunError(f"{out} is not empty: choose another --out, or continue it with --resume.")
    check_resumed(out, resume)
    teacher = read_run(runs[0])
    from penviz.cli import terminal
    from penviz.external.importing.adopted_network import network_of
    from penviz.training import data, models, students
    from penviz.training import progress as progressing
    from penviz.training.ranks import Ranks
    from penviz.training.train_options import TrainOptions

    models.architecture(runs[1])
    set_threads(threads)
    config = students.student_config(teacher, runs[1], dataset, seed=seed, temperature=temperature, **chosen)
    ranks = Ranks.of_torchrun()
    with ranks.joined(device):
        with ranks.one_first(config.dataset in data.BUILT_IN):
            loaded = data_of(config, data_dir)
        try:
            with progressing.stop_on_signal() as stopped, terminal.TrainingProgress(progress) as report:
                students.distil(
                    config,
                    loaded,
                    teacher,
                    out,
                    TrainOptions(
                        resume=resume,
                        device=device,
                        validate_every=validate_every,
                        report=report,
                        say=say,
                        stopped=stopped,
                        command=command,
                        compiled=compiled,
                    ),
                    load=partial(network_of, trust=trust),
                    ranks=ranks,
                )
        except progressing.Stopped as stop:
            say(str(stop))
            raise typer.Exit(130) from None
        if ranks.first:
            say_finished(out, Path(runs[0]))


def _refuse_ignored(context: typer.Context, *, is_test: bool) -> None:
    """Say which option would be ignored, instead of ignoring it."""
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    for name in OF_ONE if is_test else OF_TESTS:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            alone = "is for a single student: a test of teachers does not use it"
            raise RunError(f"{names[name]} {alone if is_test else 'needs --pilot or --sweep'}.")


def _number(word: str, option: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise RunError(f"{option} takes numbers with commas between them, such as 1,2,4.") from None


def _seed(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise RunError("--seeds takes whole numbers with commas between them, such as 0,1,2.") from None


def _test(
    kind: str,
    runs: list[str],
    student: str,
    temperatures: list[float],
    seeds: list[int],
    chosen: dict[str, Any],
    where: dict[str, Any],
    threads: int | None,
    progress: str,
    trust: bool,
) -> None:
    teachers = tuple(read_run(run) for run in runs)
    from penviz.cli import terminal
    from penviz.external.importing.adopted_network import network_of
    from penviz.training import models, pilot
    from penviz.training import progress as progressing
    from penviz.training.pilot_request import Request

    models.architecture(student)
    set_threads(threads)
    request = Request(
        teachers,
        student,
        kind=kind,
        temperatures=tuple(temperatures),
        seeds=tuple(seeds),
        chosen=chosen,
        **where,
    )
    test = pilot.Test(request, say, partial(network_of, trust=trust))
    n, left = test.n_students(), test.n_left()
    those = f"{n} students" if left == n else f"{n} students, {n - left} of them trained already"
    say(f"{those}: about {terminal.duration(test.expected_seconds())} on this machine.")
    try:
        with progressing.stop_on_signal() as stopped, terminal.TrainingProgress(progress) as report:
            found = test.run(report, stopped)
    except progressing.Stopped:
        say("Stopped; what is done is kept. Continue with the same command.")
        raise typer.Exit(130) from None
    print("\n".join(terminal.pilot_lines(found)))
    say(f"Wrote {request.out / 'pilot.json'} and pilot.csv; the page Distillation shows them.")
