"""The source of what a notebook defines, with what it needs of the notebook."""

import ast
import inspect
import json
import linecache
import textwrap
import types

from .kinds import HERE

CONSTANT = 64 * 1024
"""Characters of a constant that is written down as source or JSON."""


class NotSaved(Exception):
    """What the user asked for cannot be saved; says why, and what to do."""


def source(value):
    try:
        text = class_source(value) if isinstance(value, type) else inspect.getsource(value)
    except (OSError, TypeError, SyntaxError):
        text = ""
    if not text:
        raise NotSaved(
            "The source of %s is not known. Run the cell that defines it again." % value.__name__
        )
    return textwrap.dedent(text).rstrip() + "\n"


def class_source(value):
    """Of a class of a notebook, which has no file: of the cell that its methods are of."""
    for member in vars(value).values():
        member = getattr(member, "__func__", getattr(member, "fget", member))
        code = getattr(member, "__code__", None)
        if code is None or not value.__name__ == getattr(member, "__qualname__", "").split(".")[0]:
            continue
        lines = linecache.getlines(code.co_filename)
        for node in ast.parse("".join(lines)).body:
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                return "".join(lines[first - 1 : node.end_lineno])
    return ""


def used_names(code):
    """Global names that a function's code, and code within it, speaks of."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= used_names(constant)
    return names


def names_of(value):
    if isinstance(value, types.FunctionType):
        return used_names(value.__code__)
    names = set()
    for member in vars(value).values():
        member = getattr(member, "__func__", member)
        if isinstance(member, types.FunctionType):
            names |= used_names(member.__code__)
    for base in value.__bases__:
        if base.__module__ == HERE:
            names.add(base.__name__)
    return names


def gather(first, namespace):
    """(imports, definitions, constants, objects) that the definitions ``first`` need, by name."""
    imports, definitions, constants, objects = {}, {}, {}, {}
    todo = list(first)
    while todo:
        value = todo.pop()
        name = value.__name__
        if name in definitions:
            continue
        definitions[name] = source(value)
        for used in sorted(names_of(value)):
            if used not in namespace or used in definitions:
                continue
            found = namespace[used]
            if isinstance(found, types.ModuleType):
                imports[used] = "import %s as %s\n" % (found.__name__, used)
            elif getattr(found, "__module__", "") == HERE and isinstance(
                found, (types.FunctionType, type)
            ):
                todo.append(found)
            elif isinstance(found, (types.FunctionType, types.BuiltinFunctionType, type)):
                known = getattr(found, "__qualname__", found.__name__)
                if "." not in known:
                    imports[used] = "from %s import %s as %s\n" % (found.__module__, known, used)
                else:
                    objects[used] = found
            elif is_constant(found):
                constants[used] = found
            else:
                objects[used] = found
    return imports, definitions, constants, objects


def is_constant(value):
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return len(text) <= CONSTANT and json.loads(text) == value


def ordered(definitions, namespace):
    """Sources; classes before what uses them when it is defined, base classes first."""
    classes = [name for name in definitions if isinstance(namespace.get(name), type)]
    classes.sort(key=lambda name: len(namespace[name].__mro__))
    functions = sorted(name for name in definitions if name not in classes)
    return [definitions[name] for name in classes + functions]
