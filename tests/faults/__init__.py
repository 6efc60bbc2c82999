"""Peers and disks that misbehave: whatever they do, the old zone stays and a person can read why."""
