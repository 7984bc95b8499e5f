"""Where settings come from, and who wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.cli.configuration import load
from jupyter_mlops.config import Mlops
from jupyter_mlops.core.errors import InvalidError


@pytest.fixture
def config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder))
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "")
    return folder


def test_later_files_and_then_the_command_line_win(config_dir: Path, tmp_path: Path) -> None:
    (config_dir / "jupyter_server_config.py").write_text(
        "c.Mlops.owner = 'server'\nc.Mlops.project = 'r.example.com/a/b'\nc.ServerApp.port = 1\n"
    )
    (config_dir / "jupyter_mlops_config.json").write_text('{"Mlops": {"owner": "file"}}')
    assert Mlops(config=load("", [])).owner == "file"
    assert Mlops(config=load("", [])).project == "r.example.com/a/b"
    own = tmp_path / "own.py"
    own.write_text("c.Mlops.owner = 'own'\n")
    assert Mlops(config=load(str(own), [])).owner == "own"
    assert Mlops(config=load(str(own), ["owner=typed"])).owner == "typed"


def test_values_become_what_the_setting_is(config_dir: Path) -> None:
    config = load("", ["workspace_cap=1000", "insecure_registries=['r:5000']"])
    assert Mlops(config=config).workspace_cap == 1000
    assert Mlops(config=config).insecure_registries == ["r:5000"]
    config = load("", ["insecure_registries=r:5000,s:5000", "proxies={'http_proxy': 'http://p'}"])
    assert Mlops(config=config).insecure_registries == ["r:5000", "s:5000"]
    assert Mlops(config=config).proxies == {"http_proxy": "http://p"}


def test_entries_of_a_dictionary_are_set_one_by_one(config_dir: Path) -> None:
    (config_dir / "jupyter_mlops_config.py").write_text(
        "c.Mlops.targets = {'sagemaker': {'region': 'eu-west-1', 'bucket': 'b'}}\n"
    )
    config = load("", ["targets.sagemaker.region=us-east-1", "targets.sagemaker.poll_seconds=0.1"])
    assert Mlops(config=config).targets == {
        "sagemaker": {"region": "us-east-1", "bucket": "b", "poll_seconds": 0.1}
    }


def test_a_mistake_in_a_file_names_the_file(config_dir: Path) -> None:
    (config_dir / "jupyter_mlops_config.py").write_text("c.Mlops.owner = nobody\n")
    with pytest.raises(InvalidError) as caught:
        load("", [])
    assert "jupyter_mlops_config.py" in caught.value.message
    assert "nobody" in caught.value.message
