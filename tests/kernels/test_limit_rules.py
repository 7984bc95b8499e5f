"""What limits a kernel gets of those that were said, and which are refused."""

from __future__ import annotations

import pytest
from traitlets.config import Config

from jupyter_mlops.config import Mlops
from jupyter_mlops.core.environment import Resources
from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.core.limits import KernelLimits, Limits, Machine, check, in_force, limits_of

GIB = 1024**3
NONE = Limits()


def test_the_last_word_wins_below_the_ceiling():
    environment = KernelLimits(Resources(cpus=2, memory=4 * GIB, pids=100), "outbound")
    assert in_force(environment, ceiling=NONE) == environment
    notebook, run = Limits(memory=8 * GIB, network="none"), Limits(memory=GIB, pids=0)
    assert in_force(environment, notebook, run, ceiling=NONE) == KernelLimits(
        Resources(cpus=2, memory=GIB, pids=0), "none"
    )
    lowered = in_force(environment, notebook, ceiling=Limits(memory=6 * GIB, cpus=8, gpus=0))
    assert lowered.resources == Resources(cpus=2, memory=6 * GIB, pids=100)
    # No limit at all is more than any ceiling.
    unlimited = in_force(KernelLimits(), ceiling=Limits(memory=GIB, cpus=1, pids=64))
    assert unlimited.resources == Resources(cpus=1, memory=GIB, pids=64)
    gpus = in_force(KernelLimits(Resources(gpus=4)), ceiling=Limits(gpus=0))
    assert gpus.resources.gpus == 0


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"memory": "10MB"}, r"memory: 9.54 MiB is too little .* 64 MiB"),
        ({"memory": "20 GiB"}, r"memory: 20 GiB is more than this machine has \(16 GiB\)"),
        ({"memory": "12GiB"}, r"memory: 12 GiB is more than this server allows \(8 GiB\)"),
        ({"memory": 0}, r"memory: no limit is more than this server allows \(8 GiB\)"),
        ({"memory": "much"}, r"memory: 'much' is not an amount of memory"),
        ({"memory": -1}, r"memory: -1 is not an amount of memory"),
        ({"cpus": 0.001}, r"cpus: 0.001 is too little"),
        ({"cpus": 5}, r"cpus: 5 is more than this machine has \(4\)"),
        ({"cpus": -1}, r"cpus: a limit cannot be negative"),
        ({"cpus": "two"}, r"cpus: 'two' is not a number"),
        ({"pids": 3}, r"pids: 3 processes are too few"),
        ({"pids": 40.5}, r"pids: 40.5 is not a whole number"),
        ({"gpus": 1}, r"gpus: 1 is more than this server allows \(0\)"),
        ({"network": "open"}, r"network: 'open' is not known"),
        ({"disk": 1}, r"'disk' is not a limit of a kernel"),
    ],
)
def test_what_cannot_be_is_refused(limits: dict[str, object], said: str):
    ceiling = Limits(gpus=0, memory=None if limits.get("memory") == "20 GiB" else 8 * GIB)
    with pytest.raises(InvalidError, match=said) as error:
        check(limits_of(limits), Machine(cpus=4, memory=16 * GIB), ceiling)
    assert error.value.hint


def test_what_can_be_is_taken():
    limits = limits_of({"memory": "2 GiB", "cpus": 1, "pids": None, "network": "none"})
    assert limits == Limits(memory=2 * GIB, cpus=1.0, network="none")
    check(limits, Machine(cpus=1, memory=2 * GIB), Limits(memory=2 * GIB))
    check(limits_of({"memory": 0, "cpus": 0, "gpus": 0}), Machine(), NONE)
    # A machine that does not say what it has refuses nothing.
    check(Limits(cpus=512), Machine(), NONE)


def test_the_ceiling_is_a_setting():
    config = Config({"Mlops": {"max_resources": {"memory": "8GiB", "gpus": 0}}})
    assert Mlops(config=config).settings().max_resources == Limits(memory=8 * GIB, gpus=0)
    wrong = Config({"Mlops": {"max_resources": {"ram": "8GiB"}}})
    with pytest.raises(InvalidError, match="'ram' is not a limit"):
        Mlops(config=wrong).settings()
