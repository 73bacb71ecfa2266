"""Registries: push and read by digest, evidence beside the image, tags last."""
