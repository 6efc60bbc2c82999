"""The Lua filter: what scripts are given, and what becomes of their answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindpy.filter.script import NO_SCRIPT, FilterError, LuaFilter, script_digest
from bindpy.zone import names
from bindpy.zone.records import RR, RRType
from tests.unit.filter.scripts import FORMS, MX, ORIGIN, SOA, SRV, TXT, A, loaded, record, script

# --- what a script is given ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rr", "said"),
    [
        (A, "192.0.2.53 example www.example 1 300 0 192.0.2.1"),
        (MX, "192.0.2.53 example example 15 300 7 mail.example."),
        (SRV, "192.0.2.53 example _sip._tcp.example 33 300 1 2 5060 sip.example."),
        (TXT, r'192.0.2.53 example _tstamp.example 16 300 0 "old \"value\"" "two"'),
        (SOA, "192.0.2.53 example example 6 300 0 ns.example. host.example. 7 3600 900 604800 60"),
        (
            record(r"a\.b\032c.example.", "A", "192.0.2.1"),
            r"192.0.2.53 example a\.b\032c.example 1 300 0 192.0.2.1",
        ),
        (RR(ORIGIN, 65400, 9, b"\1\2"), r"192.0.2.53 example example 65400 9 0 \# 2 0102"),
    ],
)
def test_seven_arguments_have_no_final_dots_and_the_priority_by_itself(
    tmp_path: Path, rr: RR, said: str
) -> None:
    lua = script(tmp_path, "print(remoteip, zone, qname, qtype, ttl, prio, content) return pdns.PASS, {}")
    assert list(lua(rr)) == [rr]
    assert lua.log_lines() == [said]


@pytest.mark.parametrize(
    ("rr", "said"),
    [
        (A, "192.0.2.53 example. www.example. 1 300 192.0.2.1"),
        (MX, "192.0.2.53 example. example. 15 300 7 mail.example."),
    ],
)
def test_six_arguments_have_final_dots_and_the_content_whole(tmp_path: Path, rr: RR, said: str) -> None:
    lua = script(tmp_path, "print(remoteip, zone, qname, qtype, ttl, content) return pdns.PASS, {}", 6)
    assert list(lua(rr)) == [rr]
    assert lua.log_lines() == [said]


def test_a_record_object(tmp_path: Path) -> None:
    body = """
        print(remoteip, zone, record:qname():toString(), record:qtype(), record:ttl(), record:content())
        print(record:qclass(), record:wildcardName(), record:toString(), record)
        local name = record:qname()
        print(name, name:toStringNoDot(), name == newDN("MAIL.Example"), name:equal("x."), name == newDN("y"))
        print(name:isPartOf(newDN("example")), name:isPartOf(newDN(".")), name:isPartOf(newDN("ample")))
        print(newDN(".") , newDN("."):toStringNoDot(), newDN("x\\\\.example."):isPartOf(newDN("example")))
        print(newDN("x\\\\.example."):isPartOf(newDN("x\\\\.example")), newDN("x"):isPartOf(newDN("y.x")))
        return -1
    """
    lua = script(tmp_path, body, 3)
    rr = record("mail.example.", "MX", "7 mail.example.")
    assert list(lua(rr)) == [rr]
    assert lua.log_lines() == [
        "192.0.2.53 example. mail.example. 15 300 7 mail.example.",
        "1 *.example. mail.example.|15|300|7 mail.example. mail.example.|15|300|7 mail.example.",
        "mail.example. mail.example true false false",
        "true true false",
        ". . false",
        "true false",
    ]


@pytest.mark.parametrize(
    "use", ["record.content()", "record.qname({})", "newDN(5)", "newDN('x').toString({})"]
)
def test_objects_used_wrongly_are_errors(tmp_path: Path, use: str) -> None:
    with pytest.raises(FilterError, match=r"f\.lua:1: "):
        script(tmp_path, f"local x = {use} return -1", 3)(A)


def test_globals_live_as_long_as_the_transfer(tmp_path: Path) -> None:
    lua = loaded(tmp_path, f"n = 0 function axfrfilter({FORMS[7]}) n = n + 1 return 0, {{{{ttl = n}}}} end")
    assert [next(iter(lua(A))).ttl for _ in range(3)] == [1, 2, 3]
    assert next(iter(LuaFilter(lua.path, "192.0.2.1", ORIGIN)(A))).ttl == 1


def test_pdns_knows_types_codes_and_levels(tmp_path: Path) -> None:
    body = "print(pdns.A, pdns.TXT, pdns.HINFO, pdns.CAA, pdns['NSAP-PTR'], pdns.PASS, pdns.DROP)"
    lua = script(tmp_path, body + " pdnslog('said', pdns.loglevels.Error) return pdns.PASS, {}")
    lua(A)
    assert lua.log_lines() == ["1 16 13 257 23 -1 -2", "said"]


def test_the_root_zone(tmp_path: Path) -> None:
    (tmp_path / "f.lua").write_text(
        "function axfrfilter(a, zone, qname, d, e, f, g) print(zone, qname) return -1 end"
    )
    lua = LuaFilter(str(tmp_path / "f.lua"), "192.0.2.1", names.ROOT)
    lua(RR(names.ROOT, RRType.NS, 1, ORIGIN))
    assert lua.log_lines() == [". ."]


# --- what becomes of its answers ----------------------------------------------------------------------


@pytest.mark.parametrize("form", [3, 6, 7])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("pdns.PASS, {}", [A]),
        ("-1.0", [A]),
        ("pdns.DROP, {}", []),
        ("0, {}", []),
        ("1, {}", [A]),
        ("0, {{content = '192.0.2.2'}}", [record("www.example.", "A", "192.0.2.2")]),
        ("1, {{ttl = 5}}", [A, A._replace(ttl=5)]),
        ("1.0, {{ttl = '5'}}", [A, A._replace(ttl=5)]),
        ("0, {{ttl = 5.0}, {ttl = 0}}", [A._replace(ttl=5), A._replace(ttl=0)]),
        ("0, {{qtype = pdns.TXT, content = 'Hello Ahu!'}}", [record("www.example.", "TXT", '"Hello Ahu!"')]),
        ("0, {{qtype = 16, content = 'a \"b\" \\\\'}}", [record("www.example.", "TXT", r'"a \"b\" \\"')]),
        ("0, {{qtype = pdns.TXT, content = '\"a\" \"b\"'}}", [record("www.example.", "TXT", '"a" "b"')]),
        ("0, {{qtype = pdns.TXT, content = ''}}", [record("www.example.", "TXT", '""')]),
        ("0, {{qtype = pdns.TXT, content = 12}}", [record("www.example.", "TXT", '"12"')]),
        ("0, {{qtype = pdns.TXT, content = 'a\\nb\\0'}}", [record("www.example.", "TXT", r'"a\010b\000"')]),
        ("0, {{qname = 'EXAMPLE', qtype = pdns.MX, prio = 7, content = 'mail.example'}}",
         [record("EXAMPLE.", "MX", "7 mail.example.")]),
        ("0, {{qname = newDN('x.example')}}", [A._replace(owner=names.from_text("x.example."))]),
        ("0, {{prio = 9, content = '192.0.2.1'}}", [A]),
        ("1, {{qname = 'www.test'}}", [A]),
    ],
)  # fmt: skip
def test_answers(tmp_path: Path, form: int, answer: str, expected: list[RR]) -> None:
    assert list(script(tmp_path, f"return {answer}", form)(A)) == expected


@pytest.mark.parametrize(
    ("form", "rr", "answer", "expected"),
    [
        (7, MX, "0, {{content = 'x.example'}}", "7 x.example."),
        (7, MX, "0, {{prio = 9}}", "9 mail.example."),
        (7, MX, "0, {{prio = 9, content = 'x.example'}}", "9 x.example."),
        (7, SRV, "0, {{content = '0 0 x.example'}}", "1 0 0 x.example."),
        (6, MX, "0, {{content = '8 x.example'}}", "8 x.example."),
        (6, MX, "0, {{prio = 9}}", "9 mail.example."),
        (3, MX, "0, {{content = record:content():gsub('mail', 'x')}}", "7 x.example."),
        (3, MX, "0, {{prio = 9, content = 'x.example'}}", "9 x.example."),
        (3, SRV, "0, {{content = '5 6 7 x.example'}}", "5 6 7 x.example."),
    ],
)
def test_priorities(tmp_path: Path, form: int, rr: RR, answer: str, expected: str) -> None:
    rtype = "MX" if rr.rtype == RRType.MX else "SRV"
    made = record(names.to_text(rr.owner), rtype, expected)
    assert list(script(tmp_path, f"return {answer}", form)(rr)) == [made]


def test_an_mx_made_of_something_else_has_priority_0_in_the_old_form(tmp_path: Path) -> None:
    lua = script(tmp_path, "return 0, {{qtype = pdns.MX, content = 'mail.example'}}")
    assert list(lua(A)) == [record("www.example.", "MX", "0 mail.example.")]
    lua = script(tmp_path, "return 0, {{qtype = pdns.MX, content = 'mail.example'}}", 3)
    with pytest.raises(FilterError, match="the script returned a record of type MX"):
        lua(A)


def test_long_text_becomes_several_strings(tmp_path: Path) -> None:
    (made,) = script(tmp_path, "return 0, {{qtype = pdns.TXT, content = ('x'):rep(300)}}")(A)
    assert made.rdata == b"\xff" + b"x" * 255 + b"\x2d" + b"x" * 45


def test_octets_stay_what_they_are(tmp_path: Path) -> None:
    rr = RR(names.from_labels([b"\xfc\x00.", b"example"]), RRType.TXT, 300, b"\x03\x00\xff\\")
    assert list(script(tmp_path, "return 0, {{qname = qname, content = content, ttl = ttl}}")(rr)) == [rr]
    lua = loaded(tmp_path, f"function axfrfilter({FORMS[7]}) return 0, {{{{content = '\xe4'}}}} end")
    assert next(iter(lua(TXT))).rdata == b"\x01\xe4"


def test_records_outside_the_zone_are_left_out_and_told(tmp_path: Path) -> None:
    lua = script(
        tmp_path,
        "return 0, {{qname = 'www.test'}, {ttl = 1}, {qname = 'xexample', qtype = 16, content = ''}}",
    )
    assert list(lua(A)) == [A._replace(ttl=1)]
    assert lua.ignored == ["www.test. A", "xexample. TXT"]
    for _ in range(10):
        lua(A)
    assert len(lua.ignored) == 10


def test_there_is_one_soa(tmp_path: Path) -> None:
    assert list(script(tmp_path, "return 0, {{ttl = 9}}")(SOA)) == [SOA._replace(ttl=9)]
    assert len(list(script(tmp_path, "return 1, {{qtype = pdns.TXT, content = 'x'}}")(SOA))) == 2
    for answer, count in (
        ("pdns.DROP", 0), ("0, {}", 0), ("1, {{ttl = 9}}", 2), ("0, {{qname = 'www.example'}}", 1),
        ("0, {{qname = 'test'}}", 0),
    ):  # fmt: skip
        with pytest.raises(FilterError, match=f"left {count} SOA records at the apex"):
            script(tmp_path, f"return {answer}")(SOA)
    with pytest.raises(FilterError, match=r"for www\.example\. A the script returned a record of type SOA"):
        script(tmp_path, "return 0, {{qtype = pdns.SOA, content = 'a. b. 1 2 3 4 5'}}")(A)


@pytest.mark.parametrize("form", [3, 6, 7])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("7, {}", "cannot understand the return code 7"),
        ("-3, {}", "cannot understand the return code -3"),
        ("'x'", "cannot understand the return code x"),
        ("('x'):rep(1000)", "cannot understand the return code " + "x" * 50 + ";"),
        ("nil", "cannot understand the return code nil"),
        ("true, {}", "cannot understand the return code boolean"),
        ("{}", "cannot understand the return code table"),
        ("0", "returned 0 with nil, not a table"),
        ("1, 'x'", "returned 1 with string, not a table"),
        ("0, {1}", "a record is a table, not number"),
        ("0, {ttl = 5}", "a key that is no number"),
        ("0, {[1] = {}, [3] = {}}", "has gaps"),
        ("0, (function() local t = {} for i = 1, 1001 do t[i] = {} end return t end)()", "than 1000 records"),
        ("0, {{content = 'x'}}", "of type A with bad content 'x'"),
        ("0, {{content = '192.0.2.1\\n192.0.2.2'}}", "it has more than one line"),
        ("0, {{content = '192.0.2.1 192.0.2.2'}}", "bad content"),
        ("0, {{content = true}}", "a record's content is a string, not boolean"),
        ("0, {{content = ('x'):rep(100000)}}", "bad content 'xxx"),
        ("0, {{qtype = pdns.MX, prio = 70000, content = 'x'}}", "bad content '70000 x'"),
        ("0, {{prio = {}}}", "a record's prio is a whole number, not table"),
        ("0, {{ttl = -1}}", "whose ttl, -1, is not from 0 to 2147483647"),
        ("0, {{ttl = 1 << 31}}", "whose ttl, 2147483648,"),
        ("0, {{ttl = 1.5}}", "a record's ttl is a whole number, not 1.5"),
        ("0, {{ttl = 'soon'}}", "a record's ttl is a whole number, not string"),
        ("0, {{qtype = 252}}", "whose qtype, 252, is no type of data"),
        ("0, {{qtype = 0}}", "whose qtype, 0, is no type of data"),
        ("0, {{qtype = 65536}}", "whose qtype, 65536, is no type of data"),
        ("0, {{qtype = 'TXT'}}", "a record's qtype is a whole number, not string"),
        ("0, {{qname = '..'}}", "with the bad qname '..'"),
        ("0, {{qname = ''}}", "with the bad qname ''"),
        ("0, {{qname = ('x'):rep(64)}}", "with the bad qname"),
        ("0, {{qname = {}}}", "a record's qname is a string, not table"),
        ("0, {{qtype = pdns.TXT, content = '\"open'}}", "of type TXT with bad content"),
    ],
)  # fmt: skip
def test_wrong_answers_fail_with_record_and_reason(
    tmp_path: Path, form: int, answer: str, reason: str
) -> None:
    with pytest.raises(FilterError) as raised:
        script(tmp_path, f"return {answer}", form)(A)
    assert reason in str(raised.value)
    assert "www.example. A" in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "f.lua"))
    assert "traceback" not in str(raised.value).lower()


# --- scripts that are not begun with ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("\nx = = 1", "f.lua:2: unexpected symbol"),
        ("\n\nerror('not today')", "f.lua:3: not today"),
        ("y = 1", "f.lua: the script has no function axfrfilter"),
        ("axfrfilter = 5", "f.lua: the script has no function axfrfilter"),
        ("local function axfrfilter(a, b, c) end", "has no function axfrfilter"),
        ("function axfrfilter() end", "has 0 parameters"),
        ("function axfrfilter(a, b, c, d) end", "has 4 parameters; it takes 3, 6 or 7"),
        ("function axfrfilter(...) end", "any number of parameters"),
        ("print(5) function axfrfilter(...) end", "any number of parameters"),
        ("while true do end", "f.lua:1: the script takes too long"),
        ("s = 'x' while true do s = s .. s end", "needs too much memory"),
        ("\x1bLua", "attempt to load a binary chunk"),
        ("-- " + "x" * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_what_is_not_begun_with(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(FilterError) as raised:
        loaded(tmp_path, source)
    assert reason in str(raised.value)


def test_a_script_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.lua", tmp_path, Path("/f\0.lua")):
        with pytest.raises(FilterError, match="the script cannot be read: "):
            LuaFilter(str(path), "192.0.2.1", ORIGIN)
        assert script_digest(str(path)) is None


def test_digests_tell_scripts_apart(tmp_path: Path) -> None:
    one = script(tmp_path, "return -1").digest
    assert script_digest(str(tmp_path / "f.lua")) == one
    assert script(tmp_path, "return -1 ").digest not in (one, NO_SCRIPT)


def test_what_is_printed_while_it_is_loaded_is_logged(tmp_path: Path) -> None:
    lua = loaded(tmp_path, f"print('loading', nil, 1.5) function axfrfilter({FORMS[7]}) return -1 end")
    assert lua.log_lines() == ["loading nil 1.5"]
