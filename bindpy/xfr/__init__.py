"""Replication: transfers out and in, NOTIFY, the life of secondary zones. Protocol state apart from I/O."""
