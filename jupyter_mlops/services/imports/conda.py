"""``environment.yml`` of conda: its pip section, and the names that the package index has too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ...core.additions import LeftOut
from ...core.errors import InvalidError
from ...core.imported import Imported
from ...core.settings import Settings
from ..package_index import known
from ..spec_file import check_variable
from .parts import PYTHON_REASON, possible_name, read_yaml, sorted_out

RENAMED = {
    "pytorch": "torch", "pytorch-cpu": "torch", "pytorch-gpu": "torch",
    "py-opencv": "opencv-python", "opencv": "opencv-python", "matplotlib-base": "matplotlib",
    "pytables": "tables", "py-xgboost": "xgboost", "py-xgboost-cpu": "xgboost",
    "tensorflow-gpu": "tensorflow", "seaborn-base": "seaborn", "faiss": "faiss-cpu",
    "dask-core": "dask", "msgpack-python": "msgpack", "python-graphviz": "graphviz",
    "pyarrow-core": "pyarrow", "ruamel_yaml": "ruamel-yaml",
}  # fmt: skip
"""Conda's name to that on the package index, where they differ."""

NOT_PYTHON = frozenset(
    {
        "openssl", "zlib", "xz", "tk", "sqlite", "readline", "ncurses", "bzip2", "ca-certificates",
        "gcc", "gxx", "gfortran", "make", "git", "nodejs", "curl", "mkl", "cudatoolkit", "cuda",
        "cudnn", "nccl", "ffmpeg", "hdf5", "gdal-bin", "geos", "proj", "java", "openjdk", "maven",
        "compilers", "c-compiler", "cxx-compiler", "fortran-compiler", "binutils", "cpuonly",
        "pytorch-cuda", "graphviz", "blas", "openblas", "lapack", "perl", "ruby", "go", "rust",
        "pandoc", "tesseract", "poppler", "icu", "glib", "expat", "yaml", "gmp", "mpfr", "libffi",
        "zstd", "lz4-c", "snappy", "boost", "boost-cpp", "eigen", "fftw", "gsl", "nomkl",
        "intel-openmp", "llvm-openmp",
    }
)  # fmt: skip
"""That are programs or libraries in conda: the index has none, or another thing of that name."""

_PYTHON_ALL_THE_SAME = frozenset({"librosa", "libcst", "libsass", "libtmux"})

_ENTRY = re.compile(r"^([A-Za-z0-9_.-]+)\s*(.*)$")


async def read_conda(file: Path, settings: Settings) -> Imported:
    """Raises InvalidError, and IndexUnavailableError when the index does not answer."""
    found = read_yaml(file)
    dependencies = found.get("dependencies") or []
    if not isinstance(dependencies, list):
        raise InvalidError(f"{file.name}: dependencies: must be a list.")
    pip: list[str] = []
    conda: list[tuple[str, str]] = []
    left: list[LeftOut] = []
    for entry in dependencies:
        if isinstance(entry, dict):
            pip += [str(item) for item in entry.get("pip") or []]
            left += [LeftOut(str(k), "Only pip: is understood here.") for k in entry if k != "pip"]
        else:
            _sort(str(entry), conda, left)
    requirements, files = sorted_out(_without_options(pip, file))
    names = await known(settings, [name for name, _ in conda])
    for name, version in conda:
        if name in names:
            requirements.append(f"{name}{version}")
        else:
            left.append(LeftOut(name, "The package index has no package of this name."))
    variables: dict[str, str] = {}
    for key, value in (found.get("variables") or {}).items():
        try:
            check_variable(str(key), str(value))
            variables[str(key)] = str(value)
        except InvalidError as error:
            left.append(LeftOut(str(key), error.message))
    if found.get("channels"):
        left.append(LeftOut("channels", "Packages are taken from the package index instead."))
    ours = ("name", "dependencies", "variables", "channels")
    left += [LeftOut(str(key), "It has no meaning here.") for key in found if key not in ours]
    return Imported(
        source=file.name,
        python=tuple(dict.fromkeys(requirements)),
        name=possible_name(found.get("name")),
        variables=variables,
        left_out=(*left, *files),
    )


def _without_options(entries: Sequence[str], file: Path) -> list[str]:
    for entry in entries:
        if entry.startswith("-") and not entry.startswith(("-e ", "--editable")):
            raise InvalidError(
                f"{file.name}: the option {entry.split()[0]!r} of pip is not supported.",
                "Package indexes are part of the server's settings; remove the line.",
            )
    return list(entries)


def _sort(entry: str, conda: list[tuple[str, str]], left: list[LeftOut]) -> None:
    rest = entry.rpartition("::")[2]
    match = _ENTRY.match(rest.partition(" #")[0].strip())
    if not match:
        left.append(LeftOut(entry, "It cannot be read."))
        return
    name = match[1].lower()
    if name == "python":
        left.append(LeftOut(entry, PYTHON_REASON))
    elif name == "pip":
        left.append(LeftOut(entry, "Every environment has it."))
    elif name.startswith(("r-", "_r-", "bioconductor-")):
        left.append(LeftOut(entry, "It is a package of R: write its name under the packages of R."))
    elif name not in _PYTHON_ALL_THE_SAME and (
        name in NOT_PYTHON or name.startswith(("lib", "_", "ld_impl", "xorg-", "cuda-", "mkl-"))
    ):
        left.append(
            LeftOut(entry, "It is no Python package: write the system package it needs, if any.")
        )
    else:
        version = _version(match[2])
        if version is None:
            left.append(LeftOut(entry, "Its version cannot be said in Python's own way."))
        else:
            conda.append((canonicalize_name(RENAMED.get(name, name)), version))


def _version(text: str) -> str | None:
    """``=1.2``, ``=1.2=py311``, ``>=1,<2``, ``1.2.*`` as a specifier; None for what is none."""
    text = text.strip().replace(" ", "")
    if not text or text == "*":
        return ""
    # The third part is a build of conda's own.
    fuzzy = re.match(r"^=?([0-9][^=<>!,|]*)(?:=[^=<>!]*)?$", text)
    exact = re.match(r"^==([^=<>!,|]+)(?:=[^=<>!]*)?$", text)
    if exact:
        text = f"=={exact[1]}"
    elif fuzzy:
        number = fuzzy[1].removesuffix("*").rstrip(".")
        text = f"=={number}" if "=" in text[1:] and "*" not in fuzzy[1] else f"=={number}.*"
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return None
    return text
