"""What a release says of itself is said once, and the same everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from penviz import __version__
from penviz.figures.methods import BIBTEX, NAMES

ROOT = Path(__file__).parents[1]


def test_one_version() -> None:
    assert f"version = {{{__version__}}}" in BIBTEX["penviz"]
    assert NAMES["penviz"] == f"penviz {__version__}"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__


def test_hosted_tests_run_the_commands_of_the_makefile_on_every_python() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    for job in jobs.values():
        assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
        assert oldest == f">={job['strategy']['matrix']['python'][0]}"
    made = [
        w
        for job in jobs.values()
        for step in job["steps"]
        for w in re.findall(r"make (\w+)", step.get("run", ""))
    ]
    assert made == ["test", "app"]
    assert set(made) <= set(targets)


def test_hooks_run_what_make_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = [hook["entry"].removeprefix(".venv/bin/") for hook in hooks]
    recipe = (ROOT / "Makefile").read_text().split("lint: ")[1].split("\n\n")[0]
    lint = [re.sub(r" \.$", "", line.removeprefix("\t$(BIN)/")) for line in recipe.splitlines()[1:]]
    assert entries[: len(lint)] == lint


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_verbs(shell: str) -> None:
    words = {"COMP_WORDS": "penviz me", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "penviz me"}
    script = Path(sys.executable).with_name("penviz")
    called = [sys.executable, "-c", "from penviz.cli.main import main; main()"]
    command = [str(script)] if script.exists() else called
    ended = subprocess.run(
        command,
        env=os.environ
        | words
        | {"_PENVIZ_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "measure" in ended.stdout
    assert "train" not in ended.stdout
