"""What data look like: the schema of a request or an answer.

Runs in notebooks' kernels and where models are tried. Standard library only, 3.8 or newer: a table
or an array is told by what it can do.
"""

HERE = "__main__"
NAMES = {"int": "int64", "float": "float64", "str": "object", "NoneType": "object"}
"""Of Python's types, as pandas calls a column of them."""


def is_frame(value):
    return hasattr(value, "columns") and hasattr(value, "iloc") and hasattr(value, "dtypes")


def is_array(value):
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "tolist")


def described(value):
    """The schema of rows: names and types, and whether values may be missing."""
    if is_frame(value):
        columns = [(n, str(value[n].dtype), bool(value[n].isna().any())) for n in value.columns]
        return table(columns)
    if is_array(value):
        return {
            "type": "array",
            "dtype": str(value.dtype),
            "shape": [None, *(int(size) for size in value.shape[1:])],
        }
    if isinstance(value, dict):
        return {"type": "object", "fields": {str(k): described(v) for k, v in value.items()}}
    if isinstance(value, list):
        if value and all(isinstance(row, dict) for row in value):
            return table(records(value))
        return {"type": "list", "items": described(value[0]) if value else {}}
    module = type(value).__module__
    name = type(value).__name__
    return {"type": name if module in ("builtins", HERE) else "%s.%s" % (module, name)}


def table(columns):
    return {
        "type": "table",
        "columns": [{"name": str(n), "type": kind, "missing": gaps} for n, kind, gaps in columns],
    }


def records(rows):
    """(name, type, whether values are missing) of the columns of dicts."""
    for name in dict.fromkeys(name for row in rows for name in row):
        found = [row[name] for row in rows if row.get(name) is not None]
        kinds = {type(value).__name__ for value in found} or {"NoneType"}
        kind = "float" if kinds == {"int", "float"} else kinds.pop() if len(kinds) == 1 else "str"
        yield name, NAMES.get(kind, "bool" if kind == "bool" else "object"), len(found) < len(rows)
