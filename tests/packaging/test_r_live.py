"""Variables of a running notebook of R: found, written down, and answered from as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlops.core.model_package import Handler
from tests.parts.live_export import Exporting, exporting
from tests.parts.projects import freeze
from tests.parts.services import Recorder, Tiny, open_services
from tests.parts.serving_container import r_container

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

CELL = """
library(rpart)
cars <- transform(mtcars, gear = factor(gear, labels = c("drei", "vier", "fünf")))
line <- lm(mpg ~ wt + hp + gear, cars)
tree <- rpart(am ~ wt + hp, cars, control = rpart.control(minsplit = 5))
kinds <- nnet::multinom(gear ~ wt + hp, cars, trace = FALSE)
seasons <- arima(lh, order = c(1, 0, 0))
dated <- lm(y ~ when, data.frame(y = 1:9, when = Sys.Date() + 1:9))
when <- data.frame(when = as.Date("2026-01-02") + 0:2)
SCALE <- 2L
names <- function(data) base::names(data) # Must not be in our way.
scaled <- function(value) value * SCALE
score <- function(data, digits = 3) {
  list(mpg = round(scaled(predict(line, data)), digits), model = class(line))
}
unused <- function(data) nrow(data)
add <- function(one, other) one + other
before <- ls(all.names = TRUE)
cat("made")
"""


@pytest.fixture(scope="module")
def notebook(
    services_config: Config, r_environment: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Exporting]:
    folder = tmp_path_factory.mktemp("live-r")
    with exporting(services_config, folder, "mlops-tiny-r.ir", CELL) as opened:
        yield opened


def test_what_a_notebook_has_to_offer(notebook: Exporting) -> None:
    found = notebook.models()
    models = {model["name"]: model for model in found["models"]}
    assert set(models) == {
        "line", "tree", "kinds", "dated", "names", "scaled", "score", "unused",
    }  # fmt: skip
    assert models["line"]["features"] == ["wt", "hp", "gear"]
    assert models["line"]["description"] == "lm: mpg ~ wt + hp + gear"
    assert models["score"] == {
        "name": "score", "kind": "function", "description": "function(data, digits)",
        "features": [],
    }  # fmt: skip
    samples = {sample["name"]: sample for sample in found["samples"]}
    assert samples["cars"]["description"] == "data.frame, 32 by 11"
    assert samples["cars"]["fits"]["line"] == "it has the columns of the fit"
    assert samples["cars"]["fits"]["score"] == "the function takes a data frame"
    assert "line" not in samples["when"]["fits"]
    # It leaves nothing behind, and counts as no cell.
    left = 'cat(setdiff(ls(all.names = TRUE), c(before, "before")))'
    assert notebook.tab.run(left) == ""


@pytest.mark.parametrize(
    ("model", "sample"),
    [("line", "cars"), ("tree", "cars"), ("kinds", "cars"), ("score", "cars")],
)
def test_it_answers_as_in_the_notebook(
    notebook: Exporting, r_environment: Tiny, tmp_path: Path, model: str, sample: str
) -> None:
    made = notebook.export(model, sample)
    assert made["model"] == ["exported/m/model.rds"] and made["trusted_only"]
    assert (made["handler"], made["function"]) == ("exported/m/predict.R", "")
    written = notebook.root / "exported" / "m"
    expected = json.loads((written / "expected.json").read_text())
    assert expected if model == "score" else len(expected) == 5
    # Another process of the environment, that has seen nothing of the notebook.
    code, content = (written / "predict.R").read_text(), (written / "model.rds").read_bytes()
    with r_container(r_environment.revision.image, tmp_path, code, model=content) as server:
        server.wait_ready(60)
        for path in made["samples"]:
            body = (notebook.root / path).read_bytes()
            kind = "text/csv" if path.endswith(".csv") else "application/json"
            answer = server.post(body, kind)
            assert answer.status == 200, answer.body
            answers, wanted = flat(answer.json), flat(expected)
            assert len(answers) == len(wanted)
            for one, other in zip(answers, wanted, strict=True):
                same = isinstance(other, str)
                assert one == (other if same else pytest.approx(other, rel=1e-6))


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in flat(item)]
    if isinstance(value, list):
        return [number for item in value for number in flat(item)]
    return [value]


def test_what_cannot_be_exported_says_why(notebook: Exporting) -> None:
    assert "has no variable gone any more" in notebook.refused("gone", "cars")
    assert "seasons is no model with a predict method" in notebook.refused("seasons", "cars")
    assert "SCALE is no data frame" in notebook.refused("line", "SCALE")
    assert "line does not take when: object 'wt' not found" in notebook.refused("line", "when")
    said = notebook.refused("dated", "when")
    assert "as it comes in a request" in said and "when (Date becomes character)" in said
    assert "uses no model of the notebook" in notebook.refused("unused", "cars")
    number = notebook.tab.send("Sys.sleep(5)")
    notebook.tab.wait_for(number, "busy")
    assert "busy with a cell" in notebook.refused("line", "cars")
    notebook.tab.wait_for(number)


async def test_the_package_of_it_passes_its_check(
    notebook: Exporting, services_config: Config, r_environment: Tiny
) -> None:
    made = notebook.export("line", "cars", "cars")
    services: Any = open_services(services_config)
    try:
        snapshot = await freeze(services, r_environment, notebook.root)
        package = await services.packaging.create(
            snapshot.id, "live-cars", tuple(made["model"]), Handler("r", made["handler"]),
            made["sample"], Recorder(), made["expected"],
            also=tuple(path for path in made["samples"] if path != made["sample"]),
        )  # fmt: skip
        report = await services.packaging.check(package.id, Recorder())
        assert report.passed, [check for check in report.checks if not check.passed]
        assert {c.name: c.detail for c in report.checks}["same_prediction"]
        await services.packaging.delete(package.id)
    finally:
        await services.close()
