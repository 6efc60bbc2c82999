"""The Lua filter of incoming transfers: a sandbox, and the records that go through it."""
