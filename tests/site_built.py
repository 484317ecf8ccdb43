"""
The site of the documentation, built for tests: its pages, and a server for them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import attrs

ROOT = Path(__file__).parent.parent

#: What loads something by itself: elements, and where they say what.
_LOADING = {
    *(("script", "src"), ("img", "src"), ("img", "srcset"), ("iframe", "src")),
    *(("source", "src"), ("source", "srcset"), ("video", "src"), ("video", "poster")),
    *(("audio", "src"), ("embed", "src"), ("object", "data"), ("input", "src")),
    *(("link", "href"), ("use", "href"), ("form", "action"), ("base", "href")),
}

#: Links of a page that tell where it belongs, and load nothing.
_TELLING = {"next", "prev", "canonical"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = {""}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") in _TELLING:
            self.links.append(given["href"])
            return
        self.loaded += [
            given[name]
            for element, name in _LOADING
            if element == tag and name in given
        ]


@attrs.frozen
class Page:
    """
    A page of the site as it lies on the disk.
    """

    file: Path
    #: What it loads by itself: scripts, styles, pictures.
    loaded: list[str]
    #: Where one may go from it.
    links: list[str]
    #: What can be linked to within it.
    anchors: set[str]

    @classmethod
    def read(cls, file: Path) -> Page:
        """
        The page in *file*.
        """
        reader = _Reader()
        reader.feed(file.read_text(encoding="utf-8"))
        return cls(file, reader.loaded, reader.links, reader.anchors)

    def target(self, link: str) -> tuple[Path, str]:
        """
        The file that *link* leads to from here, and the anchor in it.
        """
        parts = urlsplit(link)
        path = unquote(parts.path)
        file = (self.file.parent / path).resolve() if path else self.file
        if file.is_dir():
            file /= "index.html"
        return file, unquote(parts.fragment)


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """
    Build the site of the documentation that lies in *folder*.
    """
    return subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, str(folder / "docs" / "build.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def copy_of_docs(folder: Path) -> None:
    """
    Bring what the site is made of into *folder*, so that the project stays as it is.
    """
    shutil.copy(ROOT / "zensical.toml", folder)
    made = shutil.ignore_patterns("reference", "__pycache__")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=made)


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """
        Say nothing.
        """


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """
    The address at which *folder* is served.
    """
    handler = partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
