"""The project under build: its configuration, which of its files count, and what a stage reads of it."""
