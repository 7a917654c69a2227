"""No address form, resolver or redirect makes the fetcher connect where it may not. Counted by what listens there.

The forms stand for advisories of others: a redirect that was followed unchecked, two parsers that disagreed, NAT64 and
mapped addresses that looked public, a check by name instead of by resolved address, a backslash read two ways.
"""

import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

import pytest

from ingestion.errors import SourceError, UrlRefusedError
from ingestion.sources.addresses import AddressPolicy, is_private_network
from ingestion.sources.fetcher import Fetcher, FetchRules
from tests.ingestion.sources.web_server import Answer, WebServer, serving

HTML = frozenset({"text/html"})

# PORT is that of a listening server, so that a form which got through would be counted.
_LINES = """
http://127.0.0.1:PORT/
http://127.0.0.1:PORT
http://127.1:PORT/
http://127.0.1:PORT/
http://127.8.9.10:PORT/
http://2130706433:PORT/
http://017700000001:PORT/
http://0177.0.0.1:PORT/
http://0177.0.0.01:PORT/
http://0x7f000001:PORT/
http://0x7f.0x0.0x0.0x1:PORT/
http://0x7f.1:PORT/
http://0X7F000001:PORT/
http://127.0.0.1.:PORT/
http://0:PORT/
http://0.0.0.0:PORT/
http://00000000000000000177.0.0.1:PORT/
http://256.256.256.256:PORT/
http://127.0.0.1.1:PORT/
http://[::1]:PORT/
http://[0:0:0:0:0:0:0:1]:PORT/
http://[::]:PORT/
http://[::127.0.0.1]:PORT/
http://[::ffff:127.0.0.1]:PORT/
http://[::ffff:7f00:1]:PORT/
http://[0:0:0:0:0:ffff:7f00:0001]:PORT/
http://[::ffff:0:127.0.0.1]:PORT/
http://[64:ff9b::127.0.0.1]:PORT/
http://[64:ff9b::7f00:1]:PORT/
http://[64:ff9b::a9fe:a9fe]:PORT/
http://[64:ff9b:1::7f00:1]:PORT/
http://[2002:7f00:1::]:PORT/
http://[2002:a9fe:a9fe::1]:PORT/
http://[2001:0:7f00:1::1]:PORT/
http://[2001:db8::5efe:7f00:1]:PORT/
http://[fe80::1]:PORT/
http://[fe80::1%25lo]:PORT/
http://[::1%25lo]:PORT/
http://[fd00:ec2::254]:PORT/
http://[fc00::1]:PORT/
http://[ff02::1]:PORT/
http://[::1:PORT/
http://localhost:PORT/
http://LOCALHOST:PORT/
http://localhost.:PORT/
http://a.localhost:PORT/
http://site.example@127.0.0.1:PORT/
http://127.0.0.1:PORT@site.example/
http://site.example:80@127.0.0.1:PORT/
http://user:pass@site.example:PORT/
http://site.example%40127.0.0.1:PORT/
http://127.0.0.1%2f@site.example:PORT/
http://127.0.0.1%00.site.example:PORT/
http://site.example#@127.0.0.1:PORT\\@/
http://site.example\\@127.0.0.1:PORT/
http://127.0.0.1:PORT\\@site.example/
http:\\\\127.0.0.1:PORT\\
http:/127.0.0.1:PORT/
http:127.0.0.1:PORT/
http:///127.0.0.1:PORT/
//127.0.0.1:PORT/
127.0.0.1:PORT/
http://①②⑦.⓪.⓪.①:PORT/
http://127。0。0。1:PORT/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/
http://loc\u00adalhost:PORT/
http://127.0.0.1\u200b:PORT/
http://bücher.example:PORT/
http://site.example:PORT:80/
http://site.example:/
http://site.example:22/
http://site.example:6379/
http://site.example:0/
http://site.example:65536/
http://site.example:-1/
http://site_-.example-:PORT/
http://.:PORT/
http://..:PORT/
http://:PORT/
http://?x@127.0.0.1:PORT/
http://169.254.169.254/latest/meta-data/
http://[::ffff:169.254.169.254]/latest/meta-data/
http://2852039166/latest/meta-data/
http://0xa9fea9fe/
http://169.254.170.2/v2/credentials
http://100.100.100.200/latest/meta-data/
http://192.0.0.192/latest/
http://168.63.129.16/machine
http://10.0.0.1/
http://172.16.0.1/
http://192.168.1.1/
http://100.64.0.1/
http://192.88.99.1/
http://198.18.0.1/
http://203.0.113.1/
http://224.0.0.1/
http://240.0.0.1/
http://255.255.255.255/
file:///etc/passwd
file://localhost/etc/passwd
FILE:///etc/passwd
ftp://127.0.0.1:PORT/
gopher://127.0.0.1:PORT/_PING
dict://127.0.0.1:PORT/info
ldap://127.0.0.1:PORT/
tftp://127.0.0.1:PORT/x
jar:http://127.0.0.1:PORT!/x
data:text/html,x
javascript:alert(1)
unix:///var/run/docker.sock
http+unix://%2Fvar%2Frun%2Fdocker.sock/
ws://127.0.0.1:PORT/
view-source:http://127.0.0.1:PORT/
"""
FORMS = [line for line in _LINES.splitlines() if line]
# Forms that a line of text cannot carry.
FORMS += [
    "http://127.0.0.1:PORT/\r\nX: y",
    "http://site.example:PORT/\r\nHost: 127.0.0.1",
    "http://site.example\t@127.0.0.1:PORT/",
    " http://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/ ",
    "http://127.0.0.1\x00.site.example:PORT/",
    "ht\ntp://127.0.0.1:PORT/",
    "",
    "http://" + "a" * 300 + ".example:PORT/",
    "http://site.example:PORT/" + "a" * 3000,
]


@pytest.fixture(scope="module")
def bait() -> Iterator[WebServer]:
    """What must not be reached: it would answer with a page."""
    with serving() as server:
        server.answers["/"] = Answer(b"secret")
        yield server


def literal_or_loopback(host: str, port: int) -> Sequence[str]:
    """A resolver as helpful as the system's: every way to write an address is one, every name is this machine."""
    for family, read in ((socket.AF_INET, socket.inet_aton), (socket.AF_INET6, _pton6)):
        try:
            return [socket.inet_ntop(family, read(host))]
        except (OSError, ValueError):
            continue
    return ["127.0.0.1"]


def _pton6(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, host)


def test_the_table_is_as_long_as_promised() -> None:
    assert len(set(FORMS)) >= 100


@pytest.mark.parametrize("form", FORMS)
def test_no_form_reaches_this_machine(form: str, bait: WebServer) -> None:
    url, before = form.replace("PORT", str(bait.port)), bait.connections
    fetcher = Fetcher(FetchRules(ports=(80, 443, bait.port)), resolve=literal_or_loopback)
    with pytest.raises(UrlRefusedError), fetcher.fetch(url, accept=HTML, max_bytes=1000):
        pass
    assert bait.connections == before


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["127.0.0.2", "127.0.0.1"],
        ["93.184.215.14", "127.0.0.1"],
        ["127.0.0.1", "93.184.215.14"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::1"],
        ["fe80::1%lo"],
        ["0.0.0.0"],  # noqa: S104
        ["::"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["localhost"],
        ["0x7f.1"],
        [""],
        [],
    ],
    ids=str,
)
def test_a_name_is_judged_by_all_that_it_resolves_to(answers: list[str], bait: WebServer) -> None:
    before = bait.connections
    fetcher = Fetcher(FetchRules(ports=(bait.port,)), resolve=lambda host, port: answers)
    with pytest.raises(UrlRefusedError), fetcher.fetch(bait.url(), accept=HTML, max_bytes=1000):
        pass
    assert bait.connections == before


def test_a_name_that_changes_its_answer_is_resolved_once_and_that_answer_is_used(web: WebServer) -> None:
    asked = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.9"]

    web.answers["/"] = Answer(b"<p>page</p>")
    fetcher = web.fetcher(networks=(ip_network("127.0.0.1/32"),), resolve=rebinding)
    with fetcher.fetch(web.url(), accept=HTML, max_bytes=1000) as fetched:
        assert b"".join(fetched.blocks) == b"<p>page</p>"
    assert asked == ["site.example"]
    with pytest.raises(UrlRefusedError), fetcher.fetch(web.url(), accept=HTML, max_bytes=1000):
        pass
    assert web.connections == 1


LOCATIONS = [
    "http://127.0.0.1:PORT/",
    "http://127.1:PORT/",
    "http://2130706433:PORT/",
    "http://[::1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "//127.0.0.1:PORT/",
    "http://evil.example:PORT/",
    "http://site.example@127.0.0.1:PORT/",
    "http://site.example\\@127.0.0.1:PORT/",
    "\\\\127.0.0.1:PORT/",
    "/\\127.0.0.1:PORT/",
    "http://169.254.169.254/latest/meta-data/",
    "http://site.example:6379/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
    "ftp://127.0.0.1:PORT/",
    "data:text/html,x",
    "http://\u2460\u2461\u2466.0.0.1:PORT/",
]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("status", [302, 308])
def test_a_redirect_is_checked_like_any_address(location: str, status: int, bait: WebServer, web: WebServer) -> None:
    """The first server is allowed as 127.0.0.77, where Linux answers for all of 127/8; the bait is not."""
    before = bait.connections
    ports = (80, web.port, bait.port)
    addresses = AddressPolicy((ip_network("127.0.0.77/32"),))

    def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.77"] if host == "site.example" else literal_or_loopback(host, port)

    with serving(address="127.0.0.77") as first:
        first.answers["/"] = Answer(
            status=status, headers={"Location": location.replace("PORT", str(bait.port)).encode().decode("latin-1")}
        )
        fetcher = Fetcher(FetchRules(addresses=addresses, ports=(*ports, first.port)), resolve=resolve)
        with pytest.raises(SourceError), fetcher.fetch(first.url(), accept=HTML, max_bytes=1000):
            pass
        assert first.connections == 1
    assert bait.connections == before


def test_what_never_may_be_reached_stays_so_whatever_is_configured() -> None:
    everything = AddressPolicy((ip_network("0.0.0.0/0"), ip_network("::/0")))
    never = [
        "0.0.0.0",  # noqa: S104
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd00::5efe:a00:1",
    ]
    assert [address for address in never if everything.allows(address)] == []


def test_private_networks_are_reached_where_they_are_configured_and_public_addresses_always() -> None:
    policy = AddressPolicy((ip_network("10.20.0.0/16"), ip_network("fd12:3456::/32")))
    asked = "10.20.1.2 10.21.1.2 fd12:3456::9 fd13::9 93.184.215.14 2606:2800:21f:cb07:6820:80da:af6b:8b2c 127.0.0.1"
    assert [address for address in asked.split() if policy.allows(address)] == [
        "10.20.1.2",
        "fd12:3456::9",
        "93.184.215.14",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    ]


def test_loopback_is_no_private_network() -> None:
    texts = "10.0.0.0/8 10.4.0.0/16 192.168.1.0/24 fd12::/16 127.0.0.0/8 169.254.0.0/16 0.0.0.0/0 ::1/128 8.8.8.0/24"
    found = [text for text in texts.split() if is_private_network(ip_network(text))]
    assert found == ["10.0.0.0/8", "10.4.0.0/16", "192.168.1.0/24", "fd12::/16"]
