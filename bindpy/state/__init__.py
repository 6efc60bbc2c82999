"""What must survive a restart besides zone files: timers, acknowledgements and IXFR deltas, in SQLite."""
