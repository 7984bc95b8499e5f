"""Graphics processors as CDI describes them, and as engines are asked for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import UnsupportedError
from jupyter_mlops.core.limits import devices
from jupyter_mlops.core.ports import Capabilities, ContainerSpec
from jupyter_mlops.engines.cdi import graphics_processors
from jupyter_mlops.engines.container_config import Host, container_config

# As `nvidia-ctk cdi generate` writes it, with indexes and UUIDs.
NVIDIA = """
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}
- name: "10"
  containerEdits: {deviceNodes: [{path: /dev/nvidia10}]}
- name: "2"
  containerEdits: {deviceNodes: [{path: /dev/nvidia2}]}
- name: GPU-8d6f2b1c
  containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}
- name: all
  containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}
"""


def test_processors_of_the_specifications(tmp_path: Path):
    (tmp_path / "nvidia.yaml").write_text(NVIDIA)
    amd = {"kind": "amd.com/gpu", "devices": [{"name": "card-b"}, {"name": "card-a"}]}
    (tmp_path / "amd.json").write_text(json.dumps(amd))
    (tmp_path / "net.json").write_text('{"kind": "example.com/nic", "devices": [{"name": "0"}]}')
    (tmp_path / "broken.yaml").write_text("kind: [")
    (tmp_path / "list.yaml").write_text("- kind")
    (tmp_path / "README").write_text("kind: nvidia.com/gpu")
    assert graphics_processors([str(tmp_path), str(tmp_path / "none")]) == (
        "amd.com/gpu=card-a",
        "amd.com/gpu=card-b",
        "nvidia.com/gpu=0",
        "nvidia.com/gpu=2",
        "nvidia.com/gpu=10",
    )
    assert graphics_processors([]) == ()


def test_an_engine_is_asked_by_name():
    offered = ("nvidia.com/gpu=0", "nvidia.com/gpu=1")
    spec = ContainerSpec("image", "name", {}, devices=devices(1, offered, "Docker 28.2"))
    config = container_config(spec, Host(Capabilities("docker", "Docker 28.2", gpus=offered)))
    assert config["HostConfig"]["DeviceRequests"] == [
        {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}
    ]
    without = container_config(ContainerSpec("image", "name", {}), Host(Capabilities("docker", "")))
    assert "DeviceRequests" not in without["HostConfig"]


def test_more_than_there_are():
    with pytest.raises(UnsupportedError, match=r"3 graphics processors, and Docker 28\.2 offers 1"):
        devices(3, ("nvidia.com/gpu=0",), "Docker 28.2")
    with pytest.raises(UnsupportedError, match="offers none") as error:
        devices(1, (), "Podman 4.3")
    assert "nvidia-ctk cdi generate" in error.value.hint
    assert devices(0, (), "Podman 4.3") == ()
