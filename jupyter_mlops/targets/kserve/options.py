"""What a user chooses for KServe; its JSON Schema draws the form."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from ..written.image_target import ImageOptions

_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class Options(ImageOptions):
    model_config = ConfigDict(extra="forbid", title="KServe")

    namespace: str = Field(
        "models",
        title="Namespace",
        description="Where the service runs. A file that creates it is written, too, unless it "
        "is 'default'.",
        pattern=_LABEL,
    )
    pull_secret: str = Field(
        "",
        title="Pull secret",
        description="Name of a secret in that namespace with the login for the image's registry. "
        "Empty: the cluster may pull without. The README says how to make one.",
        pattern=rf"^$|{_LABEL}",
    )
    mode: Literal["Standard", "Knative"] = Field(
        "Standard",
        title="Deployment mode",
        description="Standard is a plain Kubernetes deployment. Knative scales to zero, where it "
        "is installed.",
    )
    cpu: str = Field(
        "1",
        title="CPUs",
        description="Of each replica, such as 1 or 500m.",
        pattern=r"^[1-9]\d*m?$",
    )
    memory: str = Field(
        "2Gi",
        title="Memory",
        description="Of each replica, such as 2Gi. More ends it.",
        pattern=r"^[1-9]\d*(Mi|Gi)$",
    )
    min_replicas: int = Field(
        1, title="Replicas at least", description="0 only where Knative scales.", ge=0, le=1000
    )
    max_replicas: int = Field(
        1, title="Replicas at most", description="It scales up to these.", ge=1, le=1000
    )

    @model_validator(mode="after")
    def _replicas(self) -> Options:
        if self.min_replicas > self.max_replicas:
            raise ValueError("replicas at least are more than replicas at most")
        if self.min_replicas == 0 and self.mode != "Knative":
            raise ValueError("only the mode Knative scales to 0 replicas")
        return self
