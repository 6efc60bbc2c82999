"""Zones and queries made from a seed: the same seed gives the same text on every machine."""
