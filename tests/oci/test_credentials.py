"""Logins: settings first, then what Docker and Podman keep; never written."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import RegistryDeniedError
from jupyter_mlops.core.ports import Credentials
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.oci.credentials import find

HOST = "registry.example.com:5000"


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(folder: Path, name: str, **config: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(config))


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential helper ``docker-credential-lab`` that knows HOST."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-lab"
    program.write_text(
        "#!/bin/sh\n"
        "read -r server\n"
        f'if [ "$1 $server" = "get {HOST}" ]; then\n'
        '  echo \'{"ServerURL": "x", "Username": "helped", "Secret": "s3cret"}\'\n'
        "else\n"
        '  echo "credentials not found in native keychain"; exit 1\n'
        "fi\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program


def test_settings_come_first(settings: Settings, tmp_path: Path) -> None:
    assert find(settings, HOST) is None
    write(tmp_path / "docker", "config.json", auths={HOST: auth("docker", "a:b")})
    assert find(settings, HOST) == Credentials("docker", "a:b")
    configured = replace(settings, registry_credentials={HOST: ("admin", "x")})
    assert find(configured, HOST) == Credentials("admin", "x")
    assert find(configured, "other.example.com") is None


def test_podmans_logins_are_found(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path / "run" / "containers", "auth.json", auths={HOST: auth("podman", "p")})
    assert find(settings, HOST) == Credentials("podman", "p")


@pytest.mark.parametrize("key", [f"https://{HOST}", f"https://{HOST}/v1/"])
def test_old_names_of_a_registry(settings: Settings, tmp_path: Path, key: str) -> None:
    write(tmp_path / "docker", "config.json", auths={key: {"username": "u", "password": "p"}})
    assert find(settings, HOST) == Credentials("u", "p")


def test_docker_hub_has_a_name_of_its_own(settings: Settings, tmp_path: Path) -> None:
    auths = {"https://index.docker.io/v1/": auth("hub", "p")}
    write(tmp_path / "docker", "config.json", auths=auths)
    assert find(settings, "docker.io") == Credentials("hub", "p")


def test_identity_tokens(settings: Settings, tmp_path: Path) -> None:
    auths = {HOST: {"auth": "", "identitytoken": "refresh"}}
    write(tmp_path / "docker", "config.json", auths=auths)
    assert find(settings, HOST) == Credentials("<token>", "refresh")


def test_credential_helpers(settings: Settings, tmp_path: Path, helper: Path) -> None:
    write(tmp_path / "docker", "config.json", credHelpers={HOST: "lab"})
    assert find(settings, HOST) == Credentials("helped", "s3cret")
    assert find(settings, "other.example.com") is None
    write(
        tmp_path / "docker",
        "config.json",
        credsStore="lab",
        auths={"other.example.com": auth("o", "p")},
    )
    assert find(settings, HOST) == Credentials("helped", "s3cret")
    assert find(settings, "other.example.com") == Credentials("o", "p")


def test_a_helper_that_does_not_work_says_so(
    settings: Settings, tmp_path: Path, helper: Path
) -> None:
    helper.write_text("#!/bin/sh\necho locked; exit 1\n")
    write(tmp_path / "docker", "config.json", credHelpers={HOST: "lab"})
    with pytest.raises(RegistryDeniedError, match="did not answer"):
        find(settings, HOST)
    write(tmp_path / "docker", "config.json", credHelpers={HOST: "absent"})
    with pytest.raises(RegistryDeniedError, match="not installed"):
        find(settings, HOST)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"auths": {"registry.example.com:5000": 1}}'])
def test_damaged_files_are_no_logins(settings: Settings, tmp_path: Path, text: str) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(text)
    assert find(settings, HOST) is None
