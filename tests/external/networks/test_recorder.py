"""A film of a training loop of one's own: the loop is the same to the bit, the run is read as any other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captured_networks import pairs
from foreign_networks import Classifier, D, K
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from penviz import InputError
from penviz.figures import snapshot_animation
from penviz.own_code import recorder as recorder_module
from penviz.own_code.capture import capture
from penviz.own_code.recorder import Recorder
from penviz.store.captured_run import load
from penviz.store.runs import read_run
from penviz.store.snapshots import snapshots_path


def dataset(n: int, seed: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % K
    return TensorDataset(torch.randn(n, 3, 8, 8, generator=generator) + y[:, None, None, None], y)


def network_of(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Classifier(nn.Sequential(nn.Dropout(0.3), nn.Linear(D, K)))


def loaders() -> dict[str, Any]:
    return {
        "train": DataLoader(dataset(60, 1), 16, shuffle=True),
        "validation": DataLoader(dataset(30, 2), 16),
    }


def train(epochs: int, **options: Any) -> tuple[nn.Module, Recorder | None, list[dict[str, Any]]]:
    """A plain loop with dropout and shuffling, filmed where options say how; the weights at each epoch."""
    network, own = network_of(), loaders()
    torch.manual_seed(1)
    film = Recorder(network, own, name="mine", label_smoothing=0.1, **options) if options else None
    optimizer, history = torch.optim.SGD(network.parameters(), 0.1), []
    for _ in range(epochs):
        network.train()
        for x, y in own["train"]:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x), y, label_smoothing=0.1)
            loss.backward()
            optimizer.step()
        if film is not None:
            film.after_epoch(train_loss=loss.item())
            assert network.training
        history.append({k: v.clone() for k, v in network.state_dict().items()})
    return network, film, history


def test_the_training_is_the_same_to_the_bit() -> None:
    plain, filmed_ = train(3)[0], train(3, every=1)[0]
    for a, b in zip(plain.state_dict().values(), filmed_.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_film_holds_what_the_network_was_at_each_epoch(tmp_path: Path) -> None:
    network, film, history = train(5, every=2, per_class=4, directory=tmp_path / "mine")
    assert film is not None
    run = read_run(film.save())
    assert run.record["history"][4]["epoch"] == 5
    found = snapshot_animation.load(run)
    assert list(found) == ["train", "validation"]
    data = {"train": dataset(60, 1), "validation": dataset(30, 2)}
    for split, snapshots in found.items():
        assert snapshots.epochs.tolist() == [1, 2, 4, 5]
        assert np.bincount(snapshots.labels).tolist() == [4] * K
        assert snapshots.total.tolist() == [len(data[split]) // K] * K
        x, y = (tensor[snapshots.indices] for tensor in data[split].tensors)
        assert snapshots.labels.tolist() == y.tolist()
        for i, epoch in enumerate(snapshots.epochs):
            network.load_state_dict(history[epoch - 1])
            network.eval()
            with torch.no_grad():
                expected = network.body(x)  # type: ignore[operator]
            assert np.allclose(snapshots.features[i], expected, atol=2e-3 * float(expected.abs().max()))
            assert np.array_equal(snapshots.weight[i], history[epoch - 1]["fc.1.weight"])
    again, direct = load(tmp_path / "mine"), capture(network, loaders(), name="mine", label_smoothing=0.1)
    order = np.argsort(again.splits["train"].indices)
    theirs = direct.splits["train"]
    assert np.allclose(
        again.splits["train"].features[order], theirs.features[np.argsort(theirs.indices)], atol=1e-6
    )
    films = snapshot_animation.films_of([run], [found], ["class 0", "class 1", "class 2"])
    assert list(films[0].epochs) == [1, 2, 4, 5]


def test_a_training_that_diverges_is_warned_of_and_goes_on() -> None:
    network = network_of()
    film = Recorder(network, loaders(), name="mine")
    film.after_epoch()
    with torch.no_grad():
        network.body.conv.weight.fill_(torch.nan)  # type: ignore[union-attr]
    with pytest.warns(UserWarning, match="No snapshot of epoch 2: .*NaN"):
        film.after_epoch()
    assert film.snapshots["train"].epochs.tolist() == [1]


def test_inputs_of_several_shapes_are_run_as_they_came() -> None:
    batches = [(torch.randn(5, 3, side, side), torch.arange(5)) for side in (8, 12, 16)]
    film = Recorder(network_of(), {"test": batches}, name="mine", per_class=2)
    film.after_epoch()
    assert film.snapshots["test"].features.shape == (1, 10, D)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"every": 0}, "at least 1"),
        ({"head": "fc"}, "A film needs a linear head"),
        ({"class_names": "ab"}, "2 class names"),
        ({"label_smoothing": 2.0}, "at least 0 and below 1"),
        ({"directory": "used"}, "exists already"),
    ],
)
def test_what_cannot_be_filmed_is_said_before_the_first_epoch(
    options: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    if "directory" in options:
        options = {"directory": tmp_path / "used"}
    with pytest.raises(InputError, match=sentence):
        Recorder(network_of(), loaders(), name="mine", **options)


def test_inputs_too_many_to_keep_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "LARGEST_INPUTS", 4 * 3 * 64 * 20)
    with pytest.raises(InputError, match="per_class"):
        Recorder(network_of(), {"test": pairs()}, name="mine")
    film = Recorder(network_of(), {"test": pairs()}, name="mine", per_class=2)
    with pytest.raises(InputError, match="Say where"):
        film.save()


def test_a_real_training_with_lightning(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from penviz.own_code.lightning import PenvizCallback

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = network_of()

        def training_step(self, batch: Any, _: int) -> Any:
            loss = F.cross_entropy(self.net(batch[0]), batch[1], label_smoothing=0.1)
            self.log("train_loss", loss, on_epoch=True, on_step=False)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    own = loaders()
    callback = PenvizCallback(own, tmp_path / "soft", module="net", label_smoothing=0.1, per_class=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's own: few workers, few steps
        trainer = lightning.Trainer(
            max_epochs=3, accelerator="cpu", callbacks=[callback], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        module = Module()
        trainer.fit(module, own["train"])
    run = read_run(tmp_path / "soft")
    found = snapshot_animation.load(run)["validation"]
    assert (run.name, run.config.label_smoothing) == ("soft", 0.1)
    assert found.epochs.tolist() == [1, 2, 3]
    assert np.array_equal(found.weight[2], module.net.fc[1].weight.detach())
    assert [line["epoch"] for line in run.record["history"]] == [1, 2, 3]


def test_a_real_training_with_the_trainer_of_hugging_face(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")
    from captured_networks import hugging_face_vit

    from penviz.own_code.huggingface import PenvizCallback

    x, y = (torch.cat(part) for part in zip(*pairs(32, 40), strict=True))
    data = [{"pixel_values": a, "labels": int(b)} for a, b in zip(x, y, strict=True)]
    torch.manual_seed(0)
    network = hugging_face_vit()
    arguments = transformers.TrainingArguments(
        str(tmp_path / "out"), num_train_epochs=2, per_device_train_batch_size=8, label_smoothing_factor=0.1,
        report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, logging_strategy="no",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = transformers.Trainer(network, arguments, train_dataset=data)
        own = {"test": trainer.get_eval_dataloader(data)}
        trainer.add_callback(PenvizCallback(own, tmp_path / "soft", per_class=3))
        trainer.train()
    run = read_run(tmp_path / "soft")
    found = snapshot_animation.load(run)["test"]
    assert (run.config.targets, run.config.label_smoothing) == ("uniform", 0.1)
    assert found.epochs.tolist() == [1, 2]
    assert np.array_equal(found.weight[1], network.classifier.weight.detach())
    assert not np.array_equal(found.weight[0], found.weight[1])
    assert snapshots_path(tmp_path / "soft", "test").is_file()
