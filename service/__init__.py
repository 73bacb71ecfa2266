"""SimpleTimeService: the time and the caller's address as JSON, on Waitress."""

__version__ = "1.0.0"
