"""Benchmarks: each module prints one table, measured in the same run on the same machine."""
