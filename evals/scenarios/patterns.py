"""What secrets look like: the keys of known providers, tokens, private keys, passwords in addresses and settings."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

from .plain import text_of

FIELDS: Final = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "authorization", "api_key", "access_key",
    "private_key", "secret_key", "cookie", "credential", "credentials",
)  # fmt: skip
"""Names of fields that hold a secret; so do those that end so (`db_password`, `OPENAI_API_KEY`, `accessToken`)."""

LEAST: Final = 6
"""Characters of a secret that is looked for wherever it may stand; a shorter one only goes where it stands as one."""

PLACEHOLDER: Final = re.compile(r"\[redacted:([a-z0-9_]{1,40}):([0-9]{1,9})\]")

_KEYS = "|".join(
    (
        r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek
        r"AIza[0-9A-Za-z_-]{35}",  # Google
        r"(?:AKIA|ASIA)[0-9A-Z]{16}",  # AWS
        r"gh[pousr]_[A-Za-z0-9]{36,}",  # GitHub
        r"github_pat_[A-Za-z0-9_]{22,}",
        r"glpat-[A-Za-z0-9_-]{20,}",  # GitLab
        r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
        r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
        r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
        r"gsk_[A-Za-z0-9]{20,}",  # Groq
        r"xai-[A-Za-z0-9]{20,}",
        r"r8_[A-Za-z0-9]{30,}",  # Replicate
        r"pplx-[A-Za-z0-9]{30,}",  # Perplexity
        r"npm_[A-Za-z0-9]{36}",
        r"pypi-[A-Za-z0-9_-]{50,}",
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",  # SendGrid
        r"do[opr]_v1_[a-f0-9]{64}",  # DigitalOcean
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON Web Token, RFC 7519
    )
)
_BEGIN, _END = (rf"-----{word} [A-Z ]{{0,30}}PRIVATE KEY-----" for word in ("BEGIN", "END"))  # RFC 7468
_NAMED = "(?i)(" + "|".join(name.replace("_", "[_-]?") for name in FIELDS) + ")"
_QUOTED = r"""\"((?:[^\"\\]|\\.){1,512})\"|'((?:[^'\\]|\\.){1,512})'"""

PATTERNS: Final = (
    ("private_key", re.compile(rf"{_BEGIN}(?:(?!-----).){{0,20000}}(?:{_END})?", re.DOTALL)),
    ("token", re.compile(_KEYS)),
    ("token", re.compile(r"(?i)\bbearer\s{1,3}(?=[^\s]{0,200}[0-9])([a-z0-9._~+/-]{12,}=*)")),  # RFC 6750
    ("password", re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@\"'<>]{0,256}:([^\s/@\"'<>]{1,256})@")),  # RFC 3986
    ("token", re.compile(r"(?i)authorization[\"']?\s?[:=]\s?[\"']?(?:basic|bearer|digest|token)\s+([^\s\"',;]{4,})")),
    ("", re.compile(rf"{_NAMED}(?:[\"']?\s?[:=]\s?(?:{_QUOTED})|=(?!=)([^\s\"'&,;<>)\]}}]{{1,512}}))")),
)
"""Kind and pattern. A pattern's last group is the secret; of kind "" the first one is the name of its field."""


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str:
    """The kind of secret that a field of this name holds; "": none.

    Example:
        >>> kind_of("OPENAI_API_KEY"), kind_of("dbPassword"), kind_of("tokens")
        ('api_key', 'password', '')
    """
    bare = squeezed(name)
    return next((kind for kind, end in _ENDS if bare.endswith(end)), "")


def squeezed(name: str) -> str:
    """A field's name however it is written: in lower case, only letters and digits.

    Example:
        >>> squeezed("Set-Cookie"), squeezed("apiKey")
        ('setcookie', 'apikey')
    """
    return "".join(c for c in name.lower() if c.isalnum())


_ENDS = [(kind, squeezed(kind)) for kind in sorted(FIELDS, key=len, reverse=True)]


def variants(secret: str) -> Iterator[str]:
    """The secret as it is, escaped in JSON, in an address, and in base64, at whichever byte it begins there.

    In base64 the characters at both ends may share bits with their neighbours; they are left out.

    Example:
        >>> "c2Vzc2FtZQ" in variants("sesame!"), "c2VzYW1lI" in set(variants("sesame!"))
        (False, True)
    """
    yield from (secret, text_of(secret)[1:-1], quote(secret, safe=""), quote_plus(secret))
    data = secret.encode()
    for encode in (b64encode, urlsafe_b64encode):
        for shift in range(3):
            whole = encode(bytes(shift) + data).decode()[(0, 2, 3)[shift] : (shift + len(data)) * 8 // 6]
            if len(whole) >= LEAST:
                yield whole


def anywhere(texts: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern for each of these texts wherever it begins, inside of words and of each other; None: there are none.

    Its first group is the text, the longest of those that begin there.
    """
    whole = _any(texts)
    return re.compile(f"(?=({whole}))") if whole else None


def as_words(texts: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern for these texts where they are no parts of longer words, the longest first; None: there are none."""
    whole = _any(texts)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{whole})(?![A-Za-z0-9])") if whole else None


def _any(texts: Iterable[str]) -> str:
    return "|".join(re.escape(text) for text in sorted({*texts} - {""}, key=lambda text: (-len(text), text)))
