"""What becomes of images after their release: found, moved to, revoked, packed, and built again by others."""
