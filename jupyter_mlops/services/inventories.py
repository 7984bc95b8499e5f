"""Inventories: asked from containers by the probe, kept as blobs."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from ..core.errors import EngineError, NotFoundError, UnsupportedError
from ..core.inventory import Inventory
from ..core.layout import ENV_PREFIX, LABEL_KIND, LABEL_OWNER
from ..core.ports import Blobs, ContainerSpec, Engine, EngineProvider
from ..core.settings import Settings
from .build_steps.container import GUEST
from .temporary_containers import remove_temporary, temporary_name

_INVENTORY: TypeAdapter[Inventory] = TypeAdapter(Inventory)

# Nothing is written: neither the probe's own bytecode nor that of the modules it imports.
_RUN = f"""
if [ -x {ENV_PREFIX}/bin/python ]; then exec {ENV_PREFIX}/bin/python -I -B -; fi
if command -v python3 >/dev/null; then exec python3 -I -B -; fi
exit 78
"""


class Inventories:
    def __init__(self, *, settings: Settings, engines: EngineProvider, blobs: Blobs) -> None:
        self._settings = settings
        self._engines = engines
        self._blobs = blobs

    async def of_image(self, image: str) -> Inventory:
        """In a fresh container, without network. Raises NotFoundError."""
        engine = await self._engines.engine()
        found = await engine.image(image)
        if found is None:
            raise NotFoundError(f"The image {image} is not on this machine.")
        name = temporary_name("probe")
        spec = ContainerSpec(
            image=found.id,
            name=name,
            labels={LABEL_KIND: "probe", LABEL_OWNER: self._settings.owner},
            entrypoint=(),
            command=("/bin/sh", "-c", "sleep 600"),
            tmpfs={"/run": "mode=755", "/tmp": "mode=1777"},
            network="none",
        )
        container = ""
        try:
            container = await engine.create(spec)
            await engine.start(container)
            return await self.of_container(container, engine)
        finally:
            await remove_temporary(engine, name, container)

    async def of_container(self, container: str, engine: Engine | None = None) -> Inventory:
        """In a running container, as its own user."""
        engine = engine or await self._engines.engine()
        said: list[str] = []
        code, stdout = await engine.exec(
            container,
            ["/bin/sh", "-c", _RUN],
            stdin=(GUEST / "probe.py").read_bytes(),
            on_output=said.append,
        )
        if code == 78:
            raise UnsupportedError(
                "What is installed cannot be listed: the image has no Python.",
                "Choose a base image with Python 3.8 or later.",
            )
        try:
            return _INVENTORY.validate_json(stdout)
        except ValidationError:
            last = "".join(said).strip().rpartition("\n")[2][:200]
            raise EngineError(
                f"What is installed could not be listed (exit code {code}): {last}",
                "Restart the kernel, or look at the container engine's log.",
            ) from None

    async def save(self, inventory: Inventory) -> str:
        """Returns the blob's digest; equal inventories have equal digests."""
        return await self._blobs.put(_INVENTORY.dump_json(inventory, indent=1))

    async def load(self, digest: str) -> Inventory:
        return _INVENTORY.validate_json(await self._blobs.get(digest))
