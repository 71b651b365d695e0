"""/api/docs: what openapi.yaml says, for people; everything on it comes from this server."""

import html.parser
import urllib.parse

import pytest

from tests.support.stack import ROOT, call

RENDERER = ROOT / "openapi/page/node_modules/swagger-ui-dist/swagger-ui-bundle.js"


class Sources(html.parser.HTMLParser):
    """What a page loads, and whether it has scripts or styles within itself."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.inline, self.tag = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs, self.tag = dict(attrs), tag
        self.loaded += [attrs[name] for name in ("src", "href") if name in attrs and tag in ("script", "link", "img", "iframe")]
        self.inline += [name for name in attrs if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag):
        self.tag = None

    def handle_data(self, data):
        self.inline += [data] if self.tag in ("script", "style") and data.strip() else []


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/errors/not-found"])
def test_a_page_loads_nothing_from_elsewhere(stack, path):
    page = call("GET", stack.urls[0] + path)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data:" and policy["frame-ancestors"] == "'none'"
    sources = Sources(page.raw.decode())
    assert sources.loaded and not sources.inline
    for source in sources.loaded:
        assert source.startswith("/api/docs/") and not urllib.parse.urlsplit(source).netloc
        part = call("GET", stack.urls[0] + source)
        assert part.status == 200 and part.headers["X-Content-Type-Options"] == "nosniff"
        assert part.headers["Content-Type"] == {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}[source.rpartition(".")[2]]


def test_without_scripts_it_lists_operations_and_codes(stack):
    page = call("GET", stack.urls[0] + "/api/docs").raw.decode()
    assert "abortDeployment" in page and 'href="/api/docs/errors/not-found"' in page


@pytest.mark.skipif(not RENDERER.exists(), reason="no renderer: npm's registry could not be reached (scripts/deps)")
def test_the_renderer_is_built_in(stack):
    script = call("GET", stack.urls[0] + "/api/docs/page.js").raw
    assert script == RENDERER.read_bytes() + (ROOT / "openapi/page/page.js").read_bytes()
    style = call("GET", stack.urls[0] + "/api/docs/page.css").raw
    assert style == (ROOT / "openapi/page/page.css").read_bytes() + RENDERER.with_name("swagger-ui.css").read_bytes()
