"""An executed notebook as one HTML page that runs nothing and loads nothing."""

from __future__ import annotations

import html
from typing import Any, Final

__all__ = ["notebook_html"]

# Belt and braces: the body is sanitised, and the page may not run or load anything anyway.
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; background: #f6f8fa; padding: .6rem; border-radius: 4px; font-size: 13px; }
.output_stderr pre, .jp-RenderedText[data-mime-type$="stderr"] pre { background: #fff1f0; }
.prompt, .jp-InputPrompt, .jp-OutputPrompt { color: #888; font: 12px monospace; }
table { border-collapse: collapse; } td, th { border: 1px solid #ddd; padding: .2rem .5rem; }
img { max-width: 100%; }
@media (prefers-color-scheme: dark) {
  body { background: #111; color: #ddd; } pre { background: #1c1f24; } td, th { border-color: #444; }
}
"""


def notebook_html(notebook: Any, title: str) -> str:
    """Return the notebook as a page; scripts, handlers and outside addresses are taken out."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", sanitize_html=True)
    body, _ = exporter.from_notebook_node(notebook)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )
