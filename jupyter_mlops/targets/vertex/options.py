"""What a user chooses for Vertex AI; its JSON Schema draws the form."""

from __future__ import annotations

from pydantic import ConfigDict, Field, model_validator

from ..written.image_target import ImageOptions


class Options(ImageOptions):
    model_config = ConfigDict(extra="forbid", title="Google Vertex AI")

    project: str = Field(
        title="Project",
        description="Id of the Google Cloud project, such as research-123456.",
        pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
    )
    region: str = Field(
        title="Region",
        description="Such as europe-west4; the image must be in Artifact Registry.",
        pattern=r"^[a-z]+-[a-z]+\d+$",
    )
    machine_type: str = Field(
        "n1-standard-2",
        title="Machine type",
        description="Google bills each machine for as long as the model is deployed.",
        pattern=r"^[a-z0-9-]+$",
    )
    min_replicas: int = Field(
        1, title="Machines at least", description="These always run.", ge=1, le=1000
    )
    max_replicas: int = Field(
        1, title="Machines at most", description="It scales up to these.", ge=1, le=1000
    )

    @model_validator(mode="after")
    def _machines(self) -> Options:
        if self.max_replicas < self.min_replicas:
            raise ValueError("machines at most are fewer than machines at least")
        return self
