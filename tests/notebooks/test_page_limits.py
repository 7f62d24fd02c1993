"""A notebook's page is made in little time and little room, whatever HTML its outputs hold."""

from __future__ import annotations

import time
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from vaportrail.notebooks.html_size import reads_quickly
from vaportrail.notebooks.notebook_html import notebook_html

HOSTILE = {
    "nested": "<div>" * 40_000,
    "nested in quotes' disguise": '<div title="</div>">' * 3_000,
    "closed where it does not count": "<div><table></div></table>" * 3_000,
    "closed in comments": "<div><!--</div>-->" * 3_000,
    "closed in a style": "<div><style></div></style>" * 3_000,
    "stray quotes": '<div x" y="></div>">' * 3_000,
    "lists in lists": "<dd><li>" * 3_000,
    "a name like a style's": "<style-x>" + "<div>" * 3_000,
    "a style in a drawing": "<svg><style>" + "<div>" * 3_000,
    "out of a drawing": "<svg><p></p>" + "<x/>" * 3_000,
    "formatting": "".join(f"<p><font color=a{n}>" for n in range(2_000)),
    "formatting closed in a cell": "".join(
        f"<font color=a{n}><table><td></font></table><p>" for n in range(2_000)
    ),
    "long formatting": "".join(f"<p><font color={'a' * 5_000}{n}>" for n in range(190)),
}
ORDERLY = {
    "a table": "<table>"
    + 900 * ("<tr>" + 10 * '<td><a href="https://x.y">x</a></td>' + "</tr>")
    + "</table>",
    "a table without its ends": "<table>" + "<tr><td>1<td>2" * 3_000,
    "a list without its ends": "<ul>" + "<li>one" * 3_000 + "</ul>",
    "paragraphs": '<p>It is <b>one</b> "word", isn\'t it' * 3_000,
    "a script": '<script>for (i=0;i<n;i++) x="<div>"+"</p>";</script>' * 100,
    "a drawing": "<svg><style>a{}</style>" + "<path d='M 0 0'/>" * 3_000 + "</svg>",
    "a quoted >": '<div title="a > b">x</div>' * 3_000,
}


def page(*cells: Any) -> str:
    return notebook_html(new_notebook(cells=list(cells)), "title")


def showing(**forms: str) -> Any:
    data = {f"text/{kind}": text for kind, text in forms.items()}
    return new_code_cell("x", execution_count=1, outputs=[new_output("display_data", data)])


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_html_that_a_parser_would_be_long_with_is_named_and_not_parsed(source: str) -> None:
    begun = time.process_time()
    made = [page(showing(html=source)), page(showing(markdown=source)), page(new_markdown_cell(source))]

    assert ["too large to show" in one for one in made] == [True, True, True]
    assert max(map(len, made)) < 10_000
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("source", ORDERLY.values(), ids=ORDERLY)
def test_html_that_is_only_long_is_shown(source: str) -> None:
    assert reads_quickly(source)
    assert "too large" not in page(showing(html=source + "x"))


def test_the_text_of_an_output_stands_for_html_that_is_too_large() -> None:
    made = page(showing(html="<div>" * 3_000, plain="the text of it"))

    assert "the text of it" in made


def test_a_page_has_an_end_however_many_outputs_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaportrail.notebooks.notebook_html._LONGEST_PAGE", 25)

    made = page(*(showing(html=f"<p>output {n}</p>") for n in range(3)))

    assert [f"output {n}<" in made for n in range(3)] == [True, False, False]
