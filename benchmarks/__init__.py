"""Measurements; how each is made and what came out is in README.md beside this file."""
