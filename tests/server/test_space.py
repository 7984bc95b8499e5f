"""Through REST: a base image from a Dockerfile's text, and what old revisions hold."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets.config import Config

from tests.parts.services import Tiny

pytestmark = pytest.mark.docker


@pytest.fixture
def mlops_config(services_config: Config, tiny_environment: Tiny) -> Config:
    return services_config


async def test_a_base_image_of_a_pasted_dockerfile(api: Any, finished: Any):
    (debian,) = [b for b in (await api("get", "bases")).json["items"] if b["name"] == "debian"]
    asked = {"kind": "dockerfile", "name": "pasted"}
    text = f"FROM {debian['ref']}\nRUN echo so far; nonsense\n"
    failed = await finished(await api("post", "bases", {**asked, "text": text}))
    assert failed["state"] == "failed" and failed["error"]["code"] == "build_failed"
    assert "(line 2) failed: RUN echo so far; nonsense" in failed["error"]["message"]

    text = f"FROM {debian['ref']}\nRUN echo it runs\n"
    built = await finished(await api("post", "bases", {**asked, "text": text}))
    assert built["state"] == "succeeded" and built["result"] == {"base": "pasted"}
    log = (await api("get", f"operations/{built['id']}/log")).json["text"]
    assert "it runs" in log
    origins = {b["name"]: b["origin"] for b in (await api("get", "bases")).json["items"]}
    assert origins["pasted"] == "Dockerfile in pasted"
    assert (await api("delete", "bases/pasted")).status == 204


async def test_old_revisions_of_all_environments(api: Any, finished: Any):
    for python in (["humanize"], ["humanize", "six"]):
        spec = {"name": "aged", "base": "debian", "python": python}
        path = "environments/aged/revisions" if len(python) > 1 else "environments"
        built = await finished(await api("post", path, {"spec": spec}))
        assert built["state"] == "succeeded", built
    old = (await api("get", "old-revisions")).json
    assert "aged@1" in old["revisions"] and not old["environments"]
    assert "aged@2" not in old["revisions"]
    revisions = (await api("get", "environments/aged/revisions")).json["items"]
    assert all(r["packages"] > 1 and r["r_packages"] == 0 for r in revisions)
    assert (await api("delete", "environments/aged/revisions/1")).json["revisions"] == ["aged@1"]
    assert (await api("delete", "environments/aged")).json["environments"] == ["aged"]
