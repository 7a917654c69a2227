"""Keys, tokens and passwords stay inside; words about them may leave."""

import os
import subprocess
import sys

import pytest

from ragapp.gateway.base import Finding
from ragapp.gateway.signals.base import Outgoing
from ragapp.gateway.signals.secrets import Secrets

# In two parts, so that no scanner of this repository takes them for real ones.
HELD = [
    "Is AKIA" + "IOSFODNN7EXAMPLE still valid?",
    "Why does gh" + "p_1234567890abcdefghijklmnopqrstuvwxyz get 401?",
    "sk_li" + "ve_4eC39HqLyjWDarjtT1zdp7dc",
    "xox" + "b-123456789012-abcdefghijkl",
    "-----BEGIN RSA PRIV" + "ATE KEY-----\nMIIEow",
    "what does eyJhbGciOiJI" + "UzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc hold",
    "password=Hunter2xyz",
    "my password is correct-Horse7",
    "API key: 9f8e7d6c",
    "DB_PASSWORD='s3cr3t!'",
    "postgres://app:hunter2@db/prod",
    "$2b$12$KIXQ" + "abcdefghijklmnop",
    "the token is pA" + "\u200bss0rd9x",
]


@pytest.mark.parametrize("text", HELD)
def test_what_holds_a_secret_stays_inside(text: str) -> None:
    said = Secrets().look(Outgoing(text))
    assert said.finding is Finding.DENY
    assert not any(word in said.evidence for word in text.split() if len(word) > 8)


@pytest.mark.parametrize(
    "text",
    [
        "What makes a good password?",
        "A password is a string of characters. Why hash it?",
        "What is an API key, and how does it differ from a token?",
        "Explain the secret ballot.",
        "How does public-key cryptography work?",
        "Is a pin: a small nail?",
    ],
)
def test_words_about_secrets_may_leave(text: str) -> None:
    assert Secrets().look(Outgoing(text)).finding is Finding.CLEAN


def test_a_key_parted_by_what_cannot_be_seen_stays_inside() -> None:
    assert Secrets().look(Outgoing("AKIA" + "IOSF\u200bODNN7EXAMPLE")).finding is Finding.DENY


def test_a_key_in_wide_letters_or_behind_a_zero_byte_stays_inside() -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    wide = "".join(chr(ord(c) + 0xFEE0) for c in key)
    assert Secrets().look(Outgoing(wide)).finding is Finding.DENY
    assert Secrets().look(Outgoing("hello\x00" + "sk_li" + "ve_4eC39HqLyjWDarjtT1zdp7dc")).finding is Finding.DENY


def test_the_scanner_opens_no_connection() -> None:
    """The rules of its origin can try keys at their issuers. Asked of the kernel, since the library is no Python."""
    watch = (
        "import os, betterleaks; betterleaks.scan_string('key sk_li' 've_4eC39HqLyjWDarjtT1zdp7dc');"
        "links = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if n.isdigit()"
        " and os.path.islink(f'/proc/self/fd/{n}')];"
        "print(sum(link.startswith('socket:') for link in links))"
    )
    command = [sys.executable, "-c", watch]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.strip() == "0"
