"""Zone files with the verdict and the findings that each must get; see `tests.data.zones.corpus`."""
