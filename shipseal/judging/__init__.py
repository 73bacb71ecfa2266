"""Statements of exploitability, rules and waivers; and the verdict."""
