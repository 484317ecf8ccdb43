"""
An extension of Griffe, which reads the code for the library's pages: fields as a list.

Values are told by their fields, with types, defaults and comments; a heading for each
would make every value a page long. The comments are found by ``griffe_sphinx`` before.
"""

from __future__ import annotations

from collections.abc import Iterator

import griffe


class Fields(griffe.Extension):
    """
    Moves the fields of each class from its members into its docstring.
    """

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """
        Change the classes of *pkg*, which is read as a whole.
        """
        fields = {cls: _fields_of(cls) for cls in _classes_of(pkg)}
        for cls, own_and_inherited in fields.items():
            _tell(cls, own_and_inherited)
        # Not before all are told, since a class may inherit what another has.
        for cls, own_and_inherited in fields.items():
            for each in own_and_inherited:
                cls.members.pop(each.name, None)


def _classes_of(place: griffe.Object) -> Iterator[griffe.Class]:
    for member in place.members.values():
        if isinstance(member, griffe.Class):
            yield member
        if isinstance(member, griffe.Class | griffe.Module):
            yield from _classes_of(member)


def _fields_of(cls: griffe.Class) -> list[griffe.Attribute]:
    if any("Enum" in str(base) for base in cls.bases):
        return []
    members = (_itself(each) for each in cls.all_members.values())
    return [
        each
        for each in members
        if isinstance(each, griffe.Attribute) and _is_field(each)
    ]


def _itself(member: griffe.Object | griffe.Alias) -> griffe.Object:
    """
    *member*, also where it is inherited.
    """
    return member.final_target if isinstance(member, griffe.Alias) else member


def _tell(cls: griffe.Class, fields: list[griffe.Attribute]) -> None:
    if not fields:
        return
    if cls.docstring is None:
        cls.docstring = griffe.Docstring("", parent=cls)
    told = [_told(each) for each in fields]
    section = griffe.DocstringSectionParameters(told, title="Fields")
    cls.docstring.parsed.insert(1, section)


def _is_field(attribute: griffe.Attribute) -> bool:
    return (
        attribute.annotation is not None
        and not attribute.name.startswith("_")
        and "property" not in attribute.labels
    )


def _told(field: griffe.Attribute) -> griffe.DocstringParameter:
    return griffe.DocstringParameter(
        field.name,
        description=field.docstring.value if field.docstring else "",
        annotation=field.annotation,
        value=_default_of(field.value),
    )


def _default_of(value: str | griffe.Expr | None) -> str | None:
    """
    The default in *value*, which may be a call of ``attrs.field``.
    """
    if not isinstance(value, griffe.ExprCall):
        return None if value is None else str(value)
    given = {
        each.name: str(each.value)
        for each in value.arguments
        if isinstance(each, griffe.ExprKeyword)
    }
    if "factory" in given:
        return f"{given['factory']}()"
    return given.get("default")
