"""What a user chooses for Azure Machine Learning; its JSON Schema draws the form."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from ..written.image_target import ImageOptions


class Options(ImageOptions):
    model_config = ConfigDict(extra="forbid", title="Azure Machine Learning")

    resource_group: str = Field(
        title="Resource group",
        description="The resource group of the workspace.",
        pattern=r"^[\w.()-]{1,90}$",
    )
    workspace: str = Field(
        title="Workspace",
        description="Name of the Azure Machine Learning workspace. It must be able to pull from "
        "the image's registry.",
        pattern=r"^[A-Za-z0-9][\w-]{2,32}$",
    )
    instance_type: str = Field(
        "Standard_DS3_v2",
        title="Machine type",
        description="Azure bills each machine for as long as the deployment exists.",
        pattern=r"^Standard_[A-Za-z0-9_-]+$",
    )
    instance_count: int = Field(1, title="Machines", description="How many run.", ge=1, le=100)
    auth: Literal["key", "aml_token", "aad_token"] = Field(
        "key",
        title="Callers show",
        description="What a caller proves itself with: the endpoint's key, a token of the "
        "workspace, or one of Entra ID.",
    )
