"""
A version is released once it is told of, committed, and what the package says it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voicepush import __version__

ROOT = Path(__file__).parent.parent

CHANGELOG = f"""# Changelog

## [Unreleased]

## [{__version__}] - 2030-01-02

### Added

- Calls.

## [0.0.1] - 2029-01-02

- Nothing.
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """
    A repository that is ready to be released.
    """
    for name in ("docs/release.py", "voicepush/__init__.py"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(tree: Path, *words: str) -> str:
    """
    What git says in *tree*, as somebody who is named for this.
    """
    who = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    done = subprocess.run(  # noqa: S603 -- ours
        ["git", *who, *words],  # noqa: S607
        cwd=tree,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def commit(tree: Path) -> None:
    """
    Everything that is there.
    """
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "--allow-empty", "-m", "all")


def release(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """
    What becomes of it.
    """
    return subprocess.run(  # noqa: S603 -- ours
        [sys.executable, "docs/release.py", *words],
        cwd=tree,
        check=False,
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "user.name",
            "GIT_CONFIG_VALUE_0": "a",
            "GIT_CONFIG_KEY_1": "user.email",
            "GIT_CONFIG_VALUE_1": "a@localhost",
        },
    )


def test_the_tag_says_what_the_changelog_does(tree: Path) -> None:
    """
    Of that version only; and once it is set it can be checked, but not set again.
    """
    done = release(tree, __version__)

    assert (0, "") == (done.returncode, done.stderr)
    told = git(tree, "tag", "-n99", f"v{__version__}")
    assert "### Added" in told
    assert "- Calls." in told
    assert "Nothing" not in told
    assert 0 == release(tree, __version__, "--check").returncode
    again = release(tree, __version__)
    assert (1, f"the tag v{__version__} is there") == (
        again.returncode,
        again.stderr.partition(":")[0],
    )


@pytest.mark.parametrize(
    ("version", "changelog", "complaint"),
    [
        ("next", CHANGELOG, "next is no version"),
        ("9.0.0", CHANGELOG, f"voicepush/__init__.py says {__version__}"),
        ("9.0.0", CHANGELOG, "CHANGELOG.md has no section"),
        (__version__, CHANGELOG.replace("2030-01-02", "soon"), "has no section"),
        (
            __version__,
            CHANGELOG.replace("### Added\n\n- Calls.\n", ""),
            f"CHANGELOG.md says nothing of {__version__}",
        ),
        (
            __version__,
            CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- A thing.\n"),
            "CHANGELOG.md keeps something under [Unreleased]",
        ),
    ],
)
def test_what_is_not_ready_gets_no_tag(
    tree: Path, version: str, changelog: str, complaint: str
) -> None:
    """
    What is missing is said in one line each.
    """
    (tree / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    commit(tree)

    done = release(tree, version)

    assert 1 == done.returncode
    assert complaint in done.stderr
    assert "" == git(tree, "tag")


def test_what_is_not_committed_gets_no_tag(tree: Path) -> None:
    """
    A tag is of a commit, and nothing else would be released.
    """
    (tree / "new").touch()

    done = release(tree, __version__)

    assert (1, "not everything is committed: see git status\n") == (
        done.returncode,
        done.stderr,
    )
    assert "" == git(tree, "tag")
