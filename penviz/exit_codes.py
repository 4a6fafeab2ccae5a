"""How a command ends: bad input is one sentence on standard error and exit status 2, never a traceback."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shlex
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from penviz import InputError
from penviz.store.atomic_write import FULL
from penviz.store.runs import read_run
from penviz.store.safe_text import safe_text

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each of the processes that it starts."""


def n_ranks() -> int:
    """Processes that torchrun started for this work; 1 without it, or where its numbers are none."""
    numbers = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    started = all(name in os.environ for name in TORCHRUN) and all(n.isdecimal() for n in numbers)
    return int(os.environ["WORLD_SIZE"]) if started else 1


def speaks() -> bool:
    """Whether this process is the one that speaks: of several ranks the first."""
    return n_ranks() == 1 or os.environ["RANK"] == "0"


def say(sentence: str) -> None:
    """One sentence for the user, on standard error; of several ranks only the first says it."""
    if speaks():
        print(safe_text(sentence, lines=True), file=sys.stderr, flush=True)


def say_finished(out: Path, *before: Path) -> None:
    """What came out of a training, and what comes next: to extract it, and the runs `before` it."""
    scores = ", ".join(f"{split} {values['accuracy']:.4f}" for split, values in read_run(out).metrics.items())
    command = shlex.join(["penviz", "extract", *map(str, [*before, out])])
    say(f"{out} is finished: accuracy {scores}. Next: {command}")


OUT_OF_MEMORY = (
    "This needs more memory than there is: a smaller --batch-size, --image-size or --per-class takes less, "
    "and --accumulate keeps the batch."
)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether an array did not fit: NumPy, an accelerator and torch on a CPU each say it in their own way."""
    words = ("DefaultCPUAllocator", "not enough memory")
    named = type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError)
    return named or (isinstance(error, RuntimeError) and any(word in str(error) for word in words))


def _leave(status: int | None) -> NoReturn:
    """End well. A rank ends at once: a thread of torch that asks for the interpreter late may abort it."""
    if n_ranks() > 1 and not status:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    sys.exit(status)


def _drop_output() -> None:
    """Forget what standard output has not taken, which Python would try to write once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(app: Callable[..., Any]) -> NoReturn:
    """Run a Typer application and leave the process; what is a bug still shows its traceback."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # else a word on the cache of a user without HOME
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd files, with lines of Pillow's source
    if isinstance(sys.stdout, io.TextIOWrapper):  # ? for a Greek letter that it cannot write
        sys.stdout.reconfigure(errors="replace")
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()  # here, where a full disk behind it is one sentence
        _leave(status)
    except InputError as error:
        say(str(error))
        sys.exit(2)
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except OSError as error:  # a full disk, a directory that may not be written
        what = error.strerror or str(error)
        where = f": {error.filename}" if error.filename else ""
        again = ": make room and give the command again" if error.errno in FULL else ""
        say(f"{what}{where}{again}.")
        _drop_output()
        sys.exit(2)
    except Exception as error:
        if _is_out_of_memory(error):
            say(OUT_OF_MEMORY)
            sys.exit(2)
        if not hasattr(error, "format_message"):
            raise
        if sentence := " ".join(error.format_message().split()):  # what typer says of a wrong command line
            say(sentence if sentence.endswith((".", "?")) else f"{sentence}.")
        sys.exit(getattr(error, "exit_code", 2))
