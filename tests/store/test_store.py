"""The store on a real SQLite file, also with several processes at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.core.environment import Environment, EnvironmentSpec
from jupyter_mlops.core.errors import ConflictError, MlopsError
from jupyter_mlops.core.operation import Operation, OperationState
from jupyter_mlops.store.repository import check_columns
from jupyter_mlops.store.store import SqlStore
from jupyter_mlops.store.tables import INDEXED, REVISION, metadata


@pytest.fixture
def store(tmp_path: Path, jp_asyncio_loop):
    store = SqlStore(tmp_path / "data" / "mlops.sqlite")
    yield store
    jp_asyncio_loop.run_until_complete(store.close())


def environment(name: str, **fields: object) -> Environment:
    spec = EnvironmentSpec(name, "debian", python=("pandas>=2",), variables={"A": "1"})
    return replace(Environment(name, "ada", spec, "2026-11-22T10:00:00+00:00"), **fields)


def operation(id: str, **fields: object) -> Operation:
    made = Operation(id, "build", "churn", OperationState.RUNNING, "2026-11-22T10:00:00+00:00")
    return replace(made, **fields)


async def test_a_record_comes_back_as_it_was(store: SqlStore):
    assert await store.environments.get("churn") is None
    await store.environments.save(environment("churn"))
    assert await store.environments.get("churn") == environment("churn")
    await store.environments.delete("churn")
    assert await store.environments.get("churn") is None
    await store.environments.delete("churn")


async def test_lists_are_newest_first_in_pages(store: SqlStore):
    for number in range(5):
        await store.operations.save(operation(f"o-{number}"))
    # A change does not move a record to the front.
    await store.operations.save(operation("o-1", state=OperationState.FAILED))
    first = await store.operations.list(limit=2)
    assert [o.id for o in first] == ["o-4", "o-3"]
    rest = await store.operations.list(after="o-3")
    assert [o.id for o in rest] == ["o-2", "o-1", "o-0"]
    failed = await store.operations.list(state="failed", kind="build")
    assert [o.id for o in failed] == ["o-1"]
    with pytest.raises(ValueError, match="message"):
        await store.operations.list(message="x")


async def test_it_can_be_used_again_after_close(store: SqlStore):
    await store.environments.save(environment("churn"))
    await store.close()
    assert len(await store.environments.list()) == 1


async def test_revision_numbers_are_given_out_once(store: SqlStore):
    numbers = await asyncio.gather(*(store.next_revision("churn") for _ in range(20)))
    assert sorted(numbers) == list(range(1, 21))
    assert await store.next_revision("other") == 1


PROCESS = """
import asyncio, sys
from pathlib import Path
from jupyter_mlops.core.environment import Environment, EnvironmentSpec
from jupyter_mlops.store.store import SqlStore

async def main():
    store = SqlStore(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    numbers = await asyncio.gather(*(store.next_revision("churn") for _ in range(25)))
    for number in numbers:
        name = f"e{number}"
        await store.environments.save(
            Environment(name, "ada", EnvironmentSpec(name, "debian"), "2026"))
    print(*numbers)

asyncio.run(main())
"""


def in_three_processes(file: Path) -> list[int]:
    """The revision numbers that they were given."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    # All are loaded and waiting, so that they meet at the file.
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    numbers = []
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        numbers += [int(word) for word in out.split()]
    return numbers


async def test_three_processes_open_a_new_file_together(tmp_path: Path):
    file = tmp_path / "shared" / "mlops.sqlite"
    numbers = await asyncio.to_thread(in_three_processes, file)
    assert sorted(numbers) == list(range(1, 76))
    shared = SqlStore(file)
    assert len(await shared.environments.list()) == 75
    await shared.close()


async def test_a_file_of_a_newer_version_is_left_alone(store: SqlStore, tmp_path: Path):
    import sqlite3

    await store.environments.save(environment("churn"))
    await store.close()
    file = tmp_path / "data" / "mlops.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(ConflictError, match="newer version"):
        await store.environments.list()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path):
    file = tmp_path / "mlops.sqlite"
    file.write_bytes(b"not a database, but text of some length, more than a header" * 20)
    store = SqlStore(file)
    with pytest.raises(MlopsError, match="is not a file of ours"):
        await store.environments.list()


async def test_five_hundred_environments_are_listed_quickly(store: SqlStore):
    await asyncio.gather(*(store.environments.save(environment(f"e{n}")) for n in range(500)))
    began = time.perf_counter()
    assert len(await store.environments.list()) == 500
    print(f"500 environments: {(time.perf_counter() - began) * 1000:.0f} ms")


def test_indexed_columns_are_fields_of_the_nouns():
    store = SqlStore(Path("unused"))
    for table in INDEXED:
        repository = getattr(store, table)
        assert check_columns(repository._noun, table) == []


def test_the_migrations_make_the_tables(tmp_path: Path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine

    from jupyter_mlops.store.migrations.upgrade import configuration, upgrade

    assert ScriptDirectory.from_config(configuration()).get_current_head() == REVISION
    file = tmp_path / "mlops.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    upgrade(engine, file, current=lambda: "")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_of_two_that_change_the_same_record_one_succeeds(store: SqlStore, tmp_path: Path):
    old = operation("op-1")
    await store.operations.save(old)
    other = SqlStore(tmp_path / "data" / "mlops.sqlite")
    try:
        changes = [replace(old, message=f"of {n}") for n in range(8)]
        stores = [store, other] * 4
        swapped = await asyncio.gather(
            *(s.operations.swap(old, change) for s, change in zip(stores, changes, strict=True))
        )
        assert swapped.count(True) == 1
        winner = changes[swapped.index(True)]
        assert await other.operations.get("op-1") == winner
        assert not await store.operations.swap(old, old)
        assert await store.operations.swap(winner, old)
        await store.operations.delete("op-1")
        assert not await store.operations.swap(old, winner)
        assert await store.operations.list() == []
    finally:
        await other.close()
