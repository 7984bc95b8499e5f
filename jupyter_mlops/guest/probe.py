"""Prints the inventory of the environment it runs in, as one JSON object.

Runs inside containers, piped to the environment's own Python (``python -I -B -``): standard
library only, Python 3.8 and later. The shape is ``jupyter_mlops.core.inventory.Inventory``.
"""

import base64
import csv
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata

# Set by the engine, the shell or by us: not part of what the environment is.
NOT_PUBLIC = {
    "PATH", "VIRTUAL_ENV", "HOME", "HOSTNAME", "PWD", "OLDPWD", "SHLVL", "TERM", "_",
    "container", "LC_CTYPE",
}  # fmt: skip


R_LIBRARIES = (
    "/opt/env/lib/R/library",
    "/usr/local/lib/R/site-library",
    "/usr/lib/R/site-library",
)
"""Where R looks first: what notebooks install, what was installed by hand, the distribution's."""


def main():
    home = r_home()
    inventory = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "os": os_release(),
        "libc": libc(),
        "arch": platform.machine(),
        "packages": python_packages() + r_packages(home) + debian_packages(),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k not in NOT_PUBLIC and v},
        "r": description(os.path.join(home, "library", "base")).get("Version", "") if home else "",
    }
    json.dump(inventory, sys.stdout)


def os_release():
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith("PRETTY_NAME="):
                        return line.partition("=")[2].strip().strip("\"'")
        except OSError:
            continue
    return platform.system()


def libc():
    try:
        return " ".join(os.confstr("CS_GNU_LIBC_VERSION").split())
    except (ValueError, OSError, AttributeError):
        return " ".join(platform.libc_ver()).strip()


def python_packages():
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"] if distribution.metadata else None
        if not name:
            continue
        key = re.sub(r"[-_.]+", "-", name).lower()
        # The first on sys.path is the one that is imported.
        if key not in found:
            found[key] = {
                "ecosystem": "pypi",
                "name": key,
                "version": distribution.version or "",
                "source": source(distribution),
                "patched": patched(distribution),
            }
    return [found[key] for key in sorted(found)]


def source(distribution):
    """Where it came from, when not from an index (PEP 610); without credentials."""
    text = distribution.read_text("direct_url.json")
    if not text:
        return ""
    try:
        data = json.loads(text)
        url = re.sub(r"(?<=//)[^/@]*@", "", data.get("url", ""))
    except (ValueError, AttributeError):
        return ""
    version_control = data.get("vcs_info")
    if version_control:
        commit = version_control.get("commit_id", "")
        return "{}+{}@{}".format(version_control.get("vcs", "vcs"), url, commit)
    return url


def patched(distribution):
    """Files that differ from RECORD.

    Installers write RECORD last. A file of the recorded size that is not newer than RECORD is
    taken as untouched: hashing every file of a science stack would take seconds.
    """
    text = distribution.read_text("RECORD")
    directory = getattr(distribution, "_path", None)
    if not text or directory is None:
        return []
    root = os.path.dirname(str(directory))
    try:
        recorded = os.stat(os.path.join(str(directory), "RECORD")).st_mtime_ns
    except OSError:
        return []
    changed = []
    for row in csv.reader(text.splitlines()):
        if len(row) != 3 or not row[1].startswith("sha256="):
            continue
        path = os.path.join(root, row[0])
        try:
            status = os.stat(path)
        except OSError:
            changed.append(row[0])
            continue
        if row[2].isdigit() and int(row[2]) != status.st_size:
            changed.append(row[0])
        elif status.st_mtime_ns > recorded and sha256(path) != row[1]:
            changed.append(row[0])
    return sorted(changed)


def sha256(path):
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return ""
    return "sha256=" + base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")


def r_home():
    """Where R is; empty where it is not."""
    program = shutil.which("R")
    if not program:
        return ""
    try:
        answer = subprocess.run(
            [program, "RHOME"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
    except OSError:
        return ""
    return answer.stdout.decode("utf-8", "replace").strip()


def r_packages(home):
    """As R's own library(): the first one of a name is the one that is used. Those that R itself
    is made of have its version and are left out. R is not started: it would take longer."""
    if not home:
        return []
    libraries = (*R_LIBRARIES, os.path.join(home, "site-library"), os.path.join(home, "library"))
    found = {}
    for library in dict.fromkeys(os.path.realpath(library) for library in libraries):
        try:
            names = os.listdir(library)
        except OSError:
            continue
        for name in names:
            fields = description(os.path.join(library, name))
            # Without `Built` it is a source that was never installed.
            if fields.get("Package") != name or "Built" not in fields or name in found:
                continue
            found[name] = {
                "ecosystem": "cran",
                "name": name,
                "version": fields.get("Version", ""),
                "source": r_source(fields),
                "patched": [],
                "base": fields.get("Priority") == "base",
            }
    kept = [found[name] for name in sorted(found) if not found[name]["base"]]
    for package in kept:
        del package["base"]
    return kept


def r_source(fields):
    """Where it came from, when not from CRAN or the like; without credentials."""
    kind = fields.get("RemoteType", "")
    if kind not in ("", "standard", "cran"):
        url = re.sub(r"(?<=//)[^/@]*@", "", fields.get("RemoteUrl", ""))
        where = "/".join(filter(None, (fields.get("RemoteUsername"), fields.get("RemoteRepo"))))
        commit = fields.get("RemoteSha", "")
        return "{}+{}{}".format(kind, where or url or "unknown", "@" + commit if commit else "")
    # Whoever gives packages out writes this line into them: CRAN, its mirrors, Bioconductor.
    return "" if fields.get("Repository") or "biocViews" in fields else "file"


def description(folder):
    """The fields of an installed package's DESCRIPTION; of long ones the first line."""
    fields = {}
    try:
        with open(os.path.join(folder, "DESCRIPTION"), encoding="utf-8", errors="replace") as file:
            for line in file:
                key, colon, value = line.partition(":")
                if colon and not line[0].isspace():
                    fields[key] = value.strip()
    except OSError:
        pass
    return fields


def debian_packages():
    try:
        answer = subprocess.run(
            ["dpkg-query", "-W", "-f=${db:Status-Abbrev}\t${Package}\t${Version}\n"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return []
    found = []
    for line in answer.stdout.decode("utf-8", "replace").splitlines():
        status, _, rest = line.partition("\t")
        name, _, version = rest.partition("\t")
        if status.startswith("ii"):
            found.append(
                {"ecosystem": "deb", "name": name, "version": version, "source": "", "patched": []}
            )
    return sorted(found, key=lambda package: package["name"])


if __name__ == "__main__":
    main()
