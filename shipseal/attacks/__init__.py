"""Attack copies of a finished dry run, and see that each attack is refused by the check that has to refuse it."""
