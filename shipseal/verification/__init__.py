"""Whether an image may be used: what a policy requires, held against what allowed signers have said."""
