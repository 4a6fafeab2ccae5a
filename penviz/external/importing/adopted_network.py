"""A run's network whoever trained it, for teaching and for measuring anew."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from penviz.external.evidence.outputs import as_logits, run
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.networks import architectures
from penviz.external.networks.builders import is_factory
from penviz.external.networks.variants import Variant, varied
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, Run
from penviz.training import checkpoints
from penviz.training.network import Network


class _Logits(nn.Module):
    """What a network says in place of features: its logits [n, K], up to a shift a row."""

    def __init__(self, network: nn.Module, outputs: str, variant: Variant, batch: Tensor):
        super().__init__()
        self.network, self.outputs = network, outputs
        self.held = ExitStack()  # the variant is in force as long as this lives
        self.held.enter_context(varied(network, variant, batch))

    def forward(self, batch: Tensor) -> Tensor:
        return as_logits(run(self.network, batch).float(), self.outputs)


def network_of(run: Run, class_names: Sequence[str], *, trust: bool = False) -> Network:
    """A run's network in evaluation mode, its logits in the order of some class names.

    The `features` of one that penviz did not train are its own logits, because a proved head is not needed
    to teach or to be measured; its `head` puts them in order, and its `scaling` is the input that was
    confirmed when it was brought in, with the variant of its body.

    Args:
        run: any; class_names: K of the data; trust: build it by code of the user's own that run.json names.

    Raises:
        RunError: no weights, other classes, or a network that cannot be built again.
    """
    if not run.adopted:
        return checkpoints.load_network(run)
    said = run.record["adopted"]
    if not said.get("preprocessing"):
        raise RunError(f"{run.name} holds activations alone: bring in its checkpoint with penviz extract.")
    checkpoints.check_weights(run)
    own, model = run.class_names, run.config.model
    if len(set(own)) < len(own) or sorted(own) != sorted(class_names):
        raise RunError(f"{run.name} knows other classes than these data: give those it was trained on.")
    if is_factory(model) and not trust:
        raise RunError(f"{run.name} is built by {model}: code of your own runs with --trust only.")
    tensors, _ = checkpoints.read_tensors(run.directory / MODEL_FILE)
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    network = architectures.build(model, len(own), shapes, local=trust)
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise RunError(f"The weights of {run.name} do not fit the network {model}.") from None
    try:
        way, variant = Preprocessing.from_json(said["preprocessing"]), Variant(**said["variant"])
        shape, outputs = [int(side) for side in run.record["image_shape"]], str(said["head"]["outputs"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{run.name} lacks its preprocessing: run penviz extract on its file again.") from None
    features = _Logits(network, outputs, variant, way.scale(torch.zeros(2, *shape, dtype=torch.uint8)))
    head = nn.Linear(len(own), len(own), bias=False)
    with torch.no_grad():
        order = torch.tensor([own.index(name) for name in class_names])
        head.weight.copy_(torch.eye(len(own))[order])
    return Network(features, head, scaling=way.scale).eval()
