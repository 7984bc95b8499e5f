"""Distribution packages, for the phases apt and r. Lists and archives stay in the cache volume."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ...core.container_network import CA_FILE, apt_account, without_credentials
from ...core.errors import BuildFailedError, MlopsError
from ...core.layout import RUN_DIR
from .container import CACHE, BuildContainer
from .failures import apt_failed
from .output import StepOutput

_NO_APT = 78

# The configuration names folders outside the image, so nothing needs to be removed from it
# afterwards. A lock, since apt refuses to wait for its own.
_PREPARE = f"""
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
export APT_CONFIG={RUN_DIR}/apt/apt.conf
if [ -n "$MLOPS_APT_ACCOUNT" ]; then
  (umask 077; printf %s "$MLOPS_APT_ACCOUNT" > {RUN_DIR}/apt/auth.conf)
  echo 'Dir::Etc::netrc "{RUN_DIR}/apt/auth.conf";' >> {RUN_DIR}/apt/apt.conf
fi
if [ -n "$MLOPS_APT_MIRROR" ] && [ "$ID" = debian ]; then
  cp /etc/apt/sources.list.d/* {RUN_DIR}/apt/sources.list.d/ 2>/dev/null || true
  cp /etc/apt/sources.list {RUN_DIR}/apt/sources.list 2>/dev/null || : > {RUN_DIR}/apt/sources.list
  lists="{RUN_DIR}/apt/sources.list $(find {RUN_DIR}/apt/sources.list.d -type f)"
  # Whatever mirror the base was made from; repositories of others have longer paths.
  sed -i -E "s#https?://[^/ ]+/debian/?( |\\$)#$MLOPS_APT_MIRROR\\1#" $lists
  # Beside it, if it is there: apt gives up where it is not, and only warns where none answers.
  security="${{MLOPS_APT_MIRROR%/debian}}/debian-security"
  if /usr/lib/apt/apt-helper download-file \
    "$security/dists/$VERSION_CODENAME-security/InRelease" {RUN_DIR}/apt/there >/dev/null 2>&1; then
    old="([^/ ]+/debian-security|security\\.debian\\.org[^ ]*)"
    sed -i -E "s#https?://$old/?( |\\$)#$security\\2#" $lists
  fi
  echo 'Dir::Etc::sourcelist "{RUN_DIR}/apt/sources.list";' >> {RUN_DIR}/apt/apt.conf
  echo 'Dir::Etc::sourceparts "{RUN_DIR}/apt/sources.list.d";' >> {RUN_DIR}/apt/apt.conf
fi
# Scripts of packages need not know it.
unset MLOPS_APT_ACCOUNT MLOPS_APT_MIRROR
if command -v flock >/dev/null; then exec 9>"$dir/lock"; flock 9; fi
"""

# apt-get was seen waiting for ever for a program of its own, with the lock that others wait for.
UPDATE = """
update() {
  local code=0
  timeout --foreground 300 apt-get update -q || code=$?
  [ $code -eq 124 ] || return $code
  echo "apt-get update stands still: once more"
  timeout --foreground 900 apt-get update -q
}
"""

_INSTALL = """
[ -z "$MLOPS_UPDATE" ] || update
apt-get install -q -y "$@" </dev/null
rm -f /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old
rm -f /var/lib/dpkg/*-old
"""


_CANDIDATES = """
update >&2
apt-cache policy "$@"
"""


async def install(
    container: BuildContainer, packages: Sequence[str], *, step: str = "apt", update: bool = True
) -> None:
    """``update``: fetch the distribution's lists first. Raises BuildFailedError that names the
    package."""

    def on_line(line: str) -> None:
        found = re.match(r"(?:Unpacking|Setting up) (\S+)", line)
        if found:
            container.progress.update(f"Installing {found[1]}")

    await container.run(
        step,
        _PREPARE + UPDATE + _INSTALL,
        *packages,
        environment={**_environment(container), "MLOPS_UPDATE": "yes" if update else ""},
        on_line=on_line,
        failed=_failed(step),
    )


async def candidates(
    container: BuildContainer, packages: Sequence[str], *, step: str
) -> dict[str, str]:
    """Package to the version that the distribution has now; without those it has not."""
    said = await container.run(
        step,
        _PREPARE + UPDATE + _CANDIDATES,
        *packages,
        environment=_environment(container),
        failed=_failed(step),
    )
    found: dict[str, str] = {}
    name = ""
    for line in said.splitlines():
        if line and not line[0].isspace():
            name = line.rstrip(":").partition(":")[0]
        elif line.strip().startswith("Candidate:") and "(none)" not in line:
            found[name] = line.split()[1]
    return found


def _environment(container: BuildContainer) -> dict[str, str]:
    network = container.settings.network
    return {
        "MLOPS_APT_MIRROR": without_credentials(network.apt_mirror).rstrip("/"),
        "MLOPS_APT_ACCOUNT": apt_account(network),
    }


def _failed(step: str) -> Callable[[int, StepOutput], MlopsError]:
    def failed(code: int, output: StepOutput) -> MlopsError:
        if code == _NO_APT:
            return BuildFailedError(
                f"The build failed in the step {step}: the base image is not Debian or Ubuntu, so "
                "it has no apt.",
                f"Choose another base image, or remove the `{step}:` lines.",
            )
        return apt_failed(code, output, step)

    return failed
