"""Statements about the image: made, signed, and verified as a consumer would."""
