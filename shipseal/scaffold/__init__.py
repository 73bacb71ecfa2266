"""What `init` finds in somebody's project, and what it writes there."""
