"""Greet people in their own language."""
