"""Readers of file formats, with nothing of an image in them."""
