"""Phase freeze: from the build container to the revision's image."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ...core.layout import (
    ENV_PREFIX,
    LABEL_ENVIRONMENT,
    LABEL_KIND,
    LABEL_OWNER,
    LABEL_REVISION,
)
from ...core.ports import ImageConfig
from ..ending import to_the_end
from .container import PYTHON, BuildContainer

# Group-writable *directories* are enough for installing and removing packages as another user,
# and in this layer they cost nothing; changing the files would copy every one of them.
_TIDY = f"""
find {ENV_PREFIX} -type d \\( ! -perm -g=w -o ! -group 0 \\) -exec chgrp 0 {{}} + \
  -exec chmod g=u {{}} +
rm -f {ENV_PREFIX}/.lock {ENV_PREFIX}/.gitignore
rm -rf /var/tmp/* /var/tmp/.[!.]*
"""


async def freeze(
    container: BuildContainer,
    *,
    environment: str,
    number: int,
    ref: str,
    variables: Mapping[str, str],
) -> str:
    """Commit; returns the image id. A cancellation meanwhile takes the image away again."""
    await container.run("freeze", _TIDY)
    config = ImageConfig(
        labels={
            LABEL_KIND: "revision",
            LABEL_OWNER: container.settings.owner,
            LABEL_ENVIRONMENT: environment,
            LABEL_REVISION: str(number),
        },
        environment=variables,
        command=(PYTHON,),
        tag=ref,
    )
    try:
        return await to_the_end(container.engine.commit(container.id, config))
    except asyncio.CancelledError:
        await to_the_end(container.engine.remove_image(ref))
        raise
