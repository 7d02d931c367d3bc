"""The errors of the invoice desk.

DeskError
├── ReadingError            a file cannot become a document
├── MissingExtraError       a format needs an extra that is not installed
└── LedgerError
    ├── AlreadyPostedError  supplier and number are in the ledger under another key
    └── KeyReusedError      an idempotency key came back with another posting
"""


class DeskError(Exception):
    """The root of what can go wrong at the desk."""


class ReadingError(DeskError):
    """A file that cannot become a document, with its name and the reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot read {name!r}: {reason}")
        self.name = name
        self.reason = reason


class MissingExtraError(DeskError):
    """A file whose format needs an extra that is not installed."""

    def __init__(self, name: str, extra: str) -> None:
        super().__init__(f"cannot read {name!r}: install echelon[{extra}]")
        self.name = name
        self.extra = extra


class LedgerError(DeskError):
    """A posting that the ledger refuses."""


class AlreadyPostedError(LedgerError):
    """An invoice that is in the ledger under another idempotency key."""

    def __init__(self, supplier: str, number: str, *, key: str, posted_key: str) -> None:
        super().__init__(
            f"invoice {number!r} of {supplier!r} is already posted under key {posted_key!r}, refused for key {key!r}"
        )
        self.supplier = supplier
        self.number = number
        self.key = key
        self.posted_key = posted_key


class KeyReusedError(LedgerError):
    """An idempotency key that is in the ledger with another posting, so that it cannot be a repetition."""

    def __init__(self, key: str, *, expected: str, found: str) -> None:
        super().__init__(f"key {key!r} posted {expected}, and came back with {found}")
        self.key = key
        self.expected = expected
        self.found = found
