"""What deleting a deployment takes away is said before it is asked for."""

from __future__ import annotations

from jupyter_mlops.cli.deployment import _forecast
from jupyter_mlops.core.deployment import Deployment, DeploymentState, Resource


def test_what_goes_and_what_stays() -> None:
    deployment = Deployment(
        id="d-1",
        name="churn",
        owner="ann",
        created="2026-01-01T00:00:00+00:00",
        package="p-1",
        target="sagemaker",
        options={},
        state=DeploymentState.RUNNING,
        resources=(Resource("ecr-repository", "team", kept=True), Resource("endpoint", "churn")),
    )
    assert _forecast(deployment).splitlines() == [
        "Deleting churn on sagemaker takes away:",
        "  endpoint churn",
        "These stay, others may use them:",
        "  ecr-repository team",
        "Delete it?",
    ]
