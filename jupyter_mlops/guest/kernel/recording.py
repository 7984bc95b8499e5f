"""Which modules a kernel has imported once it has answered its first questions.

Runs at the end of a build under the environment's own Python, with its standard library and
pyzmq: ``python -I -B recording.py [ZYGOTE NAME…]``. Starts a kernel, asks it, and writes what it
said and the ``NAME``s to ``share/jupyter-mlops/kernel-modules.json`` of the environment. Names
that the program ``ZYGOTE`` must not import are left out, and printed as ``{name: reason}``.
Where no kernel answers, no file is there in the end, and it exits with 1.
"""

import ast
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

LIST = os.path.join(sys.prefix, "share", "jupyter-mlops", "kernel-modules.json")
KERNEL_SECONDS = 20.0
CHECK_SECONDS = 300.0

# Modules of its own, and none that only looks like one: another name for it, or made at runtime.
ASK = (
    "__import__('json').dumps(sorted(name for name, module in __import__('sys').modules.items()"
    " if getattr(getattr(module, '__spec__', None), 'name', '') == name"
    " and name not in ('__main__', 'ipykernel_launcher')))"
)


def main(argv):
    os.makedirs(os.path.dirname(LIST), exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(LIST)
    folder = tempfile.mkdtemp()
    try:
        kernel = live_modules(folder)
    except Exception as error:
        sys.stderr.write("%s\n" % error)
        kernel = None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    names, refused = argv[2:], {}
    if kernel is not None or names:
        write(kernel or [], names)
    if names:
        refused = check(argv[1], names)
        write(kernel or [], [name for name in names if name not in refused])
    print(json.dumps(refused))
    return 0 if kernel is not None else 1


def write(kernel, names):
    with open(LIST, "w", encoding="utf-8") as file:
        json.dump({"kernel": kernel, "preload": names}, file, indent=0)
        file.write("\n")


def live_modules(folder):
    """Of a kernel that has told what it is and run a cell. Raises what goes wrong."""
    import zmq

    sockets = os.path.join(folder, "kernel")
    file = os.path.join(folder, "connection.json")
    ports = {name + "_port": n for n, name in enumerate(CHANNELS, 1)}
    with open(file, "w") as stream:
        json.dump({"transport": "ipc", "ip": sockets, "key": "", **ports}, stream)
    log = open(os.path.join(folder, "log"), "w+")
    process = subprocess.Popen(
        [sys.executable, "-B", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", file],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**os.environ, "HOME": folder, "IPYTHONDIR": os.path.join(folder, "ipython")},
    )
    context = zmq.Context()
    shell = context.socket(zmq.DEALER)
    try:
        shell.setsockopt(zmq.RECONNECT_IVL, 5)
        shell.connect("ipc://%s-%d" % (sockets, ports["shell_port"]))
        send(shell, "kernel_info_request", {})
        send(shell, "execute_request", {**CELL, "code": "None"})
        send(shell, "execute_request", {**CELL, "code": "", "user_expressions": {"found": ASK}})
        answers = 0
        for _ in range(int(KERNEL_SECONDS * 10)):
            if shell.poll(100):
                content = json.loads(shell.recv_multipart()[-1].decode())
                answers += 1
                if answers == 3:
                    found = content["user_expressions"]["found"]
                    return json.loads(ast.literal_eval(found["data"]["text/plain"]))
            elif process.poll() is not None:
                break
        log.seek(0)
        said = log.read().strip().splitlines()
        raise RuntimeError("no kernel answered%s" % (": " + said[-1] if said else ""))
    finally:
        process.kill()
        process.wait()
        log.close()
        shell.close(0)
        context.term()


CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
CELL = {"silent": False, "store_history": True, "allow_stdin": False, "user_expressions": {}}


def send(shell, kind, content):
    header = {
        "msg_id": kind,
        "msg_type": kind,
        "session": "recording",
        "username": "",
        "date": "2026-01-01T00:00:00Z",
        "version": "5.3",
    }
    parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
    shell.send_multipart([b"<IDS|MSG>", b"", *parts])


def check(zygote, names):
    """What the zygote must not import, and why."""
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-Xfrozen_modules=off", zygote, "check"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=CHECK_SECONDS,
        )
        if done.returncode == 0:
            # What the modules print comes before.
            return json.loads(done.stdout.decode("utf-8", "replace").splitlines()[-1])
        reason = "the process that imported them ended with %d" % done.returncode
    except subprocess.TimeoutExpired:
        reason = "their import took longer than %d s" % CHECK_SECONDS
    return dict.fromkeys(names, reason)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
