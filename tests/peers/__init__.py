"""Real name servers as child processes: `named`, `nsd`, `knotd`, `pdns_server` and `bindpy serve`."""
