"""The filter, run by an interpreter of classic BPF: what it refuses and lets pass, on both machines."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from penviz.external.sandbox import seccomp

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
PID = 4321
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),  # ARM has the generic table
}
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

DANGEROUS = """
socket connect execve execveat clone clone3 ptrace process_vm_readv process_vm_writev mount umount2 bpf
kexec_load kexec_file_load io_uring_setup unshare setns keyctl add_key perf_event_open pidfd_getfd chroot
open_by_handle_at init_module finit_module memfd_create shmget userfaultfd pivot_root
"""
NEEDED = "read write openat close fstat mmap munmap brk lseek futex unlinkat renameat2 exit_group"


def verdict(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the filter returns for a call, by the rules of the kernel's networking/filter.rst."""
    words = [number, ARCH[machine] if arch is None else arch, 0, 0]
    for value in (*arguments, *[0] * (6 - len(arguments))):
        words += [value & 0xFFFFFFFF, value >> 32]
    program, at, held = seccomp.program(machine, PID), 0, 0
    while True:
        code, true, false, operand = program[at]
        at += 1
        if code == 0x20:  # ld [k]
            held = words[operand // 4]
        elif code == 0x54:  # and #k
            held &= operand
        elif code in (0x15, 0x35):  # jeq, jge
            at += true if (held == operand if code == 0x15 else held >= operand) else false
        elif code == 0x06:  # ret #k
            return operand
        else:
            raise AssertionError(f"no such instruction {code:#x}")


def table(machine: str) -> dict[str, int]:
    """The kernel's own numbers."""
    if not HEADERS[machine].exists():
        pytest.skip("no headers of the kernel are installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    return {name: int(number) for name, number in found}


def refused(machine: str) -> dict[str, tuple[int, int]]:
    """Name -> number and error, of what is refused whatever its arguments."""
    which = list(ARCH).index(machine)
    calls = [(error, *call.split(":")) for error, calls in seccomp.REFUSED.items() for call in calls.split()]
    return {call[1]: (int(call[2 + which]), call[0]) for call in calls if call[2 + which]}


@pytest.mark.parametrize("machine", ARCH)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    known = table(machine)
    named = {name: number for name, (number, _) in refused(machine).items()}
    older = {"fchmodat2": 452}  # than some headers
    assert named == {name: known.get(name, older.get(name)) for name in named}
    which = list(ARCH).index(machine)
    for name in ("prctl", "openat", "prlimit64", "kill", "tkill", "tgkill"):
        constant = {"prctl": seccomp._PRCTL, "openat": seccomp._OPENAT, "prlimit64": seccomp._PRLIMIT}
        assert (constant | seccomp._OTHERS)[name][which] == known[name]
    assert max(n for n in known.values() if n < 1000) < seccomp.FIRST_UNKNOWN + 20


@pytest.mark.parametrize("machine", ARCH)
def test_each_of_them_is_refused(machine: str) -> None:
    for number, error in refused(machine).values():
        assert verdict(machine, number) == 0x50000 | error
    assert verdict(machine, seccomp.FIRST_UNKNOWN) == 0x50000 | errno.ENOSYS
    assert verdict(machine, 0x40000000) == 0x50000 | errno.ENOSYS  # x32
    assert verdict(machine, 0, arch=0x40000003) == KILLED  # i386
    dangerous = set(re.findall(r"\w+", DANGEROUS))
    assert dangerous <= refused(machine).keys()


@pytest.mark.parametrize("machine", ARCH)
def test_calls_are_judged_by_their_arguments(machine: str) -> None:
    which = list(ARCH).index(machine)
    no, null = 0x50000 | errno.EPERM, 0
    for numbers in seccomp._OTHERS.values():
        assert verdict(machine, numbers[which], PID, 9) == ALLOWED
        for other in (PID + 1, 0, 2**32 - 1, 1):
            assert verdict(machine, numbers[which], other, 9) == no
    prctl, limits, at = seccomp._PRCTL[which], seccomp._PRLIMIT[which], seccomp._OPENAT[which]
    assert verdict(machine, prctl, 1, 0) == no  # PR_SET_PDEATHSIG
    assert verdict(machine, prctl, 15, 1) == ALLOWED  # PR_SET_NAME
    assert verdict(machine, limits, 0, 7, null, 0x7FFF_0000_0000) == ALLOWED
    for new in (0x1000, 0x7FFF_0000_0000):
        assert verdict(machine, limits, 0, 7, new, null) == no
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, os.O_RDWR | os.O_TRUNC):
        assert verdict(machine, at, 0, 0x1000, flags) == ALLOWED
    assert verdict(machine, at, 0, 0x1000, os.O_RDONLY | os.O_TRUNC | os.O_CLOEXEC) == no
    if machine == "x86_64":
        assert verdict(machine, 2, 0x1000, os.O_TRUNC) == no
        assert verdict(machine, 2, 0x1000, os.O_TRUNC | os.O_WRONLY) == ALLOWED


@pytest.mark.parametrize("machine", ARCH)
def test_what_a_job_needs_passes(machine: str) -> None:
    known = table(machine)
    for name in re.findall(r"\w+", NEEDED):
        assert verdict(machine, known[name]) == ALLOWED, name
    assert len(seccomp.program(machine, PID)) < 4096
