"""The documentation page and its files, requested as a browser does."""

import re

import pytest

PAGES = ["/docs", "/docs/start.js", "/docs/page.css", "/docs/icon.svg", "/docs/swagger-ui.js", "/docs/swagger-ui.css"]


async def test_page_files_are_served_by_the_gateway(rest):
    page = await rest.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {f"/{path}" for path in loaded} == {*PAGES, "/openapi.json"} - {"/docs"}
    for path in loaded:
        assert (await rest.get(f"/{path}")).status_code == 200


async def test_page_policy_blocks_other_hosts_and_inline_code(rest):
    page = await rest.get("/docs")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "://" not in page.text
    assert re.findall(r"<script(?! src=)", page.text) == []


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json"])
async def test_cached_file_is_304(rest, path):
    first = await rest.get(path)
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["x-content-type-options"] == "nosniff"
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        revalidated = await rest.get(path, headers={"if-none-match": known})
        assert (revalidated.status_code, revalidated.content) == (304, b"")
        assert revalidated.headers["etag"] == first.headers["etag"]
    assert (await rest.get(path, headers={"if-none-match": '"other"'})).content == first.content
