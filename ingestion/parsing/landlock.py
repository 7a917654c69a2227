"""Landlock through its system calls: from here on this process opens only the files that were named.

Works without privileges and cannot be undone. Linux 5.13 and later; see `version`.
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path

# The same on every architecture (asm-generic/unistd.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1


class Right(IntFlag):
    """LANDLOCK_ACCESS_FS_* of include/uapi/linux/landlock.h."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Right.READ_FILE | Right.READ_DIR
# No devices, sockets, pipes and symbolic links: whoever reads the folder afterwards finds files and folders alone.
WRITE = (
    READ
    | Right.WRITE_FILE
    | Right.TRUNCATE
    | Right.MAKE_REG
    | Right.MAKE_DIR
    | Right.REMOVE_FILE
    | Right.REMOVE_DIR
    | Right.REFER
)
# What may be said of a path that is no folder.
_OF_FILES = Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE | Right.IOCTL_DEV
_ALL_NETWORK = 0b11  # bind and connect of TCP
_ALL_SCOPES = 0b11  # abstract UNIX sockets and signals of others

# How much of the rights a version of the interface knows.
_RIGHTS_UP_TO_VERSION = ((5, Right.IOCTL_DEV), (3, Right.TRUNCATE), (2, Right.REFER), (1, Right.MAKE_SYM))
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))))


def restrict(*, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Leave this thread and what it starts reading below `readable`, and writing below `writable`, and no more.

    Paths that do not exist are left out. The caller has set no_new_privs. Raises OSError.
    """
    known = version()
    highest = next(right for since, right in _RIGHTS_UP_TO_VERSION if known >= since)
    handled = highest * 2 - 1
    ruleset = _Ruleset(
        handled_access_fs=handled,
        handled_access_net=_ALL_NETWORK if known >= _NETWORK_SINCE else 0,
        scoped=_ALL_SCOPES if known >= _SCOPES_SINCE else 0,
    )
    rules = _checked(_libc().syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0))
    for rights, paths in ((READ, readable), (WRITE, writable)):
        for path in paths:
            _allow(rules, path, rights=int(rights) & handled)
    _checked(_libc().syscall(_RESTRICT_SELF, rules, 0))
    os.close(rules)


def _allow(rules: int, path: Path, *, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    if not stat.S_ISDIR(os.fstat(beneath).st_mode):
        rights &= _OF_FILES
    rule = _PathBeneath(allowed_access=rights, parent_fd=beneath)
    _checked(_libc().syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(rule), 0))
    os.close(beneath)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"landlock: {os.strerror(number)}")
    return result
