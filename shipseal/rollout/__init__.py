"""A verified image in a cluster: rendered, applied, waited for, compared with what was verified, and receipted."""
