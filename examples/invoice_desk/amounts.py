"""Numbers as invoices write them: 1.234,56 and 1,234.56 and 1 234,56 and 1'234.56."""

import re
from decimal import Decimal
from typing import Literal

Mark = Literal[".", ","]
"""The decimal mark of a document."""

_SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}'\N{RIGHT SINGLE QUOTATION MARK}"
_MINUS = r"\-\N{MINUS SIGN}"
_CENTS = re.compile(r"(?<=\d)(?<!\d[./]\d)(?<!\d[./]\d\d)([.,])\d\d(?!\d|[.,]\d)")
_MISREAD = re.compile(
    r"(?<![\w.,])(?=[OoIlSB.,]{0,20}\d)(?=[\d.,]{0,20}[OoIlSB])"
    r"[\dOoIlSB]{1,12}(?:[.,][\dOoIlSB]{3}){0,4}[.,][\dOoIlSB]{2}(?!\w|[.,]\w)"
)


def _pattern(mark: Mark) -> str:
    group = f"[{'.' if mark == ',' else ','}{_SPACES}]"
    whole = rf"\d{{1,3}}(?P<group>{group})\d{{3}}(?:(?P=group)\d{{3}}){{0,4}}|\d{{1,15}}"
    return (
        rf"(?P<sign>[{_MINUS}(]?) ?(?P<whole>{whole})(?:{re.escape(mark)}(?P<fraction>\d{{1,4}}))?(?P<end>[{_MINUS})]?)"
    )


_WHOLE = {mark: re.compile(_pattern(mark)) for mark in (".", ",")}
_INSIDE = {mark: re.compile(rf"(?<![\w.,]){_pattern(mark)}(?![\w{_MINUS}]|[.,]\d| ?%)") for mark in (".", ",")}


def decimal_mark(text: str) -> Mark | None:
    """Return the one mark that stands before two last digits everywhere in a text.

    Returns:
        None: no number has two decimals, or some have a point and some a comma, so that 1.234 could be either.

    >>> decimal_mark("12 x 1.234,50 on 03.11.2026")
    ','
    >>> decimal_mark("1,50 and 1.50"), decimal_mark("1.234 on 03.11.2026 and 3.11.26")
    (None, None)
    """
    match sorted(set(_CENTS.findall(text))):
        case ["."]:
            return "."
        case [","]:
            return ","
        case _:
            return None


def parse_amount(text: str, mark: Mark) -> Decimal | None:
    """Read one number whose decimal mark is known; groups of three may be divided by one separator of one kind.

    Returns:
        None: the text is not such a number. A minus may stand before or after it, or brackets around it.

    >>> parse_amount("1.234,56", ","), parse_amount("1.234", "."), parse_amount("1.234", ",")
    (Decimal('1234.56'), Decimal('1.234'), Decimal('1234'))
    >>> [str(parse_amount(text, ".")) for text in ("-1.50", "1.50-", "(1.50)", "(1.50", "1.23.4")]
    ['-1.50', '-1.50', '-1.50', 'None', 'None']
    """
    match = _WHOLE[mark].fullmatch(text.strip())
    return None if match is None else _value(match)


def amounts(text: str, mark: Mark) -> tuple[Decimal, ...]:
    """Return the amounts of money in a text, in order: numbers with two decimals, no percentages.

    >>> amounts("VAT 20.00% on 1,420.00 for 30 days: 284.00", ".")
    (Decimal('1420.00'), Decimal('284.00'))
    """
    found = (match for match in _INSIDE[mark].finditer(text) if len(match["fraction"] or "") == 2)
    return tuple(value for value in map(_value, found) if value is not None)


def misread(text: str) -> tuple[str, ...]:
    """Return the words that look like amounts with a letter among the digits, as a poor scan leaves them.

    >>> misread("Total 1.2B4,5O or 12,50; VAT no. NL 8552.40.771.B.01, Example B.V.")
    ('1.2B4,5O',)
    """
    return tuple(word for word in text.split() if _MISREAD.search(word))


def _value(match: re.Match[str]) -> Decimal | None:
    sign, end = match["sign"], match["end"]
    if ("(" in (sign, end) or ")" in (sign, end)) and (sign, end) != ("(", ")"):
        return None
    digits = re.sub(r"\D", "", match["whole"])
    value = Decimal(f"{digits}.{match['fraction']}" if match["fraction"] else digits)
    return -value if sign or end else value
