"""How a network is trained when nothing else is said, and the learning rate over a run."""

from __future__ import annotations

from typing import Any

from penviz.store.run_config import RunConfig
from penviz.training import models, pets, zoo


def learning_rate(config: RunConfig, step: int, total: int) -> float:
    """Learning rate of a step (from 0) of `total`.

    "steps": lr, divided by 10 at each milestone passed. "one-cycle": linear from lr/10 to lr over the first
    fifth, then linear to lr/1000. "constant": lr.
    """
    if config.schedule == "constant":
        return config.lr
    done = step / total
    if config.schedule == "steps":
        return config.lr * 0.1 ** sum(done >= m for m in config.milestones)
    rise = 0.2
    if done < rise:
        return config.lr * (0.1 + 0.9 * done / rise)
    return config.lr * max(0.001, (1 - done) / (1 - rise))


def network_name(dataset: str, model: str) -> str:
    """The whole name of a network: `resnet34` is torchvision's, and `pets-fastai` has fastai's head on it."""
    name = zoo.ALIASES.get(model, model)
    if dataset == "pets-fastai" and name.startswith(zoo.PREFIX) and not name.endswith(zoo.FASTAI):
        name += zoo.FASTAI
    return name


def default_config(
    dataset: str,
    model: str,
    image_shape: tuple[int, int, int],
    label_smoothing: float | None = None,
    targets: str | None = None,
    **chosen: Any,
) -> RunConfig:
    """A RunConfig with the network's recipe, fitted to the images, and what was chosen by hand on top.

    Args:
        dataset, model: as in RunConfig.
        image_shape: (height, width, channels) of the stored images.
        label_smoothing, targets, chosen: RunConfig fields; None means not chosen.
    """
    recipe: dict[str, Any] = dict(models.architecture(model).recipe or {})
    if dataset in pets.NAMES:
        recipe |= pets.RECIPE
        recipe["frozen"] = dataset == "pets-fastai" and bool(chosen.get("pretrained"))
    height, width, channels = image_shape
    if channels == 1 and dataset != "fashion_mnist":
        recipe["flip"] = False  # a mirrored digit is another sign
    if recipe.get("crop", 0) > min(height, width) + 2 * recipe.get("pad", 0) or min(height, width) < 24:
        recipe |= {"crop": 0, "pad": 0}
    elif recipe.get("pad"):
        recipe["crop"] = min(height, width)
    recipe |= {key: value for key, value in chosen.items() if value is not None}
    alpha = None if targets == "distilled" else label_smoothing or 0.0
    return RunConfig(dataset, model, targets or ("uniform" if alpha else "hard"), alpha, **recipe)
