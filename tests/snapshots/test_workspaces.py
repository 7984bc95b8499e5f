"""The files of a project: what is taken, packed the same each time, unpacked nowhere else."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import socket
import tarfile
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import ConflictError, InvalidError, NotFoundError
from jupyter_mlops.services.workspaces import pack, read_files, unpack, walk

LIMIT = 10**6


def put(root: Path, **files: str) -> None:
    for name, content in files.items():
        write(root / name, content)


def write(file: Path, content: str = "x") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(root / "train.ipynb", "{}")
    write(root / "src/features.py", "def f(): ...")
    write(root / "data/small.csv", "1,2,3")
    (root / "run.sh").write_text("#!/bin/sh")
    (root / "run.sh").chmod(0o755)
    (root / "figures").mkdir()
    return root


def taken(root: Path, *exclude: str) -> list[str]:
    return [entry.path for entry in walk(root, exclude).taken]


def reasons(root: Path) -> dict[str, str]:
    return {entry.path: entry.reason for entry in walk(root).entries if not entry.included}


def test_everything_is_taken_that_nobody_left_out(project: Path) -> None:
    assert taken(project) == ["data/small.csv", "run.sh", "src/features.py", "train.ipynb"]
    found = walk(project)
    assert found.notebooks == ("train.ipynb",)
    assert found.folders == ("figures",)
    assert found.size == sum(f.stat().st_size for f in project.rglob("*") if f.is_file())


def test_the_ignore_file_speaks_gitignore(project: Path) -> None:
    write(project / "data/keep.csv")
    write(project / "src/data/other.csv")
    write(project / "scratch/a/b.txt")
    write(project / ".mlopsignore", "# a comment\n/data/*\n!/data/keep.csv\nscratch/\n*.sh\n")
    assert taken(project) == [
        ".mlopsignore", "data/keep.csv", "src/data/other.csv", "src/features.py", "train.ipynb",
    ]  # fmt: skip
    assert reasons(project)["scratch/"] == ".mlopsignore"
    assert "scratch/a/b.txt" not in reasons(project), "A folder left out is not walked"


def test_an_unreadable_ignore_file_says_so(project: Path) -> None:
    (project / ".mlopsignore").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidError, match="mlopsignore cannot be read"):
        walk(project)


@pytest.mark.parametrize(
    "path",
    [
        ".git/objects/ab/cdef",
        ".git/config",
        ".ssh/known_hosts",
        ".aws/credentials",
        ".netrc",
        ".env",
        ".env.production",
        "deep/down/.env",
        "server.pem",
        "keys/id_rsa",
        "id_ed25519.pub",
        ".ipynb_checkpoints/train-checkpoint.ipynb",
        "src/__pycache__/features.cpython-311.pyc",
        ".config/gcloud/credentials.db",
        ".docker/config.json",
        ".bash_history",
        ".kaggle/kaggle.json",
    ],
)
def test_what_may_hold_secrets_never_travels(project: Path, path: str) -> None:
    write(project / path, "secret")
    # Not even when the user asks for it.
    write(project / ".mlopsignore", f"!{path}\n!**\n")
    assert path not in taken(project)
    covered = [p for p in reasons(project) if path == p or path.startswith(p)]
    assert covered and all(reasons(project)[p] for p in covered)


@pytest.mark.parametrize("path", ["id_mapping.csv", ".env.example", "environment.yaml", "a.keys"])
def test_what_only_looks_like_it_does(project: Path, path: str) -> None:
    write(project / path)
    assert path in taken(project)


def test_a_virtual_environment_is_left_out_whatever_its_name(project: Path) -> None:
    write(project / "myenv/pyvenv.cfg")
    write(project / "myenv/lib/python3.11/site-packages/numpy.py")
    assert reasons(project)["myenv/"] == "packages are in the image"


def test_our_own_records_are_left_out(project: Path) -> None:
    """The project may be a whole home folder."""
    write(project / ".local/share/jupyter/mlops/mlops.sqlite")
    write(project / ".local/share/jupyter/mlops/homes/churn/notes.txt")
    assert reasons(project)[".local/share/jupyter/mlops/"] == "holds our own records"


def test_the_user_excludes_files_and_folders(project: Path) -> None:
    assert taken(project, "data/small.csv", "src/") == ["run.sh", "train.ipynb"]


def test_links_stay_inside(project: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside.txt", "not yours")
    (project / "inside").symlink_to(project / "data/small.csv")  # Absolute, and yet inside.
    (project / "folder").symlink_to("src")
    (project / "out").symlink_to("../outside.txt")
    (project / "etc").symlink_to("/etc")
    (project / "circle").symlink_to("circle")
    left = reasons(project)
    assert left["out"] == left["etc"] == left["circle"] == "a link that leads out of the project"
    assert "inside" in taken(project) and "folder" in taken(project)
    assert not any(path.startswith(("folder/", "etc/")) for path in taken(project))
    there = unpacked(project, tmp_path)
    assert (there / "inside").read_text() == "1,2,3"
    assert (there / "inside").readlink() == Path("data/small.csv")
    assert (there / "folder/features.py").exists()


def test_what_is_no_file_is_left_out(project: Path) -> None:
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket is short; its name alone is shorter.
        before = Path.cwd()
        os.chdir(project)
        try:
            server.bind("sock")
        finally:
            os.chdir(before)
        assert reasons(project) == {"pipe": "not a file", "sock": "not a file"}


def test_too_much_names_the_largest(project: Path) -> None:
    with (project / "data/huge.parquet").open("wb") as file:
        file.truncate(3_000_000)
    walk(project).check(4_000_000)
    with pytest.raises(InvalidError) as caught:
        walk(project).check(1_000_000)
    assert "data/huge.parquet (3.0 MB)" in caught.value.message
    assert ".mlopsignore" in caught.value.hint


def test_a_home_folder_is_no_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.services.workspaces._MAX_FILES", 3)
    with pytest.raises(InvalidError, match="more than 3 files"):
        walk(project)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        walk(tmp_path / "nowhere")


# ------------------------------------------------------------------------------- packing


def packed(root: Path, archive: Path) -> Path:
    pack(walk(root), archive)
    return archive


def unpacked(root: Path, tmp_path: Path) -> Path:
    target = tmp_path / "unpacked"
    unpack(packed(root, tmp_path / "w.tar.gz"), target, LIMIT)
    return target


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_equal_files_give_equal_bytes(project: Path, tmp_path: Path) -> None:
    first = digest(packed(project, tmp_path / "first.tar.gz"))
    # Elsewhere, later, of another owner, written in another order.
    other = tmp_path / "elsewhere" / "of another name"
    shutil.copytree(project, other)
    for file in sorted(other.rglob("*"), reverse=True):
        os.utime(file, (1, 1))
        if os.getuid() == 0:
            os.chown(file, 1234, 1234)
        if file.is_file():
            file.chmod(file.stat().st_mode | 0o066)
    assert digest(packed(other, tmp_path / "second.tar.gz")) == first
    (other / "data/small.csv").write_text("1,2,4")
    assert digest(packed(other, tmp_path / "third.tar.gz")) != first


def test_files_come_back_as_they_were(project: Path, tmp_path: Path) -> None:
    there = unpacked(project, tmp_path)
    assert (there / "src/features.py").read_text() == "def f(): ..."
    assert os.access(there / "run.sh", os.X_OK)
    assert not (there / "train.ipynb").stat().st_mode & 0o111
    assert (there / "figures").is_dir()
    assert taken(there) == taken(project)


def test_a_file_is_read_without_unpacking(project: Path, tmp_path: Path) -> None:
    archive = packed(project, tmp_path / "w.tar.gz")
    assert list(read_files(archive, ["data/small.csv", "gone"])) == [("data/small.csv", b"1,2,3")]


def test_a_file_that_vanishes_meanwhile(project: Path, tmp_path: Path) -> None:
    found = walk(project)
    (project / "run.sh").unlink()
    with pytest.raises(InvalidError, match=r"run\.sh changed or vanished"):
        pack(found, tmp_path / "w.tar.gz")


def test_a_folder_with_files_is_not_overwritten(project: Path, tmp_path: Path) -> None:
    archive = packed(project, tmp_path / "w.tar.gz")
    put(tmp_path / "mine", notes="precious")
    with pytest.raises(ConflictError, match="not empty"):
        unpack(archive, tmp_path / "mine", LIMIT)
    assert [f.name for f in (tmp_path / "mine").iterdir()] == ["notes"]


# ------------------------------------------------------------------------ hostile archives


def entry(name: str, content: bytes = b"evil", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    if info.type != tarfile.REGTYPE:
        info.size = 0
    return info, content


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


ATTACKS = {
    "parent": [entry("../escaped")],
    "absolute": [entry("/tmp/mlops-escaped")],
    "deep parent": [entry("a/b/../../../escaped")],
    "link out": [link("l", "../escaped"), entry("x")],
    "absolute link": [link("l", "/etc/passwd")],
    "write through a link": [link("d", ".."), entry("d/escaped")],
    "write through an absolute link": [link("d", "/tmp"), entry("d/mlops-escaped")],
    "link through links": [entry("a/b/f"), link("a/b/up", "../.."), link("z", "a/b/up/..")],
    "link through a link that comes later": [link("z", "a/up/.."), link("a/up", "..")],
    "overwrite": [entry("f"), entry("f", b"other")],
    "hard link": [entry("h", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
    "device": [entry("d", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "file as folder": [entry("f"), entry("f/g")],
    "bomb": [entry("zeros", bytes(LIMIT + 1))],
    "dot": [entry(".")],
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_written_outside_and_nothing_stays(name: str, tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(*with_stream(entry("harmless.txt")))
        for member in ATTACKS[name]:
            tar.addfile(*with_stream(member))
    around = tmp_path / "around"
    around.mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidError):
        unpack(archive, around / "target", LIMIT)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/mlops-escaped").exists()
    # An empty folder that was there before stays, empty.
    (around / "target").mkdir()
    with pytest.raises(InvalidError):
        unpack(archive, around / "target", LIMIT)
    assert list((around / "target").iterdir()) == []


def with_stream(member: tuple[tarfile.TarInfo, bytes]) -> tuple[tarfile.TarInfo, io.BytesIO]:
    return member[0], io.BytesIO(member[1])


@pytest.mark.parametrize("kind", ["cut", "noise", "not gzip", "empty"])
def test_a_damaged_archive_says_so(kind: str, project: Path, tmp_path: Path) -> None:
    (project / "random").write_bytes(os.urandom(100_000))
    archive = packed(project, tmp_path / "w.tar.gz")
    content = archive.read_bytes()
    archive.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "noise": content[:50] + os.urandom(1000) + content[1050:],
            "not gzip": b"hello",
            "empty": gzip.compress(b""),
        }[kind]
    )
    with pytest.raises(InvalidError, match="damaged"):
        unpack(archive, tmp_path / "target", LIMIT)
    assert not (tmp_path / "target").exists()
