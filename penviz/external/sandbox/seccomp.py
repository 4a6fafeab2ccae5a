"""Seccomp: system calls that a job never needs are refused. Linux on x86-64 and ARM, standard library only.

A job reads, computes and writes in one process. So it may make no process, thread or socket, signal nobody
else, and change no mode, owner or time of a file, which Landlock lets pass. The filter is classic BPF
(seccomp(2)); a test compares the numbers of system calls with the kernel's tables.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

REFUSED = {
    errno.EAGAIN: "clone:56:220 fork:57: vfork:58:",  # as at a limit on processes
    errno.ENOSYS: "clone3:435:435 openat2:437:437",  # the C library then takes the older call
    errno.EPERM: """
        execve:59:221 execveat:322:281 ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271
        process_madvise:440:440 process_mrelease:448:448 kcmp:312:272 pidfd_open:434:434 pidfd_getfd:438:438
        pidfd_send_signal:424:424 rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240
        socket:41:198 socketpair:53:199 connect:42:203 bind:49:200 listen:50:201 accept:43:202 accept4:288:242
        mount:165:40 umount2:166:39 move_mount:429:429 open_tree:428:428 fsopen:430:430 fsconfig:431:431
        fsmount:432:432 fspick:433:433 mount_setattr:442:442 pivot_root:155:41 chroot:161:51
        name_to_handle_at:303:264 open_by_handle_at:304:265 fanotify_init:300:262 inotify_init:253:
        inotify_init1:294:26 quotactl:179:60 quotactl_fd:443:443 swapon:167:224 swapoff:168:225 acct:163:89
        reboot:169:142 sethostname:170:161 setdomainname:171:162 init_module:175:105 finit_module:313:273
        delete_module:176:106 iopl:172: ioperm:173: modify_ldt:154: settimeofday:164:170 clock_settime:227:112
        clock_adjtime:305:266 adjtimex:159:171 kexec_load:246:104 kexec_file_load:320:294 syslog:103:116
        vhangup:153:58 bpf:321:280 perf_event_open:298:241 userfaultfd:323:282 add_key:248:217
        request_key:249:218 keyctl:250:219 io_uring_setup:425:425 io_uring_enter:426:426
        io_uring_register:427:427 unshare:272:97 setns:308:268 personality:135:92
        memfd_create:319:279 memfd_secret:447:447 shmget:29:194 shmat:30:196 semget:64:190 msgget:68:186
        mq_open:240:180 mq_unlink:241:181
        chmod:90: fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 chown:92: lchown:94: fchown:93:55
        fchownat:260:54 utime:132: utimes:235: utimensat:280:88 futimesat:261: setxattr:188:5 lsetxattr:189:6
        fsetxattr:190:7 removexattr:197:14 lremovexattr:198:15 fremovexattr:199:16 truncate:76:45
        setpriority:141:140 sched_setscheduler:144:119 sched_setparam:142:118 sched_setattr:314:274
        sched_setaffinity:203:122 ioprio_set:251:30 migrate_pages:256:238 move_pages:279:239 setrlimit:160:164
    """,
}
"""Error -> system calls that end in it: name, number on x86-64, number on ARM ("" where it has none)."""

FIRST_UNKNOWN = 457
"""Later calls of newer kernels are not there (ENOSYS), whatever they do: libraries then do without."""

_OTHERS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
"""Calls that may name this process alone."""
_PRCTL, _PRLIMIT, _OPEN, _OPENAT = (157, 167), (302, 261), (2, 0), (257, 56)
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 1, 22, 2, 38

_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data; arguments take eight bytes each, the low half first."""

Instruction = tuple[int, int, int, int]


def program(machine: str, pid: int) -> list[Instruction]:
    """The filter for a machine and a process, as (code, jump if true, jump if false, operand)."""
    which = list(_AUDIT_ARCH).index(machine)
    made: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),  # a 32-bit call: other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, FIRST_UNKNOWN),  # the x32 calls too, whose numbers begin at 2**30
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for error, calls in REFUSED.items():
        for call in calls.split():
            if number := call.split(":")[1 + which]:
                made += [(_EQUAL, 0, 1, int(number)), (_RETURN, 0, 0, _ERRNO | error)]

    def judge(number: int, *checks: Instruction) -> None:
        """Checks of arguments; the last jumps over nothing to refuse, over one to allow."""
        if number:
            made.extend(((_EQUAL, 0, len(checks) + 2, number), *checks))
            made.extend(((_RETURN, 0, 0, _ERRNO | errno.EPERM), (_RETURN, 0, 0, _ALLOW)))

    for own in _OTHERS.values():
        judge(own[which], (_LOAD, 0, 0, _ARGUMENTS), (_EQUAL, 1, 0, pid))
    judge(_PRCTL[which], (_LOAD, 0, 0, _ARGUMENTS), (_EQUAL, 0, 1, _PR_SET_PDEATHSIG))
    new_limits = _ARGUMENTS + 2 * 8  # not null: of this process or of another
    judge(
        _PRLIMIT[which],
        (_LOAD, 0, 0, new_limits), (_EQUAL, 0, 2, 0), (_LOAD, 0, 0, new_limits + 4), (_EQUAL, 1, 0, 0),
    )  # fmt: skip
    for numbers, argument in ((_OPEN, 1), (_OPENAT, 2)):  # emptying a file by opening it to read: until ABI 3
        flags = (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)
        judge(numbers[which], flags, (_AND, 0, 0, os.O_TRUNC | 3), (_EQUAL, 0, 1, os.O_TRUNC))
    return [*made, (_RETURN, 0, 0, _ALLOW)]


def restrict() -> bool:
    """Refuse this process the calls; False where the system has no such filter."""
    machine = platform.machine()
    if machine not in _AUDIT_ARCH or struct.calcsize("P") != 8:
        return False
    code = b"".join(struct.pack("=HBBI", *line) for line in program(machine, os.getpid()))
    filter_ = struct.pack("@HP", len(code) // 8, ctypes.addressof(kept := ctypes.create_string_buffer(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _MODE_FILTER, filter_, 0, 0
    ):
        if ctypes.get_errno() in (errno.EINVAL, errno.ENOSYS):
            return False
        raise OSError(ctypes.get_errno(), "seccomp")
    del kept
    return True
