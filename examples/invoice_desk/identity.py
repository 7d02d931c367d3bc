"""When two invoices are the same invoice."""

import re
import unicodedata


def identities(supplier: str, vat_id: str | None, number: str) -> frozenset[str]:
    """Return the names under which an invoice is known; two invoices that share one are the same invoice.

    >>> one = identities("Nordlicht Bürobedarf GmbH", None, "RE-2026/4711")
    >>> one & identities("NORDLICHT BÜROBEDARF GMBH", "DE123456789", "re 2026 4711")
    frozenset({'name:nordlicht-bürobedarf-gmbh re-2026-4711'})
    """
    known = {f"name:{slug(supplier)} {slug(number)}"}
    if vat_id is not None:
        known.add(f"vat:{slug(vat_id)} {slug(number)}")
    return frozenset(known)


def slug(text: str) -> str:
    """Return the letters and digits of a text in lower case, with one hyphen for whatever stands between them.

    >>> slug(" Sp. z o.o. ")
    'sp-z-o-o'
    """
    return re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", text).casefold()).strip("-")
