"""What a cluster says of itself reaches a terminal as text, and machines as it is."""

import argparse
import json

import pytest

from shipseal.cli import cluster_options

NAME = "ann\x1b[2J\u202e"


def test_names_of_the_cluster_are_shown_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    cluster_options.tell(argparse.Namespace(json=False), {}, [f"as {NAME}", "::set-output name=a::b"])
    assert capsys.readouterr().out.splitlines() == ["as ann\\x1b[2J\\u202e", "\\x3a:set-output name=a::b"]


def test_machines_get_them_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    cluster_options.tell(argparse.Namespace(json=True), {"user": NAME}, [])
    assert json.loads(capsys.readouterr().out) == {"user": NAME}
