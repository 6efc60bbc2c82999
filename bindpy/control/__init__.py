"""How people and scripts drive the running server: one registry of verbs, and the ways to reach it."""
