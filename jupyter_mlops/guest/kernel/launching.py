"""Starting programs."""

from __future__ import annotations

import contextlib
import os
import signal

PR_SET_CHILD_SUBREAPER = 36


class LaunchError(Exception):
    """The kernel's program could not be entered; the text says why."""


def adopts_orphans():
    """Whether processes whose parent has ended become children of this one, by request if need be.

    Process 1 gets them anyway.
    """
    if os.getpid() == 1:
        return True
    try:
        import ctypes

        return ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False


def launch(argv, environment, cwd, oom_score=1000):
    """Start a program as the leader of its own session; returns its pid.

    The child reports a failure before ``exec`` through a pipe that a successful one closes.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        stage = "prepare"
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            # Python ignores these two, and ignored signals survive exec.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            # Out of memory, the kernel goes first, never this process.
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write(str(oom_score))
            # A kernel echoes what subprocesses print, after it has sent it to the notebook. In the
            # engine's log that is of no use, and a hundred times slower. Errors of the kernel
            # itself belong there.
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            stage = "enter the folder %s" % cwd
            os.chdir(cwd)
            stage = "run %s" % argv[0]
            os.execvpe(argv[0], argv, environment)
        except BaseException as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) else repr(error)
            with contextlib.suppress(OSError):
                os.write(writing, ("cannot %s: %s" % (stage, reason)).encode("utf-8", "replace"))
        finally:
            os._exit(127)
    os.close(writing)
    report = b""
    while True:
        chunk = os.read(reading, 4096)
        if not chunk:
            break
        report += chunk
    os.close(reading)
    if report:
        os.waitpid(pid, 0)
        raise LaunchError(report.decode("utf-8", "replace"))
    return pid


def write_private(path, content):
    """A file that only this user may read, whole or not there at all."""
    partial = path + ".part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial)
    handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
    os.replace(partial, path)
