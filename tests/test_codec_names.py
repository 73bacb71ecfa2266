"""A codec that the service or a wheel names comes along, by any of its names, and nothing else does."""

import codecs
import encodings
import encodings.aliases
import pkgutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from shipseal.image.closure import Closure, Origin, close
from shipseal.image.codec_names import Codecs
from tests.test_closure import module

HERE = Path(encodings.__file__).parent
SOURCES = {
    "encodings": b"",
    **{f"encodings.{each.name}": (HERE / f"{each.name}.py").read_bytes() for each in pkgutil.iter_modules([str(HERE)])},
}
ALL = Codecs(SOURCES)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('x.decode("unicode-escape")', "unicode_escape"),  # what Jinja does with each literal of a template
        ("x.encode('Windows-1252')", "cp1252"),
        ('CHARSET = "iso-8859-15"', "iso8859_15"),
        ('open(path, encoding="utf-16")', "utf_16"),
        ('codecs.encode(data, "hex")', "hex_codec"),
        ("codecs.getreader('bz2')(x)", "bz2_codec"),
        ('codecs.decode(os.urandom(8), "base64")', "base64_codec"),
        ('"KOI8-R"', "koi8_r"),
        ('"shift_jis"', "shift_jis"),
        ('"latin-1"', "latin_1"),
        ('x.encode("idna")', "idna"),
    ],
)
def test_a_name_in_a_string_is_a_codec_by_whatever_spelling(source: str, name: str) -> None:
    assert ALL.named(source.encode(), used=False) == {f"encodings.{name}"}


@pytest.mark.parametrize(
    "source",
    [
        'x = {"zip": 1, "hex": 2, "bz2": 3, "rot13": 4}',
        'code = "850" + "437" + \'1252\'',
        '"aliases" + "mbcs" + "oem" + "undefined" + "encodings" + ""',
        '"see utf-16 for more"',
        "utf_16 = 1",
        '"nothing-known"',
    ],
)
def test_other_strings_name_none(source: str) -> None:
    assert ALL.named(source.encode(), used=False) == set()


def test_in_the_standard_library_a_codec_counts_where_it_is_used() -> None:
    assert ALL.named(b'ENCODINGS = "koi8-r"; encoding = "utf-16"', used=True) == set()
    assert ALL.named(b"payload.encode('raw-unicode-escape')", used=True) == {"encodings.raw_unicode_escape"}


def test_every_name_that_python_takes_for_a_codec_is_found_as_python_does() -> None:
    names = [name for name in encodings.aliases.aliases if name[0].isalpha() and name.islower()]
    assert len(names) > 200
    for name in names:
        found = ALL.named(f"codecs.lookup('{name}')".encode(), used=True)
        expected = encodings.aliases.aliases[name]
        assert found == ({f"encodings.{expected}"} if expected not in {"mbcs", "oem"} else set()), name
        if found:
            assert codecs.lookup(name).name  # and it is one


def closed(service: str, standard: Mapping[str, str], *, loadable: bool = True) -> Closure:
    every = {name: module(name, text, Origin.STANDARD, package=name == "encodings") for name, text in standard.items()}
    every["_big"] = module("_big", None, Origin.STANDARD, loadable=loadable)
    every["app"] = module("app", service, Origin.SERVICE)
    return close(every, ["sys"], ["app"])


STANDARD = {
    "encodings": "",
    "encodings.aliases": "aliases = {'unicodeescape': 'unicode_escape', 'big_5': 'big5'}",
    "encodings.unicode_escape": "import codecs",
    "encodings.big5": "import _big, codecs",
    "codecs": "import sys",
    "email": "x.encode('unicode-escape')",
}


def test_a_codec_comes_with_all_that_it_needs_and_says_who_named_it() -> None:
    found = closed("x.decode('UnicodeEscape')", STANDARD)
    codec = "encodings.unicode_escape"
    assert found.needed == {"app": "", "encodings": "app", codec: "app", "codecs": codec}


def test_a_codec_that_the_standard_library_uses_comes_with_what_uses_it() -> None:
    assert closed("import email", STANDARD).needed["encodings.unicode_escape"] == "email"


def test_a_codec_whose_libraries_are_not_at_hand_is_left_out_and_told() -> None:
    assert {"encodings.big5", "_big"} <= closed("'big-5'", STANDARD).needed.keys()
    found = closed("'big-5'", STANDARD, loadable=False)
    assert set(found.needed) == {"app"}
    assert found.left_out == {"encodings.big5": "app.py, and what it needs cannot be loaded"}
