"""Judge the image: facts and rules in, a verdict with reasons out. It never says no; `admit` does."""

from pathlib import Path

from pipeline.digest import Digest
from pipeline.engine.stage import Context
from pipeline.errors import VerificationFailed
from pipeline.judging import claims, policy
from pipeline.judging.policy_files import PolicyFiles
from pipeline.scanning import findings
from pipeline.times import read_time


async def assess(context: Context) -> str:
    """Write `verdict.json`, with the digest of everything that it rests on."""
    image = context.read_json("image", "image.json")
    evidence = context.read_json("vex", "evidence.json")
    if evidence["image"] != image["digest"]:
        raise VerificationFailed("the VEX statements are about another image", do="run the stages from `vex` on again")
    reports = {name: findings.read(raw) for name, raw in context.read_json("scan", "grype.json").items()}
    if reports.keys() != image["platforms"].keys():
        raise VerificationFailed("the scan is not of the platforms of this image", do="run `scan` again")
    identity = context.read_json("scan", "database.json")
    files = PolicyFiles.load(context.config)
    verdict = policy.judge(
        findings.merge(reports),
        [claims.restore(value) for value in evidence["claims"]],
        files.waivers,
        files.rules,
        policy.Database(read_time(identity["built"]), identity["sample"], context.world.public),
        context.now,
    )
    read = [
        context.of("scan") / "grype.json",
        context.of("scan") / "database.json",
        context.of("vex") / "evidence.json",
    ]
    inputs = {_name(path): str(Digest.of_file(path)) for path in read}
    inputs |= {"image": image["digest"], "database": identity["checksum"]}
    inputs |= {name: str(digest) for name, digest in files.digests.items()}
    about = {"image": image["reference"], "judged": context.now.isoformat(), "sample": identity["sample"]}
    context.write_json("verdict.json", {**verdict.as_json(), **about, "inputs": inputs})
    for notice in verdict.notices:
        context.say(notice)
    counts = f"{len(verdict.denied)} denied, {len(verdict.excused)} excused, {len(verdict.noted)} noted"
    sample = ", by a SAMPLE database" if identity["sample"] else ""
    return f"{'allowed' if verdict.allowed else 'NOT allowed'}: {counts}{sample}"


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
