"""`penviz inspect`: a short report, a sentence for what is refused, no control characters."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from external.reader.small_files import floats, mapping, network, pickled, tensor, text, torch_zip

from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.report import FileReport
from penviz.external.reader.report_text import report_text

if TYPE_CHECKING:
    from conftest import Verb


def test_a_file_that_may_be_loaded(tmp_path: Path, penviz: Verb) -> None:
    path = tmp_path / "a.pt"
    state = {f"module.layers.{i}.weight": torch.full((2, 2), float(i)) for i in range(30)}
    state |= {
        "module.fc.weight": torch.ones(5, 2),
        "module.fc.bias": torch.tensor([0, 0, float("nan"), 0, 0]),
    }
    torch.save({"model": state, "epoch": 3, "args": argparse.Namespace(lr=0.1)}, path)
    status, out, err = penviz("inspect", path)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 110
    assert lines[0].startswith("a.pt: torch zip, ")
    for words in (
        "parameters  135 in 32 tensors (float32)",
        "classes     5: fc.weight [5, 2] with a bias",
        "unwrapped   key model, prefix module.",
        "also holds  epoch = 3",
        "args = Namespace(lr=0.1)",
        "not finite  NaN or infinity in fc.bias",
        "... 18 more tensors",
        "fc.weight",
    ):
        assert words in out, words
    status, out, err = penviz("inspect", path, "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert isinstance(said.pop("networks"), list)
    assert FileReport.from_json(said) == inspect_file(path)


def test_a_file_that_is_refused(tmp_path: Path, penviz: Verb) -> None:
    path = tmp_path / "a.pt"
    torch.save(torch.nn.Linear(2, 3), path)
    for options in ((), ("--json",)):
        status, out, err = penviz("inspect", path, *options)
        assert status == 2
        assert "torch.nn.modules.linear.Linear" in out
        assert err.startswith("Refused: This file holds a whole pickled module")
        assert (
            f'    weights = torch.load({str(path)!r}, map_location="cpu", weights_only=False).state_dict()'
            in err
        )
        assert "penviz extract --trust" in err
    status, out, err = penviz("inspect", tmp_path / "none.pt")
    assert (status, out) == (2, "")
    assert err == f"There is no file {tmp_path / 'none.pt'}.\n"


def test_a_file_cannot_write_on_the_terminal(tmp_path: Path, penviz: Verb) -> None:
    items = {"w": tensor("0", (4,)), "arch\x1b[2J": text("\x1b]0;x\x07\u202e\n")}
    path = tmp_path / "a\x1b[2J.pt"
    path.write_bytes(torch_zip(pickled(mapping(items)), {"0": floats(4)}))
    _, out, err = penviz("inspect", path)
    assert all(c == "\n" or c.isprintable() for c in out + err)


def test_the_text_of_every_kind_of_report(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(network(3))
    assert report_text(inspect_file(path)).splitlines()[-4:] == [
        "",
        "  body.weight  8 x 3 x 3 x 3  float32",
        "  head.weight          3 x 8  float32",
        "  head.bias                3  float32",
    ]
    path.write_bytes(b"")
    assert report_text(inspect_file(path)).splitlines()[0] == "a.pt: empty, 0 bytes"
