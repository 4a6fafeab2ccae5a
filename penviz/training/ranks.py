"""Several processes on one piece of work, as torchrun starts them: each is a rank, rank 0 writes and speaks.

One process is the only rank of its work; then nothing here touches torch.distributed.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from penviz import InputError
from penviz.exit_codes import n_ranks
from penviz.store.directory_lock import locked
from penviz.store.run_config import RunError
from penviz.training.checkpoints import choose_device

TIMEOUT = 300
"""Seconds that a rank waits for another: a killed process is noticed at once, a lost machine after these."""

LOST = "A rank of this work is gone, so all end: the same command goes on, a training with --resume."


@dataclass(frozen=True)
class Ranks:
    """This process among those that share one piece of work.

    Attributes:
        rank: its number, from 0; size: how many there are; local: its number on this machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @classmethod
    def of_torchrun(cls) -> Ranks:
        """What torchrun says in the environment; the only rank where it says nothing."""
        if n_ranks() == 1:
            return cls()
        return cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes files and speaks."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """The device of a name (`choose_device`); of CUDA the one with this rank's number on its machine."""
        device = choose_device(name)
        if self.size == 1 or device.type != "cuda":
            return device
        if device.index is not None:
            raise RunError("Each rank takes a device of its own: say --device cuda without a number.")
        if self.local >= torch.cuda.device_count():
            raise RunError(
                f"There are {torch.cuda.device_count()} CUDA devices for more ranks on this machine: "
                "start torchrun with as many --nproc-per-node."
            )
        return torch.device("cuda", self.local)

    @contextlib.contextmanager
    def joined(self, device: str = "cpu") -> Iterator[None]:
        """Start the group of processes on entry and end it on leaving: gloo, and nccl beside it on CUDA.

        A sentence that several ranks would end with is said by the first of them that comes to it.

        Raises:
            RunError: a rank that is gone; a device that is not there.
            SystemExit: with status 2, where what is wrong has been said.
        """
        if self.size == 1:
            yield
            return
        from torch import distributed

        chosen = self.device(device)
        if chosen.type not in ("cpu", "cuda"):
            raise RunError(f"Ranks work on the CPU or on CUDA, not on {chosen.type}: use --device cpu.")
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        try:
            backend = "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=timedelta(seconds=TIMEOUT))
            yield
        except InputError as error:
            self._end(str(error))
            raise
        except RuntimeError as error:
            # Gloo has no class of errors of its own.
            if not isinstance(error, distributed.DistError) and "gloo" not in str(error).lower():
                raise
            self._end(LOST)
            raise RunError(LOST) from error
        distributed.destroy_process_group()

    def _end(self, sentence: str) -> None:
        """Say this sentence unless another rank has, and end; on rank 0 the caller's error says it."""
        from torch.distributed import distributed_c10d

        key = f"said {hashlib.sha256(sentence.encode()).hexdigest()}"
        try:
            times = distributed_c10d._get_default_store().add(key, 1)
        except (RuntimeError, ValueError):  # the store ends with torchrun
            times = 2
        if times == 1 and self.first:
            return
        if times == 1:
            print(sentence, file=sys.stderr, flush=True)
        raise SystemExit(2)

    @contextlib.contextmanager
    def alone_in(self, directory: Path) -> Iterator[None]:
        """Hold a directory for all ranks, so that no other work writes to it (`directory_lock`).

        Raises:
            RunError: other work holds it; on every rank.
        """
        with contextlib.ExitStack() as held:
            taken = ""
            if self.first:
                try:
                    held.enter_context(locked(directory))
                except RunError as error:
                    taken = str(error)
            if self.any(bool(taken))[0]:
                raise RunError(taken or f"Another process is writing to {directory}.")
            yield

    def wait(self) -> None:
        """Return when every rank has come here."""
        self.any(False)

    def any(self, *flags: bool) -> list[bool]:
        """For each flag whether some rank has it set; all learn the same, without waiting for the device."""
        if self.size == 1:
            return list(flags)
        from torch import distributed

        told = torch.tensor(flags, dtype=torch.uint8)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return [bool(flag) for flag in told.tolist()]

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum over the ranks of a tensor of one shape; the tensor itself stays as it is."""
        if self.size == 1:
            return tensor
        from torch import distributed

        total = tensor.clone()
        distributed.all_reduce(total)
        return total

    def largest(self, tensor: Tensor) -> Tensor:
        """Largest over the ranks, value by value; the tensor itself stays as it is."""
        if self.size == 1:
            return tensor
        from torch import distributed

        found = tensor.clone()
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return found

    def agree(self, number: int) -> bool:
        """Whether every rank came with the same whole number."""
        ends = self.largest(torch.tensor([number, -number]))
        return int(ends[0]) == -int(ends[1])

    def hand_over(self, tensor: Tensor, sender: int) -> None:
        """On rank 0 fill a tensor on the CPU with that of the sender, who gives it; others do nothing."""
        from torch import distributed

        if self.rank == sender:
            distributed.send(tensor.contiguous(), 0)
        elif self.first:
            distributed.recv(tensor, sender)

    def take_buffers(self, network: nn.Module) -> None:
        """Give every rank the buffers of rank 0 (the running statistics of batch norm)."""
        if self.size == 1:
            return
        from torch import distributed

        for buffer in network.buffers():
            distributed.broadcast(buffer, 0)

    def in_step(self, network: nn.Module) -> nn.Module:
        """The network with gradients that are means over the ranks; itself where there is one rank only."""
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        # Newer versions of torch have another name for it: buffers are not sent in every forward pass.
        names = inspect.signature(DistributedDataParallel.__init__).parameters
        buffers = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
        options: dict[str, Any] = {buffers: False}
        return DistributedDataParallel(network, **options)

    def apart(self, stepped: nn.Module) -> contextlib.AbstractContextManager[None]:
        """Within it a backward pass of `in_step` adds to this rank's gradient only."""
        return contextlib.nullcontext() if self.size == 1 else stepped.no_sync()  # type: ignore[operator]

    @contextlib.contextmanager
    def one_first(self, needed: bool = True) -> Iterator[None]:
        """On each machine one rank goes ahead and the others follow, so that nothing is downloaded twice."""
        if not needed:
            yield
            return
        ahead = self.local == 0
        if not ahead:
            self.wait()
        try:
            yield
        finally:
            if ahead:
                self.wait()


ALONE: Ranks = Ranks()
