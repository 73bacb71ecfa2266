"""Locks made again: newest versions chosen for all of them, and all of them written, or none."""
