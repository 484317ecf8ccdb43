"""
Everything that is checked, as tasks: for a person, and for machines that check.

``nox`` alone runs what one runs before a commit, ``nox --list`` tells of the others.
The tasks of every day run in the environment that nox is installed in. A task that
needs other versions makes an environment of its own, with uv.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["style", "types", "house", "quick"]

ROOT = Path(__file__).parent
PYTHONS = ("3.11", "3.12", "3.13")
LOCK = "development.lock"

#: Three at a time on two cores, since many tests wait more than they work. Where
#: servers and browsers are started, a file's tests stay together.
_QUICK = ("-m", "not slow", "-n", "3", "--dist", "worksteal")
_WHOLE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")


def _run(session: nox.Session, program: str, *arguments: str) -> None:
    """
    Run *program* of the environment that nox is installed in.
    """
    path = Path(sys.executable).parent / program
    session.run(str(path), *arguments, external=True)


@nox.session(venv_backend="none")
def style(session: nox.Session) -> None:
    """
    How code is written and laid out, docstrings too.
    """
    _run(session, "ruff", "check")
    _run(session, "ruff", "format", "--check")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """
    Types: all of the code, and its public face as another checker sees it.
    """
    _run(session, "mypy")
    _run(session, "basedpyright")


@nox.session(venv_backend="none")
def house(session: nox.Session) -> None:
    """
    Who may import whom.
    """
    _run(session, "lint-imports", "--no-logo")


@nox.session(venv_backend="none")
def quick(session: nox.Session) -> None:
    """
    The tests that one runs before a commit; what follows ``--`` is pytest's.
    """
    _run(session, "pytest", *_QUICK, *session.posargs)


@nox.session(venv_backend="none")
def whole(session: nox.Session) -> None:
    """
    All tests, and how much of the code they reach.
    """
    words = (*_WHOLE, "--cov", "--cov-report=")
    _run(session, "pytest", *words, *session.posargs)
    session.notify("coverage")


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """
    Whether the tests that were run last reach nearly every branch.
    """
    _run(session, "coverage", "report")


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """
    The demo agrees with its stand-in; some of its numbers are refused on purpose.
    """
    path = Path(sys.executable).parent / "voicepush"
    words = ("demo", "--json", "--rate", "40000")
    session.run(str(path), *words, external=True, success_codes=[0, 1])


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """
    The quick tests on every Python that is supported, with the newest versions.
    """
    session.install("-e", ".[test]")
    session.run("pytest", *_QUICK, *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """
    The quick tests with the lowest version of each dependency that is said to do.
    """
    session.install("--resolution", "lowest-direct", "-e", ".[test]")
    session.run("pytest", *_QUICK, *session.posargs)


@nox.session(python=PYTHONS[0])
def package(session: nox.Session) -> None:
    """
    Wheel and source archive are built, and each is installed and tried as users do.
    """
    folder = Path(session.create_tmp())
    built, unpacked = folder / "built", folder / "unpacked"
    for each in (built, unpacked):
        session.run("rm", "-rf", str(each), external=True)
    _run(session, "uv", "build", "--quiet", "--out-dir", str(built))

    (wheel,) = built.glob("*.whl")
    session.install(str(wheel))
    with session.chdir(folder):  # away from the tree, whose package would be found
        session.run("voicepush", "--version")
        demo = ("voicepush", "demo", "--recipients", "2000", "--rate", "40000")
        session.run(*demo, success_codes=[0, 1], silent=True)

    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(unpacked, filter="data")
    (tree,) = unpacked.iterdir()
    session.install(f"{tree}[test]")
    with session.chdir(tree):
        session.run("pytest", *_QUICK, *session.posargs)


@nox.session(python=PYTHONS[0])
def example(session: nox.Session) -> None:
    """
    A project of our users, with what they get: the wheel, and nothing else of ours.
    """
    folder = Path(session.create_tmp())
    session.run(
        "rm", "-rf", str(folder / "built"), str(folder / "project"), external=True
    )
    _run(
        session, "uv", "build", "--quiet", "--wheel", "--out-dir", str(folder / "built")
    )
    (wheel,) = (folder / "built").glob("*.whl")
    project = folder / "project"
    shutil.copytree(ROOT / "docs" / "examples" / "service_tests", project)
    session.install(str(wheel), f"{project}[test]")
    with session.chdir(project):
        session.run("python", "-m", "pytest", "-W", "error")
        python = str(Path(session.bin) / "python")
        _run(session, "mypy", "--python-executable", python)
        _run(session, "basedpyright", "--pythonpath", python)


@nox.session(python=PYTHONS[0])
def fuzz(session: nox.Session) -> None:
    """
    Mangled inputs for every reader, so many seconds each: those that follow ``--``.
    """
    seconds = session.posargs or ["10"]
    session.install("-e", ".[test]", "atheris")
    for corpus in sorted((ROOT / "tests" / "fuzzing" / "corpus").iterdir()):
        words = ("tests/fuzz.py", corpus.name, "--seconds", *seconds)
        session.run("python", *words, silent=True)


@nox.session(venv_backend="none")
def compare(session: nox.Session) -> None:
    """
    Hot functions against those of the commit that this branch began at: ratios.
    """
    _run(session, "python", "benchmarks/merge_base.py", *session.posargs)


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """
    Write the newest versions that go together into the lock for development.
    """
    words = ("--universal", "--python-version", PYTHONS[0], "--no-annotate")
    extras = ("--extra", "test", "--extra", "bench")
    said = ("--custom-compile-command", "nox -s lock")
    written = ("--upgrade", "--quiet", "--output-file", LOCK, "pyproject.toml")
    _run(session, "uv", "pip", "compile", *words, *extras, *said, *written)


@nox.session(venv_backend="none")
def release(session: nox.Session) -> None:
    """
    Set the tag of a version, which follows ``--``; it is refused if anything is amiss.
    """
    _run(session, "python", "docs/release.py", *session.posargs)
