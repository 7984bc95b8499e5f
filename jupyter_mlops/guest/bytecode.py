"""Compiles the environment's packages, keeping the result per distribution in a cache folder.

Runs inside build containers, piped to the environment's own Python with the cache folder as
argument: standard library only, Python 3.8 and later. Compiling is most of the time of an
installation, and gives the same bytes for the same distribution: the key is the interpreter's
cache tag and the hash of the distribution's RECORD. Files are checked-hash, so they stay valid
whatever happens to modification times. Folders named ``tests`` are left out: they are a third of
the files of a science stack and nobody imports them.

One cache file is a sequence of (path length, data length, path, data).
"""

import hashlib
import importlib.util
import os
import struct
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from importlib._bootstrap_external import _code_to_hash_pyc
from multiprocessing import get_context

HEADER = struct.Struct(">HI")
LEFT_OUT = ("tests", "test")


def main():
    cache = os.path.join(sys.argv[1], sys.implementation.cache_tag)
    os.makedirs(cache, exist_ok=True)
    os.umask(0o002)
    work = []
    for distribution in metadata.distributions():
        directory = getattr(distribution, "_path", None)
        text = distribution.read_text("RECORD")
        if not text or directory is None:
            continue
        root = os.path.dirname(str(directory))
        sources = [path for path in map(first_field, text.splitlines()) if wanted(path)]
        if sources and not is_compiled(str(directory), root, sources):
            key = hashlib.sha256(text.encode()).hexdigest()
            work.append((root, os.path.join(cache, key), sources))
    # The biggest first, so that no worker is left alone with it at the end.
    work.sort(key=lambda item: -len(item[2]))
    jobs = []
    for root, file, sources in work:
        if os.path.exists(file):
            jobs.append((root, file, None))
        else:
            jobs.extend((root, None, sources[i : i + 200]) for i in range(0, len(sources), 200))
    made = set()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        for paths in pool.map(run, jobs):
            made.update(paths)
    for root, file, sources in work:
        if not os.path.exists(file):
            store(file, root, [path for path in map(target, sources) if path in made])
    missed = sum(1 for job in jobs if job[1] is None)
    print("Compiled {} files, {} packages from the cache".format(len(made), len(jobs) - missed))


def is_compiled(directory, root, sources):
    """Whether it came compiled with the image below: writing it again would copy it up."""
    try:
        installed = os.stat(os.path.join(directory, "RECORD")).st_mtime
        return all(os.stat(os.path.join(root, target(s))).st_mtime >= installed for s in sources)
    except OSError:
        return False


def first_field(line):
    """The path of a RECORD line; quoted ones hold a comma and are rare enough to leave out."""
    return "" if line.startswith('"') else line.split(",", 1)[0]


def wanted(path):
    parts = path.split("/")
    return (
        path.endswith(".py")
        and parts[0] != ".."
        and not os.path.isabs(path)
        and not any(part in LEFT_OUT for part in parts[:-1])
    )


def target(source):
    """``a/b.py`` → ``a/__pycache__/b.cpython-311.pyc``, relative as the source is."""
    head, tail = os.path.split(source)
    return os.path.join(head, "__pycache__", tail[:-2] + sys.implementation.cache_tag + ".pyc")


def run(job):
    root, file, sources = job
    if file is not None:
        unpack(root, file)
        return []
    return [path for path in (compile_one(root, source) for source in sources) if path]


def compile_one(root, source):
    try:
        with open(os.path.join(root, source), "rb") as file:
            content = file.read()
        # The path that tracebacks show is the place where the environment always is.
        code = compile(content, os.path.join(root, source), "exec", dont_inherit=True, optimize=0)
    except (OSError, SyntaxError, ValueError, RecursionError):
        # Templates and files for other versions of Python are not meant to be imported.
        return ""
    path = target(source)
    # What py_compile does, without its temporary file and rename for each module.
    write(
        os.path.join(root, path),
        _code_to_hash_pyc(code, importlib.util.source_hash(content), True),
    )
    return path


def write(path, data):
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o664)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o664)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def unpack(root, file):
    with open(file, "rb") as stream:
        content = memoryview(stream.read())
    position = 0
    while position < len(content):
        path_length, length = HEADER.unpack_from(content, position)
        position += HEADER.size
        path = bytes(content[position : position + path_length]).decode()
        position += path_length
        write(os.path.join(root, path), content[position : position + length])
        position += length


def store(file, root, paths):
    """Appears at once and whole: other builds read the same cache."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(file))
    with os.fdopen(descriptor, "wb") as stream:
        for path in paths:
            with open(os.path.join(root, path), "rb") as compiled:
                data = compiled.read()
            name = path.encode()
            stream.write(HEADER.pack(len(name), len(data)) + name + data)
    os.replace(temporary, file)


if __name__ == "__main__":
    main()
