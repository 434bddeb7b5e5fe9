"""GET /docs: the API's documentation, to be read and tried out.

The page is Swagger UI. Its files come with a Python package, so that nothing is loaded from elsewhere; of that package,
a plugin of MkDocs, only these files are used. flask-swagger-ui has them too but would bring a second web framework.
"""

from collections.abc import Mapping
from importlib.resources import files

from gateway.transport.static import Static

_HTML = b"text/html; charset=utf-8"
_SCRIPT = b"text/javascript; charset=utf-8"
_STYLE = b"text/css; charset=utf-8"

# Scripts and styles are this server's files and nothing inline, so that a text in the document can never run. Swagger
# UI's own style sheet draws its icons from data: URLs.
_POLICY = {
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
    (b"content-security-policy", "; ".join(f"{name} {sources}" for name, sources in _POLICY.items()).encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def docs_pages() -> Mapping[str, Static]:
    """The page and what it loads, by path."""
    ours = files("gateway.transport").joinpath("pages")
    theirs = files("mkdocs_swagger_ui_tag").joinpath("swagger-ui")
    return {
        "/docs": Static(ours.joinpath("docs.html").read_bytes(), _HTML, headers=_PAGE_HEADERS),
        "/docs/start.js": Static(ours.joinpath("start.js").read_bytes(), _SCRIPT),
        "/docs/page.css": Static(ours.joinpath("page.css").read_bytes(), _STYLE),
        "/docs/icon.svg": Static(ours.joinpath("icon.svg").read_bytes(), b"image/svg+xml"),
        "/docs/swagger-ui.js": Static(theirs.joinpath("javascripts", "swagger-ui-bundle.js").read_bytes(), _SCRIPT),
        "/docs/swagger-ui.css": Static(theirs.joinpath("stylesheets", "swagger-ui.css").read_bytes(), _STYLE),
    }
