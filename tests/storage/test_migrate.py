import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from serve_app.core.errors import ConfigurationError, DatabaseTooOld, DatabaseUnavailable
from serve_app.storage import migrate as module
from serve_app.storage.migrate import DIRECTORY, migrate, migrations
from tests.storage.owner import ask, execute

SCHEMA = DIRECTORY.parent / "schema.sql"

# Whatever a migration can make, in words that compare: tables, functions, triggers, views.
CATALOGUE = """
with ours as (select oid, nspname from pg_namespace where nspname in ('public', 'second_set'))
select format('column %s.%s %s %s %s %s', c.oid::regclass, a.attname, a.attstorage::text,
              format_type(a.atttypid, a.atttypmod), a.attnotnull,
              coalesce(pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::text)
from pg_attribute a join pg_class c on c.oid = a.attrelid
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace in (select oid from ours) and c.relkind in ('r', 'c') and a.attnum > 0
  and not a.attisdropped
union all
select indexdef from pg_indexes where schemaname in (select nspname from ours)
union all
select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint
where connamespace in (select oid from ours)
union all
select format('options %s %s', oid::regclass, reloptions) from pg_class
where relnamespace in (select oid from ours) and relkind = 'r'
union all
select format('security %s %s %s %s', oid::regclass, relrowsecurity, relforcerowsecurity,
              (select array_agg(acl::text order by acl::text) from unnest(relacl) acl))
from pg_class where relnamespace in (select oid from ours) and relkind in ('r', 'v')
union all
select pg_policies::text from pg_policies where schemaname in (select nspname from ours)
union all
select pg_get_functiondef(p.oid) from pg_proc p
where p.pronamespace = 'public'::regnamespace and not exists (
  select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
union all
select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all
select format('view %s %s %s', oid::regclass, reloptions, pg_get_viewdef(oid)) from pg_class
where relnamespace in (select oid from ours) and relkind = 'v'
order by 1"""


def dump_without_history(rows: list[str]) -> list[str]:
    return [row for row in rows if "schema_migrations" not in row]


@pytest.mark.parametrize(
    ("dsn", "error", "reason"),
    [
        ("postgresql://u:s3cret@127.0.0.1:1/x", DatabaseUnavailable, "127.0.0.1"),
        ("mysql://u:s3cret@127.0.0.1/x", ConfigurationError, "postgresql://USER"),
        ("postgresql://u:s3cret@127.0.0.1:port/x", ConfigurationError, "postgresql://USER"),
    ],
)
async def test_an_unreachable_database_is_named_without_its_password(
    dsn: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason) as raised:
        await migrate(dsn)
    assert "s3cret" not in str(raised.value)


async def test_every_migration_is_applied_once(empty_dsn: str) -> None:
    assert await migrate(empty_dsn) == [path.stem for path in migrations()]
    assert await migrate(empty_dsn) == []
    assert await ask(empty_dsn, "select name from tenants") == ["default"]


async def test_concurrent_migrations_wait_for_each_other(empty_dsn: str) -> None:
    outcomes = await asyncio.gather(*(migrate(empty_dsn) for _ in range(6)))
    assert sorted(map(len, outcomes)) == [0] * 5 + [len(migrations())]


@pytest.mark.parametrize("earlier", range(len(migrations())))
async def test_from_every_earlier_version_the_schema_becomes_schema_sql(
    empty_dsn: str,
    fresh_dsn: str,
    earlier: int,
    open_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in migrations()[:earlier]:
        shutil.copy(path, open_directory)
    with monkeypatch.context() as patch:
        patch.setattr(module, "DIRECTORY", open_directory)
        assert len(await migrate(empty_dsn)) == earlier
    await migrate(empty_dsn)
    migrated = dump_without_history(await ask(empty_dsn, CATALOGUE))
    await execute(fresh_dsn, "drop schema public, second_set cascade; create schema public")
    await execute(fresh_dsn, SCHEMA.read_text(encoding="utf-8"))
    assert dump_without_history(await ask(fresh_dsn, CATALOGUE)) == migrated
    assert len(migrated) > 60


async def test_a_migration_that_was_edited_is_refused(fresh_dsn: str) -> None:
    await execute(fresh_dsn, "update schema_migrations set sha256 = 'other'")
    with pytest.raises(ConfigurationError, match="edited"):
        await migrate(fresh_dsn)


async def test_a_database_newer_than_the_code_is_refused(fresh_dsn: str) -> None:
    await execute(fresh_dsn, "insert into schema_migrations values ('9999_future', 'x')")
    with pytest.raises(ConfigurationError, match="9999_future"):
        await migrate(fresh_dsn)


async def test_a_migration_that_fails_leaves_nothing(
    empty_dsn: str, open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_directory / "0001_half.sql").write_text("create table half (n int); select 1 / 0")
    with monkeypatch.context() as patch:
        patch.setattr(module, "DIRECTORY", open_directory)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(empty_dsn)
    assert await migrate(empty_dsn) == [path.stem for path in migrations()]


async def test_an_old_pgvector_is_refused(fresh_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_PGVECTOR", (99, 0, 0))
    with pytest.raises(DatabaseTooOld, match=r"99\.0\.0"):
        await migrate(fresh_dsn)


async def test_no_server_is_said_so(open_directory: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await migrate(f"postgresql://nobody@/none?host={open_directory}")
