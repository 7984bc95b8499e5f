"""Building environments on a real engine."""

from __future__ import annotations

import subprocess
from typing import Any

import docker
import pytest

from jupyter_mlops.core.errors import (
    BaseMissingError,
    BuildFailedError,
    ConflictError,
    NotFoundError,
    UnsatisfiableError,
)
from jupyter_mlops.core.inventory import diff
from jupyter_mlops.core.layout import (
    LABEL_ENVIRONMENT,
    LABEL_KIND,
    LABEL_OWNER,
    LABEL_REVISION,
    LABELS,
)
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, tiny_spec

pytestmark = pytest.mark.docker


def run(image: str, *command: str, user: str = "") -> str:
    """The output of a command in a fresh container of an image."""
    with_user = ["--user", user, "--group-add", "0"] if user else []
    answer = subprocess.run(
        ["docker", "run", "--rm", *with_user, image, *command], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


async def containers(services: Services) -> list[str]:
    engine = await services.engines.engine()
    owner = services.settings.owner
    return [c.name for kind in ("build", "probe") for c in await engine.list(
        {LABEL_KIND: kind, LABEL_OWNER: owner}
    )]  # fmt: skip


async def images(services: Services, name: str) -> list[str]:
    engine = await services.engines.engine()
    return [i.id for i in await engine.images(
        {LABEL_ENVIRONMENT: name, LABEL_OWNER: services.settings.owner}
    )]  # fmt: skip


async def nothing_is_left(services: Services, name: str) -> None:
    assert await containers(services) == []
    assert await images(services, name) == []
    assert await services.environments.revisions(name) == []


async def test_first_revision(services: Services, tiny_environment: Tiny):
    revision = tiny_environment.revision
    assert (revision.number, tiny_environment.environment.active) == (1, 1)
    assert revision.ref.startswith("mlops/env/tiny:r1")
    assert tiny_environment.recorder.phases == [
        "resolve", "resolve", "prepare", "python", "probe", "freeze"
    ]  # fmt: skip
    assert "humanize" in tiny_environment.recorder.text
    lock = await services.environments.lock(revision)
    assert 'lock-version = "1.0"' in lock
    for name in ("humanize", "ipykernel", "pip"):
        assert f'name = "{name}"' in lock
    assert lock.count("sha256") >= revision.packages
    inventory = await services.environments.inventory(revision)
    packages = inventory.of("pypi")
    assert {"humanize", "ipykernel", "pip"} <= packages.keys()
    assert len(packages) == revision.packages == lock.count("[[packages]]")
    assert not [p for p in packages.values() if p.patched or p.source]
    assert inventory.of("deb")["python3"].version
    assert inventory.python == revision.python == run(
        revision.ref, "python", "-c", "import platform; print(platform.python_version())"
    ).strip()  # fmt: skip
    assert inventory.variables == {"TINY": "yes"}
    assert "bookworm" in inventory.os and inventory.libc.startswith("glibc 2.")
    assert await containers(services) == []


async def test_image_holds_nothing_of_ours(services: Services, tiny_environment: Tiny):
    image = docker.from_env().images.get(tiny_environment.revision.image)
    config = image.attrs["Config"]
    assert not config["Volumes"]
    assert not config["Entrypoint"]
    assert config["Cmd"] == ["/opt/env/bin/python"]
    assert not config["User"]
    assert config["WorkingDir"] in ("", "/")
    variables = dict(item.split("=", 1) for item in config["Env"])
    assert variables.pop("PATH").startswith("/opt/env/bin:")
    assert variables == {"VIRTUAL_ENV": "/opt/env", "TINY": "yes"}
    assert {k: v for k, v in config["Labels"].items() if v and k in LABELS} == {
        LABEL_KIND: "revision",
        LABEL_OWNER: services.settings.owner,
        LABEL_ENVIRONMENT: "tiny",
        LABEL_REVISION: "1",
    }
    found = run(image.id, "find", "/run", "/tmp", "/var/tmp", "/var/lib/apt/lists", "-type", "f")
    assert not [path for path in found.split() if not path.endswith("lock")]
    ours = run(image.id, "find", "/run", "/opt", "/root", "/usr/local", "-path", "*mlops*")
    assert ours.split() == [
        "/opt/env/share/jupyter-mlops",
        # What kernels of this image import when they start.
        "/opt/env/share/jupyter-mlops/kernel-modules.json",
    ]
    assert run(image.id, "ls", "-A", "/opt/env").split() == [
        "CACHEDIR.TAG", "bin", "lib", "lib64", "pyvenv.cfg", "share"
    ]  # fmt: skip


async def test_folders_let_another_user_install(tiny_environment: Tiny):
    image = tiny_environment.revision.ref
    assert not run(image, "find", "/opt/env", "-type", "d", "!", "-perm", "-g=w").strip()
    assert not run(image, "find", "/opt/env", "!", "-group", "root").strip()
    said = run(
        image, "sh", "-c", "HOME=/tmp pip uninstall -y humanize", user="1234:1234"
    )  # fmt: skip
    assert "Successfully uninstalled humanize" in said


async def test_modules_are_compiled(tiny_environment: Tiny):
    script = (
        "import humanize, traitlets, importlib.util as u, pathlib\n"
        "for m in (humanize, traitlets):\n"
        "    data = pathlib.Path(u.cache_from_source(m.__file__)).read_bytes()\n"
        "    print(int.from_bytes(data[4:8], 'little'), data[8:16] == u.source_hash("
        "pathlib.Path(m.__file__).read_bytes()))\n"
    )
    # Flag 3: checked by the hash of the source.
    assert run(tiny_environment.revision.ref, "python", "-c", script).split() == ["3", "True"] * 2


async def test_identical_request_returns_the_revision(services: Services, tiny_environment: Tiny):
    recorder = Recorder()
    again = await services.environments.build(tiny_spec(services), recorder, replace=True)
    assert again == tiny_environment.revision
    assert recorder.phases == ["resolve"]
    assert len(await services.environments.revisions("tiny")) == 1


async def test_name_is_taken(services: Services, tiny_environment: Tiny):
    with pytest.raises(ConflictError, match="tiny"):
        await services.environments.build(tiny_spec(services), Recorder())


async def test_more_packages_are_a_small_layer(services: Services, tiny_environment: Tiny):
    environments = services.environments
    first = await environments.build(tiny_spec(services, name="grows"), Recorder())
    more = tiny_spec(services, name="grows", python=("humanize", "six"), variables={"TINY": "no"})
    second = await environments.build(more, Recorder(), replace=True)
    assert (second.number, second.base_image) == (2, first.base_image)
    assert second.size - first.size < 1_000_000
    engine = await services.engines.engine()
    below, above = await engine.image(first.image), await engine.image(second.image)
    assert below and above and above.layers[: len(below.layers)] == below.layers
    assert above.environment["TINY"] == "no"
    changes = diff(await environments.inventory(first), await environments.inventory(second))
    assert [c.name for c in changes.added] == ["six"]
    assert [(c.name, c.before, c.after) for c in changes.changed] == [("$TINY", "yes", "no")]
    assert not changes.removed and not changes.patched

    # One package less: begun again from the base, so that nothing of it is left.
    less = tiny_spec(services, name="grows", python=("six",))
    third = await environments.build(less, Recorder(), replace=True)
    found = await environments.inventory(third)
    assert "humanize" not in found.of("pypi") and "six" in found.of("pypi")
    fresh = await engine.image(third.image)
    assert fresh and fresh.layers[: len(below.layers)] != below.layers

    assert (await environments.get("grows")).active == 3
    assert (await environments.activate("grows", 1)).active == 1
    assert (await environments.resolve("grows"))[1] == first
    assert (await environments.resolve("grows@3"))[1] == third
    with pytest.raises(NotFoundError, match="revision 9"):
        await environments.resolve("grows@9")
    # The earlier request again: no build, and active again.
    assert await environments.build(more, Recorder(), replace=True) == second
    assert (await environments.get("grows")).active == 2

    kernels = services.kernel_specs.path
    assert (kernels / "mlops-grows").exists() and (kernels / "mlops-grows.r3").exists()
    freed = await environments.delete("grows")
    assert 1_000_000 < freed < first.size
    assert not list(kernels.glob("mlops-grows*"))
    await nothing_is_left(services, "grows")


async def test_starts_from_an_environment(services: Services, tiny_environment: Tiny):
    environments = services.environments
    spec = tiny_spec(services, name="child", base="tiny@active", python=("six",), variables={})
    revision = await environments.build(spec, Recorder())
    assert revision.base_image == tiny_environment.revision.image
    inventory = await environments.inventory(revision)
    assert {"humanize", "six"} <= inventory.of("pypi").keys()
    assert inventory.variables == {"TINY": "yes"}
    with pytest.raises(ConflictError, match="child"):
        await environments.delete("tiny")
    assert await environments.delete("child") < 5_000_000


async def test_probe_of_an_image_is_its_inventory(services: Services, tiny_environment: Tiny):
    probed = await services.environments.probe(tiny_environment.revision.image)
    assert diff(await services.environments.inventory(tiny_environment.revision), probed).empty
    assert await containers(services) == []


async def test_distribution_packages_and_setup_script(services: Services, tiny_environment: Tiny):
    spec = tiny_spec(
        services,
        name="native",
        apt=("tree",),
        setup=(
            "tree --version\n"
            "cat > /opt/note.txt <<END\nhello\nEND\n"
            "read line || echo 'no input is eaten'\n"
            'echo "home is $HOME"\n'
            "echo '# patched' >> $(python -c 'import humanize; print(humanize.__file__)')\n"
        ),
    )
    recorder = Recorder()
    revision = await services.environments.build(spec, recorder)
    assert recorder.phases[-6:] == ["apt", "prepare", "python", "setup", "probe", "freeze"]
    assert "no input is eaten" in recorder.text and "home is /run/mlops/home" in recorder.text
    inventory = await services.environments.inventory(revision)
    assert "tree" in inventory.of("deb")
    assert inventory.of("pypi")["humanize"].patched == ("humanize/__init__.py",)
    assert run(revision.ref, "cat", "/opt/note.txt") == "hello\n"
    kept = run(
        revision.ref, "find", "/var/lib/apt/lists", "/var/cache/apt", "-type", "f", "-size", "+0"
    )
    assert not kept.strip()
    await services.environments.delete("native")


FAILURES = {
    "unsatisfiable": (
        {"python": ("humanize>=4", "humanize<2")},
        UnsatisfiableError,
        "humanize",
    ),
    "no such package": (
        {"python": ("jupyter-mlops-has-no-such-package",)},
        UnsatisfiableError,
        "not found in the package registry",
    ),
    "no such distribution package": (
        {"apt": ("no-such-package",)},
        BuildFailedError,
        "step apt.*'no-such-package'",
    ),
    "setup script fails": (
        {"setup": "echo one\nls /nowhere\necho two\n"},
        BuildFailedError,
        "(?s)step setup.*exit code 2.*/nowhere",
    ),
    "disk full": (
        {"setup": "echo 'write error: No space left on device' >&2; exit 1"},
        Exception,
        "disk is full",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_failures_say_why_and_leave_nothing(
    services: Services, tiny_environment: Tiny, case: str
):
    changes, kind, message = FAILURES[case]
    spec = tiny_spec(services, name="broken", **changes)
    recorder = Recorder()
    with pytest.raises(kind, match=message) as caught:
        await services.environments.build(spec, recorder)
    assert caught.value.hint
    assert "Traceback" not in str(caught.value)
    await nothing_is_left(services, "broken")
    # It is listed, without a revision, and its name can be built again.
    assert (await services.environments.get("broken")).active == 0
    assert not list(services.kernel_specs.path.glob("mlops-broken*"))
    if case == "setup script fails":
        assert "two" not in recorder.text
        await services.environments.build(tiny_spec(services, name="broken"), Recorder())
    await services.environments.delete("broken")


async def test_base_is_missing(services: Services, tiny_environment: Tiny):
    for base, words in (
        ("nothing", "base create debian --name nothing"),
        ("tiny", "tiny@active"),
        ("tiny@7", "env show tiny"),
    ):
        with pytest.raises(BaseMissingError) as caught:
            await services.environments.build(
                tiny_spec(services, name="lost", base=base), Recorder()
            )
        assert words in caught.value.hint
    await services.environments.delete("lost")


async def test_base_in_use_is_not_deleted(services: Services, tiny_environment: Tiny):
    with pytest.raises(ConflictError, match="tiny"):
        await services.environments.delete_base("debian")
    with pytest.raises(ConflictError, match="debian"):
        await services.environments.create_base("debian", progress=Recorder())
    with pytest.raises(NotFoundError):
        await services.environments.delete_base("other")


async def test_python_package_that_cannot_be_compiled(
    services: Services, tiny_environment: Tiny, fresh_cache: str, tmp_path: Any
):
    # An old sdist of psutil without wheels for this Python needs a compiler, and says so.
    spec = tiny_spec(services, name="compiles", python=("psutil==5.4.8", "ipykernel<7"))
    with pytest.raises(BuildFailedError, match=r"psutil.*compiled") as caught:
        await services.environments.build(spec, Recorder())
    assert "build-essential" in caught.value.hint
    await nothing_is_left(services, "compiles")
    await services.environments.delete("compiles")
