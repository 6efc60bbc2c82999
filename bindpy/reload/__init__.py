"""From files to what is served: which zones there are, loading them in a worker, publishing the result."""
