"""PyTorch modules: called as their handler will call them, saved without the notebook's code."""

import contextlib
import os
import textwrap

from .sources import NotSaved

CALL = """\
def plain(value):
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.detach().cpu().numpy() if torch.is_tensor(value) else value

if hasattr(data, "to_numpy"):
    data = data.to_numpy()
rows = torch.as_tensor(data, dtype=torch.%s)
with torch.no_grad():
    return plain(model(rows))
"""
"""The body of a function of ``data`` and ``model``, which are the rows and the module."""


class Call:
    """Of a module with rows of one type of numbers. Raises what the module raises."""

    def __init__(self, kind):
        self.body = CALL % kind
        scope = {}
        source = "import torch\ndef call(data, model):\n" + textwrap.indent(self.body, "    ")
        exec(compile(source, "<jupyter-mlops call>", "exec"), scope)
        self._call = scope["call"]

    def __call__(self, data, module):
        return self._call(on(module, data), module)


def on(module, data):
    """Rows where the module's numbers are: it may be on a GPU, its package will not be."""
    import torch

    first = next(module.parameters(), None)
    if first is None or first.device.type == "cpu":
        return data
    data = data.to_numpy() if hasattr(data, "to_numpy") else data
    return torch.as_tensor(data, device=first.device)


@contextlib.contextmanager
def evaluating(module):
    """As it answers requests; afterwards, each part learns or not as before."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def calling(module, data):
    """How the module takes the rows: as numbers of its own type, or whole, as indices are."""
    import torch

    first = next((p for p in module.parameters() if p.dtype.is_floating_point), None)
    own = str(first.dtype if first is not None else torch.get_default_dtype())
    call = Call(own.rpartition(".")[2])
    with evaluating(module):
        try:
            call(data, module)
        except Exception:
            if not whole(data):
                raise
            call = Call("int64")
            call(data, module)
    return call


def whole(data):
    import torch

    data = data.to_numpy() if hasattr(data, "to_numpy") else data
    with contextlib.suppress(Exception):
        kind = torch.as_tensor(data).dtype
        return not kind.is_floating_point and not kind.is_complex
    return False


def predicted(module, data):
    call = calling(module, data)
    with evaluating(module):
        return call(data, module)


def torch_script(module, folder, file, data):
    """Write TorchScript, which needs no class of the notebook; returns the lines that call it.

    Raises NotSaved for a module whose program answers otherwise than the module itself.
    """
    import torch

    call = calling(module, data)
    path = os.path.join(folder, file)
    with evaluating(module):
        reasons = []
        for form in (torch.jit.script, traced(call, data)):
            try:
                form(module).save(path)
                program = torch.jit.load(path, map_location="cpu").eval()
            except Exception as error:
                reasons.append("%s: %s" % (type(error).__name__, one_line(error)))
                continue
            # Also of one row: what was traced may hold the number of rows.
            if all(alike(call(part, program), call(part, module)) for part in (data, data[:1])):
                return textwrap.indent(call.body, "    ")
            reasons.append("the program answers otherwise than the module")
    with contextlib.suppress(OSError):
        os.unlink(path)
    raise NotSaved(
        "%s cannot be written as TorchScript: %s. Export it as ONNX, or change what is named."
        % (type(module).__name__, reasons[-1])
    )


def traced(call, data):
    def form(module):
        import torch

        seen = []
        hook = module.register_forward_pre_hook(lambda _, given: seen.append(given))
        try:
            call(data, module)
        finally:
            hook.remove()
        return torch.jit.trace(module, seen[0], strict=False)

    return form


def alike(one, other):
    import numpy

    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    try:
        return bool(numpy.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True))
    except (TypeError, ValueError):
        return one == other


def one_line(error):
    return " ".join(str(error).split())[:300]
