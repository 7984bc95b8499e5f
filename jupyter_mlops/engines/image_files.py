"""Images to and from files, for snapshots that travel without a registry and for the scan."""

from __future__ import annotations

from pathlib import Path

from docker.errors import NotFound, create_api_error_from_http_exception
from requests.exceptions import HTTPError

from ..core.errors import EngineError, NotFoundError
from ..core.ports import Engine
from .connection import Connection
from .failures import disk_full
from .stream import Stream

_CHUNK = 1024**2


class ImageFileCalls(Engine):
    """The port's calls about images in files."""

    connection: Connection

    async def save_image(self, image: str, archive: Path) -> None:
        def save(stream: Stream) -> None:
            try:
                response = stream.request(f"/images/{image}/get", method="GET")
                with archive.open("wb") as file:
                    for chunk in response.iter_content(_CHUNK):
                        file.write(chunk)
            except NotFound:
                raise NotFoundError(f"The image {image} is not on this engine.") from None
            except BaseException:
                archive.unlink(missing_ok=True)
                raise

        await self.connection.stream(save)

    async def load_image(self, archive: Path) -> None:
        def load(stream: Stream) -> None:
            client = stream.client
            with archive.open("rb") as file:
                response = client.post(
                    f"{client.base_url}/v{client.api_version}/images/load",
                    headers={"Content-Type": "application/x-tar"},
                    params={"quiet": "1"},
                    data=file,
                    stream=True,
                    timeout=None,
                )
                try:
                    response.raise_for_status()
                except HTTPError as error:
                    raise create_api_error_from_http_exception(error) from error
                for message in stream.messages(response):
                    failure = message.get("error") or (message.get("errorDetail") or {}).get(
                        "message"
                    )
                    if failure and "no space left on device" in failure:
                        raise disk_full(self.connection.title)
                    if failure:
                        raise EngineError(
                            f"{self.connection.title} could not read the image in "
                            f"{archive.name}: {failure}"
                        )

        await self.connection.stream(load)
