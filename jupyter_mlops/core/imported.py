"""What a file that is not ours, or a machine, gives to a specification."""

from __future__ import annotations

from dataclasses import dataclass, field

from .additions import LeftOut


@dataclass(frozen=True)
class Imported:
    source: str
    """The file's name, or that of the Python that was captured."""
    python: tuple[str, ...] = ()
    """PEP 508 requirements."""
    r: tuple[str, ...] = ()
    """Packages of R, as in a specification."""
    name: str = ""
    """What the source calls itself, where that can be the name of an environment."""
    description: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    """What is not taken over: nothing is dropped without being told here."""
    extras: tuple[str, ...] = ()
    """That could be chosen."""
    groups: tuple[str, ...] = ()
    """Dependency groups that could be chosen."""
