"""Manifests with the verified digest, and what the environments cost."""
