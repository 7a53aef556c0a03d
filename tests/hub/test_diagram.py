"""The picture of the route table: well-formed, complete, nothing on top of anything."""

from xml.etree import ElementTree as ET

from hub.diagram import svg
from hub.routes import ROUTES, kind_of

SVG = "{http://www.w3.org/2000/svg}"


def _picture() -> ET.Element:
    return ET.fromstring(svg())  # noqa: S314 - our own text


def test_it_names_every_type_and_every_receiver() -> None:
    told = {text.text for text in _picture().iter(f"{SVG}text")}

    assert {one.__name__ for one in ROUTES} <= told
    assert {receiver for route in ROUTES.values() for receiver in route.receivers} <= told


def test_every_way_has_its_arrow() -> None:
    arrows = list(_picture().iter(f"{SVG}polygon"))
    ways = {
        (one.__module__, kind_of(one), route.delivered_to(), receiver)
        for one, route in ROUTES.items()
        for receiver in route.receivers
    }

    assert len(arrows) == len(ways)


def test_no_two_lines_of_text_share_a_place() -> None:
    places = [(text.get("x"), text.get("y")) for text in _picture().iter(f"{SVG}text")]

    assert len(places) == len(set(places))


def test_everything_is_inside_the_picture() -> None:
    picture = _picture()
    width, height = int(picture.get("width", "0")), int(picture.get("height", "0"))
    for box in picture.iter(f"{SVG}rect"):
        assert float(box.get("x", "0")) + float(box.get("width", "0")) <= width
        assert float(box.get("y", "0")) + float(box.get("height", "0")) <= height


def test_it_is_the_same_each_time() -> None:
    assert svg() == svg()
