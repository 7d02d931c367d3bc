"""Sessions of a browser: a cookie in the place of the key, signed with it, so that the server keeps nothing.

The cookie says who and until when, under an HMAC with that principal's key: it cannot be made without the key, and
it ends when the key is replaced. Scripts cannot read it (HttpOnly), no other site's page can send it (SameSite=Strict).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

SECONDS = 12 * 3_600
"""How long a session lasts."""
COOKIE = "echelon_session"
_PURPOSE = b"echelon session 1"


def opened(name: str, key: str, now: float) -> str:
    """The value of a session's cookie.

    Example:
        >>> holder(opened("ada", "k" * 24, 0.0), {"ada": "k" * 24}, 1.0)
        'ada'
        >>> holder(opened("ada", "k" * 24, 0.0), {"ada": "n" * 24}, 1.0)
        ''
    """
    until = int(now) + SECONDS
    return f"{name}|{until}|{_seal(name, until, key)}"


def holder(cookie: str, keys: Mapping[str, str], now: float) -> str:
    """Whose session this is; "": nobody's, or it is over."""
    name, _, rest = cookie.partition("|")
    until, _, seal = rest.partition("|")
    if not until.isascii() or not until.isdigit() or len(until) > 12 or int(until) < now:
        return ""
    expected = _seal(name, int(until), keys.get(name, ""))
    return name if hmac.compare_digest(expected.encode(), seal.encode()) and name in keys else ""


def as_header(value: str, *, secure: bool) -> str:
    """The Set-Cookie header of a session; an empty value ends it.

    Example:
        >>> as_header("", secure=False)
        'echelon_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict'
    """
    age = SECONDS if value else 0
    return f"{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")


def cookie_in(headers: list[str]) -> str:
    """The session's cookie among the Cookie headers of a request; "": there is none, or more than one.

    Example:
        >>> cookie_in(["a=1; echelon_session=x|1|y"])
        'x|1|y'
    """
    pairs = [pair.strip().partition("=") for header in headers for pair in header.split(";")]
    found = [value for name, _, value in pairs if name == COOKIE]
    return found[0] if len(found) == 1 else ""


def _seal(name: str, until: int, key: str) -> str:
    return hmac.new(key.encode(), b"%s %s %d" % (_PURPOSE, name.encode(), until), hashlib.sha256).hexdigest()
