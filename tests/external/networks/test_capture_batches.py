"""What `capture` takes for batches, and how it pairs their examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from captured_networks import pairs
from foreign_networks import K
from plain_networks import dataset, plain, state
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from penviz import InputError
from penviz.own_code.capture import capture
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.captured_run import CapturedRun
from penviz.store.run_differences import differences

pytestmark = pytest.mark.filterwarnings("ignore:.*class means stand in")


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
