"""Phase apt: distribution packages. Lists and archives stay in the cache volume."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...core.container_network import CA_FILE
from ...core.errors import BuildFailedError, MlopsError
from ...core.layout import RUN_DIR
from .container import CACHE, BuildContainer
from .failures import apt_failed
from .output import StepOutput

_NO_APT = 78

# The configuration names folders outside the image, so nothing needs to be removed from it
# afterwards. A lock, since apt refuses to wait for its own.
_INSTALL = f"""
set -e
command -v apt-get >/dev/null || exit {_NO_APT}
. /etc/os-release
dir={CACHE}/apt/$ID-${{VERSION_CODENAME:-$VERSION_ID}}-$(dpkg --print-architecture)
mkdir -p "$dir/lists/partial" "$dir/archives/partial" {RUN_DIR}/apt/sources.list.d
cat > {RUN_DIR}/apt/apt.conf <<END
Dir::State::lists "$dir/lists";
Dir::Cache::archives "$dir/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "{RUN_DIR}/apt";
APT::Keep-Downloaded-Packages "true";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Retries "3";
Dpkg::Use-Pty "0";
END
if [ -e {CA_FILE} ]; then
  echo 'Acquire::https::CAInfo "{CA_FILE}";' >> {RUN_DIR}/apt/apt.conf
fi
if [ -n "$MLOPS_APT_MIRROR" ] && [ "$ID" = debian ]; then
  cp /etc/apt/sources.list.d/* {RUN_DIR}/apt/sources.list.d/ 2>/dev/null || true
  cp /etc/apt/sources.list {RUN_DIR}/apt/sources.list 2>/dev/null || : > {RUN_DIR}/apt/sources.list
  sed -i -E "s#https?://deb\\.debian\\.org/debian/?( |\\$)#$MLOPS_APT_MIRROR\\1#" \
    {RUN_DIR}/apt/sources.list $(find {RUN_DIR}/apt/sources.list.d -type f)
  echo 'Dir::Etc::sourcelist "{RUN_DIR}/apt/sources.list";' >> {RUN_DIR}/apt/apt.conf
  echo 'Dir::Etc::sourceparts "{RUN_DIR}/apt/sources.list.d";' >> {RUN_DIR}/apt/apt.conf
fi
export APT_CONFIG={RUN_DIR}/apt/apt.conf
if command -v flock >/dev/null; then exec 9>"$dir/lock"; flock 9; fi
apt-get update -q
apt-get install -q -y "$@" </dev/null
rm -f /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old
rm -f /var/lib/dpkg/*-old
"""


async def install(container: BuildContainer, packages: Sequence[str]) -> None:
    """Raises BuildFailedError that names the package."""

    def on_line(line: str) -> None:
        found = re.match(r"(?:Unpacking|Setting up) (\S+)", line)
        if found:
            container.progress.update(f"Installing {found[1]}")

    def failed(code: int, output: StepOutput) -> MlopsError:
        if code == _NO_APT:
            return BuildFailedError(
                "The build failed in the step apt: the base image is not Debian or Ubuntu, so it "
                "has no apt.",
                "Choose another base image, or remove the `apt:` lines.",
            )
        return apt_failed(code, output)

    await container.run(
        "apt",
        _INSTALL,
        *packages,
        environment={"MLOPS_APT_MIRROR": container.settings.network.apt_mirror},
        on_line=on_line,
        failed=failed,
    )
