"""Changes of zone files by their text: what is not changed keeps its comments and its layout."""
