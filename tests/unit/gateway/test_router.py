import pytest

from gateway.transcoding.http_rules import UnsupportedContract, parse_template
from gateway.transcoding.router import NoRoute, Router, WrongMethod
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
    ],
)
def test_a_path_finds_its_route(router, method, path, target, values):
    found = router.match(method, path)
    assert (found.target, found.values) == (target, values)


@pytest.mark.parametrize(
    ("segment", "text"),
    [(b"a%2Fb", "a/b"), (b"a%3Aundelete", "a:undelete"), (b"%C3%A4", "ä"), (b"%25", "%"), (b"a+b", "a+b")],
)
def test_what_is_escaped_inside_an_id_is_data(router, segment, text):
    assert router.match("GET", b"/tasks/" + segment).values == (text,)


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
def test_a_path_that_is_no_route_is_not_found(router, path):
    with pytest.raises(NoRoute):
        router.match("GET", path)


def test_a_method_that_a_path_does_not_answer_is_told_those_that_it_does(router):
    with pytest.raises(WrongMethod) as refused:
        router.match("PATCH", b"/tasks/latest")
    assert refused.value.allowed == ("DELETE", "GET", "HEAD")


def test_head_is_answered_wherever_get_is(router):
    assert router.match("HEAD", b"/tasks").target == "GET /tasks"


def test_escapes_that_are_not_utf_8_are_refused(router):
    with pytest.raises(InvalidRequest) as refused:
        router.match("GET", b"/tasks/%ff")
    assert refused.value.violations[0].reason == "MALFORMED_PATH"


def test_a_route_that_is_bound_twice_stops_start_up(router):
    with pytest.raises(UnsupportedContract, match="bound twice"):
        router.add("GET", parse_template("/tasks/{other}"), "again")
