"""The search for secrets, in files made here. No engine is needed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from jupyter_mlops.core import secret_rules
from jupyter_mlops.core.snapshot import Finding
from jupyter_mlops.services import scanning

from .conftest import notebook

# In two parts, so that nobody's own search stumbles over this file.
AWS_KEY = "AKIA" + "Q3EGRWT7PLK2MX4Z"
GITHUB = "ghp_" + "0123456789abcdefghijABCDEFGHIJ456789"
PRIVATE_KEY = "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"


class Image:
    """ports.SavedImage of files given here."""

    def __init__(self, files: dict[str, bytes], packed: bool = False, **config: object) -> None:
        self.config = json.dumps({"config": config, "rootfs": {"diff_ids": ["sha256:0"]}}).encode()
        self.diff_ids = ("sha256:0",)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        self._layer = gzip.compress(buffer.getvalue()) if packed else buffer.getvalue()
        self._packed = packed

    def open_layer(self, index: int) -> BinaryIO:
        raw = io.BytesIO(self._layer)
        return gzip.GzipFile(fileobj=raw) if self._packed else raw  # type: ignore[return-value]

    def close(self) -> None:
        pass


def scan(image: Image) -> list[Finding]:
    return scanning.scan_image(image, [0], lambda: False)


def scan_project(folder: Path, **files: str) -> list[Finding]:
    archive = folder / "workspace.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return scanning.scan_files(archive, lambda: False)


@pytest.mark.parametrize("packed", [False, True])
def test_a_layer(packed: bool) -> None:
    found = scan(
        Image(
            {
                "var/tmp/notes.txt": f"first\nkey {AWS_KEY}\n".encode(),
                "opt/env/deploy.key": PRIVATE_KEY.encode(),
                "root/.netrc": b"machine x login y password z",
                "opt/env/bin/tool": b"\x7fELF\0\0" + os.urandom(1000) + b"\0" + GITHUB.encode(),
                "opt/env/plain.txt": b"nothing here",
            },
            packed,
        )
    )
    assert {(f.path, f.line, f.rule) for f in found if f.path != "/opt/env/bin/tool"} == {
        ("/var/tmp/notes.txt", 2, "AWS access key id"),
        ("/opt/env/deploy.key", 1, "private key"),
        ("/root/.netrc", 0, "passwords of servers: never travels"),
    }
    assert [f.rule for f in found if f.path == "/opt/env/bin/tool"] == ["GitHub token"]
    for finding in found:
        assert AWS_KEY not in finding.excerpt and GITHUB not in finding.excerpt
        assert "MIIEvQIBADANBg" not in finding.excerpt


def test_settings_of_an_image() -> None:
    found = scan(Image({}, Env=["PATH=/bin", f"TOKEN={GITHUB}"], Labels={"a": "b"}))
    assert [(f.path, f.rule) for f in found] == [(scanning.SETTINGS, "GitHub token")]


def record(site: str, package: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """Files of an installed distribution with its RECORD."""
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    lines.append(f"{package}.dist-info/RECORD,,")
    entries = {f"{site}/{name}": content for name, content in files.items()}
    return entries | {f"{site}/{package}.dist-info/RECORD": "\n".join(lines).encode()}


def test_published_packages_hold_no_secrets_of_the_user() -> None:
    site = "opt/env/lib/python3.11/site-packages"
    key, module = PRIVATE_KEY.encode(), f"key = '{AWS_KEY}'\n".encode()
    files = record(site, "web-1.0", {"web/test/test.key": key, "web/a.py": module})
    compiled = {f"{site}/web/__pycache__/a.cpython-311.pyc": b"\0" + module}
    assert scan(Image(files | compiled)) == []
    # Changed after the installation: it is the user's now.
    changed = files | {f"{site}/web/a.py": module + b"#"}
    assert [f.path for f in scan(Image(changed))] == [f"/{site}/web/a.py"]
    # Installed from a folder: nobody has published it.
    own = files | {f"{site}/web-1.0.dist-info/direct_url.json": b"{}"}
    assert {f.path for f in scan(Image(own))} == {f"/{site}/web/a.py", f"/{site}/web/test/test.key"}


def test_the_distributions_packages_hold_none_either() -> None:
    library = b"\x7fELF\0" + PRIVATE_KEY.encode()
    listed = f"{hashlib.md5(library).hexdigest()}  usr/lib/libtls.so\n".encode()
    files = {"usr/lib/libtls.so": library, "var/lib/dpkg/info/libtls:amd64.md5sums": listed}
    assert scan(Image(files)) == []
    changed = files | {"usr/lib/libtls.so": library + b"\0"}
    assert [f.rule for f in scan(Image(changed))] == ["private key"]


def test_secrets_at_the_seams_of_large_files() -> None:
    for position in (scanning._CHUNK - 10, scanning._CHUNK + 3):
        content = b"\n" * position + AWS_KEY.encode() + b"\n" * 100_000
        (finding,) = scan(Image({"big": content}))
        assert finding.line == position + 1


def test_notebooks_are_searched_cell_by_cell(tmp_path: Path) -> None:
    document = json.loads(notebook("import os", "connect()"))
    document["cells"][1]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["ready\n", f"using {AWS_KEY}\n"]},
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"image/png": AWS_KEY, "text/plain": ["a picture"]},
        },
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": [f"in {GITHUB}"]},
    ]
    found = scan_project(tmp_path, train__ipynb=json.dumps(document))
    assert [(f.path, f.line, f.rule) for f in found] == [
        ("train.ipynb", 2, "AWS access key id"),
        ("train.ipynb", 2, "GitHub token"),
    ]
    assert all(f.excerpt.startswith("cell 2, output: ") for f in found)
    not_one = scan_project(tmp_path, other__ipynb=f"{{ {GITHUB}")
    assert [f.rule for f in not_one] == ["GitHub token"]


def test_files_of_the_project(tmp_path: Path) -> None:
    found = scan_project(
        tmp_path,
        train__py='password = "correct-horse-9"\napi_key = os.environ["API_KEY"]\n'
        'token = "YOUR_TOKEN_HERE"\nurl = "postgresql://lab:tr0mbone@db.lab/x"\n'
        'help = "postgresql://user:password@host/x"\n',
        __env="A=1",
    )
    assert [(f.path, f.line, f.rule) for f in found] == [
        ("train.py", 4, "password in an address"),
        ("train.py", 1, "password or key in the code"),
        (".env", 0, "private settings: never travels"),
    ]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/root/.aws/credentials", "AWS credentials"),
        ("home/x/.ssh/known_hosts", "an SSH key"),
        ("id_ed25519", "an SSH key"),
        ("keys/id_ed25519.pub", ""),
        ("/root/.local/share/jupyter/runtime/kernel-1.json", "keys of a Jupyter server"),
        (".env.example", ""),
        ("notes.env.md", ""),
        ("/opt/env/lib/python3.11/site-packages/certifi/cacert.pem", ""),
        ("/root/.bash_history", "a command history"),
    ],
)
def test_paths_that_never_travel(path: str, reason: str) -> None:
    assert secret_rules.denied(path) == reason


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (GITHUB, "GitHub token"),
        ("xoxb-" + "123456789012-abcdefghijkl", "Slack token"),
        ("hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH", "Hugging Face token"),
        ("AIza" + "SyA0123456789abcdefghijklmnopqrstuv", "Google API key"),
        ("dapi" + "0123456789abcdef0123456789abcdef", "Databricks token"),
        ("sk-ant-" + "api03-abcdefghijklmnopqrst", "Anthropic API key"),
        ("AccountKey=" + "a" * 86 + "==", "Azure storage key"),
        (
            "AWS_SECRET_ACCESS_KEY=" + "abcdefghijklmnopqrstuvwxyz/ABCDEFGHIJ+1x",
            "AWS secret access key",
        ),
        (
            "-----BEGIN " + "RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA7x0000000000\\n",
            "private key",
        ),
        ("http://localhost:8888/lab?token=" + "0123456789abcdef" * 3, "Jupyter server token"),
        ("https://bob:hunter2hunter@pypi.lab/simple", "password in an address"),
    ],
)
def test_what_looks_like_a_secret(text: str, rule: str) -> None:
    (hit,) = secret_rules.search(f"x\ny = '{text}'\n".encode())
    assert hit.rule == rule and hit.line == 2
    assert len(hit.excerpt) < 120 and text not in hit.excerpt


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN PUBLIC KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
        "if '-----BEGIN PRIVATE KEY-----' in text:",
        "https://user:${PASSWORD}@host/x",
        "git@github.com:lab/x.git",
        "password = getpass()",
        "sk-learn is scikit-learn",
        "sha256:" + "0123456789abcdef" * 4,
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert list(secret_rules.search(text.encode())) == []
