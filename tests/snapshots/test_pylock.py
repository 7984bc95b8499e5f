"""Locks that follow what is installed."""

from __future__ import annotations

from dataclasses import replace

import tomllib

from jupyter_mlops.core.inventory import Inventory, Package
from jupyter_mlops.core.pylock import outdated, packages, unresolved, updated, versions, with_r

LOCK = """\
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.11"

[[packages]]
name = "numpy"
version = "2.3.5"
wheels = [{ url = "https://example.org/numpy.whl", hashes = { sha256 = "aa" } }]

[[packages]]
name = "typing-extensions"
version = "4.15.0"
wheels = [
    { url = "https://example.org/typing.whl", hashes = { sha256 = "bb" } },
]

[packages.tool.x]
note = "belongs to the one before"
"""
TOOLZ = (
    '[[packages]]\nname = "toolz"\nversion = "1.0"\nwheels = [{ url = "https://e.org/t.whl" }]\n'
)


def inventory(**found: str) -> Inventory:
    """A value with ``://`` is where it came from."""
    installed = tuple(
        Package("pypi", name.replace("_", "-"), "0.1", text)
        if "://" in text
        else Package("pypi", name.replace("_", "-"), text)
        for name, text in found.items()
    )
    return Inventory("3.11.2", "CPython", "Debian", "glibc 2.36", "x86_64", installed)


BEFORE = {"numpy": "2.3.5", "typing_extensions": "4.15.0", "pip": "25.0"}


def test_nothing_changed() -> None:
    same = inventory(**BEFORE)
    assert versions(LOCK) == {"numpy": "2.3.5", "typing-extensions": "4.15.0"}
    assert outdated(LOCK, same) == {"pip": "25.0"}
    assert tomllib.loads(updated(LOCK, same, {})) == tomllib.loads(LOCK)


def test_added_changed_and_removed() -> None:
    now = inventory(numpy="2.4.0", toolz="1.0", pip="25.0")
    assert outdated(LOCK, now) == {"numpy": "2.4.0", "toolz": "1.0", "pip": "25.0"}
    newer = packages(LOCK)["numpy"].replace("2.3.5", "2.4.0")
    lock = updated(LOCK, now, {"toolz": TOOLZ, "numpy": newer})
    assert versions(lock) == {"numpy": "2.4.0", "toolz": "1.0"}
    assert unresolved(lock) == []
    assert [p["name"] for p in tomllib.loads(lock)["packages"]] == ["numpy", "toolz"]


def test_what_no_index_has_is_said_and_left_out() -> None:
    origin = "git+https://example.org/own.git@abc"
    now = inventory(**BEFORE, toolz="1.0", own=origin)
    assert "own" not in outdated(LOCK, now), "Not asked for on the index: another may be there"
    lock = updated(LOCK, now, {})
    assert unresolved(lock) == [f"own @ {origin}", "toolz==1.0"]
    read = tomllib.loads(lock)
    assert read["tool"]["jupyter-mlops"]["unresolved"] == unresolved(lock)
    assert "toolz" not in {p["name"] for p in read["packages"]}
    # A later snapshot finds it, and the list goes.
    found = updated(lock, inventory(**BEFORE, toolz="1.0"), {"toolz": TOOLZ})
    assert unresolved(found) == [] and versions(found)["toolz"] == "1.0"


def test_a_table_of_a_package_stays_with_it() -> None:
    lock = updated(LOCK, inventory(typing_extensions="4.15.0"), {})
    (package,) = tomllib.loads(lock)["packages"]
    assert package["tool"]["x"]["note"] == "belongs to the one before"


def test_packages_of_r_are_in_a_table_of_their_own() -> None:
    same = inventory(**BEFORE)
    assert with_r(LOCK, same) == LOCK
    found = (
        Package("cran", "data.table", "1.14.8"),
        Package("cran", "Matrix", "1.5-3"),
        Package("cran", "own", "0.1", "github.com/ada/own"),
    )
    now = replace(same, r="4.2.2", packages=(*same.packages, *found))
    lock = with_r(updated(LOCK, inventory(own="0.1", **BEFORE), {}), now)
    table = tomllib.loads(lock)["tool"]["jupyter-mlops"]
    assert table["unresolved"] == unresolved(lock) == ["own==0.1"]
    assert table["r"] == {"version": "4.2.2", "packages": ["Matrix==1.5-3", "data.table==1.14.8"]}
    assert "# own 0.1 is from github.com/ada/own" in lock
    # Written again it is the same, and what is gone is gone.
    assert with_r(lock, now) == lock
    assert packages(lock).keys() == packages(LOCK).keys()
    assert with_r(with_r(LOCK, now), same) == LOCK
