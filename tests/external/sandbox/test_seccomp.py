"""The filter, run by an interpreter of classic BPF: what it refuses and lets pass, on both machines."""

from __future__ import annotations

import errno
import os
import re

import pytest

from penviz.external.sandbox import seccomp

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
PID = 4321
TABLES = {
    "x86_64": """
        0:read 1:write 2:open 3:close 5:fstat 8:lseek 9:mmap 11:munmap 12:brk 29:shmget 30:shmat
        41:socket 42:connect 43:accept 49:bind 50:listen 53:socketpair 56:clone 57:fork 58:vfork
        59:execve 62:kill 64:semget 68:msgget 76:truncate 90:chmod 91:fchmod 92:chown 93:fchown
        94:lchown 101:ptrace 103:syslog 129:rt_sigqueueinfo 132:utime 135:personality 141:setpriority
        142:sched_setparam 144:sched_setscheduler 153:vhangup 154:modify_ldt 155:pivot_root 157:prctl
        159:adjtimex 160:setrlimit 161:chroot 163:acct 164:settimeofday 165:mount 166:umount2
        167:swapon 168:swapoff 169:reboot 170:sethostname 171:setdomainname 172:iopl 173:ioperm
        175:init_module 176:delete_module 179:quotactl 188:setxattr 189:lsetxattr 190:fsetxattr
        197:removexattr 198:lremovexattr 199:fremovexattr 200:tkill 202:futex 203:sched_setaffinity
        227:clock_settime 231:exit_group 234:tgkill 235:utimes 240:mq_open 241:mq_unlink
        246:kexec_load 248:add_key 249:request_key 250:keyctl 251:ioprio_set 253:inotify_init
        256:migrate_pages 257:openat 260:fchownat 261:futimesat 263:unlinkat 268:fchmodat 272:unshare
        279:move_pages 280:utimensat 288:accept4 294:inotify_init1 297:rt_tgsigqueueinfo
        298:perf_event_open 300:fanotify_init 302:prlimit64 303:name_to_handle_at
        304:open_by_handle_at 305:clock_adjtime 308:setns 310:process_vm_readv 311:process_vm_writev
        312:kcmp 313:finit_module 314:sched_setattr 316:renameat2 319:memfd_create 320:kexec_file_load
        321:bpf 322:execveat 323:userfaultfd 424:pidfd_send_signal 425:io_uring_setup
        426:io_uring_enter 427:io_uring_register 428:open_tree 429:move_mount 430:fsopen 431:fsconfig
        432:fsmount 433:fspick 434:pidfd_open 435:clone3 437:openat2 438:pidfd_getfd
        440:process_madvise 442:mount_setattr 443:quotactl_fd 447:memfd_secret 448:process_mrelease
        452:fchmodat2 456:futex_requeue
    """,
    "aarch64": """
        5:setxattr 6:lsetxattr 7:fsetxattr 14:removexattr 15:lremovexattr 16:fremovexattr
        26:inotify_init1 30:ioprio_set 35:unlinkat 39:umount2 40:mount 41:pivot_root 45:truncate
        51:chroot 52:fchmod 53:fchmodat 54:fchownat 55:fchown 56:openat 57:close 58:vhangup
        60:quotactl 62:lseek 63:read 64:write 80:fstat 88:utimensat 89:acct 92:personality
        94:exit_group 97:unshare 98:futex 104:kexec_load 105:init_module 106:delete_module
        112:clock_settime 116:syslog 117:ptrace 118:sched_setparam 119:sched_setscheduler
        122:sched_setaffinity 129:kill 130:tkill 131:tgkill 138:rt_sigqueueinfo 140:setpriority
        142:reboot 161:sethostname 162:setdomainname 164:setrlimit 167:prctl 170:settimeofday
        171:adjtimex 180:mq_open 181:mq_unlink 186:msgget 190:semget 194:shmget 196:shmat 198:socket
        199:socketpair 200:bind 201:listen 202:accept 203:connect 214:brk 215:munmap 217:add_key
        218:request_key 219:keyctl 220:clone 221:execve 222:mmap 224:swapon 225:swapoff
        238:migrate_pages 239:move_pages 240:rt_tgsigqueueinfo 241:perf_event_open 242:accept4
        261:prlimit64 262:fanotify_init 264:name_to_handle_at 265:open_by_handle_at 266:clock_adjtime
        268:setns 270:process_vm_readv 271:process_vm_writev 272:kcmp 273:finit_module
        274:sched_setattr 276:renameat2 279:memfd_create 280:bpf 281:execveat 282:userfaultfd
        294:kexec_file_load 424:pidfd_send_signal 425:io_uring_setup 426:io_uring_enter
        427:io_uring_register 428:open_tree 429:move_mount 430:fsopen 431:fsconfig 432:fsmount
        433:fspick 434:pidfd_open 435:clone3 437:openat2 438:pidfd_getfd 440:process_madvise
        442:mount_setattr 443:quotactl_fd 447:memfd_secret 448:process_mrelease 452:fchmodat2
        456:futex_requeue
    """,
}
"""What matters here of Linux 6.7, arch/x86/entry/syscalls/syscall_64.tbl and uapi/asm-generic/unistd.h."""
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
    rows = (row.split(":") for row in TABLES[machine].split())
    return {name: int(number) for number, name in rows}


def refused(machine: str) -> dict[str, tuple[int, int]]:
    """Name -> number and error, of what is refused whatever its arguments."""
    which = list(ARCH).index(machine)
    calls = [(error, *call.split(":")) for error, calls in seccomp.REFUSED.items() for call in calls.split()]
    return {call[1]: (int(call[2 + which]), call[0]) for call in calls if call[2 + which]}


@pytest.mark.parametrize("machine", ARCH)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    known = table(machine)
    named = {name: number for name, (number, _) in refused(machine).items()}
    assert named == {name: known[name] for name in refused("x86_64") if name in known}
    which = list(ARCH).index(machine)
    for name in ("prctl", "openat", "prlimit64", "kill", "tkill", "tgkill"):
        constant = {"prctl": seccomp._PRCTL, "openat": seccomp._OPENAT, "prlimit64": seccomp._PRLIMIT}
        assert (constant | seccomp._OTHERS)[name][which] == known[name]
    assert max(known.values()) == known["futex_requeue"] == seccomp.FIRST_UNKNOWN - 1


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
