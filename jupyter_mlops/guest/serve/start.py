"""Entry point in the image: ``python -I …/start.py serve``; workers: ``worker …``.

The package is loaded by its file, under a name that no user's module has, so that neither side
can shadow the other's modules.
"""

import importlib
import importlib.util
import os
import sys

NAME = "_mlops_serve"


def load(module):
    """Import ``module`` of the package that this file is in."""
    if NAME not in sys.modules:
        folder = os.path.dirname(os.path.abspath(__file__))
        spec = importlib.util.spec_from_file_location(
            NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )
        package = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = package
        spec.loader.exec_module(package)
    return importlib.import_module(NAME + "." + module)


def main(arguments):
    command = arguments[0] if arguments else "serve"
    if command == "worker":
        # Started without -I, so that PYTHON* variables of the environment hold as they did in
        # the notebook; but our own folder is no place for the user's imports.
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
        load("machine").fewer_descriptors(int(arguments[3]))
        load("worker").main(int(arguments[1]), int(arguments[2]), arguments[4])
    elif command == "serve":
        sys.exit(load("front").main())
    else:
        sys.exit("This image serves a model: start it with `serve`, not %r." % command)


if __name__ == "__main__":
    main(sys.argv[1:])
