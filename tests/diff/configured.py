"""named and bindpy with one and the same configuration, which a test words itself."""

from __future__ import annotations

from pathlib import Path

from tests.peers.process import ServerProcess, installed
from tests.peers.servers import Bindpy, Named


class Configured(ServerProcess):
    """A server for which `statements` says what it is to do; mixed with `ByNamed` or `ByBindpy`."""

    command: tuple[str, ...]

    def statements(self, directory: Path) -> tuple[str, str]:
        """Write zone files to *directory*; return clauses of ``options`` and the other statements."""
        raise NotImplementedError

    def configure(self, directory: Path) -> list[str]:
        clauses, statements = self.statements(directory)
        conf = directory / "named.conf"
        conf.write_text(f"""\
options {{
    directory "{directory}"; pid-file none; session-keyfile none; managed-keys-directory "{directory}";
    listen-on port {self.port} {{ any; }}; listen-on-v6 {{ none; }};
    recursion no; notify no; dnssec-validation no; empty-zones-enable no;
    {clauses}
}};
controls {{ }};
{statements}
""")
        return [*self.command, str(conf)]


class ByNamed:
    name = Named.name
    command = (installed(Named.binary) or Named.binary, "-g", "-n", "1", "-c")


class ByBindpy:
    name = Bindpy.name
    command = (Bindpy.binary, "-m", "bindpy.cli.main", "serve", "-c")
