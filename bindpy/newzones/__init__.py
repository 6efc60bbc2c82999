"""Zones that are added, changed and removed while the server runs, and where their statements are kept."""
