"""The words of invoices in English, German, French, Spanish, Italian, Dutch and Polish."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Label = Literal["supplier", "number", "issued", "due", "net", "tax", "gross", "vat_id", "aside"]
"""What a label announces; `aside` is what must not be taken for one of the others."""


def _listed(words: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in words.split(","))


INVOICE_TITLES = frozenset(
    _listed("invoice, tax invoice, rechnung, facture, factura, fattura, factuur, faktura, faktura vat")
)
CREDIT_TITLES = frozenset(
    _listed("""
        credit note, credit memo, gutschrift, stornorechnung, avoir, note de crédit, nota de crédito, abono,
        factura rectificativa, nota di credito, creditnota, creditfactuur, faktura korygująca
    """)
)
_NUMBER_MARKS = _listed("no., no, number, nr., nr, nummer, n°, nº, n.º, n., num., numéro, número, #")
_NUMBERED = ", ".join(f"{title} {mark}" for title in INVOICE_TITLES | CREDIT_TITLES for mark in _NUMBER_MARKS)

_LABELS: Mapping[Label, str] = MappingProxyType(
    {
        "supplier": """
            from:, seller:, supplier:, verkäufer:, lieferant:, fournisseur:, émetteur:, emisor:, proveedor:, fornitore:,
            leverancier:, sprzedawca:
        """,
        "number": f"""
            {_NUMBERED}, rechnungsnummer, rechnungsnr., rechnungs-nr., gutschriftnummer, gutschrift-nr.,
            numéro de facture, número de factura, numero fattura, factuurnummer, numer faktury, document no.,
            belegnummer
        """,
        "issued": """
            date, invoice date, date of issue, issued, issue date, tax point, datum, rechnungsdatum, belegdatum,
            date de facture, date d'émission, fecha, fecha de emisión, fecha de factura, data, data fattura,
            factuurdatum, data wystawienia
        """,
        "due": """
            due, due date, payment due, payable by, pay by, fällig am, zahlbar bis, fälligkeit, échéance,
            date d'échéance, à régler avant le, vencimiento, fecha de vencimiento, scadenza, data scadenza, vervaldatum,
            te betalen voor, termin płatności
        """,
        "net": """
            net, net total, total net, net amount, subtotal, sub-total, total excl. vat, total excluding vat, netto,
            nettobetrag, summe netto, zwischensumme, total ht, montant ht, base imponible, imponibile,
            totale imponibile, totaal excl. btw, subtotaal, razem netto, wartość netto
        """,
        "tax": """
            vat, tax, sales tax, vat amount, total vat, mwst, mwst., ust, ust., umsatzsteuer, mehrwertsteuer, tva,
            montant tva, iva, btw, kwota vat
        """,
        "gross": """
            total, total due, grand total, amount due, total amount, invoice total, credit total, total incl. vat,
            total including vat, gesamtbetrag, rechnungsbetrag, gutschriftbetrag, endbetrag, total ttc, net à payer,
            montant ttc, total factura, importe total, total a pagar, totale, totale fattura, totale documento, totaal,
            totaal incl. btw, te betalen, razem brutto, do zapłaty
        """,
        "vat_id": """
            vat no., vat no, vat number, vat id, vat reg. no., vat registration, ust-idnr., ust-idnr, ust-id, uid,
            mwst-nr., n° tva, n° de tva, tva intracommunautaire, nif, cif, nif-iva, partita iva, p. iva, p.iva,
            btw-nummer, btw nr., btw-id, nip
        """,
        "aside": """
            delivery date, order date, lieferdatum, leistungsdatum, date de livraison, fecha de entrega, data consegna,
            leverdatum, data sprzedaży, your vat no., your vat id, ihre ust-idnr., votre n° tva, su nif, uw btw-nummer,
            nabywca nip, original invoice, for invoice, zu rechnung, zur rechnung, order no., your order,
            bestellnummer, kundennummer, customer no., n° client, klantnummer
        """,
    }
)
_LABEL_OF: Mapping[str, Label] = MappingProxyType(
    {word: label for label, words in _LABELS.items() for word in _listed(words)}
)
# The longest label comes first, so that "total ht" is never read as "total".
_WORDS = "|".join(
    " {1,4}".join(map(re.escape, word.split())) + (r"(?!\w)" if word[-1].isalnum() else "")
    for word in sorted(_LABEL_OF, key=lambda word: (-len(word), word))
)
_ANY = re.compile(rf"(?<!\w)(?:{_WORDS})", re.IGNORECASE)

CURRENCIES = re.compile(r"(?<![A-Z])(?:EUR|GBP|USD|CHF|PLN|SEK|DKK|NOK|CZK)(?![A-Z])|[€£$]|zł")
_SYMBOLS: Mapping[str, str] = MappingProxyType({"€": "EUR", "£": "GBP", "$": "USD", "zł": "PLN"})


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label found in a text and what follows it on the same line, up to the next label."""

    label: Label
    words: str
    rest: str


def labelled(text: str) -> tuple[Labelled, ...]:
    """Return the labels of a text in order, each with what follows it.

    >>> [(one.label, one.rest) for one in labelled("Invoice No. 17   Date: 2026-11-03")]
    [('number', ' 17   '), ('issued', ': 2026-11-03')]
    """
    found: list[Labelled] = []
    for row in text.splitlines():
        matches = list(_ANY.finditer(row))
        starts = [match.start() for match in matches] + [len(row)]
        for match, end in zip(matches, starts[1:], strict=True):
            words = " ".join(match[0].split())
            label = _LABEL_OF.get(words.casefold())
            # IGNORECASE lets a few letters match that casefold keeps apart, such as U+0130.
            if label is not None:
                found.append(Labelled(label, words, row[match.end() : end]))
    return tuple(found)


def currencies(text: str) -> frozenset[str]:
    """Return the ISO 4217 codes of the currencies that a text names by code or symbol.

    >>> sorted(currencies("€ 12 or CHF 11"))
    ['CHF', 'EUR']
    """
    return frozenset(_SYMBOLS.get(word, word) for word in CURRENCIES.findall(text))
