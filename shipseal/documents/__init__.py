"""The documents that stages leave for each other, each a frozen model: one module a stage. Pure.

A record proves that nobody altered a file since its stage had finished. It does not prove that the stage, or whoever
wrote both, gave it the shape that the next one expects: reading a document looks at all of it, before anything is taken
out of it. The models make the JSON Schemas, too, which `docs/json.md` refers to.
"""
