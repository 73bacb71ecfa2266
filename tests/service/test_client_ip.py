"""Which address counts as the caller's."""

from __future__ import annotations

import ipaddress
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accept import prefers_text
from service.client_ip import MAX_BYTES, MAX_ENTRIES, Choice, canonical, choose, parse_networks
from service.clock import Clock
from service.handlers import Handlers
from service.settings import DEFAULT_PROXIES, Settings
from tests.service.client import Running, Start

TRUSTED = parse_networks(DEFAULT_PROXIES)
PEER = "10.0.1.20"  # a balancer in the public subnet
CHAIN = "203.0.113.195, 70.41.3.18, 150.172.238.178"

addresses = st.ip_addresses().map(str)
texts = st.text(st.characters(max_codepoint=0x2FF), max_size=60)


def pick(forwarded: str = "", real: str = "", *, peer: str = PEER, strategy: str = "first", hops: int = 1) -> Choice:
    return choose(peer, forwarded, real, trusted=TRUSTED, strategy=strategy, hops=hops)


def test_first_takes_the_leftmost_and_one_trusted_hop_the_rightmost() -> None:
    assert pick(CHAIN).address == "203.0.113.195"
    assert pick(CHAIN, strategy="trusted-hops").address == "150.172.238.178"


def test_headers_of_an_untrusted_peer_do_not_count() -> None:
    chosen = pick(CHAIN, "198.51.100.1", peer="198.51.100.99")
    assert (chosen.address, chosen.source) == ("198.51.100.99", "peer")


def test_x_forwarded_for_comes_before_x_real_ip_and_that_before_the_peer() -> None:
    assert pick(CHAIN, "198.51.100.1").source == "x-forwarded-for"
    assert pick("nonsense", "198.51.100.1").address == "198.51.100.1"
    assert pick("nonsense", "nonsense").address == PEER


@pytest.mark.parametrize("strategy", ["first", "trusted-hops"])
def test_an_honest_request_through_one_balancer_gives_the_same_by_both(strategy: str) -> None:
    assert pick("198.51.100.7", strategy=strategy).address == "198.51.100.7"


@pytest.mark.parametrize(
    ("hops", "expected"),
    [(1, "10.0.0.9"), (2, "10.0.0.8"), (3, "203.0.113.5"), (4, "203.0.113.5"), (30, "203.0.113.5")],
)
def test_trusted_hops_skips_trusted_entries_while_hops_are_left(hops: int, expected: str) -> None:
    assert pick("1.1.1.1, 203.0.113.5, 10.0.0.8, 10.0.0.9", strategy="trusted-hops", hops=hops).address == expected


def test_trusted_hops_gives_the_leftmost_when_all_are_trusted() -> None:
    assert pick("10.9.9.9, 10.0.0.8, 10.0.0.9", strategy="trusted-hops", hops=10).address == "10.9.9.9"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("203.0.113.5:4711", "203.0.113.5"),
        ("203.0.113.5:", "203.0.113.5"),
        ("[2001:db8::1]:", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("[::ffff:203.0.113.5]:80", "203.0.113.5"),
        (" \t203.0.113.5 ", "203.0.113.5"),
    ],
)
def test_ports_brackets_zones_and_mapped_addresses_are_normalised(token: str, expected: str) -> None:
    assert canonical(token) == expected


@pytest.mark.parametrize(
    "token",
    [
        *("", "unknown", "_hidden", "203.0.113", "203.0.113.256", "0203.0.113.5", "203.0.113.5:99x"),
        *("[203.0.113.5]", "[2001:db8::1", "[2001:db8::1]x", "::g", "1.2.3.4\0", "1.2.3.4/32", "1.2.3.4:1234567"),
    ],
)
def test_invalid_tokens_are_no_address(token: str) -> None:
    assert canonical(token) is None


def test_invalid_tokens_are_skipped() -> None:
    assert pick("unknown, , <b>, 203.0.113.5").address == "203.0.113.5"
    assert pick("203.0.113.5, junk", strategy="trusted-hops").address == "203.0.113.5"


def test_first_ignores_a_header_of_more_than_30_entries() -> None:
    assert pick(", ".join(["203.0.113.5"] * MAX_ENTRIES)).address == "203.0.113.5"
    assert pick(", ".join(["203.0.113.5"] * (MAX_ENTRIES + 1))).address == PEER


def test_first_ignores_a_header_of_more_than_8_kilobytes() -> None:
    assert pick("203.0.113.5," + "x" * (MAX_BYTES - 12)).address == "203.0.113.5"
    assert pick("203.0.113.5," + "x" * (MAX_BYTES - 11)).address == PEER


def test_trusted_hops_reads_only_the_rightmost_30_entries() -> None:
    inside = ", ".join(["203.0.113.5", *["10.0.0.1"] * (MAX_ENTRIES - 1)])
    assert pick(inside, strategy="trusted-hops", hops=99).address == "203.0.113.5"
    assert pick(f"{inside}, 10.0.0.1", strategy="trusted-hops", hops=99).address == "10.0.0.1"


def test_trusted_hops_never_reads_the_entry_that_the_limit_cuts() -> None:
    long = "9.203.0.113.5," + "x" * (MAX_BYTES - 12)  # its last 8 KB begin inside the first entry
    assert pick(long, strategy="trusted-hops").address == PEER


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "10.0.0.0/33", "::/129", "ten", "10.0.0.0/-1", "10.0.0.0/", "1.2.3.4/8x"]
)
def test_a_network_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|prefix"):
        parse_networks(text)


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_membership_agrees_with_the_standard_library_for_ipv4(address: ipaddress.IPv4Address, prefix: int) -> None:
    network = ipaddress.ip_network((int(address) >> (32 - prefix) << (32 - prefix), prefix))
    assert str(address) in parse_networks(str(network))
    for other in ("0.0.0.0", "255.255.255.255", "10.1.2.3"):
        assert (other in parse_networks(str(network))) == (ipaddress.ip_address(other) in network)


@given(st.ip_addresses(v=6), st.integers(0, 128))
def test_membership_agrees_with_the_standard_library_for_ipv6(address: ipaddress.IPv6Address, prefix: int) -> None:
    network = ipaddress.IPv6Network((int(address) >> (128 - prefix) << (128 - prefix), prefix))
    if address.ipv4_mapped is None:
        assert str(address) in parse_networks(str(network))
    assert ("2001:db8::1" in parse_networks(str(network))) == (ipaddress.ip_address("2001:db8::1") in network)


@given(st.one_of(addresses, texts))
def test_canonical_is_nothing_or_a_fixed_point_that_the_standard_library_reads(token: str) -> None:
    found = canonical(token)
    if found is not None:
        assert canonical(found) == found
        ipaddress.ip_address(found)


@given(addresses)
def test_every_address_is_read_as_the_standard_library_reads_it(token: str) -> None:
    address = ipaddress.ip_address(token)
    mapped = getattr(address, "ipv4_mapped", None)
    found = canonical(token)
    assert found is not None
    assert ipaddress.ip_address(found) == (mapped or address)


@given(
    peer=addresses,
    entries=st.lists(st.one_of(addresses, texts), max_size=40),
    real=st.one_of(addresses, texts),
    strategy=st.sampled_from(["first", "trusted-hops"]),
    hops=st.integers(1, 30),
)
def test_the_choice_is_always_an_address_that_somebody_wrote(
    peer: str, entries: list[str], real: str, strategy: str, hops: int
) -> None:
    peer = canonical(peer) or peer
    chosen = pick(",".join(entries), real, peer=peer, strategy=strategy, hops=hops)
    written = {canonical(token) for token in ",".join(entries).split(",")}
    by_source: dict[str, set[str | None]] = {
        "peer": {peer},
        "x-real-ip": {canonical(real)},
        "x-forwarded-for": written,
    }
    assert chosen.address in by_source[chosen.source]
    if peer not in TRUSTED:
        assert chosen.address == peer


@given(spoofed=st.lists(addresses, max_size=29), client=st.ip_addresses(v=4, network="203.0.113.0/24").map(str))
def test_what_a_client_writes_cannot_change_what_trusted_hops_says(spoofed: list[str], client: str) -> None:
    assert pick(",".join([*spoofed, client]), strategy="trusted-hops").address == client


def test_several_header_lines_join_in_their_order(running: Running) -> None:
    lines = ("X-Forwarded-For: unknown", "X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2")
    assert running.ask("/", "GET", *lines).json()["ip"] == "203.0.113.1"


def test_a_thousand_entries_fall_back_to_the_peer(running: Running) -> None:
    entries = ",".join(f"9.9.{n // 250}.{n % 250}" for n in range(1000))
    assert running.ask("/", "GET", f"X-Forwarded-For: {entries}").json()["ip"] == "127.0.0.1"


def test_an_explanation_says_that_a_header_is_too_long(running: Running) -> None:
    entries = ",".join(["203.0.113.5"] * (MAX_ENTRIES + 1))
    told = running.ask("/debug/ip", "GET", f"X-Forwarded-For: {entries}", "X-Real-IP: 203.0.113.6").json()
    assert (told["ip"], told["source"]) == ("203.0.113.6", "x-real-ip")
    assert told["reason"] == "X-Forwarded-For has more than 30 entries or 8192 bytes"


def test_long_headers_that_never_repeat_are_not_remembered() -> None:
    handlers = Handlers(Settings.from_environment({}), Clock())
    tracemalloc.start()
    try:
        for number in range(600):
            handlers.client(PEER, {"X_FORWARDED_FOR": f"203.0.113.5,{number}" + "x" * 8000})
            handlers.client(PEER, {"X_REAL_IP": f"{number}" + "x" * 8000})
            prefers_text(f"text/plain;q=0.{number}," + "x" * 8000)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 500_000


def test_the_strategy_and_the_hops_are_settings(start: Start) -> None:
    service = start(CLIENT_IP_STRATEGY="trusted-hops", TRUSTED_HOPS="2", TRUSTED_PROXIES="127.0.0.1, 192.0.2.0/24")
    assert service.ask("/", "GET", "X-Forwarded-For: 1.1.1.1, 203.0.113.1, 192.0.2.7").json()["ip"] == "203.0.113.1"


def test_a_peer_outside_the_trusted_networks_is_told_as_it_is(start: Start) -> None:
    service = start(TRUSTED_PROXIES="10.0.0.0/8")
    assert service.ask("/", "GET", "X-Forwarded-For: 203.0.113.1").json()["ip"] == "127.0.0.1"
