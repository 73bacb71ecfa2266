"""A function in a process of its own: what it gives back, what it sees, and what its end means."""

import os

import pytest

from pipeline.errors import SubjectFailed, ToolFailed
from pipeline.image.layer import check_path
from pipeline.processes import apart


async def test_a_function_runs_in_another_process_and_its_result_comes_back() -> None:
    assert await apart(os.getpid) != os.getpid()
    assert await apart(sorted, [3, 1, 2]) == [1, 2, 3]


async def test_it_sees_no_secret_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", "not for whoever unpacks a package")
    assert await apart(os.getenv, "SIGSTORE_ID_TOKEN") is None
    assert await apart(os.getenv, "PATH") == os.environ["PATH"]


async def test_what_it_raises_is_raised_here_with_its_reason_and_remedy() -> None:
    with pytest.raises(SubjectFailed, match="not a path for a file of an image") as caught:
        await apart(check_path, "a/../b")
    assert caught.value.do


async def test_a_process_that_ends_too_early_is_no_result() -> None:
    with pytest.raises(ToolFailed, match="ended with exit code 3"):
        await apart(os._exit, 3)
