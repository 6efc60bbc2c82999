"""One connection of rndc: every check, in BIND's order and words; replies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bindpy.control.rndc_codec import MAX_REPLY_OCTETS, MessageError, Table, Value, open_body, signed_frame
from bindpy.control.rndc_session import ReplayMemory, Request, RndcSession
from tests.support.rndc import request_table, rndc_key

NOW = 1_700_000_000
NONCE = 123456
KEY = rndc_key()
OTHER = rndc_key("hmac-sha512", b"of somebody else", "other.")


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Client:
    """Sends to a session; `opened` has the nonce already."""

    def __init__(self, *, opened: bool = True, replays: ReplayMemory | None = None) -> None:
        self.clock = Clock()
        self.session = RndcSession(
            replays if replays is not None else ReplayMemory(clock=self.clock),
            wall_clock=self.clock,
            new_nonce=lambda: NONCE,
        )
        self.serial = 0
        if opened:
            self.send("null", nonce=None)

    def send(
        self, command: str | None = "status", *, nonce: int | None = NONCE, control: Table | None = None
    ) -> Request:
        self.serial += 1
        return self.send_table(
            request_table(command, serial=self.serial, now=NOW, nonce=nonce, control=control)
        )

    def send_table(self, table: Table) -> Request:
        return self.session.receive(signed_frame(table, KEY)[4:], [OTHER, KEY])

    def refused(self, command: str | None = "status", *, nonce: int | None = NONCE, **control: Value) -> str:
        """Return why a message with these entries of ``_ctrl`` is refused."""
        entries: Table = {name.encode(): value for name, value in control.items()}
        with pytest.raises(MessageError) as caught:
            self.send(command, nonce=nonce, control=entries)
        return str(caught.value)


def test_the_first_message_only_fetches_the_nonce_whatever_it_says() -> None:
    client = Client(opened=False)
    assert not client.session.is_open
    request = client.send("stop", nonce=None)
    assert (request.command, request.type, request.key) == (None, b"stop", KEY)
    assert client.session.is_open
    assert client.send("status").command == "status"


def test_a_nonce_is_not_zero_and_differs() -> None:
    nonces = set()
    for serial in range(20):
        session = RndcSession(ReplayMemory(), wall_clock=lambda: NOW)
        request = session.receive(signed_frame(request_table("null", serial=serial, now=NOW), KEY)[4:], [KEY])
        nonces.add(ctrl_of(session.reply(request))[b"_nonce"])
    assert b"0" not in nonces
    assert len(nonces) == 20


@pytest.mark.parametrize("nonce", [None, 0, NONCE + 1, NONCE - 1])
def test_later_messages_need_the_nonce(nonce: int | None) -> None:
    assert Client().refused(nonce=nonce) == "bad auth"


def test_the_nonce_of_another_connection_is_not_good() -> None:
    client = Client()
    other = RndcSession(ReplayMemory(), wall_clock=client.clock, new_nonce=lambda: NONCE + 7)
    other.receive(signed_frame(request_table("null", now=NOW), KEY)[4:], [KEY])
    with pytest.raises(MessageError, match="bad auth"):
        other.receive(signed_frame(request_table("status", serial=2, now=NOW, nonce=NONCE), KEY)[4:], [KEY])


def test_a_message_signed_with_a_key_that_is_not_of_the_channel_is_refused() -> None:
    client = Client()
    frame = signed_frame(request_table("status", serial=5, now=NOW, nonce=NONCE), OTHER)
    with pytest.raises(MessageError, match="bad auth"):
        client.session.receive(frame[4:], [KEY])
    assert client.session.receive(frame[4:], [KEY, OTHER]).key is OTHER


def test_the_reply_is_signed_with_the_key_that_matched() -> None:
    session = RndcSession(ReplayMemory(), wall_clock=lambda: NOW)
    body = signed_frame(request_table("null", now=NOW), OTHER)[4:]
    reply = session.reply(session.receive(body, [KEY, OTHER]))
    assert open_body(reply[4:], [KEY, OTHER])[0] is OTHER


def test_a_reply_is_no_request() -> None:
    assert Client().refused(_rpl=b"1") == "failure"
    assert Client(opened=False).refused(nonce=None, _rpl=b"0") == "failure"


@pytest.mark.parametrize("control", [None, b"x", [b"x"]])
def test_ctrl_has_to_be_a_table(control: Value | None) -> None:
    client = Client()
    table: Table = {b"_data": {b"type": b"status"}}
    if control is not None:
        table[b"_ctrl"] = control
    with pytest.raises(MessageError, match="failure"):
        client.send_table(table)


@pytest.mark.parametrize(
    "sent", [b"", b"-1", b"+1", b"x", b"17e8", b"4294967296", b" 1", {}, b"9" * 5000, b"0%d" % NOW]
)
def test_the_time_has_to_be_a_number(sent: Value) -> None:
    assert Client().refused(_tim=sent) == "failure"


@pytest.mark.parametrize(("sent", "taken"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_clocks_may_differ_by_five_minutes(sent: int, taken: bool) -> None:
    client = Client()
    control: Table = {b"_tim": b"%d" % (NOW + sent), b"_exp": b"%d" % (NOW + 1000)}
    if taken:
        assert client.send(control=control).command == "status"
    else:
        with pytest.raises(MessageError, match="clock skew"):
            client.send(control=control)


@pytest.mark.parametrize(("expires", "taken"), [(-1, False), (0, True), (1, True)])
def test_a_message_expires(expires: int, taken: bool) -> None:
    client = Client()
    control: Table = {b"_exp": b"%d" % (NOW + expires)}
    if taken:
        assert client.send(control=control).command == "status"
    else:
        with pytest.raises(MessageError, match="expired"):
            client.send(control=control)


def test_a_message_need_not_say_when_it_expires_but_must_not_say_nonsense() -> None:
    client = Client()
    table = request_table("status", serial=50, now=NOW, nonce=NONCE)
    control = table[b"_ctrl"]
    assert isinstance(control, dict)
    del control[b"_exp"]
    assert client.send_table(table).command == "status"
    assert client.refused(_exp=b"soon") == "failure"


@pytest.mark.parametrize("name", ["_ser", "_tim", "_frm", "_to"])
@pytest.mark.parametrize("blank", [b"1 2", b"1\n", b"\t1", b"1\r", b"\v", b"1\f"])
def test_names_and_numbers_hold_no_blanks(name: str, blank: bytes) -> None:
    assert Client().refused(**{name: blank}) == "failure"


def test_the_serial_has_to_be_there() -> None:
    client = Client()
    table = request_table("status", now=NOW, nonce=NONCE)
    control = table[b"_ctrl"]
    assert isinstance(control, dict)
    del control[b"_ser"]
    with pytest.raises(MessageError, match="failure"):
        client.send_table(table)
    assert client.refused(_ser={}) == "failure"


def test_a_message_counts_once() -> None:
    client = Client()
    table = request_table("status", serial=9, now=NOW, nonce=NONCE)
    assert client.send_table(table).command == "status"
    with pytest.raises(MessageError, match="duplicate"):
        client.send_table(table)
    for field in (b"_frm", b"_to"):
        control = table[b"_ctrl"]
        assert isinstance(control, dict)
        control[field] = b"me"
        assert client.send_table(table).command == "status"


def test_a_message_counts_once_for_the_whole_server() -> None:
    replays = ReplayMemory()
    recorded = request_table("null", serial=9, now=NOW)
    assert Client(opened=False, replays=replays).send_table(recorded).command is None
    with pytest.raises(MessageError, match="duplicate"):
        Client(opened=False, replays=replays).send_table(recorded)


def test_ack_is_ignored() -> None:
    assert Client().send(control={b"_ack": b"1"}).command == "status"


@pytest.mark.parametrize("data", [None, b"x", [], {}, {b"type": {}}, {b"typ": b"status"}])
@pytest.mark.parametrize("opened", [True, False])
def test_a_message_without_a_command_is_refused(data: Value | None, opened: bool) -> None:
    client = Client(opened=opened)
    table = request_table("status", serial=9, now=NOW, nonce=NONCE)
    del table[b"_data"]
    if data is not None:
        table[b"_data"] = data
    with pytest.raises(MessageError, match="failure"):
        client.send_table(table)
    assert client.session.is_open is opened


FAULTS: list[tuple[str, str, Callable[[Table], None]]] = [
    ("failure", "a reply", lambda c: c.update({b"_rpl": b"1"})),
    ("clock skew", "sent long ago", lambda c: c.update({b"_tim": b"1"})),
    ("expired", "expired", lambda c: c.update({b"_exp": b"1"})),
    ("failure", "serial with a blank", lambda c: c.update({b"_ser": b"1 1"})),
    ("bad auth", "without nonce", lambda c: c.pop(b"_nonce")),
]


@pytest.mark.parametrize("first", range(len(FAULTS)), ids=[what for _, what, _ in FAULTS])
def test_the_first_fault_is_what_is_reported(first: int) -> None:
    client = Client()
    table = request_table("status", serial=9, now=NOW, nonce=NONCE)
    control = table[b"_ctrl"]
    assert isinstance(control, dict)
    for _, _, spoil in FAULTS[first:]:
        spoil(control)
    with pytest.raises(MessageError, match=FAULTS[first][0]):
        client.send_table(table)


# --- the memory of messages ----------------------------------------------------------------------


def test_messages_are_remembered_for_a_quarter_of_an_hour() -> None:
    clock = Clock()
    memory = ReplayMemory(clock=clock)
    assert memory.is_new([b"a"])
    clock.now += 899
    assert not memory.is_new([b"a"])
    clock.now += 1.5
    assert memory.is_new([b"b"])
    assert len(memory) == 1
    assert memory.is_new([b"a"])


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = ReplayMemory(limit=100, clock=Clock())
    for number in range(1000):
        assert memory.is_new([b"%d" % number])
    assert len(memory) == 100
    assert not any(memory.is_new([b"%d" % number]) for number in range(900, 1000))
    assert memory.is_new([b"899"])


def test_fields_are_not_run_together() -> None:
    memory = ReplayMemory(clock=Clock())
    assert all(memory.is_new(fields) for fields in ([b"ab", b"c"], [b"a", b"bc"], [b"abc", b""], [b"abc"]))


# --- replies -------------------------------------------------------------------------------------


def ctrl_of(frame: bytes) -> Table:
    table = open_body(frame[4:], [KEY])[1][b"_ctrl"]
    assert isinstance(table, dict)
    return table


def data_of(frame: bytes) -> Table:
    table = open_body(frame[4:], [KEY])[1][b"_data"]
    assert isinstance(table, dict)
    return table


def test_a_reply_says_whose_it_is() -> None:
    client = Client()
    request = client.send("status", control={b"_frm": b"rndc", b"_to": b"server"})
    reply = client.session.reply(request, text="all is well")
    assert ctrl_of(reply) == {
        b"_ser": b"2",
        b"_tim": b"%d" % NOW,
        b"_exp": b"%d" % (NOW + 60),
        b"_frm": b"server",
        b"_to": b"rndc",
        b"_rpl": b"1",
        b"_nonce": b"%d" % NONCE,
    }
    assert data_of(reply) == {b"type": b"status", b"result": b"0", b"text": b"all is well"}


def test_a_reply_without_text_has_none() -> None:
    client = Client()
    assert data_of(client.session.reply(client.send("sync"))) == {b"type": b"sync", b"result": b"0"}


def test_a_failure_has_an_error_even_an_empty_one() -> None:
    client = Client()
    reply = client.session.reply(client.send("reload x"), code=23, err="not found", text="no zone\n")
    assert data_of(reply) == {
        b"type": b"reload x",
        b"result": b"23",
        b"err": b"not found",
        b"text": b"no zone",
    }
    assert data_of(client.session.reply(client.send("x"), err=""))[b"err"] == b""


@pytest.mark.parametrize("command", ["status", "x" * 30000])
def test_a_reply_too_long_for_rndc_is_cut_after_a_line(command: str) -> None:
    client = Client()
    lines = [f"zone {number} of very many" for number in range(60000)]
    frame = client.session.reply(client.send(command), text="\n".join(lines))
    assert MAX_REPLY_OCTETS - 100 < len(frame) - 4 <= MAX_REPLY_OCTETS
    text = data_of(frame)[b"text"]
    assert isinstance(text, bytes)
    *kept, last = text.decode().split("\n")
    assert kept == lines[: len(kept)]
    assert last == "[cut here: rndc takes no more]"


def test_the_longest_reply_is_not_cut() -> None:
    client = Client()
    request = client.send("status")
    room = 4 + MAX_REPLY_OCTETS - len(client.session.reply(request, text="x")) + 1
    whole = client.session.reply(request, text="y" * room)
    assert len(whole) == 4 + MAX_REPLY_OCTETS
    assert data_of(whole)[b"text"] == b"y" * room
    cut = data_of(client.session.reply(request, text="y" * (room + 1)))[b"text"]
    assert isinstance(cut, bytes)
    assert cut.endswith(b"yyy\n[cut here: rndc takes no more]")


def test_octets_that_are_no_utf8_come_back_as_they_were() -> None:
    client = Client()
    client.serial += 1
    table = request_table("", serial=client.serial, now=NOW, nonce=NONCE)
    table[b"_data"] = {b"type": b"showzone \xff\xfe\xc3\xa9"}
    request = client.send_table(table)
    assert request.command == "showzone \udcff\udcfeé"
    assert (
        data_of(client.session.reply(request, text=request.command))[b"text"] == b"showzone \xff\xfe\xc3\xa9"
    )
