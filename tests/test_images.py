"""A digest is put into a kustomization as a person would do it in review: one entry changes, and no other byte."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from shipseal.deploying.images import pinned_images, write
from shipseal.deploying.kustomization import cut_off
from shipseal.digest import Digest, Reference
from shipseal.errors import ConfigError, SubjectFailed
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from shipseal.tools.toolbox import Toolbox

NAME = "set-by-deploy.invalid/app"
REFERENCE = Reference.parse(f"registry.example:5000/acme/app@{Digest.of(b'the image')}")
OTHER = Reference.parse(f"docker.io/acme/app@{Digest.of(b'an older image')}")
NEW, DIGEST = "registry.example:5000/acme/app", str(REFERENCE.digest)
HEAD = "# about all of it\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../base\n"
Rendered = Callable[[str], Any]


def change(text: str, reference: Reference = REFERENCE) -> str:
    return write(text.encode(), NAME, reference).decode()


# What people write, and what stands there afterwards; N, W and D are the name, the new name and the digest.
EDITS = {
    "no images": (
        "kind: K\nresources:\n- a\n",
        "kind: K\nresources:\n- a\nimages:\n- name: N\n  newName: W\n  digest: D\n",
    ),
    "nothing at all": ("", "images:\n  - name: N\n    newName: W\n    digest: D\n"),
    "comments alone": ("# later\n", "# later\nimages:\n  - name: N\n    newName: W\n    digest: D\n"),
    "no final newline": ("kind: K", "kind: K\nimages:\n  - name: N\n    newName: W\n    digest: D"),
    "CRLF": ("kind: K\r\n", "kind: K\r\nimages:\r\n  - name: N\r\n    newName: W\r\n    digest: D\r\n"),
    "indented": ("  kind: K\n", "  kind: K\n  images:\n    - name: N\n      newName: W\n      digest: D\n"),
    "no entry": (
        "images:\n  # first\n  - name: b\n    newTag: c # d\n\n# end\nkind: K\n",
        "images:\n  # first\n  - name: b\n    newTag: c # d\n  - name: N\n    newName: W\n    digest: D\n"
        "\n# end\nkind: K\n",
    ),
    "an empty list": ("images: [ ] # none\n", "images: [ {name: N, newName: W, digest: D}] # none\n"),
    "a tag": (
        "images:\n- name: N # it\n  newTag: v1 # tag\n# end\n",
        "images:\n- name: N # it\n  newName: W\n  digest: D # tag\n# end\n",
    ),
    "a digest": (
        "images:\n- digest: x\n  newName: y # moved\n  name: N\nkind: K\n",
        "images:\n- digest: D\n  newName: W # moved\n  name: N\nkind: K\n",
    ),
    "a name alone": ("images:\n- name: N\nkind: K\n", "images:\n- name: N\n  newName: W\n  digest: D\nkind: K\n"),
    "a digest beside a tag": (
        "images:\n- name: N\n  newTag: v1\n  newName: y\n  digest: x\n",
        "images:\n- name: N\n  newName: W\n  digest: D\n",
    ),
    "a comment beside a tag that goes": (
        "images:\n- name: N\n  newTag: v1 # why\n  newName: y\n  digest: x\n",
        "images:\n- name: N\n  # why\n  newName: W\n  digest: D\n",
    ),
    "a tag first": (
        "images:\n- newTag: v1\n  name: N\n  newName: y\n  digest: x",
        "images:\n- name: N\n  newName: W\n  digest: D",
    ),
    "quotes": (
        '\'images\':\n- "name": \'N\'\n  "newName": "y"\n  "digest": \'x\'\n',
        '\'images\':\n- "name": \'N\'\n  "newName": "W"\n  "digest": \'D\'\n',
    ),
    "empty values": (
        "images:\n- name: N\n  newName:\n  digest: ''\n",
        "images:\n- name: N\n  newName: W\n  digest: 'D'\n",
    ),
    "braces": (
        "images:\n- {name: N, newTag: 1}\n- name: c\n",
        "images:\n- {name: N, newName: W, digest: D}\n- name: c\n",
    ),
    "brackets": (
        "images: [{newTag: 1, name: N, digest: x, newName: y}, {name: c}] # d\n",
        "images: [{name: N, digest: D, newName: W}, {name: c}] # d\n",
    ),
    "a tag between braces": (
        "images: [{name: N, newTag: 1, digest: x, newName: y}]\n",
        "images: [{name: N, digest: D, newName: W}]\n",
    ),
    "another in brackets": ("images: [{name: c},]\n", "images: [{name: c}, {name: N, newName: W, digest: D},]\n"),
}


def filled(text: str) -> str:
    return re.sub(r"\b[NWD]\b", lambda found: {"N": NAME, "W": NEW, "D": DIGEST}[found[0]], text)


@pytest.mark.parametrize("case", EDITS)
def test_the_entry_is_changed_and_every_other_byte_is_kept(case: str) -> None:
    before, after = map(filled, EDITS[case])
    assert after == change(before)
    assert after == change(after), "and again"
    assert pinned_images(after.encode())[NAME] == REFERENCE


@pytest.mark.parametrize("case", EDITS)
def test_a_later_digest_takes_the_place_of_an_earlier_one(case: str) -> None:
    before = filled(EDITS[case][0])
    assert change(before) == change(change(before, OTHER))


REFUSED = {
    "one table in braces": "{resources: [a]}",
    "no list": "images: {name: a}\n",
    "null": "images:\n",
    "an entry that is a text": "images: [a]\n",
    "a value that is a list": f"images: [{{name: {NAME}, newTag: [a]}}]\n",
    "a key in another case": f"images:\n- name: {NAME}\n  newname: a\n",
    "a suffix": f"images:\n- name: {NAME}\n  tagSuffix: -debug\n",
    "the same entry twice": f"images:\n- name: {NAME}\n- name: {NAME}\n",
    "an entry that changes the new name again": f"images:\n- name: {NEW}\n  newTag: latest\n",
    "a comment that would be lost": f"images:\n- newTag: v1 # why\n  name: {NAME}\n  newName: x\n  digest: y\n",
    "a text that a newline would change": "patches:\n- patch: |\n    a: b",
    "an end": "kind: K\n...\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_place_for_it_is_refused_with_what_to_write_by_hand(case: str) -> None:
    with pytest.raises(SubjectFailed, match=f"the digest of {NAME} cannot be written into the") as caught:
        change(REFUSED[case])
    assert caught.value.why != ("",)
    assert f"name: {NAME}, newName: {NEW}, digest: {DIGEST}" in caught.value.remedy


NOT_RENDERED = {
    "no YAML": b"a: [",
    "no UTF-8": b"kind: \xff\n",
    "two documents": b"kind: K\n---\nkind: K\n",
    "a key twice": b"images: []\nimages: []\n",
    "an alias": b"a: &a b\nkind: *a\n",
    "a tag of YAML": b"images: !!binary aaaa\n",
    "an address": b"resources: [https://example.com/a.yaml]\n",
    "a list": b"- a\n",
}


@pytest.mark.parametrize("case", NOT_RENDERED)
@pytest.mark.parametrize("act", [lambda text: write(text, NAME, REFERENCE), pinned_images], ids=["write", "read"])
def test_what_is_never_rendered_is_neither_written_nor_read(case: str, act: Callable[[bytes], object]) -> None:
    with pytest.raises(SubjectFailed, match="none that is rendered here"):
        act(NOT_RENDERED[case])


@pytest.mark.parametrize("name", ["", "a b", "a\nb: c", "a:tag", "a@sha256:b", "-a", "a#b", "[", "a" * 129])
def test_a_name_that_is_none_reaches_no_file(name: str) -> None:
    with pytest.raises(ConfigError, match="not the name of an image"):
        write(HEAD.encode(), name, REFERENCE)


def test_only_what_is_named_by_digest_and_without_a_tag_is_read_back() -> None:
    text = (
        f"images:\n- name: a\n  newName: docker.io/acme/a\n  digest: {DIGEST}\n"
        f"- name: docker.io/acme/b\n  digest: {DIGEST}\n- name: c\n  newTag: v1\n"
        f"- name: docker.io/acme/d\n  newTag: v1\n  digest: {DIGEST}\n"
        f"- name: nginx\n  digest: {DIGEST}\n- digest: {DIGEST}\n- name: docker.io/acme/e\n  digest: sha256:short\n"
    )
    expected = {name: Reference.parse(f"docker.io/acme/{name[-1]}@{DIGEST}") for name in ("a", "docker.io/acme/b")}
    assert expected == pinned_images(text.encode())


@some.composite
def kustomizations(draw: some.DrawFn) -> tuple[str, str, str]:
    """Return what stands before the images of a file, the images, and what stands behind, in somebody's habits."""
    ends = draw(some.sampled_from(["\n", "\r\n"]))
    counted = iter(range(1000))

    def comment() -> str:
        return f" # note {next(counted)}" if draw(some.booleans()) else ""

    def quoted(value: str) -> str:
        quote = draw(some.sampled_from(["", "'", '"']))
        return f"{quote}{value}{quote}"

    def entry(name: str) -> list[str]:
        more = draw(some.lists(some.sampled_from(["newName", "digest", "newTag"]), unique=True))
        keys = draw(some.permutations(["name", *more]))
        values = {"name": name, "newName": "docker.io/acme/old", "digest": str(OTHER.digest), "newTag": "v1.0"}
        pairs = [f"{quoted(key)}: {quoted(values[key])}" for key in keys]
        if draw(some.booleans()):
            return [f"- {{{', '.join(pairs)}}}{comment()}"]
        return [f"{'- ' if number == 0 else '  '}{pair}{comment()}" for number, pair in enumerate(pairs)]

    names = draw(some.permutations(["one", "two", *draw(some.sampled_from([[], [NAME]]))]))
    indent = " " * draw(some.integers(0, 4))
    lines = [f"images:{comment()}"]
    for name in names:
        lines += [f"{indent}{line}" for line in entry(name)] + draw(some.sampled_from([[], [""], ["# between"]]))
    tail = draw(
        some.sampled_from(["", f"# end{ends}", f"{ends}namePrefix: a-{ends}labels: [] # none{ends}", "nameSuffix: b"])
    )
    head = HEAD.replace("\n", ends) if draw(some.booleans()) else ""
    return head, "".join(f"{line}{ends}" for line in lines), tail


def first_is_a_tag_with_a_comment(text: str) -> bool:
    """Say whether the tag has to go from beside a dash, and a comment that belongs to it stands there."""
    found = re.search(r"- ['\"]?newTag['\"]?: \S+ #.*((?:\r?\n +['\"]?(?:name|newName|digest).*){3})", text)
    return found is not None and NAME in found[1]


@settings(deadline=None)
@given(kustomizations())
def test_whoever_wrote_it_nothing_but_the_entry_changes(file: tuple[str, str, str]) -> None:
    head, _, tail = file
    before = "".join(file)
    if first_is_a_tag_with_a_comment(before):
        with pytest.raises(SubjectFailed):
            change(before)
        return
    after = change(before)
    assert after.startswith(head)
    assert after.endswith(tail)
    assert re.findall(r"#.*", before) == re.findall(r"#.*", after)
    assert ("\r\n" in before) == ("\r\n" in after)
    was, now = (yaml.safe_load(text) for text in (before, after))
    entry = {"name": NAME, "newName": NEW, "digest": DIGEST}
    expected = [entry if each["name"] == NAME else each for each in was["images"]]
    assert (expected if entry in expected else [*expected, entry]) == now["images"]
    assert {key: was[key] for key in was if key != "images"} == {key: now[key] for key in now if key != "images"}
    assert after == change(after)


@settings(deadline=None)
@given(some.text(max_size=200))
def test_any_text_is_changed_rightly_or_refused(text: str) -> None:
    try:
        after = change(text)
    except SubjectFailed:
        return
    assert pinned_images(after.encode())[NAME] == REFERENCE


@pytest.fixture
def rendered(store: Store, locked: dict[str, Digest], tmp_path: Path) -> Rendered:
    """Give a function that renders an overlay of one Deployment by the real kustomize, and returns its container."""
    base = tmp_path / "k8s" / "base"
    base.mkdir(parents=True)
    shutil.copy(HOME / "tests" / "samples" / "greetings" / "deploy" / "deployment.yaml", base)
    (base / "kustomization.yaml").write_text("resources: [deployment.yaml]\n")
    deployment = base / "deployment.yaml"
    deployment.write_text(deployment.read_text().replace("set-by-deploy.invalid/greetings", NAME))
    overlay = tmp_path / "k8s" / "overlay"
    overlay.mkdir()
    tools = Toolbox(store, locked, frozenset({"kustomize"}), tmp_path / "log.txt")

    async def render(text: str) -> Any:
        (overlay / "kustomization.yaml").write_bytes(text.encode())
        done = await tools.run("kustomize", "build", overlay, env=cut_off(tools.environment))
        return yaml.safe_load(done.stdout)["spec"]["template"]["spec"]["containers"][0]

    return render


@pytest.mark.parametrize(
    "images",
    [
        "",
        f"images:\n  - name: {NAME} # it\n    newTag: v1 # tag\n",
        f"images: [{{name: {NAME}, newTag: v1, digest: {OTHER.digest}}}, {{name: other, newTag: v2}}]",
        f"images:\r\n- name: '{NAME}'\r\n  newName: \"docker.io/acme/old\"\r\n",
    ],
    ids=["none", "tag", "brackets", "CRLF"],
)
async def test_kustomize_renders_the_digest_that_was_written(rendered: Rendered, images: str) -> None:
    assert (await rendered(HEAD + images))["image"] != str(REFERENCE)
    assert (await rendered(change(HEAD + images)))["image"] == str(REFERENCE)


@pytest.mark.parametrize("overlay", ["development", "production", "recovery"])
def test_the_overlays_of_this_project_take_a_digest_at_their_end(overlay: str) -> None:
    name = re.search(r"image: (\S+)", (HOME / "k8s" / "base" / "deployment.yaml").read_text())
    assert name
    before = (HOME / "k8s" / "overlays" / overlay / "kustomization.yaml").read_bytes()
    after = write(before, name[1], REFERENCE)
    assert after.startswith(before)
    assert pinned_images(after) == {"set-by-deploy.invalid/simpletimeservice": REFERENCE}
