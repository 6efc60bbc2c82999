"""bindpy beside the name servers of others, as real processes."""
