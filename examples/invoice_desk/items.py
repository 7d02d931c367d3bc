"""The lines of an invoice: rows of a table with a description, a quantity, a price and an amount."""

import re
from decimal import Decimal

from .amounts import Mark, parse_amount
from .documents import Line
from .vocabulary import CURRENCIES, labelled

_COLUMNS = re.compile(r" {2,}|\t+| *\| *")
_QUANTITY = re.compile(r"([^A-Za-z]*\d[^A-Za-z]*?) ?(?:[^\W\d_]{1,8}\.?)?")


def item_lines(text: str, mark: Mark) -> tuple[tuple[Line, ...], str]:
    r"""Split a text into the lines of the invoice, in order, and what else it says.

    A line is a row whose columns (two spaces or more, a tab or a bar between them) are words and then three numbers,
    not counting percentages; a number before the words is a position. Rows that start with a label are not lines.

    >>> lines, rest = item_lines("Invoice 17\n1  Bolts, M8  4 pcs  2.50  20%  10.00", ".")
    >>> [(line.description, str(line.quantity), str(line.net)) for line in lines], rest
    ([('Bolts, M8', '4', '10.00')], 'Invoice 17')
    """
    lines: list[Line] = []
    others: list[str] = []
    for row in text.splitlines():
        line = _line([cell for cell in _COLUMNS.split(row.strip()) if cell], mark)
        if line is None:
            others.append(row)
        else:
            lines.append(line)
    return tuple(lines), "\n".join(others)


def _line(cells: list[str], mark: Mark) -> Line | None:
    words = [cell for cell in cells if _number(cell, mark) is None and not cell.endswith("%")]
    if not words or _is_label(words[0]):
        return None
    numbers = [
        number
        for cell in cells[cells.index(words[0]) :]
        if not cell.endswith("%") and (number := _number(cell, mark)) is not None
    ]
    if len(numbers) != 3:
        return None
    quantity, unit_price, net = numbers
    return Line(description=" ".join(words), quantity=quantity, unit_price=unit_price, net=net)


def _number(cell: str, mark: Mark) -> Decimal | None:
    match = _QUANTITY.fullmatch(CURRENCIES.sub("", cell).strip()[:40])
    return None if match is None else parse_amount(match[1], mark)


def _is_label(cell: str) -> bool:
    return any(len(one.words) == len(cell.rstrip(" :")) for one in labelled(cell))
