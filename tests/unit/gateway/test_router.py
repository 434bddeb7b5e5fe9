import pytest

from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.http.http_rules import parse_template
from gateway.transcoding.http.router import MethodNotAllowed, RouteNotFound, Router
from gateway.transcoding.violations import InvalidRequest


@pytest.fixture
def router() -> Router[str]:
    router: Router[str] = Router()
    for method, path in (
        ("GET", "/tasks"),
        ("POST", "/tasks"),
        ("GET", "/tasks:export"),
        ("GET", "/tasks/{id}"),
        ("DELETE", "/tasks/{id}"),
        ("POST", "/tasks/{id}:undelete"),
        ("GET", "/tasks/{task_id}/events"),
        ("GET", "/tasks/latest"),
        ("GET", "/tasks/{task_id}/{event_id}/raw.csv"),
    ):
        router.add(method, parse_template(path), f"{method} {path}")
    return router


@pytest.mark.parametrize(
    ("method", "path", "target", "values"),
    [
        ("GET", b"/tasks", "GET /tasks", ()),
        ("GET", b"/tasks:export", "GET /tasks:export", ()),
        ("GET", b"/tasks/42", "GET /tasks/{id}", ("42",)),
        ("GET", b"/tasks/latest", "GET /tasks/latest", ()),
        ("DELETE", b"/tasks/latest", "DELETE /tasks/{id}", ("latest",)),
        ("POST", b"/tasks/42:undelete", "POST /tasks/{id}:undelete", ("42",)),
        ("GET", b"/tasks/42/events", "GET /tasks/{task_id}/events", ("42",)),
        ("GET", b"/tasks/latest/events", "GET /tasks/{task_id}/events", ("latest",)),
        ("GET", b"/tasks/1/2/raw.csv", "GET /tasks/{task_id}/{event_id}/raw.csv", ("1", "2")),
        ("GET", b"/t%61sks", "GET /tasks", ()),
        ("GET", b"/tasks%3Aexport", "GET /tasks:export", ()),
        ("POST", b"/tasks/42%3aundelete", "POST /tasks/{id}:undelete", ("42",)),
        ("POST", b"/tasks/a%3Ab%3Aundelete", "POST /tasks/{id}:undelete", ("a:b",)),
    ],
)
def test_path_matches_its_route(router, method, path, target, values):
    found = router.match(method, path)
    assert (found.target, found.path_values) == (target, values)


@pytest.mark.parametrize(
    ("segment", "text"),
    [(b"a%2Fb", "a/b"), (b"a%3Aundelete", "a:undelete"), (b"%C3%A4", "ä"), (b"%25", "%"), (b"a+b", "a+b")],
)
def test_escaped_characters_in_an_id_are_data(router, segment, text):
    assert router.match("GET", b"/tasks/" + segment).path_values == (text,)


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"*",
        b"/",
        b"/tasks/",
        b"/tasks//events",
        b"/task",
        b"/tasks/42:nope",
        b"/tasks/42/events/7",
        b"/tasks%2F42",
    ],
)
def test_unknown_path_is_not_found(router, path):
    with pytest.raises(RouteNotFound):
        router.match("GET", path)


def test_unsupported_method_lists_allowed_methods(router):
    with pytest.raises(MethodNotAllowed) as raised:
        router.match("PATCH", b"/tasks/latest")
    assert raised.value.allowed == ("DELETE", "GET", "HEAD")


def test_get_route_serves_head(router):
    assert router.match("HEAD", b"/tasks").target == "GET /tasks"


def test_path_that_is_not_utf_8_is_invalid(router):
    with pytest.raises(InvalidRequest) as raised:
        router.match("GET", b"/tasks/%ff")
    assert raised.value.violations[0].reason == "MALFORMED_PATH"


def test_duplicate_route_stops_start(router):
    with pytest.raises(UnsupportedContract, match="bound twice"):
        router.add("GET", parse_template("/tasks/{other}"), "again")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (b"/tasks", ("GET", "HEAD", "POST")),
        (b"/tasks/42", ("DELETE", "GET", "HEAD")),
        (b"/tasks/latest", ("DELETE", "GET", "HEAD")),
        (b"/tasks/42:undelete", ("POST",)),
        (b"/tasks/42%3Aundelete", ("DELETE", "GET", "HEAD", "POST")),
        (b"/nowhere", ()),
        (b"*", ()),
    ],
)
def test_methods_are_those_of_all_routes_of_a_path(router, path, methods):
    """An escaped verb has both readings, as in a match."""
    assert router.methods(path) == methods
