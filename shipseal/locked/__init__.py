"""Everything that comes from outside: named by a lock, fetched once by digest, used without a network."""
