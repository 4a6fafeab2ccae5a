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
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from penviz import InputError
from penviz.own_code.capture import capture
from penviz.projection.split_statistics import SplitStatistics
from penviz.store import shards
from penviz.store.captured_run import CapturedRun
from penviz.store.run_differences import differences

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


def state(network: nn.Module) -> dict[str, Any]:
    """All that must be as it was."""
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    hooks = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks")
    numpy_state = np.random.get_state()
    return {
        "modes": [m.training for m in network.modules()],
        "hooks": [len(getattr(m, name)) for m in network.modules() for name in hooks],
        "compiled": [getattr(m, "_compiled_call_impl", None) for m in network.modules()],
        "tensors": {k: (id(t), t.dtype, t.device, t.requires_grad, t.data_ptr()) for k, t in tensors.items()},
        "values": {k: t.detach().double().sum().item() for k, t in tensors.items()},
        "gradients": [None if p.grad is None else id(p.grad) for p in network.parameters()],
        "random": (
            random.getstate(),
            numpy_state[1].tolist(),
            numpy_state[2],
            torch.get_rng_state().tolist(),
        ),
        "precision": (torch.get_float32_matmul_precision(), torch.is_grad_enabled()),
    }


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


def plain(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Classifier(nn.Linear(D, K))


def dataset(n: int = 40) -> TensorDataset:
    generator = torch.Generator().manual_seed(7)
    return TensorDataset(torch.randn(n, 3, 8, 8, generator=generator), torch.arange(n) % K)


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


class Stream(IterableDataset):  # type: ignore[type-arg]
    def __init__(self, rows: list[int]):
        self.rows, self.data = rows, dataset()

    def __iter__(self) -> Iterator[Any]:
        return (self.data[row] for row in self.rows)


def by_index(run: CapturedRun) -> np.ndarray:
    a = run.splits["validation"]
    return a.features[np.argsort(a.indices)]


def same(a: CapturedRun, b: CapturedRun) -> bool:
    return SplitStatistics.of(a.splits["validation"]).same_examples(
        SplitStatistics.of(b.splits["validation"])
    )


def test_examples_are_paired_by_what_they_are_and_not_by_their_place() -> None:
    hard, soft = plain(0), plain(1)
    torch.manual_seed(3)
    shuffled = DataLoader(dataset(), 8, shuffle=True)
    first = capture(hard, DataLoader(dataset(), 8), name="hard")
    second = capture(soft, shuffled, name="soft")
    again = capture(hard, shuffled, name="hard, shuffled")
    assert first.splits["validation"].indices.tolist() == list(range(40))
    rows = second.splits["validation"].indices
    assert rows.tolist() != list(range(40))
    assert np.array_equal(second.splits["validation"].labels, rows % K)
    assert same(first, second)
    assert np.allclose(by_index(first), by_index(again), atol=1e-6)
    assert first.run.config.dataset == second.run.config.dataset
    # without rows the inputs rank the examples, so that the order does not matter
    order = np.random.default_rng(0).permutation(40).tolist()
    streams = [capture(hard, DataLoader(Stream(rows), 8), name="s") for rows in (list(range(40)), order)]
    assert same(*streams)
    assert np.allclose(by_index(streams[0]), by_index(streams[1]), atol=1e-6)
    assert streams[0].splits["validation"].indices.tolist() != list(range(40))
    # other images under the same labels and rows are another data set
    changed = TensorDataset(dataset().tensors[0] + 1, dataset().tensors[1])
    assert not same(first, capture(hard, DataLoader(changed, 8), name="other"))


def test_other_data_are_those_whose_validation_differs() -> None:
    changed = TensorDataset(dataset().tensors[0] + 0.1, dataset().tensors[1])

    def made(train: TensorDataset, validation: TensorDataset, alpha: float, **options: Any) -> Any:
        loaders = {"train": DataLoader(train, 8, shuffle=True), "validation": DataLoader(validation, 8)}
        return capture(plain(), loaders, name="mine", label_smoothing=alpha, **options).run

    hard = made(dataset(), dataset(), 0.0)
    assert differences([hard, made(dataset(), dataset(), 0.1)]) == ["targets", "label_smoothing"]
    augmented = made(changed, dataset(), 0.1)
    assert differences([hard, augmented]) == ["targets", "label_smoothing"]
    assert "data" in differences([hard, made(dataset(), changed, 0.1)])
    few = [made(dataset(), dataset(), alpha, max_per_class=3) for alpha in (0.0, 0.1)]
    assert differences(few) == ["targets", "label_smoothing"]


def test_workers_and_samplers_say_their_rows() -> None:
    from torch.utils.data import Subset, WeightedRandomSampler

    torch.manual_seed(0)
    workers = DataLoader(Subset(dataset(), range(30)), 7, shuffle=True, num_workers=1)
    found = capture(plain(), workers, name="mine").splits["validation"]
    assert sorted(found.indices.tolist()) == list(range(30))
    assert np.array_equal(found.labels, found.indices % K)
    drawn = DataLoader(dataset(), 8, sampler=WeightedRandomSampler([1.0] * 40, 60))
    run = capture(plain(), drawn, name="mine")
    found = run.splits["validation"]
    assert len(set(found.indices.tolist())) == len(found) < 40
    assert run.run.record["adopted"]["captured"]["validation"]["repeated"] == 60 - len(found)
    assert found.class_totals().sum() == len(found)


def test_a_batch_may_be_a_dict_a_longer_tuple_or_anything_that_is_explained() -> None:
    expected = capture(plain(), pairs(), name="mine").splits["validation"]
    forms: dict[str, tuple[list[Any], Any]] = {
        "longer": ([(x, y, ["path"] * len(y)) for x, y in pairs()], None),
        "dict": ([{"image": x, "label": y, "path": ""} for x, y in pairs()], None),
        "list of labels": ([[x, y.tolist()] for x, y in pairs()], None),
        "column": ([(x, y[:, None]) for x, y in pairs()], None),
        "own": ([{"a": x, "b": y} for x, y in pairs()], lambda b: (b["a"], b["b"])),
        "named": ([{"a": x, "b": y} for x, y in pairs()], lambda b: ({"x": b["a"]}, b["b"])),
        "float64": ([(x.double(), y) for x, y in pairs()], None),
    }
    for form, (batches, batch) in forms.items():
        found = capture(plain(), batches, name="mine", batch=batch).splits["validation"]
        assert np.array_equal(found.features, expected.features), form
        assert np.array_equal(found.labels, expected.labels), form


@pytest.mark.parametrize(
    ("batches", "options", "sentence"),
    [
        ([], {}, "no batches"),
        ([(torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, K]))], {}, rf"between 0 and {K - 1}"),
        ([(torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, -1]))], {}, "Labels run from -1"),
        ([(torch.full((4, 3, 8, 8), torch.nan), torch.arange(4))], {}, "NaN"),
        ([{"a": torch.zeros(4), "b": torch.zeros(4)}], {}, "dict of a, b.*pass batch="),
        ([torch.randn(4, 3, 8, 8)], {}, "not Tensor: pass batch="),
        (
            [(torch.randn(4, 3, 8, 8), torch.rand(4, K))],
            {},
            "one whole number for each example, not float32 of 4 x 5",
        ),
        ([(torch.randn(4, 3, 8, 8), torch.arange(3))], {}, "3 labels"),
        ([("picture.png", torch.arange(3))], {}, "no tensor"),
        ([(torch.randn(4, 1, 8, 8), torch.arange(4))], {}, "does not run on images of 1 x 8 x 8"),
        ([(torch.randn(1, 3, 8, 8), torch.arange(1))], {}, "two examples"),
        (pairs(), {"head": "classifier"}, "no layer classifier.*body"),
        (pairs(), {"class_names": ["a", "b"]}, "2 class names, and the network has 5"),
        (pairs(), {"max_per_class": 0}, "at least 1"),
        (pairs(), {"batch": lambda b: b[0]}, r"must return \(inputs, labels\)"),
        ({"held": pairs()}, {}, "no split held"),
        ({}, {}, "there are none"),
        (pairs(), {"targets": "sampled"}, "State the label smoothing"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(batches: Any, options: dict[str, Any], sentence: str) -> None:
    network = plain()
    before = state(network)
    with pytest.raises(InputError, match=sentence) as caught:
        capture(network, batches, name="mine", **options)
    assert "\n" not in str(caught.value)
    assert state(network) == before


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


def test_what_is_no_loader_says_the_way_to_one() -> None:
    loader = DataLoader(dataset(), 8)
    for given, sentence in (
        (dataset(), "wrap it in a DataLoader"),
        (object(), "gives no batches"),
        ([loader, loader], "Several loaders need names"),
        ({"val": loader}, "call val validation"),
    ):
        with pytest.raises(InputError, match=sentence):
            capture(plain(), given, name="mine")


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


def test_some_of_each_class_are_the_first_that_come() -> None:
    whole = capture(plain(), {"train": DataLoader(dataset(), 8)}, name="mine").splits["train"]
    few = capture(plain(), {"train": DataLoader(dataset(), 8)}, name="mine", max_per_class=3).splits["train"]
    assert few.indices.tolist() == list(range(15))
    assert np.allclose(few.features, whole.features[:15], atol=1e-6)
    assert few.class_totals().tolist() == [8] * K
    uneven = TensorDataset(dataset().tensors[0], torch.tensor([0] * 36 + [1, 2, 3, 4]))
    found = capture(plain(), DataLoader(uneven, 7), name="mine", max_per_class=2).splits["validation"]
    assert found.labels.tolist() == [0, 0, 1, 2, 3, 4]
    assert found.class_totals().tolist() == [36, 1, 1, 1, 1]


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
