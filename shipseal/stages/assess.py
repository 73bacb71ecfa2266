"""Judge the image: facts and rules in, a verdict with reasons out. It never says no; `admit` does.

Beside the verdict lie the bytes of the policy that it was given by: with what the stages before have left, that is all
that a replay needs.
"""

from shipseal.documents.image import ImageDocument
from shipseal.documents.smoke import SmokeDocument
from shipseal.engine.stage import Context
from shipseal.judging import case
from shipseal.judging.policy_files import PolicyFiles
from shipseal.reporting import junit, sarif, verdict_markdown


async def assess(context: Context) -> str:
    """Write `verdict.json`, with the digest of everything that it rests on, and the same for other programs."""
    files = PolicyFiles.load(context.config)
    inputs = {name: text.encode() for name, text in files.texts.items()}
    for name in case.needed(files.rules, ImageDocument.read(context).platforms):
        if name == case.SMOKE:
            inputs[case.TESTS] = case.suite_of(SmokeDocument.read(context))
        else:
            stage, _, relative = name.partition("/")
            inputs[name] = context.read(stage, relative)
    verdict = case.decide(case.Case(inputs, context.now, context.world.public))
    for name in inputs.keys() & {*files.texts, case.TESTS}:  # no stage before this one has left them
        path = context.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(inputs[name])
    verdict.write(context)
    context.write_json("verdict.sarif", sarif.render(verdict))
    (context.out / "verdict.junit.xml").write_bytes(junit.render(verdict))
    (context.out / "verdict.md").write_text(verdict_markdown.render(verdict), encoding="utf-8")
    for notice in verdict.notices:
        context.say(notice)
    counts = f"{len(verdict.denied)} denied, {len(verdict.excused)} excused, {len(verdict.noted)} noted"
    sample = ", by a SAMPLE database" if verdict.sample else ""
    return f"{'allowed' if verdict.allowed else 'NOT allowed'}: {counts}{sample}"
