"""Who signs, and whether a signature is good: Sigstore's identities, keys, logs and both of its verifiers."""
