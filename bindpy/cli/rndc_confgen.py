"""``bindpy rndc-confgen``: a key for the control channel, and the configuration of both ends."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from bindpy.config.build_options import DEFAULT_CONTROL_PORT
from bindpy.config.resolve import key_name
from bindpy.control.rndc_codec import ALGORITHMS
from bindpy.control.rndc_keyfile import KeyFileError, default_key_file, new_secret, write_key_file
from bindpy.server.privileges import PrivilegeError, find_account
from bindpy.zone.names import BadNameError

MAX_BITS = 512
SAFE_BITS = 128
DEFAULT_BITS = {"hmac-md5": 128, "hmac-sha1": 160, "hmac-sha224": 224, "hmac-sha384": 384, "hmac-sha512": 512}
SHORT_NAMES = {name.removeprefix("hmac-"): name for name in ALGORITHMS}


if TYPE_CHECKING:
    _TextType = click.ParamType[str]
else:
    _TextType = click.ParamType  # generic only since click 8.4


class _Algorithm(_TextType):
    name = "algorithm"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the algorithm's whole name."""
        name = SHORT_NAMES.get(value.lower(), value.lower())
        if name not in ALGORITHMS:
            self.fail(f"unknown algorithm '{value}': there are {', '.join(ALGORITHMS)}", param, ctx)
        return name


class _KeyName(_TextType):
    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it was given, if it is one."""
        try:
            key_name(value)
        except BadNameError as error:
            self.fail(f"'{value}' is not a key name: {error}", param, ctx)
        if '"' in value or not value.isprintable():
            self.fail(f"{value!r} cannot be written into a configuration", param, ctx)
        return value


class _Address(_TextType):
    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address."""
        try:
            return str(ip_address(value))
        except ValueError:
            self.fail(f"'{value}' is not an IP address", param, ctx)


@click.command("rndc-confgen")
@click.option(
    "-a", "to_file", is_flag=True, help="Write a key file that the server and rndc find by themselves."
)
@click.option(
    "-A", "algorithm", type=_Algorithm(), default="hmac-sha256", show_default=True, help="How to sign."
)
@click.option(
    "-b",
    "bits",
    type=click.IntRange(1, MAX_BITS),
    help="The size of the secret; by default what the algorithm has use for.",
)
@click.option("-c", "path", metavar="FILE", help=f"The key file of -a.  [default: {default_key_file()}]")
@click.option(
    "-k", "name", type=_KeyName(), default="rndc-key", show_default=True, help="The name of the key."
)
@click.option(
    "-p",
    "port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_CONTROL_PORT,
    show_default=True,
    help="The channel's port.",
)
@click.option(
    "-s", "address", type=_Address(), default="127.0.0.1", show_default=True, help="The channel's address."
)
@click.option("-u", "user", metavar="USER", help="Give the key file of -a to USER.")
@click.option("-q", "quiet", is_flag=True, help="Do not tell that the key file was written.")
@click.option("--force", is_flag=True, help="Replace the key file if there is one.")
def command(
    *,
    to_file: bool,
    algorithm: str,
    bits: int | None,
    path: str | None,
    name: str,
    port: int,
    address: str,
    user: str | None,
    quiet: bool,
    force: bool,
) -> None:
    """Make a key for the control channel.

    With -a the key goes into a file with mode 0600. A server without a 'controls' statement, and rndc
    without a configuration, use it as it is. Otherwise an rndc.conf is printed, and what named.conf needs
    to go with it.

    \b
    Example:
      bindpy rndc-confgen -a -u bind
      (umask 077; bindpy rndc-confgen -k operator -s 192.0.2.1 > rndc.conf)

    Exit status: 0 when there is a new key, 1 when the file could not be written, 2 for wrong usage.
    """
    if not to_file and (path or user or force):
        raise click.UsageError("-c, -u and --force are about the key file that -a writes")
    size = bits or DEFAULT_BITS.get(algorithm, 256)
    if algorithm == "hmac-md5":
        click.echo("warning: hmac-md5 is only for peers that know nothing better", err=True)
    if size < SAFE_BITS:
        click.echo(f"warning: a secret of {size} bits can be guessed; {SAFE_BITS} are safe", err=True)
    statement = f'key "{name}" {{\n\talgorithm {algorithm};\n\tsecret "{new_secret(size)}";\n}};\n'
    if not to_file:
        click.echo(_both_ends(statement, name, address, port), nl=False)
        return
    path = path or default_key_file()
    try:
        account = find_account(user) if user is not None else None
        write_key_file(path, statement, owner=account, replace=force)
    except (KeyFileError, PrivilegeError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    if not quiet:
        click.echo(f'wrote key file "{path}"')


def _both_ends(statement: str, name: str, address: str, port: int) -> str:
    controls = (
        f'controls {{\n\tinet {address} port {port}\n\t\tallow {{ {address}; }} keys {{ "{name}"; }};\n}};\n'
    )
    commented = "".join(f"# {line}\n" for line in f"{statement}\n{controls}".splitlines())
    return (
        "# rndc.conf: what rndc reads\n"
        f"{statement}\n"
        f'options {{\n\tdefault-key "{name}";\n\tdefault-server {address};\n\tdefault-port {port};\n}};\n'
        "\n# named.conf needs this; allow is who may connect\n"
        f"{commented}"
    )
