"""named.conf: text → statement tree → typed, frozen `Config`, with every finding at its file:line:col."""
