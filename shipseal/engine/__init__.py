"""The table of stages and what runs it: this process, or one container a row."""
