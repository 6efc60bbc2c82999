"""Zone data: names, records, immutable snapshots, the zone-file reader and writer, checks."""
