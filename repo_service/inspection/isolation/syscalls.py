"""What a process that reads a foreign file may ask of the kernel: memory, its socket, the time, its end.

Limits of resources leave it signals to other processes of the same user, their memory and their limits.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
from typing import Any

_ALLOWED = (
    # The socket that is there.
    *("read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg"),
    *("close", "lseek", "fstat", "poll", "ppoll", "select", "pselect6"),
    # Memory.
    *("brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "futex"),
    # Time, and chance.
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times"),
    *("getrandom", "restart_syscall", "sched_yield", "sched_getaffinity", "getrusage", "sysinfo", "uname"),
    # Itself.
    *("getpid", "gettid", "getuid", "geteuid", "getgid", "getegid"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "exit", "exit_group"),
)


def load_library() -> Any:
    """libseccomp, None on a system that has none: to be loaded while files can be opened."""
    try:
        return importlib.import_module("pyseccomp")
    except (ImportError, RuntimeError, OSError):
        return None


def forbid_others(seccomp: Any) -> None:
    """Have the kernel refuse all else, for good (seccomp(2)), where it can be told."""
    if seccomp is None:
        return
    with contextlib.suppress(OSError):  # a kernel without, or a container that does not let it
        rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
        for name in _ALLOWED:
            with contextlib.suppress(OSError):  # this processor has no such call
                rules.add_rule(seccomp.ALLOW, name)
        rules.load()  # which gives up new privileges, too
