"""bindpy: a file-backed authoritative DNS server that reads BIND's named.conf and zone files."""

__version__ = "0.1.0"
