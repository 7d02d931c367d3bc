"""Forms for values of a JSON Schema, filled with what is known of them; they need no script."""

from __future__ import annotations

from collections.abc import Mapping

from ...markup import NOTHING, Html, Value, area, joined, tag
from ...messages import Json
from .filled import COUNT, ROOT, Faults, Typed, below, json_of
from .schemas import Field, elements, members
from .telling import pretty

INPUTS = {
    "date": "date",
    "time": "time",
    "date-time": "datetime-local",
    "email": "email",
    "uri": "url",
    "password": "password",
}
"""Kind of the input for a text of a format; any other is plain text."""
NO_FAULTS: Faults = {}


def form(field: Field, value: Json, faults: Faults = NO_FAULTS, *, focus: str = "", within: str = "") -> Html:
    """The fields for a value.

    Args:
        field: what may be filled in.
        value: what stands in it; of an object, parts may be missing, and then their defaults do.
        faults: what is wrong, by name.
        focus: name of the field to begin with; "": none.
        within: begins the ids of its elements, where a page has several forms.
    """
    return _Form(faults, focus, within).any(field, ROOT, "", value)


def fresh(field: Field) -> Json:
    """What an empty form holds.

    Example:
        >>> fresh(Field(kind="object", fields=(("n", Field(kind="whole", default=3)),)))
        {'n': 3}
    """
    if field.default is not None:
        return field.default
    if field.kind == "object" and not field.nullable:
        return {name: fresh(one) for name, one in field.fields}
    return [None] if field.kind == "list" and field.required else None


def trouble(faults: Faults, within: str = "") -> Html:
    """What is wrong, with the way to each field."""
    if not faults:
        return NOTHING
    items = (
        tag(
            "li",
            tag("a", _words(name), href=f"#{within}{name}") if name.startswith(ROOT) else "",
            ": " if name else "",
            fault,
        )
        for name, fault in faults.items()
    )
    head = tag("h2", "This could not be taken", id="trouble")
    return tag("div", head, tag("ul", items), class_="trouble", role="alert", aria_labelledby="trouble")


def _words(name: str) -> str:
    return " ".join(name.split("/")[1:]).replace("_", " ") or "the value"


class _Form:
    """Makes the fields of one form."""

    def __init__(self, faults: Faults, focus: str, within: str) -> None:
        self._faults = faults
        self._focus = focus
        self._within = within
        self._spare = 0
        """Within how many parts that may be left empty."""

    def any(self, field: Field, name: str, label: str, value: Json) -> Html:
        """A field with its label, and what is wrong with it."""
        if value is None and field.kind not in ("object", "list") and not field.nullable:
            value = field.default
        if field.kind == "object":
            return self._object(field, name, label, value)
        if field.kind == "list":
            return self._list(field, name, label, value)
        said = label or field.title or "Value"
        fault = self._faults.get(name)
        id_ = self._within + name
        about = [one for one, there in ((f"{id_}-note", field.note), (f"{id_}-fault", fault)) if there]
        rules: dict[str, Value] = {
            "id": id_,
            "name": name,
            "aria_describedby": " ".join(about) or None,
            "aria_invalid": "true" if fault else None,
            "autofocus": self._begins(name),
        }
        optional = tag("span", " optional", class_="dim") if not field.required or field.nullable else ""
        is_box = field.kind == "yes_no" and not (field.nullable or (not field.required and field.default is None))
        entry = self._entry(field, value, rules, is_box=is_box)
        labelled = tag("label", said, "" if is_box else optional, for_=id_)
        under = [
            tag("p", field.note, class_="note", id=f"{id_}-note") if field.note else "",
            tag("p", fault, class_="fault", id=f"{id_}-fault") if fault else "",
        ]
        return tag(
            "div",
            (entry, labelled) if is_box else (labelled, under[0], entry),
            under[1] if not is_box else under,
            class_="box" if is_box else "field",
        )

    def _begins(self, name: str) -> bool:
        """Whether this is the first field of the part to begin with."""
        if not self._focus or not f"{name}/".startswith(f"{self._focus}/"):
            return False
        self._focus = ""
        return True

    def _entry(self, field: Field, value: Json, rules: Mapping[str, Value], *, is_box: bool) -> Html:
        text = "" if value is None else value if isinstance(value, str) else json_of(value)
        required = field.required and not field.nullable and not self._spare
        if is_box:
            return tag("input", type="checkbox", value="yes", checked=value is True, **rules)
        match field.kind:
            case "choice" | "yes_no":
                return _select(field, value, rules, required=required)
            case "whole" | "number":
                step = "1" if field.kind == "whole" else "any"
                bounds = {"min": _bound(field.least), "max": _bound(field.most)}
                if isinstance(value, Typed):
                    return tag("input", type="text", inputmode="decimal", value=text, required=required, **rules)
                return tag("input", type="number", step=step, value=text, required=required, **bounds, **rules)
            case "json":
                whole = value if isinstance(value, Typed) else "" if value is None else json_of(value)
                shown = pretty(value) if isinstance(value, dict | list) else whole
                return area(shown, rows=6, spellcheck="false", class_="code", required=required, **rules)
            case _ if field.short and "\n" not in text:
                second = "1" if field.form in ("time", "date-time") else None
                kind = INPUTS.get(field.form, "text")
                return tag("input", type=kind, value=text, required=required, step=second, **rules)
            case _:
                return area(text, rows=2, required=required, **rules)

    def _object(self, field: Field, name: str, label: str, value: Json) -> Html:
        known = members(value)
        is_spare = field.nullable or not field.required
        self._spare += is_spare
        inside = [self.any(one, below(name, key), key.replace("_", " "), known.get(key)) for key, one in field.fields]
        self._spare -= is_spare
        if name == ROOT:
            return joined(inside)
        optional = " (optional: leave it empty)" if is_spare else ""
        note = tag("p", field.note, class_="note") if field.note else ""
        return tag(
            "fieldset",
            tag("legend", label or field.title, optional),
            note,
            self._fault(name),
            inside,
            id=self._within + name,
        )

    def _list(self, field: Field, name: str, label: str, value: Json) -> Html:
        values = elements(value)
        item, said = field.item or Field(kind="json"), label or field.title or "list"
        rows = [
            tag(
                "li",
                self.any(item, f"{name}/{i}", f"{said} {i + 1}", one),
                _button("drop", f"{name}/{i}", "Remove", f"Remove {said} {i + 1}"),
            )
            for i, one in enumerate(values)
        ]
        return tag(
            "fieldset",
            tag("legend", said),
            tag("p", field.note, class_="note") if field.note else "",
            self._fault(name),
            tag("input", type="hidden", name=f"{name}{COUNT}", value=len(values)),
            tag("ol", rows, class_="items"),
            _button("add", name, "Add one", f"Add one to {said}"),
            id=self._within + name,
        )

    def _fault(self, name: str) -> Html:
        return tag("p", self._faults[name], class_="fault") if name in self._faults else NOTHING


def _button(what: str, name: str, said: str, whole: str) -> Html:
    return tag(
        "button", said, type="submit", name=what, value=name, formnovalidate=True, aria_label=whole, class_="small"
    )


def _select(field: Field, value: Json, rules: Mapping[str, Value], *, required: bool) -> Html:
    choices = field.choices or (True, False)
    named = {True: "yes", False: "no"} if field.kind == "yes_no" else {}
    chosen = json_of(value) if value is not None else ""
    options = [tag("option", "Choose\N{HORIZONTAL ELLIPSIS}" if required else "\N{EN DASH}", value="")]
    if required and len(choices) == 1:
        options, chosen = [], json_of(choices[0])
    for one in choices:
        said = one if isinstance(one, str) else named.get(one, json_of(one)) if isinstance(one, bool) else json_of(one)
        options.append(tag("option", said, value=json_of(one), selected=json_of(one) == chosen))
    return tag("select", options, required=required, **rules)


def _bound(bound: float | None) -> str | None:
    return None if bound is None else f"{bound:g}"
