"""A module that no test imports, and that no interpreter can."""

def answer(:
    return 42
