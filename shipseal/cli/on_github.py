"""Tell a job of GitHub Actions what came of a command: in its summary, as an output, and as an artefact of the job.

A command tells it by itself, so that no step has a script for it. Whoever is no such job sees nothing of this. The code
of a project under build does not see the names of these files. Source: docs.github.com, "Workflow commands for GitHub
Actions", `GITHUB_STEP_SUMMARY` (1 MiB for each step, nothing is shown of a longer one) and `GITHUB_OUTPUT`; for
`GITHUB_ARTIFACTS` the runner itself, from 2.336 on: src/Runner.Worker/CreateArtifactsFileCommand.cs.
"""

import os
from pathlib import Path

from shipseal.digest import Reference
from shipseal.documents.image import ImageDocument
from shipseal.errors import as_shipseal_error
from shipseal.reporting.essence import essence
from shipseal.reporting.page import ReportSection, markdown
from shipseal.reporting.summary import RunSummary

_LARGEST = 1 << 20
_CUT = "\n\nThe rest is too long to be shown here; it is in the report among the artefacts of this run.\n"


def summarize(text: str) -> None:
    """Append Markdown to the summary of this step, as much of it as GitHub shows; a full disk is no failure of ours."""
    path = _file("GITHUB_STEP_SUMMARY")
    if path is None:
        return
    try:
        room = _LARGEST - (path.stat().st_size if path.exists() else 0) - len(_CUT) - 1
        data = text.encode()
        if room <= 0:
            return
        if len(data) > room:
            data = data[:room].rpartition(b"\n")[0] + _CUT.encode()
        with path.open("ab") as summary:
            summary.write(data)
    except OSError:
        return


def tell_run(summary: RunSummary) -> None:
    """Put the report of a run into the summary; one that went well gives the digest of its image as an output."""
    summarize(essence(summary))
    image = summary.documents.get(ImageDocument)
    if image and not summary.failures:
        give("digest", str(image.digest))


def explain(failure: BaseException) -> None:
    """Put what ended the command into the summary, unless a report that says it is there already."""
    path = _file("GITHUB_STEP_SUMMARY")
    if path is None or (path.exists() and path.stat().st_size):
        return
    error = as_shipseal_error(failure)
    lines = (f"Exit code {error.exit_code}.", *error.why, *([f"What to do: {error.remedy}"] if error.remedy else []))
    stage = f"{error.stage}: " if error.stage else ""
    summarize(markdown(f"{stage}{error.what}", (), (ReportSection("Why, and what to do", lines),)))


def give(name: str, value: str) -> None:
    """Give an output of this step; the value is one line, and ours: a digest or a reference by digest."""
    if (path := _file("GITHUB_OUTPUT")) is not None:
        assert value.isprintable()
        with path.open("a", encoding="utf-8") as output:
            output.write(f"{name}={value}\n")


def declare(reference: Reference) -> None:
    """Declare an image as an artefact of this job, which the platform's own attestation takes for its subject.

    One line of `oci://NAME@sha256:…`. A name may stand for one digest only in a job: the platforms' are not declared.
    Older runners have no such file, and one that takes no part in this passes over it.
    """
    if (path := _file("GITHUB_ARTIFACTS")) is not None:
        with path.open("a", encoding="utf-8") as artifacts:
            artifacts.write(f"oci://{reference}\n")


def _file(variable: str) -> Path | None:
    named = os.environ.get(variable, "")
    return Path(named) if named and os.environ.get("GITHUB_ACTIONS") == "true" else None
