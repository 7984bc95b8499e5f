"""A model of R: a function of a data frame and an ``.rds``, from the snapshot to its answers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.core.model_package import Handler

from ..parts.projects import freeze, package
from ..parts.services import Recorder, Tiny, open_services
from ..parts.serving_container import r_container
from ..serving.conftest import Server

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

# What a notebook of R does: a model with a factor, its sample and its own prediction.
NOTEBOOK = """
cars <- transform(mtcars, gear = factor(gear, labels = c("drei", "vier", "fünf")))
model <- lm(mpg ~ wt + hp + gear, cars)
saveRDS(model, "model.rds")
sample <- head(cars[c("wt", "hp", "gear")], 3)
jsonlite::write_json(sample, "sample.json", digits = NA)
jsonlite::write_json(unname(predict(model, sample)), "prediction.json", digits = NA)
writeLines("model.rds is made", "log.txt")
"""
HANDLER = """
source("names.R")

predict_fn <- function(data, model) {
  stopifnot(identical(predictors, names(data)))
  predict(model, data)
}
"""
NAMES = 'predictors <- c("wt", "hp", "gear")\n'
# One function that shows everything that can come back, and how things go wrong.
MANY = """
many <- function(data) {
  what <- data$what[1]
  if (is.null(what)) return(list(names = names(data), classes = unname(sapply(data, class))))
  if (what == "killed") tools::pskill(Sys.getpid(), 9)
  if (what == "quits") quit(status = 7)
  cat("asked for", what, "\\n")
  switch(what,
    numbers = c(1.5, NA, Inf),
    named = c(a = 1L, b = NA),
    one = TRUE,
    factor = factor(c("é", NA)),
    dates = as.Date(c("2026-01-02", NA)),
    frame = data.frame(a = 1:2, b = c("x", NA)),
    matrix = matrix(1:4, 2),
    columns = matrix(1:4, 2, dimnames = list(NULL, c("p", "q"))),
    list = list(one = 1, many = 1:2, nothing = NULL, inner = list("a", list(b = FALSE))),
    nothing = NULL,
    words = data$what,
    stops = stop("no such car"),
    environment = globalenv()
  )
}
"""


@pytest.fixture(scope="module")
def files(r_environment: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the notebook saved, by the environment's own R."""
    folder = tmp_path_factory.mktemp("notebook")
    run = ["docker", "run", "--rm", "--network=none", "-v", f"{folder}:/work", "-w", "/work"]
    image = r_environment.revision.image
    subprocess.run([*run, "-e", "LANG=C.UTF-8", image, "Rscript", "-e", NOTEBOOK], check=True)
    (folder / "predict.R").write_text(HANDLER)
    (folder / "names.R").write_text(NAMES)
    return folder


@pytest.fixture(scope="module")
def many(r_environment: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("many")
    with r_container(r_environment.revision.image, folder, MANY, "many") as server:
        server.wait_ready(60)
        yield server


@pytest.fixture(scope="module")
def cars(
    r_environment: Tiny, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The model without a function: R's own ``predict``."""
    folder = tmp_path_factory.mktemp("cars")
    model = (files / "model.rds").read_bytes()
    with r_container(r_environment.revision.image, folder, "", model=model) as server:
        server.wait_ready(60)
        yield server


# ---------------------------------------------------------------------------- the package


async def make(services: Any, tiny: Tiny, folder: Path, files: Path, **more: Any) -> Any:
    names = ("model.rds", "sample.json", "prediction.json", "predict.R", "names.R")
    content: dict[str, Any] = {n.replace(".", "__"): (files / n).read_bytes() for n in names}
    given: dict[str, Any] = {"model": ("model.rds",), "handler": Handler("r", "predict.R")}
    return await package(services, tiny, folder, **(given | content | more))


async def test_same_prediction_as_in_the_notebook(
    services_config: Config, r_environment: Tiny, files: Path, tmp_path: Path
) -> None:
    services: Any = open_services(services_config)
    try:
        made = await make(services, r_environment, tmp_path / "p", files, name="cars")
        report = await services.packaging.check(made.id, Recorder())
        assert report.passed, [check for check in report.checks if not check.passed]
        checks = {check.name: check.detail for check in report.checks}
        assert "the same values" in checks["same_prediction"]
        await services.packaging.delete(made.id)
    finally:
        await services.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"predict__R": "f <- function(data {"}, "predict.R:1:"),
        ({"predict__R": 'library(nnet)\n\nlibrary(notThere)\nx::y("é")'}, "line 3, imports notThe"),
        ({"handler": Handler("r", "predict.R", "score")}, "It defines predict_fn"),
        ({"model": ("log.txt",), "log__txt": "x"}, "not exactly one ends in .rds"),
        ({"handler": Handler("r", "sample.json")}, "is no R file"),
        ({"names__R": "predictors <- c('wt'"}, "does not load in the snapshot's image: "),
        ({"names__R": "predictors <- 'wt'"}, "predict.R does not answer the sample: identical(pr"),
        ({"model__rds": "torn"}, "predict.R does not load in the snapshot's image: unknown input"),
        (
            {"predict__R": "", "sample__json": '[{"wt": 2.62}]'},
            "The sample does not fit the model model.rds: object 'hp' not found",
        ),
        ({"predict__R": "predict_fn <- function(data) quit(status = 7)"}, "(exit code 7)"),
        (
            {"predict__R": "predict_fn <- function(data) tools::pskill(Sys.getpid(), 9)"},
            "The handler predict.R ended its process (SIGKILL)",
        ),
    ],
)
async def test_what_cannot_work_is_said_before_the_build(
    services_config: Config,
    r_environment: Tiny,
    files: Path,
    tmp_path: Path,
    changes: dict[str, Any],
    said: str,
) -> None:
    services: Any = open_services(services_config)
    try:
        with pytest.raises(InvalidError) as refused:
            await make(services, r_environment, tmp_path / "p", files, **changes)
        assert said in f"{refused.value} {refused.value.hint}"
    finally:
        await services.close()


async def test_an_environment_without_r(
    services_config: Config, tiny_environment: Tiny, files: Path, tmp_path: Path
) -> None:
    services: Any = open_services(services_config)
    try:
        with pytest.raises(InvalidError, match="environment has no R"):
            await make(services, tiny_environment, tmp_path / "p", files)
    finally:
        await services.close()


async def test_files_of_r_are_found(
    services_config: Config, r_environment: Tiny, files: Path
) -> None:
    services: Any = open_services(services_config)
    try:
        snapshot = await freeze(services, r_environment, files)
        found = await services.packaging.candidates(snapshot.id)
        assert found.models[0] == "model.rds" and found.handlers == ("predict.R",)
        assert found.functions["predict.R"] == ("predict_fn",)
    finally:
        await services.close()


# ---------------------------------------------------------------------------- the answers


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("numbers", [1.5, None, None]),
        ("named", [1, None]),
        ("one", [True]),
        ("factor", ["é", None]),
        ("dates", ["2026-01-02", None]),
        ("frame", [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
        ("matrix", [[1, 3], [2, 4]]),
        ("columns", [{"p": 1, "q": 3}, {"p": 2, "q": 4}]),
        ("list", {"one": 1, "many": [1, 2], "nothing": None, "inner": ["a", {"b": False}]}),
        ("nothing", None),
        ("words", ["words"]),
    ],
)
def test_what_r_answers(many: Server, what: str, expected: object) -> None:
    answer = many.post([{"what": what}])
    assert answer.status == 200, answer.body
    assert answer.json == expected


@pytest.mark.parametrize(
    ("body", "content_type", "names", "classes"),
    [
        (b'[{"a": 1, "b": 1.5, "c": true, "d": "x", "e": null}]', "application/json",
         ["a", "b", "c", "d", "e"], ["integer", "numeric", "logical", "character", "logical"]),
        (b'[{"a": 1}, {"b": 2.5}]', "application/json", ["a", "b"], ["integer", "numeric"]),
        (b"[[1, 2147483648], [2, 3]]", "application/json", ["V1", "V2"], ["integer", "numeric"]),
        (b'{"inputs": {"x y": [1.5], "z": [[2]]}}', "application/json", ["x y", "z"],
         ["numeric", "integer"]),
        (b"a,b\n1,x\n", "text/csv", ["a", "b"], ["numeric", "character"]),
        (b'{"a": "\xc3\xa9"}\n{"a": null}\n', "application/jsonlines", ["a"], "character"),
    ],
)  # fmt: skip
def test_frames(
    many: Server, body: bytes, content_type: str, names: list[str], classes: object
) -> None:
    found = many.post(body, content_type).json
    assert found == {"names": names if len(names) > 1 else names[0], "classes": classes}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ([{"what": "stops"}], 500, "no such car (in many(data))"),
        ([{"what": "environment"}], 500, "an answer of the class environment cannot be sent"),
        ([[1, 2], [3]], 400, "The request is no data frame: the rows do not all have"),
        ([{"a": [1, 2]}], 400, "The request is no data frame: the column a has values"),
        ({"question": 1}, 400, "The request is no data frame: send a list of values"),
        ([{"what": "a\x00b"}], 400, "The request is no data frame: R has no text with a NUL"),
    ],
)
def test_what_goes_wrong(many: Server, body: object, status: int, message: str) -> None:
    answer = many.post(body)
    assert answer.status == status and answer.error.startswith(message), answer.body
    assert many.post([{"what": "one"}]).json == [True]


@pytest.mark.parametrize(
    ("what", "said"), [("killed", "SIGKILL (signal 9)"), ("quits", "exited with code 7")]
)
def test_r_ends_and_is_started_again(many: Server, what: str, said: str) -> None:
    answer = many.post([{"what": what}])
    assert answer.status == 500 and said in answer.error
    many.wait_ready(60)
    assert many.post([{"what": "one"}]).json == [True]
    (first, *_) = (event for event in many.events() if event["event"] == "worker_ready")
    assert first["resident"] > 40e6, "the memory of R counts for the number of workers"
    ended = [event for event in many.events() if event["event"] == "worker_ended"]
    assert ended[-1]["restart_in"] == 0.1


def test_prints_reach_the_log(many: Server) -> None:
    many.post([{"what": "matrix"}])
    deadline = time.monotonic() + 10
    while "asked for matrix" not in many.text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "asked for matrix" in many.text()


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/invocations", b'[[2.62, 110, "vier"]]', "application/json"),
        ("/invocations", b"gear,hp,wt\nvier,110,2.62\n", "text/csv"),
        ("/v1/models/cars:predict", b'{"instances": [[2.62, 110, "vier"]]}', "application/json"),
        (
            "/v2/models/cars/infer",
            b'{"inputs": [{"name": "wt", "shape": [1], "datatype": "FP64", "data": [2.62]},'
            b'{"name": "hp", "shape": [1], "datatype": "INT32", "data": [110]},'
            b'{"name": "gear", "shape": [1], "datatype": "BYTES", "data": ["vier"]}]}',
            "application/json",
        ),
    ],
)
def test_a_model_alone_in_every_protocol(
    cars: Server, files: Path, path: str, body: bytes, content_type: str
) -> None:
    expected = json.loads((files / "prediction.json").read_text())[0]
    answer = cars.call("POST", path, body, Content_Type=content_type)
    assert answer.status == 200, answer.body
    found = answer.json
    if isinstance(found, dict):
        found = found["predictions"] if "predictions" in found else found["outputs"][0]["data"]
    assert found == pytest.approx([expected], rel=1e-9)


def test_a_model_that_does_not_load_says_why(r_environment: Tiny, tmp_path: Path) -> None:
    code = 'model_fn <- function(folder) stop("the weights are torn")'
    with r_container(r_environment.revision.image, tmp_path, code) as server:
        said = server.wait_event("model_failed", 60)
        assert said["message"].startswith(
            "The model could not be loaded: the weights are torn (in model_fn(folder))"
        )
