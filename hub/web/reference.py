"""The reference page of the API, made of its OpenAPI document.

Plain HTML, one style sheet, no script, nothing foreign.

HTML is built of elements whose texts are escaped where they are put in: nothing that is shown can become
markup.
"""

import html
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font-family: "Noto Sans JP", system-ui, sans-serif; line-height: 1.7; margin: 0 auto; max-width: 60rem;
  padding: 1rem; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.3; }
h2 { border-top: 2px solid; margin-top: 2.5rem; padding-top: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { border: 1px solid; border-radius: 8px; overflow-x: auto; padding: 0.75rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid; padding: 0.4rem 0.5rem; text-align: left; vertical-align: top; }
td:first-child, th:first-child { white-space: nowrap; padding-left: 0; }
@media (min-width: 40rem) { td:last-child { overflow-wrap: normal; } }
a:focus-visible, summary:focus-visible { background: #ffd43d; color: #000; outline: 4px solid #000; }
"""


class Html(str):
    """Text that is already HTML."""

    __slots__ = ()


def element(tag: str, *children: "Html | str", **attributes: str) -> Html:
    """One element. Texts and attribute values are escaped; `id_` and `class_` lose their underscore."""
    named = "".join(f' {name.rstrip("_")}="{html.escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{named}>{joined(children)}</{tag}>")


def joined(parts: Iterable["Html | str"]) -> Html:
    """Parts one after another, escaped where they are not HTML."""
    return Html("".join(part if isinstance(part, Html) else html.escape(part) for part in parts))


def reference_page(document: dict[str, Any], nonce: str) -> str:
    """The whole page, in English and Japanese."""
    info = document["info"]
    head = element(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", f"{info['title']} — APIリファレンス"),
        element("style", Html(_STYLE), nonce=nonce),
    )
    body = element(
        "body",
        element(
            "header",
            element("h1", info["title"]),
            element("p", info["description"]),
            element("p", "OpenAPI 3.1: ", element("a", "openapi.json", href="openapi.json")),
        ),
        element("main", *_sections(document)),
    )
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="ja")


def _sections(document: dict[str, Any]) -> Iterator[Html]:
    for tag in document["tags"]:
        yield element("h2", tag["description"], id_=f"audience-{tag['name']}")
        yield from _operations(document, tag["name"])
    if document["components"]["securitySchemes"]:
        yield element("h2", "Who is asking / 認証")
        for name, scheme in document["components"]["securitySchemes"].items():
            yield element("p", element("code", name), f": {scheme.get('description', '')}")
    yield element("h2", "Problems / エラー（RFC 9457）")
    yield _table(("code", "HTTP", "", ""), (_problem_row(*item) for item in document["x-problems"].items()))
    yield element("h2", "Refusals / 受け付けられない理由")
    yield _table(("code", "", ""), (_refusal_row(*item) for item in document["x-refusals"].items()))
    yield element("h2", "Schemas / データ型")
    for name, schema in document["components"]["schemas"].items():
        yield element("h3", name, id_=f"schema-{name}")
        yield element("pre", element("code", json.dumps(schema, ensure_ascii=False, indent=2)), tabindex="0")


def _operations(document: dict[str, Any], tag: str) -> Iterator[Html]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield _operation(path, method, operation)


def _operation(path: str, method: str, operation: dict[str, Any]) -> Html:
    parts = [
        element("h3", element("code", f"{method.upper()} {path}"), id_=operation["operationId"]),
        element("p", f"{operation['summary']} / {operation['x-summary-ja']}"),
        element("p", "Permission / 権限: ", element("code", operation["x-permission"])),
    ]
    if operation["parameters"]:
        parts.append(_table(("name", "in", "schema"), (_parameter_row(one) for one in operation["parameters"])))
    if "requestBody" in operation:
        parts.append(element("p", "Request / リクエスト: ", *_media(operation["requestBody"]["content"])))
    parts.append(_table(("HTTP", "", ""), (_answer_row(*item) for item in operation["responses"].items())))
    if "callbacks" in operation:
        rows = (_callback_row(*item) for item in operation["callbacks"].items())
        parts.append(_table(("We send / 送信する内容", "", ""), rows))
    return element("section", *parts)


def _media(content: dict[str, Any]) -> Iterator[Html | str]:
    for media_type, body in content.items():
        name = body["schema"].get("$ref", "").rpartition("/")[2]
        yield element("code", media_type)
        yield " "
        if name:
            yield element("a", name, href=f"#schema-{name}")
            yield " "


def _table(titles: Iterable[str], rows: Iterable[Html]) -> Html:
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    return element("table", element("thead", head), element("tbody", *rows))


def _row(*cells: Html | str, **attributes: str) -> Html:
    return element("tr", *(element("td", cell) for cell in cells), **attributes)


def _parameter_row(parameter: dict[str, Any]) -> Html:
    schema = json.dumps(parameter["schema"], ensure_ascii=False)
    return _row(element("code", parameter["name"]), parameter["in"], element("code", schema))


def _answer_row(status: str, answer: dict[str, Any]) -> Html:
    return _row(status, answer["description"], joined(_media(answer.get("content", {}))))


def _callback_row(name: str, callback: dict[str, Any]) -> Html:
    (sent,) = (methods["post"] for methods in callback.values())
    (body,) = sent["requestBody"]["content"].values()
    data = {"data": {"schema": body["schema"]["properties"]["data"]}}
    return _row(element("code", name), f"{sent['summary']} / {sent['x-summary-ja']}", joined(_media(data)))


def _problem_row(code: str, text: dict[str, Any]) -> Html:
    return _row(
        element("code", code),
        str(text["status"]),
        f"{text['title']}. {text['remedy']}",
        f"{text['title_ja']}。{text['remedy_ja']}",
        id_=f"problem-{code}",
    )


def _refusal_row(code: str, text: dict[str, Any]) -> Html:
    return _row(element("code", code), text["detail"], text["detail_ja"])
