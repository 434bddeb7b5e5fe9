"""GET /docs: the documentation page of the API, Swagger UI.

Its files come from a Python package, so that the page loads nothing from another server. The package is a plugin of
MkDocs; only these files of it are used. flask-swagger-ui has them too but would add a second web framework.
"""

from collections.abc import Mapping
from importlib.resources import files

from gateway.transport.responses.static_response import StaticResponse

_HTML = b"text/html; charset=utf-8"
_SCRIPT = b"text/javascript; charset=utf-8"
_STYLE = b"text/css; charset=utf-8"

# Scripts and styles come from files of this server and never inline, so that no text in the document can run as code.
# Swagger UI's own style sheet has its icons in data: URLs.
_CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_PAGE_HEADERS = (
    (
        b"content-security-policy",
        "; ".join(f"{directive} {sources}" for directive, sources in _CONTENT_SECURITY_POLICY.items()).encode(),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def docs_page() -> Mapping[str, StaticResponse]:
    """Return the page and the files that it loads, by path."""
    static_files = files("gateway.transport.docs").joinpath("static")
    swagger_ui = files("mkdocs_swagger_ui_tag").joinpath("swagger-ui")
    script = swagger_ui.joinpath("javascripts", "swagger-ui-bundle.js")
    style = swagger_ui.joinpath("stylesheets", "swagger-ui.css")
    return {
        "/docs": StaticResponse(static_files.joinpath("docs.html").read_bytes(), _HTML, headers=_PAGE_HEADERS),
        "/docs/start.js": StaticResponse(static_files.joinpath("start.js").read_bytes(), _SCRIPT),
        "/docs/page.css": StaticResponse(static_files.joinpath("page.css").read_bytes(), _STYLE),
        "/docs/icon.svg": StaticResponse(static_files.joinpath("icon.svg").read_bytes(), b"image/svg+xml"),
        "/docs/swagger-ui.js": StaticResponse(script.read_bytes(), _SCRIPT),
        "/docs/swagger-ui.css": StaticResponse(style.read_bytes(), _STYLE),
    }
