"""Environments that start from revisions of others."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.environment import Environment, EnvironmentSpec
from jupyter_mlops.core.errors import BaseMissingError, ConflictError, UnsatisfiableError
from jupyter_mlops.core.inventory import Inventory, Package
from jupyter_mlops.core.pylock import versions
from jupyter_mlops.core.revision import Revision
from jupyter_mlops.services.parents import Family, floors, made_older, preferred
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, tiny_spec

HEAD = 'lock-version = "1.0"\ncreated-by = "uv"\n'


def lock(**packages: str) -> str:
    return HEAD + "".join(
        f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n'
        for name, version in packages.items()
    )


def test_what_a_child_keeps_when_its_parent_changes():
    old, new = lock(numpy="1", scipy="1", pandas="5"), lock(numpy="2", scipy="1", pandas="5")
    own = lock(numpy="1", scipy="3", six="7", pandas="4")
    found = preferred(own, old, new)
    # From the parent, of its own choice, its own alone; never older than the parent's.
    assert versions(found) == {"numpy": "2", "scipy": "3", "six": "7", "pandas": "5"}
    assert found.startswith('lock-version = "1.0"')
    assert versions(preferred("", "", new)) == versions(new)


def test_what_a_parent_has_is_not_made_older():
    packages = [
        Package("pypi", "torch", "2.1+cpu"),
        Package("pypi", "numpy", "2.0"),
        Package("pypi", "mine", "1.0", source="https://example.com/mine"),
        Package("deb", "tree", "1"),
    ]
    inventory = Inventory("3.11.2", "cpython", "", "", "x86_64", tuple(packages))
    assert floors(inventory, ["NumPy<2"]) == ["torch>=2.1"]
    assert made_older(lock(numpy="1.9", torch="2.2"), inventory) == {"numpy": ("2.0", "1.9")}


def environment(name: str, base: str, active_base: str = "") -> tuple[Environment, list[Revision]]:
    spec = EnvironmentSpec(name, base)
    built = EnvironmentSpec(name, active_base or base)
    revision = Revision(name, 1, built, "", "", "", "", "", "", "")
    return Environment(name, "", spec, "", active=1), [revision]


def family(*members: tuple[Environment, list[Revision]]) -> Family:
    return Family([e for e, _ in members], [r for _, found in members for r in found])


def test_circles_are_refused():
    found = family(
        environment("a", "debian"),
        environment("b", "a@active"),
        environment("c", "b@2"),
        # Built on b, and last asked for on an image: the build on b is what it is.
        environment("d", "debian", "b@active"),
    )
    found.check(EnvironmentSpec("e", "c@active"))
    found.check(EnvironmentSpec("c", "a@1"))
    for name, base, words in (
        ("a", "a@1", "'a' cannot start from itself"),
        ("a", "c@active", "'c' starts from 'b', and 'b' starts from 'a'"),
        ("a", "d@active", "'d' starts from 'b', and 'b' starts from 'a'"),
    ):
        with pytest.raises(ConflictError, match=words):
            found.check(EnvironmentSpec(name, base))
    assert found.followers("a") == ["b"] and found.followers("b") == ["d"]
    assert found.children("b") == ["c", "d"]


@pytest.mark.docker
async def test_a_child_has_what_its_parent_has(services: Services, tiny_environment: Tiny):
    environments = services.environments
    old = tiny_spec(services, name="older", python=("humanize==4.6.0",))
    await environments.build(old, Recorder())
    spec = tiny_spec(services, name="older-child", base="older@1", python=("six",), variables={})
    revision = await environments.build(spec, Recorder())
    locked = versions(await environments.lock(revision))
    # Complete, and solved together: also what its parent asked for is in it.
    assert locked["humanize"] == "4.6.0" and "six" in locked and "ipykernel" in locked
    assert (revision.parent, revision.inherited) == ("older@1", ("humanize==4.6.0",))
    installed = (await environments.inventory(revision)).of("pypi")
    assert {name: p.version for name, p in installed.items()} == locked

    with pytest.raises(ConflictError, match="'older' cannot start from 'older-child'"):
        await environments.build(
            tiny_spec(services, name="older", base="older-child@active"), Recorder(), replace=True
        )
    with pytest.raises(
        ConflictError, match="'older' cannot be deleted: older-child starts from it"
    ):
        await environments.delete("older")
    for base, words in (
        ("nobody@active", "no environment 'nobody'"),
        ("older@9", "'older' has no revision 9"),
    ):
        with pytest.raises(BaseMissingError, match=words):
            await environments.build(tiny_spec(services, name="lost", base=base), Recorder())
    await environments.delete("lost")

    # The parent's new versions are the child's, although the child's own lock has older ones.
    newer = tiny_spec(services, name="older", python=("humanize>=4.6",))
    second = await environments.build(newer, Recorder(), replace=True, upgrade=True)
    upgraded = versions(await environments.lock(second))["humanize"]
    assert upgraded != "4.6.0"
    moved = tiny_spec(services, name="older-child", base="older@2", python=("six",), variables={})
    followed = await environments.build(moved, Recorder(), replace=True)
    assert versions(await environments.lock(followed)) == {
        **versions(await environments.lock(second)), "six": locked["six"]
    }  # fmt: skip
    await environments.delete("older-child")
    await environments.delete("older")


@pytest.mark.docker
async def test_a_child_never_makes_packages_older_in_silence(
    services: Services, tiny_environment: Tiny
):
    environments = services.environments
    # jinja2 comes by the parent's setup script: no lock has it, and it counts all the same.
    parent = tiny_spec(
        services, name="newer", python=("markupsafe>=2",), setup="pip install -q jinja2==3.1.4\n"
    )
    built = await environments.build(parent, Recorder())
    old = ("flask==1.1.4",)  # Needs jinja2 below 3.
    with pytest.raises(UnsatisfiableError, match="jinja2") as caught:
        await environments.build(
            tiny_spec(services, name="newer-child", base="newer@active", python=old), Recorder()
        )
    assert f"starts from newer@{built.number}" in caught.value.hint
    assert "unless you name the package yourself" in caught.value.hint
    # Who names the package has it, and the log says so.
    recorder = Recorder()
    named = tiny_spec(services, name="newer-child", base="newer@active", python=(*old, "jinja2<3"))
    revision = await environments.build(named, recorder)
    assert f"jinja2 3.1.4 of newer@{built.number} becomes 2." in recorder.text
    found = (await environments.inventory(revision)).of("pypi")
    assert found["jinja2"].version.startswith("2.")
    await environments.delete("newer-child")
    await environments.delete("newer")
