"""A seccomp filter for parsers: no network, no new processes or programs, nothing that reaches another process.

Everything else is allowed. Refused calls fail with EPERM, so that a library gives up instead of dying. The numbers
are those of the kernel's asm/unistd_64.h and asm-generic/unistd.h.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_PR_SET_SECCOMP, _FILTER_MODE = 22, 2

ALLOW = 0x7FFF0000
KILL = 0x80000000
_ERRNO = 0x00050000
REFUSE = _ERRNO | errno.EPERM
UNKNOWN = _ERRNO | errno.ENOSYS

# Classic BPF: load a word; jump if equal, greater or equal, any bit set; return.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000
# What comes after mseal is unknown here (setxattrat, open_tree_attr, …): ENOSYS, as on an older kernel.
_FIRST_UNKNOWN = 463
# PR_SET_NAME, PR_GET_NAME, PR_SET_VMA; not PR_SET_PDEATHSIG, with which the child could outlive its parent.
_PRCTL_ALLOWED = (15, 16, 0x53564D41)
# F_SETOWN, F_SETSIG, F_SETOWN_EX: a signal of one's choice to another process.
_FCNTL_REFUSED = (8, 10, 15)
# TIOCSTI, TIOCLINUX: typing into a terminal.
_IOCTL_REFUSED = (0x5412, 0x541C)


@dataclass(frozen=True)
class Architecture:
    """An AUDIT_ARCH_* value and the numbers of the calls that the filter looks at; a call it lacks has none."""

    audit: int
    numbers: Mapping[str, int]


def _table(column: int) -> Mapping[str, int]:
    rows = (row.split() for row in _NUMBERS.strip().splitlines())
    return MappingProxyType({row[0]: int(row[column]) for row in rows if row[column] != "-"})


# name, x86_64, aarch64
_NUMBERS = """
socket 41 198
socketpair 53 199
connect 42 203
bind 49 200
listen 50 201
accept 43 202
accept4 288 242
execve 59 221
execveat 322 281
fork 57 -
vfork 58 -
setsid 112 157
setpgid 109 154
ptrace 101 117
process_vm_readv 310 270
process_vm_writev 311 271
process_madvise 440 440
process_mrelease 448 448
pidfd_open 434 434
pidfd_getfd 438 438
pidfd_send_signal 424 424
tkill 200 130
rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240
kcmp 312 272
perf_event_open 298 241
setpriority 141 140
sched_setscheduler 144 119
sched_setparam 142 118
sched_setattr 314 274
sched_setaffinity 203 122
ioprio_set 251 30
migrate_pages 256 238
move_pages 279 239
chmod 90 -
fchmod 91 52
fchmodat 268 53
fchmodat2 452 452
chown 92 -
fchown 93 55
lchown 94 -
fchownat 260 54
setxattr 188 5
lsetxattr 189 6
fsetxattr 190 7
removexattr 197 14
lremovexattr 198 15
fremovexattr 199 16
utime 132 -
utimes 235 -
futimesat 261 -
utimensat 280 88
truncate 76 45
mknod 133 -
mknodat 259 33
inotify_init 253 -
inotify_init1 294 26
fanotify_init 300 262
fanotify_mark 301 263
name_to_handle_at 303 264
open_by_handle_at 304 265
memfd_create 319 279
memfd_secret 447 447
shmget 29 194
shmat 30 196
shmctl 31 195
msgget 68 186
msgsnd 69 189
msgctl 71 187
semget 64 190
semctl 66 191
semop 65 193
mq_open 240 180
mq_unlink 241 181
mount 165 40
umount2 166 39
pivot_root 155 41
chroot 161 51
fsopen 430 430
fsconfig 431 431
fsmount 432 432
fspick 433 433
move_mount 429 429
open_tree 428 428
mount_setattr 442 442
statmount 457 457
listmount 458 458
lsm_set_self_attr 460 460
unshare 272 97
setns 308 268
bpf 321 280
keyctl 250 219
add_key 248 217
request_key 249 218
io_uring_setup 425 425
io_uring_enter 426 426
io_uring_register 427 427
userfaultfd 323 282
seccomp 317 277
personality 135 92
init_module 175 105
finit_module 313 273
delete_module 176 106
kexec_load 246 104
kexec_file_load 320 294
reboot 169 142
swapon 167 224
swapoff 168 225
acct 163 89
quotactl 179 60
quotactl_fd 443 443
syslog 103 116
settimeofday 164 170
clock_settime 227 112
clock_adjtime 305 266
adjtimex 159 171
sethostname 170 161
setdomainname 171 162
iopl 172 -
ioperm 173 -
modify_ldt 154 -
vhangup 153 58
lookup_dcookie 212 18
uselib 134 -
sysfs 139 -
clone 56 220
clone3 435 435
kill 62 129
tgkill 234 131
prlimit64 302 261
prctl 157 167
fcntl 72 25
ioctl 16 29
"""
# These are looked into, not refused outright.
_LOOKED_INTO = frozenset({"clone", "clone3", "kill", "tgkill", "prlimit64", "prctl", "fcntl", "ioctl"})

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "x86_64": Architecture(audit=0xC000003E, numbers=_table(1)),
        "aarch64": Architecture(audit=0xC00000B7, numbers=_table(2)),
    }
)


def available() -> bool:
    """Whether the kernel takes filters and this machine's calls are known."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        return False
    # Asked with no filter, a kernel that takes them complains of the address (seccomp(2)).
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, None, 0, 0) != 0 and ctypes.get_errno() == errno.EFAULT


def restrict() -> None:
    """Put the filter on this process, for good. The caller has set no_new_privs. Raises OSError."""
    code = program(ARCHITECTURES[platform.machine()], pid=os.getpid())
    filters = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, then (aligned) their address.
    fprog = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(filters))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, fprog, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def program(architecture: Architecture, *, pid: int) -> bytes:
    """The filter as struct sock_filter[], for the process `pid`."""
    number = architecture.numbers
    refused = [call for name, call in number.items() if name not in _LOOKED_INTO]
    return b"".join(
        (
            _instruction(_LOAD, _ARCHITECTURE_AT),
            _instruction(_IF_EQUAL, architecture.audit, hit=1),
            # Another architecture's calls have other numbers; no parser makes any.
            _instruction(_RETURN, KILL),
            _instruction(_LOAD, _NUMBER_AT),
            _if(_IF_AT_LEAST, _X32_BIT, KILL),
            _if(_IF_AT_LEAST, _FIRST_UNKNOWN, UNKNOWN),
            # The C library falls back to clone, whose flags a filter can see.
            _if(_IF_EQUAL, number["clone3"], UNKNOWN),
            *(_if(_IF_EQUAL, call, REFUSE) for call in refused),
            _look(number["clone"], argument=0, test=_IF_ANY_BIT, values=[_CLONE_THREAD], hit=ALLOW, miss=REFUSE),
            _look(number["kill"], argument=0, values=[pid], hit=ALLOW, miss=REFUSE),
            _look(number["tgkill"], argument=0, values=[pid], hit=ALLOW, miss=REFUSE),
            _look(number["prlimit64"], argument=0, values=[0, pid], hit=ALLOW, miss=REFUSE),
            _look(number["prctl"], argument=0, values=_PRCTL_ALLOWED, hit=ALLOW, miss=REFUSE),
            _look(number["fcntl"], argument=1, values=_FCNTL_REFUSED, hit=REFUSE, miss=ALLOW),
            _look(number["ioctl"], argument=1, values=_IOCTL_REFUSED, hit=REFUSE, miss=ALLOW),
            _instruction(_RETURN, ALLOW),
        )
    )


def _if(test: int, value: int, verdict: int) -> bytes:
    return _instruction(test, value, miss=1) + _instruction(_RETURN, verdict)


def _look(call: int, *, argument: int, values: Iterable[int], hit: int, miss: int, test: int = _IF_EQUAL) -> bytes:
    """If this is `call`: `hit` where the argument's lower half passes the test with any value, else `miss`."""
    body = _instruction(_LOAD, _ARGUMENTS_AT + 8 * argument)
    body += b"".join(_if(test, value, hit) for value in values)
    body += _instruction(_RETURN, miss)
    return _instruction(_IF_EQUAL, call, miss=len(body) // 8) + body


def _instruction(code: int, value: int, *, hit: int = 0, miss: int = 0) -> bytes:
    """struct sock_filter; `hit` and `miss` are how many instructions are skipped."""
    return struct.pack("HBBI", code, hit, miss, value)
