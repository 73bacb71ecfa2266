"""What a run left, told to people."""
