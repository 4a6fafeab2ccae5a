"""A small classifier and its data, and what a capture must leave as it was."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from foreign_networks import Classifier, D, K
from torch import nn
from torch.utils.data import TensorDataset


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


def plain(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Classifier(nn.Linear(D, K))


def dataset(n: int = 40) -> TensorDataset:
    generator = torch.Generator().manual_seed(7)
    return TensorDataset(torch.randn(n, 3, 8, 8, generator=generator), torch.arange(n) % K)
