"""A released version of a message keeps its promise: what was said in it yesterday can be read today.

Run as `python -m tools.contract_changes`: compares docs/contracts/messages, which is what the code says now, with
docs/contracts/released.jsonl, which is what has been promised, one type a line; ends with status 1 at a breach, or when
something new has not been promised yet. `--take` promises what is new (`make contracts` does that); it never takes a
breach. docs/contracts/README.md tells what to do then.

The direction is that of a reader: old messages, new program. So a field may be added if it can be left out, and nothing
may be removed, renamed, made required or narrowed. What this cannot judge, such as another pattern, it calls a breach.
Answers are not looked at: they are not kept.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "contracts"
RELEASED: Final = "released.jsonl"

Above: TypeAlias = frozenset[tuple[str | None, str | None]]

AT_LEAST: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
AT_MOST: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
WORDS: Final = frozenset({"title", "description", "default", "examples", "deprecated", "discriminator", "$defs"})
"""They change nothing about what is valid. (A discriminator only says which of the alternatives to try.)"""
JUDGED: Final = frozenset(
    {"$ref", "type", "enum", "const", "properties", "required", "items", "prefixItems", "anyOf", "oneOf",
     "additionalProperties"}
)  # fmt: skip


def breaches(old: Schema, new: Schema) -> list[str]:
    """How messages that fit `old` may not fit `new`; each with the place, as a JSON pointer into the message."""
    found = [f"{key} was {old.get(key)!r}" for key in ("x-kind", "x-personal") if old.get(key) != new.get(key)]
    return found + list(_Comparison(old, new).of(old, new, "", frozenset()))


class _Comparison:
    """Two documents, in which references are looked up."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new

    def of(self, old: Schema, new: Schema, place: str, above: Above) -> Iterator[str]:
        """`above` are the pairs of references that are being compared already: a model may hold its own kind."""
        pair = old.get("$ref"), new.get("$ref")
        if pair in above:
            return
        if any(pair):
            above |= {pair}
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if "anyOf" in old or "oneOf" in old:
            for one in _alternatives(old):
                yield from self.of(one, new, place, above)
        elif "anyOf" in new or "oneOf" in new:
            tried = [list(self.of(old, one, place, above)) for one in _alternatives(new)]
            yield from min(tried, key=len)
        else:
            yield from self._values(old, new, place)
            yield from self._fields(old, new, place, above)
            yield from self._items(old, new, place, above)

    def _values(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        """Types, enumerations, limits; and whatever else there is, which must be the same."""
        where = place or "/"
        if not _types(old) <= _types(new):
            yield f"{where}: was of type {_told(_types(old))}, is of {_told(_types(new))}"
        allowed, was_allowed = _allowed(new), _allowed(old)
        if allowed is not None and (was_allowed is None or any(one not in allowed for one in was_allowed)):
            yield f"{where}: some values are allowed no longer"
        for key in (set(old) | set(new)) - JUDGED - WORDS:
            if key.startswith(("$", "x-")) or key not in new:
                continue
            if key in AT_LEAST and key in old:
                narrowed = new[key] > old[key]
            elif key in AT_MOST and key in old:
                narrowed = new[key] < old[key]
            else:
                narrowed = new[key] != old.get(key)
            if narrowed:
                yield f"{where}: {key} was {old.get(key, 'not said')}, is {new[key]}"

    def _fields(self, old: Schema, new: Schema, place: str, above: Above) -> Iterator[str]:
        had, has = old.get("properties", {}), new.get("properties", {})
        others = new.get("additionalProperties", True)
        for name in had:
            if name in has:
                yield from self.of(had[name], has[name], f"{place}/{name}", above)
            elif others is False:
                yield f"{place}/{name}: is gone"
            elif isinstance(others, Mapping):
                yield from self.of(had[name], others, f"{place}/{name}", above)
        for name in set(new.get("required", ())) - set(old.get("required", ())):
            yield f"{place}/{name}: is required now"
        were = old.get("additionalProperties", True)
        if "object" in _types(old) and were is not False:
            for name in set(has) - set(had):
                yield from self.of(were if isinstance(were, Mapping) else {}, has[name], f"{place}/{name}", above)
            if others is False:
                yield f"{place or '/'}: takes no further fields any more"
            elif isinstance(others, Mapping):
                yield from self.of(were if isinstance(were, Mapping) else {}, others, f"{place}/*", above)

    def _items(self, old: Schema, new: Schema, place: str, above: Above) -> Iterator[str]:
        if len(old.get("prefixItems", ())) != len(new.get("prefixItems", ())):
            yield f"{place or '/'}: has another number of items"
            return
        for number, (was, now) in enumerate(zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=True)):
            yield from self.of(was, now, f"{place}/{number}", above)
        if isinstance(new.get("items"), Mapping):
            was = old.get("items")
            yield from self.of(was if isinstance(was, Mapping) else {}, new["items"], f"{place}/*", above)


def _resolved(document: Schema, schema: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    named: Schema = document["$defs"][reference.removeprefix("#/$defs/")]
    return named


def _alternatives(schema: Schema) -> list[Schema]:
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf"} | WORDS}
    return [{**rest, **one} for one in schema.get("anyOf", schema.get("oneOf", ()))]


ANYTHING: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


def _types(schema: Schema) -> frozenset[str]:
    """What kinds of JSON value fit; every integer is a number too."""
    said = schema.get("type")
    if said is None:
        values = _allowed(schema)
        return ANYTHING if values is None else frozenset(_type_of(value) for value in values)
    named = frozenset([said] if isinstance(said, str) else said)
    return named | {"integer"} if "number" in named else named


def _type_of(value: object) -> str:
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _allowed(schema: Schema) -> list[Any] | None:
    """The values that are named one by one; None: they are not."""
    if "const" in schema:
        return [schema["const"]]
    named: list[Any] | None = schema.get("enum")
    return named


def _told(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def promised(folder: Path) -> dict[str, Schema]:
    """The schemas that are kept to, by type."""
    path = folder / RELEASED
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {one["x-type"]: one for one in map(json.loads, lines)}


def said_now(folder: Path) -> dict[str, Schema]:
    """The schemas as they are, by type."""
    files = sorted((folder / "messages").glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def faults(folder: Path) -> list[str]:
    """Every promise that is broken."""
    now = said_now(folder)
    found: list[str] = []
    for name, old in promised(folder).items():
        if name not in now:
            found.append(f"{name}: is read no longer")
        else:
            found += [f"{name}: {breach}" for breach in breaches(old, now[name])]
    return found


def take(folder: Path) -> None:
    """Promise what the code says now; one line a type, so that a change is seen by the line it stands in."""
    lines = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in said_now(folder).values())
    (folder / RELEASED).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Are the promises about messages kept?")
    parser.add_argument("--take", action="store_true", help="promise what is new")
    options = parser.parse_args(arguments)
    found = faults(folder)
    for fault in found:
        print(fault)
    if found:
        print("make a new version of the message, or take the promise back: docs/contracts/README.md", file=sys.stderr)
        return 1
    if options.take:
        take(folder)
    elif promised(folder) != said_now(folder):
        print("something new is not promised yet: make contracts", file=sys.stderr)
        return 1
    print(f"contract changes: {len(promised(folder))} messages, 0 breaches")
    return 0


if __name__ == "__main__":
    sys.exit(main())
