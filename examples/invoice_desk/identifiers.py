"""VAT ids and IBANs: how to find them in a text and whether they are well formed."""

import re

_VAT_FORMATS = {
    "AT": r"U\d{8}",
    "BE": r"[01]\d{9}",
    "BG": r"\d{9,10}",
    "CHE": r"\d{9}",
    "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}",
    "DE": r"\d{9}",
    "DK": r"\d{8}",
    "EE": r"\d{9}",
    "EL": r"\d{9}",
    "ES": r"[A-Z]\d{7}[A-Z]|[A-Z]\d{8}|\d{8}[A-Z]",
    "FI": r"\d{8}",
    "FR": r"[0-9A-HJ-NP-Z]{2}\d{9}",
    "GB": r"\d{12}|\d{9}",
    "HR": r"\d{11}",
    "HU": r"\d{8}",
    "IE": r"\d{7}[A-W][A-I]?",
    "IT": r"\d{11}",
    "LT": r"\d{12}|\d{9}",
    "LU": r"\d{8}",
    "LV": r"\d{11}",
    "MT": r"\d{8}",
    "NL": r"\d{9}B\d{2}",
    "NO": r"\d{9}",
    "PL": r"\d{10}",
    "PT": r"\d{9}",
    "RO": r"\d{2,10}",
    "SE": r"\d{12}",
    "SI": r"\d{8}",
    "SK": r"\d{10}",
    "XI": r"\d{12}|\d{9}",
}
"""Formats by country without check digits, as VIES (EU, XI) and the registers of GB, NO and Switzerland write them."""
_VAT = re.compile("|".join(f"{country}(?:{digits})" for country, digits in _VAT_FORMATS.items()))
_VAT_LIKE = re.compile(r"[A-Z]{2,3}[0-9A-Z]{0,6}\d[0-9A-Z]{0,8}")
_WORDS_AFTER = re.compile(r" (?= |[^\W\d]{3})")

_IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18,
    "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24,
}  # fmt: skip
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])")


def compact(text: str) -> str:
    """Return an identifier in upper case without spaces, points and hyphens.

    >>> compact("che-109.322.551 ")
    'CHE109322551'
    """
    return re.sub(r"[\s.:\-]", "", text).upper()


def find_vat_id(text: str) -> str | None:
    """Return the VAT id at the start of a text, well formed or not, compact; None: there is none.

    >>> find_vat_id(": DE 811 907 980"), find_vat_id("IE6388047T IBAN"), find_vat_id("DE 81"), find_vat_id("20 %")
    ('DE811907980', 'IE6388047T', 'DE81', None)
    """
    words = compact(_WORDS_AFTER.split(text.strip(" :"))[0])
    match = _VAT.match(words) or _VAT_LIKE.match(words)
    return None if match is None else match[0]


def valid_vat_id(vat_id: str) -> bool:
    """Say whether a compact VAT id has the format of its country; it is not looked up anywhere.

    >>> [valid_vat_id(one) for one in ("NL861234567B01", "DE12345678", "DE1234567890", "ZZ123456789")]
    [True, False, False, False]
    """
    return _VAT.fullmatch(vat_id) is not None


def find_ibans(text: str) -> tuple[str, ...]:
    """Return the different IBANs of a text in order, compact, cut to the length of their country, right or wrong.

    >>> find_ibans("IBAN BE68 5390 0754 7034 BIC NICABEBB")
    ('BE68539007547034',)
    """
    found: dict[str, None] = {}
    for match in _IBAN.finditer(text):
        iban = compact(match[0])
        length = _IBAN_LENGTHS.get(iban[:2])
        if length is not None and len(iban) >= length:
            found[iban[:length]] = None
    return tuple(found)


def valid_iban(iban: str) -> bool:
    """Say whether a compact IBAN has the length of its country and the right check digits.

    ISO 13616, with the check digits of ISO 7064 (mod 97-10).

    >>> valid_iban("DE89370400440532013000"), valid_iban("DE89370400440532013001")
    (True, False)
    """
    if _IBAN_LENGTHS.get(iban[:2]) != len(iban) or not re.fullmatch(r"[A-Z]{2}\d{2}[0-9A-Z]+", iban):
        return False
    digits = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return int(digits) % 97 == 1
