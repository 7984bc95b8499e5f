"""The handler's source: it loads what was saved, and brings what that needs of the notebook."""

from .saving import save
from .sources import NotSaved, gather, ordered


def model_handler(saved, namespace):
    """The source of ``inference.py``."""
    imports, definitions, constants, objects = gather(saved.classes, namespace)
    if objects:
        raise NotSaved(
            "%s uses %s of the notebook, which cannot be written down. Give it as an argument."
            % (saved.classes[0].__name__, ", ".join(sorted(objects)))
        )
    lines = [
        '"""Loads the model that was exported from a notebook."""\n\n',
        "import os\n",
        *("%s\n" % line for line in saved.imports),
        *imports.values(),
        *("\n%s = %r\n" % item for item in constants.items()),
        *("\n\n" + text for text in ordered(definitions, namespace)),
        "\n\ndef model_fn(model_dir):\n    _folder = model_dir\n    return %s\n" % saved.loader,
    ]
    if saved.predict:
        lines.append("\n\ndef predict_fn(data, model):\n%s" % saved.predict)
    return "".join(lines)


def function_handler(function, folder, stem, namespace):
    """(source, files, forms, trusted) of a function, with what it needs of the notebook."""
    imports, definitions, constants, objects = gather([function], namespace)
    saved = {}
    for name, value in objects.items():
        saved[name] = save(value, "object", folder, "%s-%s" % (stem, name), namespace)
    if not saved:
        raise NotSaved(
            "%s uses no model of the notebook. Export a function that does." % function.__name__
        )
    more = {line for one in saved.values() for line in one.imports}
    lines = [
        '"""A function that was exported from a notebook, and what it uses."""\n\n',
        "import os\n",
        *sorted("%s\n" % line for line in more),
        *imports.values(),
        "\n_folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n",
        *("%s = %r\n" % item for item in constants.items()),
        *("%s = %s\n" % (name, one.loader) for name, one in saved.items()),
        *("\n\n" + text for text in ordered(definitions, namespace)),
    ]
    forms = sorted({one.form for one in saved.values()})
    return (
        "".join(lines),
        [one.file for one in saved.values()],
        ", ".join(forms),
        any(one.trusted for one in saved.values()),
    )
