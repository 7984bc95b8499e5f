"""A Python process with ipykernel imported, of which kernels are forked.

Started by the supervisor with the interpreter, options and environment of the kernel to come:
``python … zygote.py FD``. ``FD`` is a socket; both sides send JSON objects, one a line.

``{argv, environment, cwd}`` asks for a kernel. The kernel itself answers ``{"pid": …}``, or the
zygote ``{"refused": …}`` where a fork would not be the same as a new program:

``stale``
    A folder that modules come from has changed, by an installation most likely.
``threads``
    There is more than one thread, counted as the operating system does: a fork would keep one of
    them, and the locks of all.

A kernel is forked twice, so that it belongs to process 1.

What is imported beyond ipykernel is recorded in the image when it is built. Whatever of that
cannot be imported, or leaves threads, is named on stderr; the process then begins again without
it. ``python … zygote.py check`` does the same, and prints it as ``{name: reason}``.
"""

import gc
import importlib
import importlib.util
import json
import os
import random
import runpy
import signal
import socket
import sys
import time

LAUNCHER = "ipykernel_launcher"

# What a kernel has imported once it has answered its first questions, or leads to it; a library
# that a notebook may import is not among them. A module that this version of ipykernel does not
# have is left out.
MODULES = """
ipykernel.kernelapp ipykernel.ipkernel ipykernel.zmqshell ipykernel.debugger
ipykernel.subshell_manager IPython.core.completer IPython.core.completerlib IPython.core.debugger
IPython.core.history IPython.core.logger IPython.core.oinspect IPython.extensions.storemagic
IPython.utils.wildcard faulthandler pdb psutil sqlite3 tornado.platform.asyncio
"""

RECORDED = os.path.join(sys.prefix, "share", "jupyter-mlops", "kernel-modules.json")
"""``{kernel: [module, …], preload: [module, …]}``: what a live kernel had imported when the image
was built, and what the environment asks for besides."""
KERNEL = "the recorded modules"
"""Their name among what is refused."""
INLINE = "module://matplotlib_inline.backend_inline"
SETTLE_SECONDS = 0.1


def main(argv):
    checking = argv[1] == "check"
    refused = json.loads(argv[2]) if len(argv) > 2 else {}
    here = os.path.dirname(os.path.abspath(__file__))
    # Our folder is no place for the user's imports.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    before, environment = folders(), dict(os.environ)
    # Nothing of what is imported is garbage, and what exists before a fork is never looked at
    # again: kernels share the memory that it is in.
    gc.disable()
    preload()
    found = preload_recorded(refused)
    if found:
        again({**refused, **found}, environment)
    if checking:
        print(json.dumps(refused))
        return
    for name in sorted(refused):
        sys.stderr.write("not preloaded: %s (%s)\n" % (name, refused[name]))
    channel = socket.socket(fileno=int(argv[1]))
    gc.freeze()
    # pydevd has some of its settings there.
    added = {name: os.environ[name] for name in os.environ if name not in environment}
    for line in channel.makefile("rb"):
        request = json.loads(line.decode())
        refusal = doubt(before)
        if refusal:
            answer(channel, {"refused": refusal})
        elif fork_twice(channel):
            request["environment"] = {**added, **request["environment"]}
            become(channel, request)
            return


def preload():
    for name in MODULES.split():
        try:
            importlib.import_module(name)
        except Exception as error:
            if name == "ipykernel.kernelapp":
                raise
            sys.stderr.write("not preloaded: %s (%s)\n" % (name, error))


def preload_recorded(refused):
    """Import what the image says, but for ``refused``. What must not be imported is returned as
    ``{name: reason}``, empty in the end: this process has it imported, or a part of it."""
    kernel, extra = recorded()
    if KERNEL not in refused:
        for name in kernel:
            try:
                importlib.import_module(name)
            except Exception as error:
                # Most are there already. What has moved since is imported by the kernel itself.
                sys.stderr.write("not preloaded: %s (%r)\n" % (name, error))
        if threads():
            return {KERNEL: "they start threads"}
    for name in extra:
        if name in refused:
            continue
        # As ipykernel does, which is not there yet; matplotlib reads it once.
        os.environ.setdefault("MPLBACKEND", INLINE)
        try:
            importlib.import_module(name)
        except BaseException as error:
            return {name: "it cannot be imported: %s: %s" % (type(error).__name__, error)}
        if threads():
            return {name: "it starts threads"}
    return {}


def recorded():
    """Both lists; empty ones where the image has none, or none that can be read."""
    try:
        with open(RECORDED, encoding="utf-8") as file:
            found = json.load(file)
        lists = found["kernel"], found["preload"]
        if not all(isinstance(names, list) for names in lists):
            raise TypeError("no lists")
        if not all(isinstance(name, str) for names in lists for name in names):
            raise TypeError("no names")
        return lists
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write("%s cannot be read: %r\n" % (RECORDED, error))
    return [], []


def again(refused, environment):
    """Begin anew, without what an import has left behind."""
    with open("/proc/self/cmdline", "rb") as file:
        words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    words = [*words[: -len(sys.argv)], *sys.argv[:2], json.dumps(refused)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(words[0], words, environment)


def folders():
    """When each folder that modules are looked for in has changed last."""
    found = {}
    for path in sys.path:
        try:
            found[path] = os.stat(path).st_mtime_ns
        except OSError:
            found[path] = 0
    return found


def doubt(before):
    if folders() != before:
        return "stale"
    return "threads" if threads() else ""


def threads():
    """Whether there are any that a fork would break.

    Libraries that provide for it end their threads before a fork, and make them again when they
    have work for them, in both processes: OpenBLAS, which numpy brings. So what is counted are
    those that are left after a fork.
    """
    if alone():
        return False
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    # One that was joined is listed for a moment still.
    end = time.monotonic() + SETTLE_SECONDS
    while not alone():
        if time.monotonic() > end:
            return True
        time.sleep(0.002)
    return False


def alone():
    return len(os.listdir("/proc/self/task")) == 1


def fork_twice(channel):
    """True in the grandchild. Raises OSError where there can be no more processes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(reading)
        os.waitpid(child, 0)
        os.close(writing)
        return False
    os.close(writing)
    try:
        if os.fork():
            os._exit(0)
    except OSError as error:
        answer(channel, {"refused": "cannot fork: %s" % error})
        os._exit(1)
    # Until the process between has ended, and process 1 is the parent.
    os.read(reading, 1)
    os.close(reading)
    return True


def become(channel, request):
    """Make this process what a program started with this request would be, and run it.

    Ends the process before, with an answer, when that cannot be done.
    """
    try:
        os.setsid()
        # Out of memory, the kernel goes first, never process 1.
        try:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
        except OSError:
            pass
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        cwd = request["cwd"]
        os.chdir(cwd)
        reset(cwd)
        argv = request["argv"]
        spec = importlib.util.find_spec(LAUNCHER)
        sys.argv[:] = [spec.origin, *argv[argv.index(LAUNCHER) + 1 :]]
        sys.orig_argv = list(argv)
        # Where ``python -m`` puts the current folder; the launcher takes it away again.
        sys.path.insert(0, os.getcwd())
    except BaseException as error:
        answer(channel, {"refused": "cannot prepare the kernel: %r" % error})
        os._exit(127)
    answer(channel, {"pid": os.getpid()})
    # The supervisor sees that the zygote has ended only when nobody else holds its socket.
    channel.close()
    del channel, request
    runpy.run_module(LAUNCHER, run_name="__main__")


def reset(cwd):
    """What imports have made out of the zygote's own process."""
    gc.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # ipykernel puts a pipe at file 2: a crash could say nothing there any more.
    import faulthandler

    reset.crash_log = os.fdopen(os.dup(2), "w")
    faulthandler.enable(file=reset.crash_log)
    random.seed()
    loaded = sys.modules
    if "numpy.random" in loaded:
        loaded["numpy.random"].seed()
    if "tempfile" in loaded:
        loaded["tempfile"].tempdir = None
    if "multiprocessing.process" in loaded:
        process = loaded["multiprocessing.process"]
        # Else processes that are not forked look for the user's modules in the zygote's folder,
        process.ORIGINAL_DIR = cwd
        # and all kernels trust each other's.
        process.current_process().authkey = os.urandom(32)


def answer(channel, message):
    channel.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv)
