"""Programs of this machine: which may be started, how, and what they leave, say and see."""
