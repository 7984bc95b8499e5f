"""``python -m benchmarks NAME [--json]``: a table, or a list of objects, of one run."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys

import benchmarks

from .rows import table

_OURS = {"__main__", "dockernel", "rows", "serving_peers", "turns", "usage"}


def main() -> int:
    names = sorted({m.name for m in pkgutil.iter_modules(benchmarks.__path__)} - _OURS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=names)
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    arguments = parser.parse_args()
    rows = importlib.import_module(f"benchmarks.{arguments.name}").run()
    if arguments.json:
        print(json.dumps([row.dump() for row in rows], indent=1))
    else:
        print(table(rows))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
