"""Dates as invoices write them, in seven languages."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Literal

Order = Literal["dmy", "mdy"]
"""The order of day and month in dates with slashes."""

_NAMES = (
    "january januar jänner janvier enero gennaio januari stycznia jan janv ene gen sty",
    "february februar février febrero febbraio februari lutego feb févr fév lut",
    "march märz mars marzo maart marca mar mär mrt",
    "april avril abril aprile kwietnia apr avr abr kwi",
    "may mai mayo maggio mei maja mag maj",
    "june juni juin junio giugno czerwca jun giu cze",
    "july juli juillet julio luglio lipca jul juil lug lip",
    "august août agosto augustus sierpnia aug aoû ago sie",
    "september septembre septiembre settembre września sep sept set wrz",
    "october oktober octobre octubre ottobre października oct okt ott paź",
    "november novembre noviembre listopada nov lis",
    "december dezember décembre diciembre dicembre grudnia dec dez déc dic gru",
)
MONTHS = {name: month for month, names in enumerate(_NAMES, start=1) for name in names.split()}

_DATE = re.compile(
    r"""(?<![\w./-])(?:
      (?P<iso>(?P<iso_y>\d{4})-(?P<iso_m>\d{2})-(?P<iso_d>\d{2}))
    | (?P<dotted>(?P<dot_d>\d{1,2})(?P<by>[.-])\ ?(?P<dot_m>\d{1,2})(?P=by)\ ?(?P<dot_y>\d{4}))
    | (?P<slashed>(?P<one>\d{1,2})/(?P<two>\d{1,2})/(?P<slash_y>\d{4}))
    | (?P<worded>(?P<word_d>\d{1,2})(?:st|nd|rd|th|er|\.)?\ (?:de\ )?
        (?P<word_m>[^\W\d_]{3,12})\.?,?\ (?:de\ )?(?P<word_y>\d{4}))
    | (?P<american>(?P<us_m>[^\W\d_]{3,12})\.?\ (?P<us_d>\d{1,2})(?:st|nd|rd|th)?,?\ (?P<us_y>\d{4}))
    )(?!\w|[./-]\d)""",
    re.VERBOSE,
)
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/\d{4}(?![\d/])")


def date_order(text: str, *, american: bool) -> Order | None:
    """Return the order of day and month in the dates with slashes of a document.

    A date whose day is above 12 settles it for the whole document; otherwise the day comes first, unless the document
    could be American.

    Args:
        text: The whole document.
        american: Whether the document could write the month first, as with dollars and a decimal point.

    Returns:
        None: the order cannot be known.

    >>> date_order("10/28/2026, due 11/07/2026", american=True), date_order("11/07/2026", american=True)
    ('mdy', None)
    >>> date_order("28/10/2026, due 11/27/2026", american=False) is None
    True
    """
    pairs = [(int(one), int(two)) for one, two in _SLASHED.findall(text)]
    day_first = any(one > 12 for one, _ in pairs)
    month_first = any(two > 12 for _, two in pairs)
    if day_first or month_first:
        return None if day_first and month_first else "dmy" if day_first else "mdy"
    return None if american else "dmy"


def dates(text: str, order: Order | None) -> Iterator[date]:
    """Yield the dates of a text in order, without those that do not exist or whose order is not known.

    >>> [day.isoformat() for day in dates("3 novembre 2026, 31.02.2026, Nov 7, 2026, 7 brumaire 2026, 3/11/2026", None)]
    ['2026-11-03', '2026-11-07']
    """
    for match in _DATE.finditer(text):
        found = _value(match, order)
        if found is not None:
            yield found


def _value(match: re.Match[str], order: Order | None) -> date | None:
    match match.lastgroup:
        case "iso":
            return _exists(match["iso_y"], int(match["iso_m"]), match["iso_d"])
        case "dotted":
            return _exists(match["dot_y"], int(match["dot_m"]), match["dot_d"])
        case "worded":
            return _exists(match["word_y"], MONTHS.get(match["word_m"].casefold()), match["word_d"])
        case "american":
            return _exists(match["us_y"], MONTHS.get(match["us_m"].casefold()), match["us_d"])
        case _:
            return _slashed(match["one"], match["two"], match["slash_y"], order)


def _slashed(one: str, two: str, year: str, order: Order | None) -> date | None:
    if order is None and one != two:
        return None
    day, month = (two, one) if order == "mdy" else (one, two)
    return _exists(year, int(month), day)


def _exists(year: str, month: int | None, day: str) -> date | None:
    if month is None:
        return None
    try:
        return date(int(year), month, int(day))
    except ValueError:
        return None
