"""
Sets the tag of a version, after everything that a release needs was found to be there.

``python docs/release.py 1.2.0`` sets the tag v1.2.0 here, with what the changelog says
of it as its message; ``--check`` only looks. Pushing the tag is left to a person.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: The heading of a version's section, with its date.
_HEADING = r"^## \[{}\] - \d{{4}}-\d\d-\d\d$"


def section_of(changelog: str, version: str) -> str | None:
    """
    What *changelog* says of *version*, without the heading; None if it has no section.
    """
    found = re.search(_HEADING.format(re.escape(version)), changelog, re.MULTILINE)
    if found is None:
        return None
    return re.split(r"^## ", changelog[found.end() :], flags=re.MULTILINE)[0].strip()


def waiting(changelog: str) -> str:
    """
    What *changelog* still keeps for a later version.
    """
    found = re.search(r"^## \[Unreleased\]$", changelog, re.MULTILINE)
    if found is None:
        return ""
    return re.split(r"^## ", changelog[found.end() :], flags=re.MULTILINE)[0].strip()


def version_of(source: str) -> str | None:
    """
    The version that the package's *source* says it has.
    """
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    return found and found[1]


def amiss(
    version: str, *, source: str, changelog: str, changed: str, tags: list[str]
) -> Iterator[str]:
    """
    Everything that keeps *version* from being released, each in one line.

    Args:
        source: The package's own ``__init__.py``.
        changelog: The whole changelog.
        changed: What git says is not committed.
        tags: Those that are there.
    """
    if re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version) is None:
        yield f"{version} is no version: write it as 1.2.0 or 1.2.0rc1"
    if (said := version_of(source)) != version:
        yield f"voicepush/__init__.py says {said}: set __version__ to {version}"
    section = section_of(changelog, version)
    if section is None:
        yield f"CHANGELOG.md has no section: write '## [{version}] - YYYY-MM-DD'"
    elif not section:
        yield f"CHANGELOG.md says nothing of {version}: tell what has changed"
    if waiting(changelog):
        yield "CHANGELOG.md keeps something under [Unreleased]: move it into a section"
    if changed:
        yield "not everything is committed: see git status"
    if f"v{version}" in tags:
        yield f"the tag v{version} is there: a version is released once"


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def main() -> int:
    """
    Look, and set the tag if all is well.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("version", help="such as 1.2.0")
    parser.add_argument("--check", action="store_true", help="set no tag")
    arguments = parser.parse_args()
    tag = f"v{arguments.version}"
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    tags = _git("tag").splitlines()
    if arguments.check and _git("tag", "--points-at", "HEAD") == tag:
        tags.remove(tag)  # it is this commit that is looked at
    found = list(
        amiss(
            arguments.version,
            source=(ROOT / "voicepush" / "__init__.py").read_text(encoding="utf-8"),
            changelog=changelog,
            changed=_git("status", "--porcelain"),
            tags=tags,
        )
    )
    for line in found:
        print(line, file=sys.stderr)
    if found:
        return 1
    if not arguments.check:
        section = section_of(changelog, arguments.version)
        _git("tag", "-a", tag, "--cleanup=verbatim", "-m", f"{tag}\n\n{section}")
        print(f"{tag} is set here; push it with: git push origin {tag}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
