"""Look-up and response assembly: pure functions of (published zones, query), no sockets, no clock."""
