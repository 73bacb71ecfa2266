"""The table of stages: a row may need only rows above it, so reading order is a valid order and nobody sorts."""

from pipeline.stage import Stage
from pipeline.stages.build import build
from pipeline.stages.facts import facts
from pipeline.stages.inputs import inputs
from pipeline.stages.test import test

TABLE: tuple[Stage, ...] = (
    Stage(facts, tools=("git",), reads=("repository",), always=True),
    Stage(inputs, tools=("python", "apt-get", "go"), reads=("locks",), network=True, always=True),
    Stage(build, needs=("inputs",), tools=("python",), reads=("source",)),
    Stage(test, needs=("inputs", "build"), tools=("python",), reads=("tests",)),
)
