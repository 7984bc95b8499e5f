"""Disk space of images: layers are shared, so a size alone says little about what can be freed."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.ports import Engine, Image


class LayerSpace:
    """What some images hold, seen at one moment."""

    def __init__(self, sizes: dict[str, int], staying: frozenset[str]) -> None:
        self._sizes = sizes
        self._staying = staying

    @classmethod
    async def of(cls, engine: Engine, going: Sequence[tuple[str, str]]) -> LayerSpace:
        """Of images to be removed, each by its id and the tag that is to be taken from it."""
        every = {image.id: image for image in await engine.images({})}
        targets = [found for id, ref in going if (found := every.get(id)) and _only_tag(found, ref)]
        ids = {image.id for image in targets}
        staying = [
            image
            for image in every.values()
            if image.id not in ids
            # An engine removes what has no tag together with the last that was made of it.
            and (image.tags or not any(_begins_with(target, image) for target in targets))
        ]
        sizes: dict[str, int] = {}
        for id in dict.fromkeys(id for id, _ in going):
            if id in every:
                sizes.update(await _sizes(engine, every[id]))
        return cls(sizes, frozenset(layer for image in staying for layer in image.layers))

    @property
    def freed(self) -> int:
        """Bytes of layers that no other image has."""
        return sum(size for layer, size in self._sizes.items() if layer not in self._staying)

    @property
    def shared(self) -> int:
        return sum(self._sizes.values()) - self.freed

    async def after(self, engine: Engine) -> LayerSpace:
        """The same layers, and who has them now."""
        left = {layer for image in await engine.images({}) for layer in image.layers}
        return LayerSpace(self._sizes, frozenset(left))


async def _sizes(engine: Engine, image: Image) -> dict[str, int]:
    sizes = await engine.layer_sizes(image.id)
    if len(sizes) != len(image.layers):
        # The engine counts otherwise: all that is known is the sum, and it is the topmost's.
        sizes = (*(0 for _ in image.layers[1:]), image.size)
    return dict(zip(image.layers, sizes, strict=True))


def _only_tag(image: Image, ref: str) -> bool:
    return all(tag.removeprefix("localhost/") == ref for tag in image.tags)


def _begins_with(image: Image, other: Image) -> bool:
    return image.layers[: len(other.layers)] == other.layers
