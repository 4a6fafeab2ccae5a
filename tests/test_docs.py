"""The code in README and docs: Python runs as it stands, and every command is one that penviz takes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from penviz.cli.main import application

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

NETWORKS = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(120, 3, 8, 8); y = torch.arange(120) % 10
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 10))
hard_net, soft_net = net(), net()
data = torch.utils.data.TensorDataset(x, y)
train_loader = val_loader = torch.utils.data.DataLoader(data, 40)
import penviz
names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
whole = penviz.capture
penviz.capture = lambda *a, **k: whole(*a, class_names=names, **k)
"""
"""Two networks and loaders of one's own, with the names that a data set would give its classes."""

PRELUDES = {"networks and loaders of one's own": NETWORKS, "runs of the checkout": "", "nothing": ""}
MARK = re.compile(r"<!-- (run with|not run): (.+?) -->")


@dataclass(frozen=True)
class Block:
    """One block of code, and the comment that stands over it."""

    page: Path
    line: int
    language: str
    text: str
    mark: str
    words: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        lines = page.read_text(encoding="utf-8").splitlines()
        start = None
        for number, line in enumerate(lines):
            if not line.startswith("```"):
                continue
            if start is None:
                start = number
                continue
            over = MARK.fullmatch(lines[start - 1].strip())
            mark, words = over.groups() if over else ("", "")
            text = "\n".join(lines[start + 1 : number])
            found.append(Block(page, start + 1, lines[start][3:].strip(), text, mark, words))
            start = None
        assert start is None, f"{page.name} has a block without an end"
    return found


BLOCKS = blocks()
PYTHON = [b for b in BLOCKS if b.language == "python"]
RUN = [b for b in PYTHON if b.mark == "run with"]


def commands() -> list[tuple[str, list[str]]]:
    """Every `penviz ...` of a block of commands, continued lines joined, words in capitals filled in."""
    found = []
    for block in BLOCKS:
        if block.language in ("", "sh"):
            for line in block.text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                at = next((i for i, word in enumerate(words) if word == "penviz"), None)
                runs = at is not None and (at == 0 or words[at - 1] == "-m")
                if at is not None and runs:
                    found.append((block.place, words[at + 1 :]))
    return found


def test_every_block_of_python_runs_or_says_why_not() -> None:
    assert [b.place for b in PYTHON if not b.mark] == []
    assert {b.words for b in RUN} <= PRELUDES.keys()


@pytest.mark.parametrize("block", RUN, ids=lambda b: b.place)
def test_python_runs_as_it_stands(block: Block, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    code = PRELUDES[block.words] + block.text
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    written = re.findall(r"(?:save|write_html|savefig)\([^\"\n]*\"([^\"]+)\"\)", block.text)
    assert all((tmp_path / name).exists() for name in written), written


@pytest.mark.parametrize(
    ("place", "words"), commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_command_is_one_that_penviz_takes(place: str, words: list[str]) -> None:
    group = typer.main.get_command(application())
    filled = ["0" if word == "S" else word.replace("$v", "v1") for word in words]
    context = group.make_context("penviz", filled, resilient_parsing=False)
    name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None, name
    command.make_context(name, rest, parent=context)
