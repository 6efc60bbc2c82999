"""``bindpy rndc-confgen``: keys that the server and rndc take, in files that only their owner can read."""

from __future__ import annotations

import base64
import os
import pwd
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bindpy.cli.main import main
from bindpy.config.load import load_config
from bindpy.config.model import Config
from bindpy.control.rndc_codec import ALGORITHMS
from bindpy.control.rndc_keyfile import KEY_FILES, default_key_file, find_key_file, read_key_file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rndc-confgen", *arguments])


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def config_of(text: str) -> Config:
    result = load_config("named.conf", text=text)
    assert result.config is not None, result.diagnostics
    return result.config


def test_a_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "rndc.key"
    old = os.umask(0)
    try:
        done = run("-a", "-c", str(path))
    finally:
        os.umask(old)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f'wrote key file "{path}"\n', "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = read_key_file(str(path))
    assert (found.key.name, found.key.algorithm, found.is_open_to_all) == ("rndc-key.", "hmac-sha256", False)
    assert len(found.key.secret) == 32
    assert names(tmp_path) == ["rndc.key"]


def test_a_key_file_is_not_replaced_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "rndc.key"
    assert run("-a", "-c", str(path), "-q").stdout == ""
    before = path.read_bytes()
    refused = run("-a", "-c", str(path))
    assert refused.exit_code == 1
    assert f"key file '{path}' exists: it is not replaced without --force" in refused.stderr
    assert path.read_bytes() == before
    assert run("-a", "-c", str(path), "--force").exit_code == 0
    assert path.read_bytes() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["rndc.key"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "rndc.key").symlink_to(target)
    assert run("-a", "-c", str(tmp_path / "rndc.key")).exit_code == 1
    assert run("-a", "-c", str(tmp_path / "rndc.key"), "--force").exit_code == 0
    assert target.read_text() == "precious"
    assert not (tmp_path / "rndc.key").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_file_can_belong_to_another_user(tmp_path: Path) -> None:
    path = tmp_path / "rndc.key"
    assert run("-a", "-c", str(path), "-u", "nobody").exit_code == 0
    assert path.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-u", "no-such-user-here"), "user 'no-such-user-here' unknown"),
        (
            ("-c", "no/such/directory/rndc.key"),
            "there is no directory 'no/such/directory'; make it, or name another file with -c",
        ),
    ],
)
def test_a_key_file_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("-a", *([] if "-c" in arguments else ["-c", "rndc.key"]), *arguments)
    assert done.exit_code == 1
    assert words in done.stderr
    assert names(tmp_path) == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_has_a_secret_of_its_size(algorithm: str) -> None:
    sizes = {"hmac-md5": 16, "hmac-sha1": 20, "hmac-sha224": 28, "hmac-sha256": 32, "hmac-sha384": 48}
    for name in (algorithm, algorithm.removeprefix("hmac-"), algorithm.upper()):
        done = run("-A", name)
        assert done.exit_code == 0
        (key,) = config_of(done.stdout.partition("options")[0]).keys.values()
        assert key.algorithm == algorithm
        assert len(key.secret) == sizes.get(algorithm, 64)
        assert ("warning" in done.stderr) is (algorithm == "hmac-md5")


@pytest.mark.parametrize(("bits", "octets"), [(1, 1), (8, 1), (9, 2), (127, 16), (128, 16), (512, 64)])
def test_the_size_of_the_secret(bits: int, octets: int) -> None:
    done = run("-b", str(bits))
    secret = re.findall(r'^\tsecret "(.*)";$', done.stdout, re.MULTILINE)[0]
    assert len(base64.b64decode(secret)) == octets
    assert ("can be guessed" in done.stderr) is (bits < 128)


def test_two_keys_differ() -> None:
    assert run().stdout != run().stdout


def test_what_is_printed_fits_together() -> None:
    done = run("-k", "operator", "-s", "2001:db8::1", "-p", "1953")
    rndc_conf, _, rest = done.stdout.partition("# named.conf needs this")
    named_conf = "\n".join(line.removeprefix("# ") for line in rest.splitlines()[1:])
    config = config_of(named_conf)
    assert config.controls is not None
    (channel,) = config.controls
    assert (channel.address, channel.port, channel.keys) == ("2001:db8::1", 1953, ("operator.",))
    for line in ('default-key "operator";', "default-server 2001:db8::1;", "default-port 1953;"):
        assert f"\t{line}\n" in rndc_conf
    (key,) = config_of(rndc_conf.partition("options")[0]).keys.values()
    assert key.secret == config.keys["operator."].secret


@pytest.mark.parametrize(
    "arguments",
    [
        ("-A", "rot13"),
        ("-b", "0"),
        ("-b", "513"),
        ("-p", "70000"),
        ("-s", "localhost"),
        ("-k", "a..b"),
        ("-k", 'a"b'),
        ("-k", "a\nb"),
        ("-c", "x"),
        ("-u", "root"),
        ("--force",),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""


def test_the_place_of_a_new_key_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    places = [str(tmp_path / "a/rndc.key"), str(tmp_path / "b/rndc.key"), str(tmp_path / "c/rndc.key")]
    assert default_key_file(places) == places[1]
    assert default_key_file(places[:1]) == places[0]
    assert find_key_file(places) is None
    assert default_key_file() in KEY_FILES
