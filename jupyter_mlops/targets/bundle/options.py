"""What a user chooses for a bundle; its JSON Schema draws the form."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict, Field

from ..written.options import FileOptions


class Options(FileOptions):
    model_config = ConfigDict(extra="forbid", title="Offline bundle")

    archive: bool = Field(
        False,
        title="One file",
        description="Write one .tar file with the folder in it, named as the folder.",
    )

    @property
    def place(self) -> Path:
        folder = Path(self.folder)
        return folder.with_name(f"{folder.name}.tar") if self.archive else folder
