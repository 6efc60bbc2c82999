"""Zones that are added, changed and removed: served, kept, and undone where something fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bindpy.answer.policy import AnswerPolicy, ViewPolicy
from bindpy.config.load import load_config
from bindpy.config.model import Config, ZoneType
from bindpy.config.one_zone import ZoneContext
from bindpy.newzones.errors import NewZoneError
from bindpy.newzones.kept import KeptFile
from bindpy.newzones.service import NewZones
from bindpy.reload.keeper import ZoneKeeper
from bindpy.reload.table import ZoneId
from bindpy.zone.names import Name, from_text
from tests.support.engines import make_engine

pytestmark = pytest.mark.usefixtures("engine")

CONF = """\
options {{ directory "{dir}"; allow-new-zones yes; autoprimary-config "auto.conf"; }};
zone "written.example" {{ type primary; file "written.db"; /* a comment */ }};
"""
VIEWS = """\
options {{ directory "{dir}"; }};
view "in" {{ allow-new-zones yes; match-clients {{ 10.0.0.0/8; }}; }};
view "out" {{ }};
"""
ZONE = "$TTL 60\n@ SOA ns hostmaster 7 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n"
SECONDARY = "{ type secondary; primaries { 192.0.2.1; }; file "
NEW: ZoneId = ("_default", from_text("new.example."))
WRITTEN: ZoneId = ("_default", from_text("written.example."))


class FakeReplication:
    """Notes which zones it is told of."""

    def __init__(self) -> None:
        self.updated: list[ZoneId] = []
        self.forgotten: list[ZoneId] = []

    def update_zone(self, zone_id: ZoneId) -> None:
        self.updated.append(zone_id)

    async def forget_zone(self, zone_id: ZoneId) -> None:
        self.forgotten.append(zone_id)


class Server:
    """A keeper with real zone files, and what else `NewZones` needs."""

    def __init__(self, directory: Path, executor: ThreadPoolExecutor) -> None:
        self.directory = directory
        self.engine = make_engine()
        self.keeper = ZoneKeeper(
            self.engine.answerer,
            self.engine.zones.read_file,
            executor,
            lambda zone_id, files: None,
            lambda entry, before, after: None,
        )
        self.replication = FakeReplication()
        self.is_changing = asyncio.Lock()
        self.new_zones = NewZones(self)
        self.config: Config
        self.read()

    def read(self) -> None:
        """Take over what the configuration says now, as a start or a reload does."""
        result = load_config(str(self.directory / "named.conf"))
        assert result.config is not None, [str(item) for item in result.diagnostics]
        self.config = result.config
        self.engine.answerer.configure(AnswerPolicy(tuple(ViewPolicy(one.name) for one in self.config.views)))
        self.new_zones.configure(ZoneContext(result))
        self.keeper.configure(self.config.zones())

    def serial(self, zone_id: ZoneId) -> int | None:
        """Return what is served, None where there is no such zone or it has no data."""
        entry = self.keeper.table.get(zone_id)
        return None if entry is None or entry.zone is None else entry.zone.serial

    def names(self) -> list[Name]:
        """Return the zones of the configuration, which must be those that are served."""
        ids = [zone.id for zone in self.config.zones()]
        assert set(ids) == {entry.id for entry in self.keeper.table}
        return [key for _, key in ids]


@asynccontextmanager
async def running(directory: Path, conf: str = CONF) -> AsyncIterator[Server]:
    (directory / "named.conf").write_text(conf.format(dir=directory))
    for name in ("written", "new"):
        (directory / f"{name}.db").write_text(ZONE)
    with ThreadPoolExecutor(1) as executor:
        server = Server(directory, executor)
        task = asyncio.create_task(server.keeper.run())
        try:
            await server.keeper.idle()
            yield server
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def scenario(steps: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(steps(), 20))  # type: ignore[arg-type]


async def refused(work: Awaitable[object]) -> NewZoneError:
    with pytest.raises(NewZoneError) as error:
        await work
    return error.value


def test_an_added_zone_is_served_and_there_after_a_restart(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            text = '{ type primary; file "new.db"; notify explicit; };'
            assert await server.new_zones.add(text, "New.example", None, None) == NEW
            assert server.serial(NEW) == 7
            assert server.names() == [WRITTEN[1], NEW[1]]
            assert server.replication.updated == [NEW]
            shown = 'zone "New.example" { type primary; file "new.db"; notify explicit; };'
            assert await server.new_zones.show(NEW) == shown
            assert (tmp_path / "_default.nzf").read_text().endswith(f"\n{shown}\n")
            [before] = [zone for zone in server.config.zones() if zone.id == NEW]
            server.read()
            [after] = [zone for zone in server.config.zones() if zone.id == NEW]
            assert after == before
            assert after.kept_in == str(tmp_path / "_default.nzf")
            assert await server.new_zones.show(NEW) == shown

    scenario(steps)


@dataclass(frozen=True)
class Refusal:
    """What is asked for, and what it comes to: BIND's word, and how the first line begins."""

    text: str
    reason: str
    line: str
    name: str = "x"
    view: str | None = None


@pytest.mark.parametrize(
    "case",
    [
        Refusal('{ type primary; file "new.db"; };', "already exists", "there is a zone", "written.example"),
        Refusal('{ type primary; file "no.db"; };', "file not found", "dns_zone_loadnew failed: file not"),
        Refusal('{ type primary; file "bad.db"; };', "failure", "dns_zone_loadnew failed: failure"),
        Refusal('{ type primary; fiel "x"; };', "failure", "addzone:1:17: error: unknown statement 'fiel'"),
        Refusal("{ type primary; ", "unexpected token", "addzone:1:1: error: '{' is never closed"),
        Refusal('{ file "x"; };', "failure", "zone type not specified"),
        Refusal('{ in-view "x"; };', "failure", "'in-view' zones not supported by addzone"),
        Refusal('{ type hint; file "x"; };', "failure", "'hint' zones not supported by addzone"),
        Refusal(
            "{ type stub; primaries { ::1; }; };", "failure", "addzone:1:1: note: zone 'x': zones of type"
        ),
        Refusal('{ type primary; file "x"; };', "not found", "no matching view found for 'v'", view="v"),
        Refusal('{ type primary; file "x"; };', "failure", "addzone:1:1: error: zone 'x..y'", "x..y"),
        Refusal(SECONDARY + '"written.db"; };', "failure", f"addzone:1:{len(SECONDARY) - 4}: error: file"),
    ],
    ids=lambda case: case.line,
)
def test_what_cannot_be_added_leaves_everything_as_it_was(tmp_path: Path, case: Refusal) -> None:
    (tmp_path / "bad.db").write_text(ZONE + "$NONSENSE\n")

    async def steps() -> None:
        async with running(tmp_path) as server:
            error = await refused(server.new_zones.add(case.text, case.name, None, case.view))
            assert error.reason == case.reason
            assert error.lines[0].startswith(case.line), error.lines
            assert server.names() == [WRITTEN[1]]
            assert not (tmp_path / "_default.nzf").exists()

    scenario(steps)


def test_the_lines_of_a_bad_zone_file_say_where(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_text(ZONE + "$NONSENSE\n")

    async def steps() -> None:
        async with running(tmp_path) as server:
            error = await refused(server.new_zones.add('{ type primary; file "bad.db"; };', "x", None, None))
            assert error.lines[1].startswith(f"{tmp_path}/bad.db:5:1: error: ")

    scenario(steps)


def test_a_zone_whose_statement_cannot_be_kept_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NewZoneError("failure", ["the disk is full"])

    async def steps() -> None:
        async with running(tmp_path) as server:
            with monkeypatch.context() as patched:
                patched.setattr(KeptFile, "put", full)
                text = '{ type primary; file "new.db"; };'
                assert (await refused(server.new_zones.add(text, "new.example", None, None))).lines == (
                    "the disk is full",
                )
                assert server.names() == [WRITTEN[1]]
                assert server.replication.updated == [NEW, NEW]
            await server.new_zones.add(text, "new.example", None, None)
            with monkeypatch.context() as patched:
                patched.setattr(KeptFile, "put", full)
                await refused(server.new_zones.modify(NEW, '{ type primary; file "written.db"; };'))
            await server.keeper.idle()
            [zone] = [zone for zone in server.config.zones() if zone.id == NEW]
            assert zone.file == str(tmp_path / "new.db")

    scenario(steps)


def test_only_views_that_allow_it_take_new_zones(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path, VIEWS) as server:
            text = '{ type primary; file "new.db"; };'
            new_zones = server.new_zones
            error = await refused(new_zones.add(text, "new.example", "IN", "out"))
            assert (error.reason, error.lines[0]) == (
                "permission denied",
                "Not allowing new zones in view 'out'",
            )
            error = await refused(new_zones.add(text, "new.example", None, None))
            assert error.lines == ("no matching view found for '_default'", "there is: in, out")
            await refused(new_zones.add(text, "new.example", "CH", "in"))
            zone_id = await new_zones.add(text, "new.example", "IN", "in")
            assert server.serial(zone_id) == 7
            assert (
                (tmp_path / "in.nzf")
                .read_text()
                .endswith('zone "new.example" { type primary; file "new.db"; };\n')
            )
            server.read()
            assert [zone.id for zone in server.config.zones()] == [zone_id]

    scenario(steps)


def test_an_added_zone_is_changed_lastingly(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text(ZONE.replace(" 7 ", " 8 "))

    async def steps() -> None:
        async with running(tmp_path) as server:
            await server.new_zones.add('{ type primary; file "new.db"; };', "new.example", None, None)
            assert await server.new_zones.modify(NEW, '{ type primary; file "other.db"; };')
            assert server.serial(NEW) == 8
            server.read()
            await server.keeper.idle()
            assert server.serial(NEW) == 8
            assert await server.new_zones.modify(NEW, SECONDARY + '"third.db"; };')
            entry = server.keeper.table.get(NEW)
            assert entry is not None
            assert entry.config.type is ZoneType.SECONDARY
            assert server.names() == [WRITTEN[1], NEW[1]]

    scenario(steps)


def test_a_zone_of_named_conf_is_changed_until_that_is_reread(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            before = await server.new_zones.show(WRITTEN)
            text = '{ type primary; file "new.db"; allow-query { none; }; };'
            assert not await server.new_zones.modify(WRITTEN, text)
            assert await server.new_zones.show(WRITTEN) == (
                'zone "written.example" { type primary; file "new.db"; allow-query { "none"; }; };'
            )
            assert not (tmp_path / "_default.nzf").exists()
            server.read()
            assert await server.new_zones.show(WRITTEN) == before

    scenario(steps)


def test_a_change_that_cannot_be_loaded_is_undone(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            config = server.config
            error = await refused(server.new_zones.modify(WRITTEN, '{ type primary; file "no.db"; };'))
            assert error.reason == "file not found"
            await server.keeper.idle()
            assert server.serial(WRITTEN) == 7
            assert server.config is config
            entry = server.keeper.table.get(WRITTEN)
            assert entry is not None
            assert not entry.errors

    scenario(steps)


def test_a_zone_of_named_conf_is_away_until_that_is_reread(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            removed = await server.new_zones.delete(WRITTEN, clean=True)
            assert not removed.was_added
            assert server.names() == []
            assert server.replication.updated == [WRITTEN]
            assert not server.replication.forgotten
            assert (tmp_path / "written.db").exists(), "a person's file"
            assert (await refused(server.new_zones.show(WRITTEN))).reason == "not found"
            server.read()
            assert server.names() == [WRITTEN[1]]

    scenario(steps)


@pytest.mark.parametrize("clean", [False, True])
def test_an_added_zone_goes_for_good(tmp_path: Path, clean: bool) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            await server.new_zones.add('{ type primary; file "new.db"; };', "new.example", None, None)
            removed = await server.new_zones.delete(NEW, clean=clean)
            assert removed.was_added
            assert (tmp_path / "new.db").exists() is not clean
            assert removed.files == ((str(tmp_path / "new.db"),) if clean else ())
            assert server.replication.forgotten == ([NEW] if clean else [])
            server.read()
            assert server.names() == [WRITTEN[1]]

    scenario(steps)


def test_a_file_that_another_zone_has_is_not_deleted(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            await server.new_zones.add('{ type primary; file "written.db"; };', "new.example", None, None)
            removed = await server.new_zones.delete(NEW, clean=True)
            assert removed.files == ()
            assert (tmp_path / "written.db").exists()

    scenario(steps)


def test_a_statement_that_does_not_count_goes_with_the_zone(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            kept = tmp_path / "_default.nzf"
            kept.write_text('zone "written.example" { type primary; file "new.db"; };\n')
            await server.new_zones.delete(WRITTEN, clean=False)
            assert kept.read_text() == ""

    scenario(steps)


def test_a_zone_of_an_autoprimary_is_kept_in_its_own_file(tmp_path: Path) -> None:
    statement = (
        '# created by 192.0.2.1\nzone "new.example" {\n\ttype secondary;\n\tprimaries { 192.0.2.1; };\n};\n'
    )

    async def steps() -> None:
        conf = CONF.replace("allow-new-zones yes; ", "")
        async with running(tmp_path, conf) as server:
            kept = tmp_path / "auto.conf"
            path = str(kept)
            assert await server.new_zones.provision(statement, "_default", path) == NEW
            assert kept.read_text().endswith(f"\n{statement}")
            error = await refused(server.new_zones.provision(statement, "_default", path))
            assert error.reason == "already exists"
            server.read()
            [zone] = [zone for zone in server.config.zones() if zone.id == NEW]
            assert zone.kept_in == path
            await server.new_zones.delete(NEW, clean=False)
            assert statement not in kept.read_text()
            assert await server.new_zones.provision(statement, "_default", path) == NEW

    scenario(steps)


def test_many_at_once_are_done_one_after_the_other(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            text = '{ type primary; file "new.db"; };'
            adding = [server.new_zones.add(text, f"zone{n % 20}", None, None) for n in range(40)]
            outcomes = await asyncio.gather(*adding, return_exceptions=True)
            failed = [one for one in outcomes if isinstance(one, NewZoneError)]
            assert [one.reason for one in failed] == ["already exists"] * 20
            names = set(server.names())
            server.read()
            assert set(server.names()) == names
            assert len(names) == 21

    scenario(steps)


def test_a_change_waits_for_a_reading_of_the_configuration(tmp_path: Path) -> None:
    async def steps() -> None:
        async with running(tmp_path) as server:
            async with server.is_changing:
                text = '{ type primary; file "new.db"; };'
                adding = asyncio.create_task(server.new_zones.add(text, "new.example", None, None))
                for _ in range(20):
                    await asyncio.sleep(0)
                assert server.names() == [WRITTEN[1]]
            await adding
            assert server.names() == [WRITTEN[1], NEW[1]]

    scenario(steps)
