"""Files become documents: text, Markdown, PDF with a text layer, and XML without a DTD."""

import codecs
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .documents import Document, MediaType
from .errors import MissingExtraError, ReadingError

MAX_BYTES = 10_000_000
MAX_PAGES = 50
MAX_CHARACTERS = 200_000
MEDIA_TYPES: Mapping[str, MediaType] = MappingProxyType(
    {".txt": "text/plain", ".md": "text/markdown", ".pdf": "application/pdf", ".xml": "application/xml"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A name in the folder that is not read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a folder holds: paths to read and names refused, both sorted by name."""

    paths: tuple[Path, ...]
    refused: tuple[Refusal, ...]


def listing(folder: Path) -> Listing:
    """List the files of a folder, not of its subfolders."""
    paths: list[Path] = []
    refused: list[Refusal] = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        reason = refusal(folder, path)
        if reason is None:
            paths.append(path)
        else:
            refused.append(Refusal(name=path.name, reason=reason))
    return Listing(paths=tuple(paths), refused=tuple(refused))


def refusal(folder: Path, path: Path) -> str | None:
    """Return why a path of a folder is not read; None: it is read."""
    if not path.resolve().is_relative_to(folder.resolve()):
        return "leads out of the folder"
    if not path.is_file():
        return "is not a file"
    if path.suffix.lower() not in MEDIA_TYPES:
        return f"unsupported suffix {path.suffix!r}"
    return None


def read(folder: Path, name: str, *, max_bytes: int = MAX_BYTES) -> Document:
    """Read one file of a folder.

    Raises:
        ReadingError: The name leads out of the folder, is no file of a supported suffix, or its content cannot be read.
        MissingExtraError: It is a PDF and pypdf is not installed.
    """
    path = folder / name
    reason = refusal(folder, path)
    if reason is not None:
        raise ReadingError(name, reason)
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    return document(path.name, data, max_bytes=max_bytes)


def document(name: str, data: bytes, *, max_bytes: int = MAX_BYTES) -> Document:
    """Turn the bytes of a file into a document; the suffix of the name says how.

    Raises:
        ReadingError: The suffix is not supported, the file is too large, a PDF is broken or locked, an XML has a DTD.
        MissingExtraError: It is a PDF and pypdf is not installed.
    """
    media_type = MEDIA_TYPES.get(Path(name).suffix.lower())
    if media_type is None:
        raise ReadingError(name, f"unsupported suffix, expected one of {', '.join(MEDIA_TYPES)}")
    if len(data) > max_bytes:
        raise ReadingError(name, f"larger than {max_bytes} bytes")
    text = pdf_text(name, data) if media_type == "application/pdf" else decode(data)
    if len(text) > MAX_CHARACTERS:
        raise ReadingError(name, f"more than {MAX_CHARACTERS} characters of text")
    if media_type == "application/xml" and has_dtd(text):
        raise ReadingError(name, "XML with a document type declaration")
    return Document(
        name=name,
        media_type=media_type,
        text=text,
        sha256=hashlib.sha256(data).hexdigest(),
        damaged=text.count("\ufffd"),
    )


def has_dtd(text: str) -> bool:
    """Say whether an XML text declares a document type, which could define entities.

    >>> has_dtd('<!DOCTYPE a [<!ENTITY b "c">]><a/>')
    True
    """
    return "<!doctype" in text.lower()


def decode(data: bytes) -> str:
    r"""Decode a text by its byte order mark, as UTF-8, or as Windows-1252; the rest becomes U+FFFD, and so does NUL.

    >>> decode(b"f\xfcr"), decode(b"f\xc3\xbcr"), decode(b"\x81\x00")
    ('für', 'für', '��')
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace").replace("\0", "\ufffd")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding).replace("\0", "\ufffd")
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", errors="replace").replace("\0", "\ufffd")


def pdf_text(name: str, data: bytes) -> str:
    """Return the text layer of a PDF with its columns kept apart by spaces, pages divided by a form feed.

    Raises:
        ReadingError: The PDF is broken, locked with a password, or has more than `MAX_PAGES` pages.
        MissingExtraError: pypdf is not installed.
    """
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise MissingExtraError(name, "pdf") from error
    # Beside its own errors pypdf lets many built-in ones through when a file is broken on purpose, so all are caught.
    try:
        pages = PdfReader(io.BytesIO(data)).pages
        count = len(pages)
        texts = [page.extract_text(extraction_mode="layout") for page in pages] if count <= MAX_PAGES else []
    except Exception as error:
        raise ReadingError(name, f"broken or locked PDF, {type(error).__name__}") from error
    if count > MAX_PAGES:
        raise ReadingError(name, f"more than {MAX_PAGES} pages")
    return "\f".join(texts)
