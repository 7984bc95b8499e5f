"""What of a project's folder goes into a model package, looked at before anything is built."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..core.errors import InvalidError
from ..core.handlers import check_sample, content_type, is_r
from ..core.model_formats import MLFLOW_FILE, ModelFormat, of_files, trust_of
from ..core.model_package import Handler

CODE = "code"
"""The folder of the handler in model.tar.gz, by SageMaker's convention."""

SCHEMA = "schema.json"
"""Beside every handler that the export of a live variable wrote."""

MODEL_IGNORE = ".modelignore"
"""In the project's folder: what no package takes, in gitignore's syntax."""

_MOST_MODULES = 1000
_EDGE = 64 * 1024


@dataclass(frozen=True)
class PackageFiles:
    """Absolute paths of this machine by their place in model.tar.gz."""

    model: dict[str, Path]
    code: dict[str, Path]
    """By their place below ``code/``: the handler, its neighbours, and packages beside it."""
    handler: str
    """A key of ``code``; empty where no file answers requests."""
    format: ModelFormat | None = None
    """Of the model, where we know it."""
    trust: str = ""
    """Why only those should load the model who trust its author; empty when anyone may."""
    schema: dict[str, Any] = field(default_factory=dict)
    """As that of a model package."""

    def members(self) -> dict[str, Path]:
        """All files by their place in model.tar.gz."""
        return self.model | {f"{CODE}/{path}": file for path, file in self.code.items()}

    def used(self, modules: Sequence[str]) -> PackageFiles:
        """Only the handler's direct neighbours, and whole packages of which a module is used."""
        tops = {PurePosixPath(path).parts[0] for path in modules}
        kept = {
            path: file
            for path, file in self.code.items()
            if "/" not in path or PurePosixPath(path).parts[0] in tops
        }
        return replace(self, code=kept)


@dataclass(frozen=True)
class SampleFiles:
    content_type: str
    body: bytes
    accept: str
    expected: bytes | None
    others: tuple[tuple[str, bytes], ...] = ()
    """(content type, body) of the same request in other forms."""


def find(root: Path, model: Sequence[str], handler: Handler) -> PackageFiles:
    """Look the files up in an unpacked workspace (blocks). Raises InvalidError."""
    if not model:
        raise InvalidError(
            "The package has no model.", "Name the file that the notebook saved the model in."
        )
    models: dict[str, Path] = {}
    ignored = _ignored(root)
    for path in model:
        for name, file in _model(root, path, ignored).items():
            ours = handler.path and (name == CODE or name.startswith(CODE + "/"))
            if name in models or ours:
                raise InvalidError(
                    f"{path} would be {name} in the package, which is taken already.",
                    "Rename one of the files, or choose only one of them.",
                )
            models[name] = file

    def read(name: str) -> bytes:
        file = models[name]
        with file.open("rb") as stream:
            return stream.read() if name == MLFLOW_FILE else edges(stream, file.stat().st_size)

    found = of_files(list(models), read)
    trust = trust_of(list(models), read)
    if found is not None and found.trust and not trust:
        trust = found.trust
    if handler.kind == "default":
        if found is None or not found.loads:
            raise InvalidError(_no_handler(models, found), _WRITE_A_HANDLER)
        return PackageFiles(models, {}, "", found, trust)
    file = existing(root, handler.path, "handler")
    if handler.kind == "r" and not is_r(file.name):
        raise InvalidError(f"The handler {handler.path} is no R file.", "Name one that ends in .R.")
    if handler.kind != "r" and file.suffix != ".py":
        raise InvalidError(
            f"The handler {handler.path} is no Python file.", "Name a file that ends in .py."
        )
    code = {
        path: module
        for path, module in _modules(file.parent, file.suffix).items()
        if module == file or not ignored(module.relative_to(root).as_posix())
    }
    return PackageFiles(models, code, file.name, found, trust)


_WRITE_A_HANDLER = (
    "Write an inference.py with model_fn(model_dir), which loads and returns the model, and choose "
    "it as the handler."
)


def _no_handler(models: Mapping[str, Path], found: ModelFormat | None) -> str:
    if found is not None:
        return f"A model in the format {found.name} does not load by itself: it needs its code."
    names = ", ".join(sorted(models)[:5])
    return f"Which of the model files ({names}) is the model, and in which format, is not known."


def _ignored(root: Path) -> Callable[[str], bool]:
    """Which paths of the project ``.modelignore`` leaves out. Raises InvalidError."""
    from pathspec import GitIgnoreSpec

    file = root / MODEL_IGNORE
    try:
        lines = file.read_text().splitlines() if file.is_file() else []
        spec = GitIgnoreSpec.from_lines(lines)
    except ValueError as error:  # Also what is not UTF-8.
        raise InvalidError(f"{MODEL_IGNORE} cannot be read: {error}.") from None
    return lambda path: bool(spec.match_file(path))


def sample(root: Path, path: str, expected: str, given_type: str) -> SampleFiles:
    """Read the sample and the recorded answer (blocks). Raises InvalidError."""
    body = existing(root, path, "sample").read_bytes()
    kind = given_type or content_type(path)
    check_sample(path, body, kind)
    if not expected:
        return SampleFiles(kind, body, "application/json", None)
    answer = existing(root, expected, "expected answer").read_bytes()
    accept = content_type(expected)
    if accept in ("text/plain", "application/octet-stream"):
        accept = "application/json"
    check_sample(expected, answer, accept)
    return SampleFiles(kind, body, accept, answer)


def with_others(root: Path, request: SampleFiles, paths: Sequence[str]) -> SampleFiles:
    """The sample and its other forms, read from ``paths`` (blocks). Raises InvalidError."""
    others = []
    for path in paths:
        body, kind = existing(root, path, "sample").read_bytes(), content_type(path)
        check_sample(path, body, kind)
        others.append((kind, body))
    kinds = [request.content_type.partition(";")[0], *(kind for kind, _ in others)]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        raise InvalidError(
            f"The sample is there more than once as {', '.join(twice)}.",
            "Give each of its forms a content type of its own.",
        )
    return replace(request, others=tuple(others))


def existing(root: Path, path: str, role: str) -> Path:
    """A regular file of the workspace, or of a folder in it. Raises InvalidError."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise InvalidError(
            f"The {role} {path!r} is not a path in the project.",
            "Write it relative to the project's folder.",
        )
    at = root
    for part in pure.parts:
        at = at / part
        if at.is_symlink():
            raise InvalidError(
                f"The {role} {path} is a link.",
                "SageMaker takes no links: copy the file to its place and freeze again.",
            )
    if not at.exists():
        raise InvalidError(
            f"The snapshot's files have no {path}, which is to be the {role}.",
            "Save it in the project's folder and freeze again, or choose another file.",
        )
    return at


def _model(root: Path, path: str, ignored: Callable[[str], bool]) -> dict[str, Path]:
    """One model file by its name, or the files of a folder by their paths in it, without what
    ``.modelignore`` leaves out."""
    found = existing(root, path, "model")
    if found.is_file():
        return {found.name: found}
    files = {}
    for file in sorted(found.rglob("*")):
        name = file.relative_to(found).as_posix()
        if ignored(file.relative_to(root).as_posix()):
            continue
        if file.is_symlink():
            raise InvalidError(
                f"{path}/{name} is a link.",
                "SageMaker takes no links: copy the file to its place and freeze again.",
            )
        if file.is_file():
            files[name] = file
    if not files:
        raise InvalidError(
            f"The folder {path}, which is to be the model, is empty.",
            f"Save the model in it and freeze again; what {MODEL_IGNORE} names does not count.",
        )
    return files


def _modules(folder: Path, suffix: str) -> dict[str, Path]:
    """Files of the handler's language in a folder and below, nearest first, by path in it."""
    found = [
        file
        for file in folder.rglob("*")
        if file.suffix.lower() == suffix.lower()
        and file.is_file()
        and not file.is_symlink()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]
    found.sort(key=lambda file: (len(file.parts), str(file)))
    return {file.relative_to(folder).as_posix(): file for file in found[:_MOST_MODULES]}


def write_archive(files: PackageFiles, archive: Path) -> None:
    """Write model.tar.gz (blocks): equal files give equal bytes.

    Model files are at the root, as SageMaker wants them; code is below ``code/``.
    """
    members = files.members()
    folders = {str(p) for m in members for p in PurePosixPath(m).parents if str(p) != "."}
    with (
        archive.open("wb") as raw,
        # Level 1: weights hardly compress, and they can be gigabytes.
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(members.keys() | folders):
            info = tarfile.TarInfo(name)
            if name in folders:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
                continue
            with members[name].open("rb") as content:
                info.size, info.mode = members[name].stat().st_size, 0o644
                tar.addfile(info, content)


def extract(archive: Path, folder: Path) -> None:
    """Unpack a model.tar.gz that we wrote, readable by whoever root in a container is (blocks)."""
    folder.mkdir(parents=True)
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            target = folder / member.name
            if member.isdir():
                target.mkdir()
                target.chmod(0o755)
                continue
            source = tar.extractfile(member)
            if source is None or not target.resolve().is_relative_to(folder.resolve()):
                raise InvalidError(f"The model archive holds {member.name}, which is no file.")
            with target.open("wb") as out:
                while chunk := source.read(1024 * 1024):
                    out.write(chunk)
            target.chmod(0o644)
    folder.chmod(0o755)


def edges(stream: IO[bytes], size: int) -> bytes:
    """The first and the last 64 KiB of a file (blocks): they tell its format."""
    head = stream.read(_EDGE)
    if size <= _EDGE:
        return head
    stream.seek(max(_EDGE, size - _EDGE))
    return head + stream.read(_EDGE)


def link_files(files: PackageFiles, folder: Path) -> None:
    """Model and code at their places below ``folder``, without copying them (blocks)."""
    for name, file in files.members().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(file)
        target.chmod(0o644)
    for place in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
        place.chmod(0o755)


def in_project(root: Path, module: str) -> str:
    """Where in the project a top-level module is; empty when nowhere (blocks)."""
    for name in (f"{module}.py", f"{module}/__init__.py"):
        for file in sorted(root.rglob(name)):
            if file.is_file():
                return file.relative_to(root).as_posix()
    return ""
