"""
The site of the documentation: it is built without a complaint, asks nothing of others,
leads nowhere in vain, and can be read in a browser.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import SCREENS, WIDE, Screen, Watch, Watched
from page_faults import axe, broken_words, sideways, small_text
from site_built import ROOT, Page, build, copy_of_docs, serving

#: For what looks at a page; all else runs without a loop.
_in_browser = pytest.mark.asyncio(loop_scope="session")

#: The smallest site that the programs of the documentation build.
_SMALL = """
[project]
site_name = "small"
nav = [{ "One" = "index.md" }]
[project.plugins.mkdocstrings.handlers.python.options]
docstring_style = "google"
"""

#: A module whose docstring tells of an argument that is not there.
_ODD = '''
def odd(one: int) -> None:
    """
    Do nothing.

    Args:
        two: Which it has not.
    """
'''

_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The folder of the site as everyone builds it.
    """
    folder = tmp_path_factory.mktemp("docs")
    copy_of_docs(folder)
    built = build(folder)

    assert 0 == built.returncode, built.stdout
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """
    All pages by their files, but for the one that a server shows in place of others.
    """
    files = sorted(set(site.rglob("*.html")) - {site / "404.html"})
    return {file: Page.read(file) for file in files}


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """
    Where it is served.
    """
    with serving(site) as served:
        yield served


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("# One\n\n[two](#one)\n", 0),
        ("# One\n\n[two](two.md)\n", 1),
        ("# One\n\n[two](#two)\n", 1),
        ("# One\n\n::: odd.odd\n", 1),
    ],
    ids=["sound", "no page", "no anchor", "a wrong docstring"],
)
def test_a_warning_is_an_error(text: str, status: int, tmp_path: Path) -> None:
    """
    A link into nothing, or a docstring that is not of its function.
    """
    docs = tmp_path / "docs"
    docs.mkdir()
    for program in ("build", "commands", "library"):
        shutil.copy(ROOT / "docs" / f"{program}.py", docs)
    build_py = docs / "build.py"
    build_py.write_text(build_py.read_text().replace("    write_pages()\n", ""))
    (tmp_path / "zensical.toml").write_text(_SMALL)
    (tmp_path / "odd.py").write_text(_ODD)
    (docs / "index.md").write_text(text)

    built = build(tmp_path)

    assert status == built.returncode, built.stdout


def test_every_page_has_a_place(site: Path) -> None:
    """
    In the navigation of ``zensical.toml``, where each is a line.
    """
    docs = site.parent / "docs"
    there = {str(page.relative_to(docs)) for page in docs.rglob("*.md")}
    there = {page for page in there if not page.startswith("examples/")}
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))

    named = list(_named(settings["project"]["nav"]))

    assert sorted(there) == sorted(named)


def _named(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for each in part.values():
            yield from _named(each)
    elif isinstance(part, list):
        for each in part:
            yield from _named(each)


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    """
    Scripts, styles and pictures lie in the folder, and styles name no font or picture
    of another place.
    """
    assert len(pages) > 35
    for page in pages.values():
        for loaded in page.loaded:
            assert not _ADDRESS.match(loaded), (page.file, loaded)
            assert page.target(loaded)[0].exists(), (page.file, loaded)
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        named = re.findall(r"url\(\s*[\"']?([^\"')]+)", text)
        assert [] == [each for each in named if _ADDRESS.match(each)], style
        assert "@import" not in text
        assert "@font-face" not in text


def test_no_link_leads_nowhere(pages: dict[Path, Page]) -> None:
    """
    Each page, file and anchor that is linked to is there; the others are https.
    """
    for page in pages.values():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                assert link.startswith("https://"), (page.file, link)
                continue
            file, anchor = page.target(link)
            assert file.exists(), (page.file, link)
            if file in pages:
                assert anchor in pages[file].anchors, (page.file, link)


async def _opened(watch: Watch, screen: Screen, address: str) -> Watched:
    watched = await watch(screen)
    await watched.page.goto(address)
    return watched


@_in_browser
@pytest.mark.parametrize("screen", [WIDE, Screen(360, "dark")], ids=str)
async def test_pages_can_be_read(
    screen: Screen, site: Path, pages: dict[Path, Page], address: str, watch: Watch
) -> None:
    """
    No page scrolls sideways, breaks a word, is too small or asks for anything that is
    not its own; wide tables and long lines of code scroll within themselves.
    """
    watched = await watch(screen)
    found: list[str] = []
    for file in pages:
        name = file.relative_to(site)
        await watched.page.goto(f"{address}/{name}")
        for look in (sideways, small_text):
            found += [f"{name}: {said}" for said in await look(watched)]
        found += [f"{name}: {said}" for said in watched.faults]
        watched.forgive()

    assert [] == found


@_in_browser
@pytest.mark.parametrize("screen", SCREENS, ids=str)
@pytest.mark.parametrize("name", ["index", "windows", "reference/library/sending"])
async def test_pages_are_fit_for_everyone(
    name: str, screen: Screen, address: str, watch: Watch
) -> None:
    """
    Axe finds no serious fault, and no number is broken, on any screen.
    """
    watched = await _opened(watch, screen, f"{address}/{name}.html")

    found = await axe(watched) + await broken_words(watched)

    assert [] == found, "\n".join(found)


@_in_browser
async def test_what_is_looked_for_is_found(address: str, watch: Watch) -> None:
    """
    By the search of the site, which asks its own folder only.
    """
    watched = await _opened(watch, WIDE, f"{address}/index.html")
    await watched.page.keyboard.press("Control+k")
    await watched.page.keyboard.type("consent-column")

    await watched.page.get_by_role("link", name="Who has agreed").last.wait_for()
    assert [] == watched.faults


@_in_browser
async def test_the_first_page_says_what_why_and_for_whom(
    address: str, watch: Watch
) -> None:
    """
    In what is seen before anyone scrolls, on a wide screen.
    """
    watched = await _opened(watch, WIDE, f"{address}/index.html")

    for words in ("Call a list of people", "A script that tries again", "you have"):
        box = await watched.page.get_by_text(words).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900, words
