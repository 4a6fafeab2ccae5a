"""`capture` reads what a plain hook would, from every kind of network and loader, and changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from captured_networks import KINDS, NO_HEAD, Kind, pairs
from foreign_networks import Classifier, D, K
from plain_networks import dataset, plain, state
from torch import Tensor, nn
from torch.utils.data import DataLoader

from penviz import InputError
from penviz.own_code.capture import capture
from penviz.store import shards

pytestmark = pytest.mark.filterwarnings("ignore:.*class means stand in")


def network_of(kind: Kind, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return kind.make()


def reference(kind: Kind, network: nn.Module) -> tuple[np.ndarray | None, np.ndarray]:
    """What a hook on the layer stores, read as the kind says, and the scores, batch by batch."""
    inner = getattr(network, "_orig_mod", getattr(network, "module", network))
    stored: list[Tensor] = []
    features, scores = [], []
    if kind.layer:
        network.get_submodule(kind.layer).register_forward_pre_hook(lambda _, a: stored.append(a[0].clone()))
    network.eval()
    with torch.no_grad():
        for batch in kind.batches():
            left_out = ("labels", "idx")
            named = {k: v for k, v in batch.items() if k not in left_out} if isinstance(batch, dict) else {}
            out = inner.forward(**named) if named else inner.forward(batch[0])
            out = out if isinstance(out, Tensor) else out[0] if isinstance(out, tuple) else out["logits"]
            scores.append(out.float().numpy())
            if kind.layer:
                features.append(kind.reading(stored[-1]).flatten(1).float().numpy())
    return np.concatenate(features) if features else None, np.concatenate(scores)


@pytest.mark.parametrize("name", KINDS)
def test_a_capture_is_what_a_hook_stores(name: str) -> None:
    kind = KINDS[name]
    network = network_of(kind)
    frozen = next(iter(network.children()))
    frozen.eval().requires_grad_(False)  # part of it frozen, as in fine-tuning
    before = state(network)
    run = capture(network, {"validation": kind.batches()}, name="mine", label_smoothing=0.1)
    assert state(network) == before
    found = run.splits["validation"]
    features, scores = reference(kind, network)
    assert np.array_equal(found.predictions, scores.argmax(1))
    proof = run.run.record["adopted"]["head"]
    if name in NO_HEAD:
        assert found.head is None
        assert "class means stand in" in proof["sentence"]
        return
    assert found.head is not None, proof
    assert features is not None
    assert np.array_equal(found.features, features)
    made = found.logits()
    if name in ("probabilities", "log-probabilities"):
        scores = np.log(scores) if name == "probabilities" else scores
        made, scores = made - made.mean(1, keepdims=True), scores - scores.mean(1, keepdims=True)
    spread = np.linalg.norm(scores - scores.mean(1, keepdims=True))
    assert np.linalg.norm(made - scores) < (2e-2 if name == "bfloat16" else 1e-5) * spread
    y = found.labels
    nll = np.mean(
        np.log(np.exp(made - made.max(1, keepdims=True)).sum(1))
        + made.max(1)
        - made[np.arange(24 if len(y) == 24 else len(y)), y]
    )
    assert run.run.metrics["validation"]["nll"] == pytest.approx(
        nll, rel=2e-2 if name == "bfloat16" else 1e-4
    )


def test_the_list_names_at_least_25_kinds_and_at_most_5_without_a_head() -> None:
    assert len(KINDS) >= 25
    assert len(NO_HEAD) <= 5
    assert set(NO_HEAD) == {name for name, kind in KINDS.items() if not kind.layer}


class Broken:
    """A loader that draws numbers of every kind, and fails after two batches."""

    def __iter__(self) -> Iterator[Any]:
        for i, one in enumerate(pairs()):
            random.random(), np.random.rand(), torch.rand(1)
            if i == 2:
                raise OSError("the disk is gone")
            yield one


def test_all_is_as_before_when_the_loader_fails() -> None:
    network = plain()
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    before = state(network)
    with pytest.raises(OSError, match="the disk is gone"):
        capture(network, Broken(), name="mine")
    assert state(network) == before
    loader = DataLoader(dataset(), 8, shuffle=True, generator=torch.Generator().manual_seed(1))
    own, sampler = loader.generator.get_state(), loader.batch_sampler
    with pytest.raises(InputError, match="outputs"):
        capture(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), loader, name="mine")
    assert torch.equal(loader.generator.get_state(), own)
    assert loader.batch_sampler is sampler


def test_drawn_numbers_do_not_change_what_follows() -> None:
    network, loader = plain(), DataLoader(dataset(), 8, shuffle=True)
    torch.manual_seed(5)
    expected = [y.tolist() for _, y in loader]
    torch.manual_seed(5)
    capture(network, loader, name="mine")
    assert [y.tolist() for _, y in loader] == expected


def test_a_network_without_class_scores_is_one_sentence() -> None:
    body = Classifier(nn.Linear(D, K), lambda fc, h: h[:, :, None])
    with pytest.raises(InputError, match="one row of class scores"):
        capture(body, pairs(), name="mine")
    with pytest.raises(InputError, match="one output"):
        capture(Classifier(nn.Linear(D, 1)), pairs(), name="mine")
    for given, sentence in (
        (len, "try from_arrays"),
        (nn.Linear, r"pass an instance, Linear\(\)"),
        ("net.pth", "penviz extract net.pth"),
    ):
        with pytest.raises(InputError, match=sentence):
            capture(given, pairs(), name="mine")  # type: ignore[arg-type]


def test_class_means_in_place_of_a_head_are_said_at_once() -> None:
    kind = KINDS[NO_HEAD[0]]
    with pytest.warns(UserWarning, match="class means stand in for the head"):
        run = capture(network_of(kind), {"validation": kind.batches()}, name="mine")
    assert "class means stand in for its head" in repr(run)


def test_a_head_may_be_named_or_left_out() -> None:
    network = KINDS["MLP head"].make()
    for head in ("fc.2", network.fc[2]):
        assert capture(network, pairs(), name="mine", head=head).splits["validation"].head is not None
    first = capture(network, pairs(), name="mine", head="fc.0")
    assert first.splits["validation"].head is None
    assert first.splits["validation"].features.shape == (24, D)
    assert "fc.0 does not give the logits" in first.run.record["adopted"]["head"]["sentence"]
    none = capture(network, pairs(), name="mine", head=False)
    assert none.splits["validation"].head is None
    assert none.splits["validation"].features.shape == (24, 20)
    parallel = nn.DataParallel(plain())
    assert capture(parallel, pairs(), name="mine", head="module.fc").splits["validation"].head is not None


def test_a_head_that_fails_later_is_no_head() -> None:
    class Fickle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.other = plain(), nn.Linear(192, K)

        def forward(self, x: Tensor) -> Tensor:
            out = self.inner(x)
            return torch.where(x[:, :1, 0, 0] > 90, self.other(x.flatten(1)), out)

    batches = pairs()
    later = batches[-1][0].clone()
    later[:, 0, 0, 0] = 100
    run = capture(Fickle(), [*batches, (later, batches[-1][1])], name="mine")
    assert run.splits["validation"].head is None
    assert "over all examples it is off" in run.run.record["adopted"]["head"]["sentence"]
    assert capture(Fickle(), batches, name="mine").splits["validation"].head is not None


def test_autocast_gives_its_own_features_and_the_head_all_the_same() -> None:
    network = plain()
    with torch.autocast("cpu", torch.bfloat16):
        run = capture(network, pairs(), name="mine")
    found, full = run.splits["validation"], capture(network, pairs(), name="mine").splits["validation"]
    assert found.head is not None
    assert not np.array_equal(found.features, full.features)
    assert np.allclose(found.features, full.features, atol=0.05)
    assert run.run.record["adopted"]["autocast"] == "torch.bfloat16"


def test_many_features_go_to_a_file_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = capture(plain(), DataLoader(dataset(), 8), name="mine").splits["validation"].features
    monkeypatch.setattr(shards, "LARGEST_FILE", 4 * D * 20)
    found = capture(plain(), DataLoader(dataset(), 8), name="mine").splits["validation"].features
    base: Any = found
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert np.array_equal(found, expected)


def test_only_splits_that_are_named_are_unseen() -> None:
    assert capture(plain(), {"test": pairs()}, name="mine").run.seen_word("test") == "unseen"
    assert capture(plain(), pairs(), name="mine").run.seen_word("validation") == "may be seen"


def test_names_are_the_data_sets_or_the_networks() -> None:
    data = dataset()
    data.classes = list("vwxyz")  # type: ignore[attr-defined]
    assert capture(plain(), DataLoader(data, 8), name="mine").class_names == tuple("vwxyz")
    own = capture(plain(), DataLoader(data, 8), name="mine", class_names="abcde")
    assert own.class_names == tuple("abcde")
    assert capture(plain(), pairs(), name="mine").class_names[0] == "class 0"


def test_a_moved_network_comes_back() -> None:
    network = plain()
    before = state(network)
    run = capture(network, pairs(), name="mine", device="cpu")
    assert state(network) == before
    assert run.splits["validation"].head is not None
    for device, sentence in (("meta", "cannot be moved to meta"), ("abacus", "no device abacus")):
        with pytest.raises(InputError, match=sentence):
            capture(network, pairs(), name="mine", device=device)
    assert state(network) == before
