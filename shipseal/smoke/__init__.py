"""Start the image's service from its own files, and run its tests there."""
