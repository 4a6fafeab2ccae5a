"""Landlock: this process may open only files that it names, for good. Linux 5.13 and later, standard library.

The kernel's own interface (landlock(7)), without a library. It governs opening, listing, making, removing
and moving files; that a file exists, its size and its times stay visible. What it does not govern (to change
modes, owners and times) is left to `penviz.external.sandbox.seccomp`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture."""
_VERSION, _PATH_BENEATH, _PR_SET_NO_NEW_PRIVS = 1, 1, 38

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _TRUNCATE, _IOCTL_DEV = 1 << 7, 1 << 8, 1 << 14, 1 << 15
_OF_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE
"""Rights that a rule about a single file may name."""

READ = _READ_FILE | _READ_DIR
USE = _READ_FILE | _WRITE_FILE | _TRUNCATE
"""Of a device such as /dev/null."""
OWN = USE | READ | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG
"""Of a directory of its own: all but to make devices, sockets, pipes and links, and to move from one
directory into another, which ABI 1 cannot allow."""


def abi() -> int:
    """The version of Landlock that this kernel has and lets be used, 0 for none."""
    return max(_call(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION), 0)


def restrict(rules: Iterable[tuple[Path, int]]) -> bool:
    """Deny this thread, and what it starts, every file but those below the paths; False without Landlock.

    Args:
        rules: a path that may not exist, and what may be done below it: READ, USE or OWN.

    Raises:
        OSError: the kernel has Landlock and refuses; the process must not go on.
    """
    version = abi()
    if not version:
        return False
    handled = (1 << 13) - 1 | (_TRUNCATE if version >= 3 else 0) | (_IOCTL_DEV if version >= 5 else 0)
    # The network in ABI 4, and in ABI 6 abstract sockets and signals to processes outside.
    ruleset = struct.pack("=QQQ", handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    descriptor = _checked(_CREATE_RULESET, ruleset, ctypes.c_size_t(len(ruleset)), 0)
    try:
        for path, rights in rules:
            _allow(descriptor, path, rights & handled)
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _checked(_RESTRICT_SELF, descriptor, 0)
    finally:
        os.close(descriptor)
    return True


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return  # nothing there
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        _checked(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _checked(number: int, *arguments: object) -> int:
    result = _call(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments))
