"""Runs in an image: what a handler's file defines, and which modules it needs that are missing.

Standard library only, 3.8 or newer; nothing of the user's is imported or run.
"""

import ast
import importlib.util
import os
import sys


def look(folder, first):
    """``{"functions", "missing", "error", "used"}`` of the file ``first`` and, through its
    imports, of its neighbours below ``folder``."""
    answer = {"functions": [], "missing": [], "error": "", "used": []}
    todo, seen = [first], set()
    while todo:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        try:
            with open(os.path.join(folder, path), "rb") as file:
                tree = ast.parse(file.read(), path)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            where = "%s, line %d" % (path, line) if line else path
            answer["error"] = "%s: %s" % (where, getattr(error, "msg", error))
            break
        if path == first:
            answer["functions"] = defined(tree)
        for name, line in imported(tree.body):
            near = neighbours(folder, path, name)
            if near:
                todo += near
            elif not available(name.split(".")[0]):
                answer["missing"].append({"module": name.split(".")[0], "file": path, "line": line})
    answer["used"] = sorted(seen)
    return answer


def defined(tree):
    """Names that the file has at top level: functions, classes, assignments, imports."""
    names = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.append(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names += [(alias.asname or alias.name).split(".")[0] for alias in node.names]
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


def imported(body):
    """(module, line) of all imports, but those whose failure the code expects."""
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno
        elif isinstance(node, ast.Try) and any(expects(handler) for handler in node.handlers):
            continue
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        else:
            for field in ("body", "orelse", "finalbody"):
                inner = getattr(node, field, None)
                if isinstance(inner, list):
                    for found in imported(inner):
                        yield found


def expects(handler):
    """Whether an ``except`` clause catches a failed import."""
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(names & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def neighbours(folder, path, name):
    """Files of the project that an import reads, below ``folder``; empty when none is its module.

    A relative import starts at the importing file's folder, another one at ``folder``.
    """
    dots = len(name) - len(name.lstrip("."))
    parts = [part for part in name.lstrip(".").split(".") if part]
    start = ""
    if dots:
        start = os.path.dirname(path)
        for _ in range(dots - 1):
            start = os.path.dirname(start)
    found = []
    for count in range(1, len(parts) + 1):
        base = "/".join(([start] if start else []) + parts[:count])
        for candidate in (base + ".py", base + "/__init__.py"):
            if os.path.isfile(os.path.join(folder, candidate)):
                found.append(candidate)
    if dots and not parts:
        found.append(path)
    if not found and parts and os.path.isdir(os.path.join(folder, start, parts[0])):
        # A folder without __init__.py is a package too.
        found.append(path)
    return found


def available(module):
    """Whether the environment, or Python itself, has a top-level module of this name."""
    if not module or module in sys.builtin_module_names:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False
