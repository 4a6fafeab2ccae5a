"""Arrays from anywhere become a run in memory: what is missing is derived, what is wrong is one sentence."""

from __future__ import annotations

import doctest
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from penviz import InputError
from penviz.projection.split_statistics import SplitStatistics
from penviz.store import run_from_arrays
from penviz.store.run_differences import differences
from penviz.store.run_from_arrays import from_arrays

K, D = 4, 6


def arrays(seed: int = 0, n: int = 40) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    weight = np.random.default_rng(9).normal(size=(K, D)).astype(np.float32)
    labels = np.arange(n) % K
    return {"features": weight[labels] + rng.normal(0, 0.5, (n, D)), "labels": labels, "weight": weight}


def test_a_head_gives_the_predictions_of_every_split() -> None:
    one, bias = arrays(), np.arange(K) / 10
    two = {s: arrays(i) for i, s in enumerate(("validation", "train"))}
    run = from_arrays(
        {s: a["features"] for s, a in two.items()},
        {s: a["labels"] for s, a in two.items()},
        name="mine",
        weight=one["weight"],
        bias=bias,
        label_smoothing=0.1,
        class_names="abcd",
    )
    assert list(run.splits) == ["train", "validation"]
    for split, a in two.items():
        expected = [int(np.argmax(one["weight"] @ x + bias)) for x in a["features"]]
        assert run.splits[split].predictions.tolist() == expected
    assert (run.run.config.targets, run.class_names) == ("uniform", tuple("abcd"))


def test_examples_are_paired_only_where_the_data_are_named() -> None:
    def made(**options: Any) -> Any:
        return from_arrays(name="mine", **arrays(), **options)

    def same(a: Any, b: Any) -> bool:
        return SplitStatistics.of(a.splits["validation"]).same_examples(
            SplitStatistics.of(b.splits["validation"])
        )

    assert same(made(dataset="cifar10"), made(dataset="cifar10"))
    assert not same(made(dataset="cifar10"), made(dataset="cifar100"))
    assert not same(made(), made())
    assert differences([made().run, made(label_smoothing=0.1).run]) == ["targets", "label_smoothing"]
    other = arrays() | {"labels": (np.arange(40) + 1) % K}
    assert differences([made().run, from_arrays(name="mine", **other).run]) == ["data"]


def test_arrays_of_torch_and_of_bfloat16_are_read() -> None:
    import torch

    one = arrays()
    x = torch.tensor(one["features"], dtype=torch.bfloat16, requires_grad=True)
    run = from_arrays(x, torch.tensor(one["labels"]), name="mine", weight=torch.tensor(one["weight"]))
    assert np.array_equal(run.splits["validation"].features, x.detach().float().numpy())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"features": np.zeros(3)}, r"validation: features must have shape \[n, d\]"),
        ({"labels": np.zeros(7, int)}, "one whole number for each row"),
        ({"labels": np.zeros(40)}, "one whole number for each row"),
        ({"labels": {"train": np.zeros(40, int)}}, "Features are of validation, and labels of train"),
        ({"labels": np.full(40, 9)}, "between 0 and 3"),
        ({"weight": np.zeros((D, K))}, "rows of 4 numbers and features have 6: a flax or Keras kernel"),
        ({"features": np.full((40, D), np.nan)}, "NaN or infinity"),
        ({"predictions": np.full(40, 9)}, "predictions must lie between 0 and 3"),
        ({"class_names": "abc"}, "3 class names, and weight has 4 rows"),
        ({"name": ""}, "a name"),
    ],
)
def test_what_does_not_fit_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        from_arrays(**({"name": "mine"} | arrays() | change))


def test_the_example_of_the_docs() -> None:
    assert doctest.testmod(run_from_arrays).failed == 0


def test_torch_is_not_needed_and_load_stays_a_function() -> None:
    code = "import sys, penviz; penviz.from_arrays; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    import penviz.own_code.capture

    with pytest.raises(InputError, match="no directory"):
        penviz.load("nowhere")  # type: ignore[operator]
