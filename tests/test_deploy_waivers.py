"""Somebody may answer for an image that does not satisfy the policy: for a while, by name, with a reason."""

from datetime import date

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError
from shipseal.judging.waivers import read_deploy_waivers, read_waivers
from tests.statements import rules

IMAGE = Digest.of(b"image")


def text(**change: str) -> str:
    said = {
        "image": f'"{IMAGE}"',
        "reason": '"the signer has moved, and the next release is due tomorrow"',
        "owner": '"ann"',
        "since": "2030-01-01",
        "until": "2030-01-08",
        **change,
    }
    return "[[deploy]]\n" + "\n".join(f"{key} = {value}" for key, value in said.items() if value)


@pytest.mark.parametrize(
    ("image", "today", "covered"),
    [
        (IMAGE, date(2030, 1, 1), True),
        (IMAGE, date(2030, 1, 8), True),
        (IMAGE, date(2030, 1, 9), False),
        (IMAGE, date(2029, 12, 31), False),
        (Digest.of(b"another image"), date(2030, 1, 2), False),
    ],
)
def test_it_covers_one_image_from_its_first_day_to_its_last(image: Digest, today: date, covered: bool) -> None:
    [waiver] = read_deploy_waivers(text(), rules())
    assert waiver.covers(image, today) is covered


def test_a_receipt_names_who_answers_until_when_and_why() -> None:
    [waiver] = read_deploy_waivers(text(), rules())
    assert str(waiver) == "ann, until 2030-01-08: the signer has moved, and the next release is due tomorrow"


@pytest.mark.parametrize(
    "change",
    [
        {"image": '"sha256:short"'},
        {"image": '"registry.example/acme/greetings"'},
        {"reason": '"because"'},
        {"owner": ""},
        {"until": ""},
        {"until": "2029-12-31"},
        {"until": "2040-01-01"},
        {"finding": '"CVE-2030-1"'},
    ],
)
def test_one_that_is_incomplete_or_too_long_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        read_deploy_waivers(text(**change), rules())


def test_waivers_of_images_are_none_of_findings_and_neither_hides_the_others_mistakes() -> None:
    assert read_waivers(text(), rules()) == ()
    with pytest.raises(ConfigError):
        read_waivers(text(reason='"because"'), rules())
