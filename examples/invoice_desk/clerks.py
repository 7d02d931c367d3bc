"""The clerks: typed functions that read one file; none of them knows the ledger, and none follows a document's text."""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

from anyio.to_thread import run_sync

from echelon import Done, worker
from echelon.protocols.contracts import Context
from echelon.protocols.messages import Failed, Failure, Report

from .classification import classify as classified
from .documents import Classification, Document, Extraction, File, InvoiceKind
from .errors import DeskError, MissingExtraError, ReadingError
from .extraction import extract
from .grounding import grounded
from .papers import Classified, Files, Inbox, Reading
from .reading import MEDIA_TYPES, Refusal, read
from .reading import listing as listed
from .validation import check_text

EXAMPLE = Path(__file__).parent / "inbox"
EXAMPLE_DAY = date(2026, 11, 20)
"""The example inbox was written for this day; on another, its invoices would be too old, or from the future."""


@worker(reads=True)
async def listing(inbox: Inbox, context: Context) -> Report[Files]:
    """List the files of an inbox that can be read, each with the digest of its content."""
    folder = Path(inbox.folder)
    if not await run_sync(folder.is_dir):
        return Failed(failure=Failure(kind="invalid_input", message=f"there is no folder {inbox.folder!r}"))
    began = datetime.fromtimestamp(await context.now(), UTC).date()  # as journalled: the same day when resumed
    files, refused = await run_sync(files_in, folder)
    return Done(output=Files(today=inbox.today or _day_of(folder) or began, files=files, refused=refused))


def _day_of(folder: Path) -> date | None:
    return EXAMPLE_DAY if folder.samefile(EXAMPLE) else None


def files_in(folder: Path) -> tuple[tuple[File, ...], tuple[Refusal, ...]]:
    """Return the files of a folder and the names that are not read; a file that may not be opened is refused."""
    found = listed(folder)
    files: list[File] = []
    refused = list(found.refused)
    for path in found.paths:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            files.append(File(folder=str(folder), name=path.name, sha256=digest))
        except OSError as error:
            refused.append(Refusal(name=path.name, reason=f"cannot be opened: {error.strerror}"))
    return tuple(files), tuple(sorted(refused, key=lambda one: one.name))


@worker(reads=True)
def read_file(file: File) -> Document:
    """Read a file as text; of a file that cannot be read, say why."""
    try:
        document = read(Path(file.folder), file.name)
    except MissingExtraError as error:
        return _unread(file, f"install echelon[{error.extra}]")
    except ReadingError as error:
        return _unread(file, error.reason)
    except (DeskError, OSError) as error:
        return _unread(file, str(error))
    return document if document.sha256 == file.sha256 else _unread(file, "was changed after it was listed")


def _unread(file: File, problem: str) -> Document:
    media_type = MEDIA_TYPES[Path(file.name).suffix.lower()]
    return Document(name=file.name, media_type=media_type, text="", sha256=file.sha256, problem=problem)


@worker
def classify(document: Document) -> Classification:
    """Say what a document is: an invoice, a credit note, something else, or unclear."""
    return classified(document)


INVOICE_KINDS = get_args(InvoiceKind)


@worker
def by_rules(given: Classified) -> Done[Extraction]:
    """Read an invoice by its labels, or by its elements; what is not clear is left out, not guessed."""
    kind: InvoiceKind = "credit_note" if given.classification.kind == "credit_note" else "invoice"
    extraction = extract(given.document, kind)
    return Done(output=extraction, confidence=extraction.confidence)


@worker
def take_down(file: File, document: Document, classification: Classification, extraction: Extraction | None) -> Reading:
    """Note what was read, as far as the document bears it out, and whether its text tries to give instructions."""
    if document.problem:
        extraction = Extraction(invoice=None, confidence=0, notes=(document.problem,))
    elif extraction is not None:
        extraction = grounded(extraction, document, classification)
    findings = tuple(check_text(document.text))
    return Reading(file=file, classification=classification, extraction=extraction, findings=findings)
