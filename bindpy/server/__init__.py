"""Sockets: bind them, read queries, hand them to an Answerer, write answers, and keep within limits."""
