"""Making packages of snapshots: what is looked at before, what is in them, what stays behind."""

from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from jupyter_mlops.core.deployment import Deployment, DeploymentState
from jupyter_mlops.core.errors import ConflictError, InvalidError, NotFoundError
from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER, SERVE_DIR, SERVE_SPEC
from jupyter_mlops.core.model_package import Batching, Handler
from jupyter_mlops.core.ports import ContainerSpec
from jupyter_mlops.services import examining
from jupyter_mlops.services.assembling import ENTRYPOINT, archive, serving_layer
from jupyter_mlops.services.packaging import Packaging

from ..parts.projects import freeze, package, project
from ..parts.services import Recorder, Tiny

pytestmark = pytest.mark.docker


async def _ours(services: Any) -> tuple[set[str], set[str], set[Path]]:
    """Images, containers and blobs of this test run."""
    engine = await services.engines.engine()
    owner = {LABEL_OWNER: services.settings.owner}
    images = {image.id for image in await engine.images(owner)}
    containers = {container.id for container in await engine.list(owner)}
    blobs = {file for file in (services.settings.data / "blobs").rglob("*") if file.is_file()}
    return images, containers, blobs


async def test_candidates(services: Any, tiny_environment: Tiny, tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p",
        old___backup__joblib=b"x",
        clean__py="def load(): pass\nasync def later(): pass\ndef _own(): pass\nclass A: pass\n",
        broken__py="def (:\n",
        rows__csv="1,2\n",
        notes__md="# notes",
    )
    snapshot = await freeze(services, tiny_environment, folder)
    found = await services.packaging.candidates(snapshot.id)
    assert found.models == ("model.pkl", "old/backup.joblib")
    assert found.handlers == ("inference.py",)
    assert found.samples[0] == "sample.json" and found.samples[-1] == "prediction.json"
    assert "rows.csv" in found.samples and "notes.md" not in found.samples
    assert found.functions["clean.py"] == ("load", "later")
    assert found.functions["broken.py"] == ()
    assert found.functions["inference.py"] == ("input_fn", "predict_fn")
    assert found.formats == {"model.pkl": "pickle", "old/backup.joblib": "joblib"}
    assert "loading it runs what is in it" in found.trust["model.pkl"]


async def test_a_package_is_the_snapshot_and_one_thin_layer(
    services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    recorder = Recorder()
    folder = project(tmp_path / "p", pkg___tools__py="x = 1", pkg___sub___more__py="y = 2")
    snapshot = await freeze(services, tiny_environment, folder)
    made = await services.packaging.create(
        snapshot.id, "rates", ["model.pkl"], Handler("inference", "inference.py"), "sample.json",
        recorder, "prediction.json",
    )  # fmt: skip
    assert recorder.phases == ["files", "handler", "model", "image"]
    assert made.id.startswith("p-") and len(made.id) == 18
    assert made.model_files == ("model.pkl",)
    assert 0 < made.layer_size < 1024 * 1024
    assert made.format == "pickle"
    assert made.trust == "model.pkl: loading it runs what is in it (a pickle)"
    numbers = {"type": "list", "items": {"type": "list", "items": {"type": "int"}}}
    assert made.schema == {
        "input": numbers,
        "output": {
            "type": "table",
            "columns": [
                {"name": "value", "type": "float64", "missing": False},
                {"name": "text", "type": "object", "missing": False},
            ],
        },
    }

    engine = await services.engines.engine()
    image = await engine.image(made.ref)
    base = await engine.image(snapshot.image)
    assert image is not None and base is not None
    assert image.id == made.image
    assert image.layers[:-1] == base.layers, "the snapshot as it is, and one layer"
    assert image.entrypoint == ENTRYPOINT and image.command == ("serve",)
    assert image.user == ""
    assert image.labels[LABEL_KIND] == "package"
    port = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
    assert image.labels[port] == "true"
    assert image.environment == base.environment

    with tarfile.open(services.blobs.path(made.model)) as tar:
        names = tar.getnames()
        assert {member.mtime for member in tar} == {0}
    assert names == ["code", "code/inference.py", "code/rates.py", "model.pkl"]
    assert await services.packaging.sample_body(made) == (folder / "sample.json").read_bytes()
    expected = await services.packaging.expected_body(made)
    assert expected == (folder / "prediction.json").read_bytes()
    assert await services.packaging.get(made.id) == made
    assert await services.packaging.get("rates") == made
    assert made in await services.packaging.list()

    # The same parts are the same package.
    again = await services.packaging.create(
        snapshot.id, "rates", ["model.pkl"], Handler("inference", "inference.py"), "sample.json",
        Recorder(), "prediction.json",
    )  # fmt: skip
    assert again == made
    await services.packaging.delete(made.id)
    assert await engine.image(made.ref) is None
    assert not services.blobs.path(made.model).exists()
    with pytest.raises(NotFoundError):
        await services.packaging.get("rates")


async def test_what_the_layer_holds(services: Any, tiny_environment: Tiny, tmp_path: Path) -> None:
    made = await package(services, tiny_environment, tmp_path / "p", batching=Batching(8, 5))
    engine = await services.engines.engine()
    spec = ContainerSpec(
        image=made.image,
        name=f"tests-layer-{os.getpid()}",
        labels={LABEL_KIND: "check", LABEL_OWNER: services.settings.owner},
    )
    container = await engine.create(spec)
    try:
        held = await engine.get_archive(container, "/opt/mlops")
        with tarfile.open(fileobj=io.BytesIO(held)) as t:
            members = {member.name: member for member in t}
    finally:
        await engine.remove(container)
    with tarfile.open(fileobj=io.BytesIO(held)) as t:
        file = t.extractfile(f"mlops/{Path(SERVE_SPEC).name}")
        assert file is not None
        spec = json.load(file)
    assert spec["package"] == made.id and spec["model"] == made.model
    assert spec["snapshot"]["id"] == made.snapshot
    assert spec["batching"] == {"size": 8, "wait_ms": 5}
    assert spec["model_schema"] == made.schema and made.schema["input"]
    assert f"mlops/{Path(SERVE_DIR).name}/start.py" in members
    assert {(m.uid, m.gid, m.mtime) for m in members.values()} == {(0, 0, 0)}
    assert not any("__pycache__" in name for name in members)
    await services.packaging.delete(made.id)


LIST = {"type": "list", "items": {"type": "int"}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                "handler": Handler("function", "rates.py", "apply"),
                "rates__py": "def apply(row, factor): return {'sum': factor * sum(row)}\n",
                "sample__json": '{"data": {"row": [1, 2], "factor": 0.5}}',
            },
            {
                "input": {"type": "object", "fields": {"row": LIST, "factor": {"type": "float"}}},
                "output": {"type": "object", "fields": {"sum": {"type": "float"}}},
            },
        ),
        (
            {"inference__py": "def predict_fn(rows, model): yield from rows\n"},
            {"input": LIST},
        ),
        (
            {"inference__py": "def transform_fn(m, body, kind, accept): return 'é', 'text/x'\n"},
            {"input": LIST},
        ),
        (
            {
                "inference__py": "def predict_fn(rows, model): return rows\n",
                "schema__json": '{"input": {"type": "array", "dtype": "int8", "shape": [null]}}',
            },
            {"input": {"type": "array", "dtype": "int8", "shape": [None]}},
        ),
    ],
    ids=["a function", "a stream", "text", "known from the notebook"],
)
async def test_what_the_sample_shows(
    services: Any,
    tiny_environment: Tiny,
    tmp_path: Path,
    changes: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    sample = {"sample__json": "[1, 2]"}
    made = await package(
        services, tiny_environment, tmp_path / "p", expected="", **(sample | changes)
    )
    assert made.schema == expected
    await services.packaging.delete(made.id)


def test_equal_layers_have_equal_bytes() -> None:
    layer = serving_layer(b"{}")
    assert archive(layer) == archive(dict(reversed(layer.items())))
    assert len(archive(layer)) < 1024 * 1024


DEFAULT = Handler("default", "")
REFUSED: dict[str, tuple[Any, ...]] = {
    "missing model": ({"model": ("other.pkl",)}, "no other.pkl"),
    "no model": ({"model": ()}, "has no model"),
    "outside": ({"model": ("../../etc/passwd",)}, "not a path in the project"),
    "absolute": ({"sample": "/etc/passwd"}, "not a path in the project"),
    "missing handler": ({"handler": Handler("inference", "other.py")}, "no other.py"),
    "handler that is no code": (
        {"handler": Handler("inference", "sample.json")},
        "no Python file",
    ),
    "missing sample": ({"sample": "other.json"}, "no other.json"),
    "missing answer": ({"expected": "other.json"}, "no other.json"),
    "broken sample": ({"sample__json": "{"}, "sample.json is not JSON"),
    "empty sample": ({"sample__json": ""}, "is empty"),
    "broken line": (
        {"sample": "rows.jsonl", "rows__jsonl": "1\n{\n"},
        "line 2 of rows.jsonl is not JSON",
    ),
    "ragged CSV": ({"sample": "rows.csv", "rows__csv": "1,2\n3\n"}, "Line 2 of the sample"),
    "no array": ({"sample": "rows.npy", "rows__npy": b"1,2"}, "no .npy file"),
    "broken handler": ({"inference__py": "def predict_fn(:\n"}, "inference.py, line 1"),
    "handler without functions": ({"inference__py": "x = 1\n"}, "defines none of model_fn"),
    "both ways": (
        {"inference__py": "def transform_fn(*a): pass\ndef input_fn(*a): pass\n"},
        "transform_fn and also",
    ),
    "missing package": (
        {"inference__py": "def predict_fn(d, m):\n    import numpy.linalg\n"},
        "inference.py, line 2, imports numpy",
    ),
    "missing in a neighbour": (
        {"rates__py": "import json\nimport surely_not_there\n"},
        "rates.py, line 2, imports surely_not_there",
    ),
    "no function": (
        {"handler": Handler("function", "rates.py", "other"), "sample__json": '{"data": {}}'},
        "defines no other",
    ),
    "sample of no function": (
        {"handler": Handler("function", "rates.py", "apply")},
        'is not {"data"',
    ),
    "which model": (
        {"model": ("model.pkl", "b.pkl"), "b__pkl": b"x"},
        "defines no model_fn",
    ),
    "same name twice": (
        {"model": ("model.pkl", "a/model.pkl"), "a___model__pkl": b"x"},
        "is taken already",
    ),
    "no handler": (
        {"handler": DEFAULT, "model__pkl": b"csklearn.linear_model\nLinearRegression\n."},
        "model.pkl needs sklearn, which the snapshot's environment does not have",
        "%pip install scikit-learn",
    ),
    "no library": (
        {"handler": DEFAULT, "model": ("m.onnx",), "m__onnx": b"x"},
        "m.onnx needs onnxruntime",
        "%pip install onnxruntime",
    ),
    "no mlflow": (
        {"handler": DEFAULT, "model": ("ml",), "ml___MLmodel": "flavors: {python_function: {}}"},
        "MLflow needs mlflow",
        "%pip install mlflow",
    ),
    "no flavors": (
        {"handler": DEFAULT, "model": ("ml",), "ml___MLmodel": "flavors"},
        "does not say which flavors",
        "Save the model again",
    ),
    "no code": (
        {"handler": DEFAULT, "model": ("w.safetensors",), "w__safetensors": b"x"},
        "safetensors does not load by itself",
        "Write an inference.py with model_fn",
    ),
    "no known format": (
        {"handler": DEFAULT, "model": ("data.bin",), "data__bin": b"x"},
        "(data.bin) is the model, and in which format, is not known",
        "Write an inference.py with model_fn",
    ),
    "a class of the notebook": (
        {"model__pkl": b"\x80\x04\x8c\x08__main__\x8c\x05Gone_\x93."},
        "needs a class or function that the notebook defined",
        "Write it into the handler's file",
    ),
    "damaged": (
        {"model__pkl": b"x", "handler": DEFAULT},
        "model.pkl does not load in the snapshot's image: UnpicklingError",
        "Save it again",
    ),
    "a model that predicts nothing": (
        {"handler": DEFAULT},
        "The sample does not fit the model model.pkl",
        "Save rows as the model was fitted with",
    ),
    "a handler that does not load": (
        {"inference__py": "def model_fn(folder):\n    open(folder + '/other.bin')\n"},
        "inference.py does not load in the snapshot's image: FileNotFoundError",
        "with the model's files and what is beside the handler",
    ),
    "a handler that does not answer": (
        {"inference__py": "def predict_fn(data, model):\n    return data['rows']\n"},
        "inference.py does not answer the sample: TypeError",
        "Correct the handler, or the sample",
    ),
    "a sample that the handler refuses": (
        {"inference__py": "def input_fn(body, kind):\n    raise ValueError('no rows')\n"},
        "inference.py does not answer the sample: input_fn: ValueError: no rows",
    ),
    "arguments of another function": (
        {
            "handler": Handler("function", "rates.py", "apply"),
            "sample__json": '{"data": {"other": 1}}',
        },
        "rates.py does not answer the sample: apply: ",
    ),
    "a handler that ends its process": (
        {"inference__py": "import os\ndef predict_fn(data, model):\n    os.abort()\n"},
        "The handler inference.py ended its process (SIG",
        "Correct what ends the process",
    ),
    "a handler that leaves": (
        {"inference__py": "import sys\ndef model_fn(folder):\n    sys.exit('no licence')\n"},
        "inference.py does not load in the snapshot's image: SystemExit: no licence",
    ),
    "imported from elsewhere in the project": (
        {
            "inference__py": "import features\ndef predict_fn(d, m): return 1\n",
            "lib___features__py": "",
        },
        "imports features, which is in the project at lib/features.py, but not beside",
        "Move lib/features.py into the folder of inference.py",
    ),
    "nothing left": (
        {"model": ("w",), "w___a__bin": b"a", "__modelignore": "*.bin\n"},
        "The folder w, which is to be the model, is empty",
        "what .modelignore names does not count",
    ),
    "a form twice": (
        {"also": ("rows.json",), "rows__json": "[]"},
        "more than once as application/json",
        "a content type of its own",
    ),
    "bad name": ({"name": "Not A Name"}, "cannot be the name of a model package"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_work_is_said_before_anything_is_built(
    case: str, services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    changes, message, *hint = REFUSED[case]
    engine = await services.engines.engine()
    owner = {LABEL_OWNER: services.settings.owner}
    before = {image.id for image in await engine.images(owner)}
    with pytest.raises(InvalidError) as raised:
        await package(services, tiny_environment, tmp_path / "p", **changes)
    assert message in raised.value.message
    assert all(part in raised.value.hint for part in hint)
    assert {image.id for image in await engine.images(owner)} == before
    assert not await engine.list(owner)
    assert not list((services.settings.data / "blobs" / "scratch").iterdir())


async def test_a_handler_that_never_answers_is_given_up(
    services: Any, tiny_environment: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examining, "TRIAL_SECONDS", 3.0)
    handler = "import time\ndef model_fn(folder):\n    time.sleep(3600)\n"
    with pytest.raises(InvalidError, match="has not loaded and answered the sample within 3 s"):
        await package(services, tiny_environment, tmp_path / "p", inference__py=handler)
    engine = await services.engines.engine()
    assert not await engine.list({LABEL_OWNER: services.settings.owner})


async def test_expected_failures_of_imports_are_no_problem(
    services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    made = await package(
        services,
        tiny_environment,
        tmp_path / "p",
        inference__py="""
            from __future__ import annotations
            from typing import TYPE_CHECKING
            import sys, os.path
            from tools.deep import answer
            try:
                import orjson
            except ImportError:
                orjson = None
            if TYPE_CHECKING:
                import numpy
            def predict_fn(data, model): return answer
        """,
        tools_____init__="",
        tools___deep__py="from . import other\nanswer = other.x\n",
        tools___other__py="x = 1\n",
        unused___more__py="import surely_not_there\n",
    )
    with tarfile.open(services.blobs.path(made.model)) as tar:
        names = set(tar.getnames())
    assert {"code/tools/deep.py", "code/tools/other.py"} <= names
    assert "code/unused/more.py" not in names
    await services.packaging.delete(made.id)


async def test_links_are_refused(services: Any, tiny_environment: Tiny, tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    (folder / "link.pkl").symlink_to("model.pkl")
    snapshot = await freeze(services, tiny_environment, folder)
    with pytest.raises(InvalidError, match=r"link\.pkl is a link"):
        await services.packaging.create(
            snapshot.id, "links", ["link.pkl"], Handler("inference", "inference.py"),
            "sample.json", Recorder(),
        )  # fmt: skip


async def test_what_modelignore_names_stays_out(
    services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    made = await package(
        services,
        tiny_environment,
        tmp_path / "p",
        model=("weights",),
        weights___a__bin=b"a",
        weights___b__tmp=b"b",
        weights___keep__tmp=b"c",
        weights___old___a__bin=b"d",
        notes__py="1",
        __modelignore="*.tmp\n!keep.tmp\nweights/old/\nnotes.py\n",
        inference__py="def model_fn(folder): return len\n",
    )
    assert made.model_files == ("a.bin", "keep.tmp")
    assert (made.format, made.trust) == ("", "")
    with tarfile.open(services.blobs.path(made.model)) as tar:
        assert "code/notes.py" not in tar.getnames()
    await services.packaging.delete(made.id)


async def test_a_folder_is_a_model(services: Any, tiny_environment: Tiny, tmp_path: Path) -> None:
    made = await package(
        services,
        tiny_environment,
        tmp_path / "p",
        model=("weights",),
        weights___a__bin=b"a",
        weights___deep___b__bin=b"b",
        inference__py="def model_fn(folder): return len\n",
    )
    assert made.model_files == ("a.bin", "deep/b.bin")
    await services.packaging.delete(made.id)


async def test_nothing_stays_behind(
    services: Any, tiny_environment: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the record is saved; and the user cancels while the image is made."""
    snapshot = await freeze(services, tiny_environment, project(tmp_path / "p"))
    before = await _ours(services)
    arguments: Any = (
        snapshot.id, "never", ["model.pkl"], Handler("inference", "inference.py"), "sample.json",
    )  # fmt: skip

    async def full(record: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(services.store.packages, "save", full)
        with pytest.raises(OSError, match="No space"):
            await services.packaging.create(*arguments, Recorder(), "prediction.json")
    assert await _ours(services) == before

    with anyio.CancelScope() as scope:
        recorder = Recorder(on_phase=lambda name: scope.cancel() if name == "image" else None)
        await services.packaging.create(*arguments, recorder, "prediction.json")
    assert scope.cancelled_caught
    assert await _ours(services) == before


async def test_names_and_deployments(services: Any, tiny_environment: Tiny, tmp_path: Path) -> None:
    packaging: Packaging = services.packaging
    first = await package(services, tiny_environment, tmp_path / "a", name="twice")
    second = await package(
        services,
        tiny_environment,
        tmp_path / "b",
        name="twice",
        rates__py="def apply(model, row):\n    return max(row)\n",
    )
    assert first.id != second.id
    with pytest.raises(ConflictError, match="2 model packages are named") as raised:
        await packaging.get("twice")
    assert first.id in raised.value.hint and second.id in raised.value.hint
    deployment = Deployment(
        id=f"d-{os.getpid():016x}", name="blocker", owner="x", created=first.created,
        package=first.id, target="local", options={}, state=DeploymentState.RUNNING,
    )  # fmt: skip
    await services.store.deployments.save(deployment)
    with pytest.raises(ConflictError, match="deployed: blocker"):
        await packaging.delete(first.id)
    await services.store.deployments.delete(deployment.id)
    await packaging.delete(first.id)
    # Sample and answer are the same files in both: they stay for the other.
    assert await packaging.sample_body(second)
    await packaging.delete(second.id)
    assert not services.blobs.path(second.sample.body).exists()


async def test_an_image_that_was_removed_is_made_again(
    services: Any, tiny_environment: Tiny, tmp_path: Path
) -> None:
    folder = project(tmp_path / "p")
    snapshot = await freeze(services, tiny_environment, folder)
    arguments: Any = (
        snapshot.id, "again", ["model.pkl"], Handler("inference", "inference.py"), "sample.json",
    )  # fmt: skip
    made = await services.packaging.create(*arguments, Recorder())
    engine = await services.engines.engine()
    await engine.remove_image(made.ref)
    with pytest.raises(NotFoundError):
        await services.packaging.check(made.id, Recorder())
    second = await services.packaging.create(*arguments, Recorder())
    assert second.id == made.id
    assert await engine.image(second.image) is not None
    assert replace(second, created="", image="") == replace(made, created="", image="")
    await services.packaging.delete(second.id)
