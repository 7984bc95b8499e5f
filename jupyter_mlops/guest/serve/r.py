"""A handler in R: this worker reads and writes the formats, a process of R beside it predicts.

R needs no package for that, not even for JSON: data frames go to it as columns.
"""

import os
import shutil
import signal
import struct
import subprocess
import sys

from . import coding, machine, values
from .errors import NotServable, Refused, Said

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.R")
_SIZE = struct.Struct("<ii")


class R:
    """``FUNCTION(data, model)`` or ``FUNCTION(data)`` of an R file; ``data`` is a data frame."""

    takes_rows = False
    by_name = False

    def __init__(self, spec, model_dir, accept):
        program = shutil.which("Rscript")
        if program is None:
            raise NotServable(
                "The handler %s is R, and the environment has no R: add a package of R to it."
                % spec["path"]
            )
        self._accept = accept
        self._process, self._requests, self._answers = _started(program, spec, model_dir)
        self._answer()

    def __call__(self, body, content_type, accept, attributes):
        wanted = coding.choose(accept, self._accept)
        prediction = self._predict(coding.decode(body, content_type))
        return (200, *coding.encode(prediction, wanted), {})

    def ask(self, data, told):
        """(prediction, headers) for the tensors of a KServe V2 request."""
        return self._predict(data), {}

    def resident(self):
        """Bytes of memory of the process of R."""
        return machine.resident(self._process.pid)

    def _predict(self, data):
        try:
            content = values.pack(data)
        except values.NoFrame as error:
            raise Refused(400, "The request is no data frame: %s." % error) from None
        try:
            self._requests.write(content)
            self._requests.flush()
        except OSError:
            self._ended()
        return self._answer()

    def _answer(self):
        head = self._answers.read(_SIZE.size)
        if len(head) < _SIZE.size:
            self._ended()
        status, size = _SIZE.unpack(head)
        content = self._answers.read(size)
        if len(content) < size:
            self._ended()
        value = values.Reader(content).value()
        if status:
            raise Said(" ".join(str(value[0]).split()))
        return value

    def _ended(self):
        """End as R has ended: the front says how, and starts this worker again."""
        code = self._process.wait()
        sys.stdout.flush()
        if code < 0:
            # A handler of this signal, or a core file, would say something else.
            signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
            os.kill(os.getpid(), -code)
        os._exit(code or 1)


def _started(program, spec, model_dir):
    """(process, stream of requests, stream of answers)."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = [
        program, "--no-init-file", SCRIPT, str(theirs_in), str(theirs_out), model_dir,
        spec["path"], spec.get("function", ""),
    ]  # fmt: skip
    environment = dict(os.environ)
    if not environment.get("LC_ALL"):
        # Without a locale R reads no text but ASCII.
        environment.setdefault("LANG", "C.UTF-8")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, env=environment, pass_fds=(theirs_in, theirs_out)
    )
    os.close(theirs_in)
    os.close(theirs_out)
    return process, os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
