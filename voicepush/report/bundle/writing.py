"""
A bundle is written beside its place, and moved there once it is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from voicepush.errors import InputError
from voicepush.report.bundle.chain import as_text, last_of, linked
from voicepush.report.bundle.contents import DIGESTS

_CHUNK_BYTES = 2**20

#: What a zip says of the time of each file, so that equal files make equal zips.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class BundleFile:
    """
    A file of a bundle that is being written, and its digest.
    """

    def __init__(self, path: Path) -> None:
        # Readable by nobody else from its first byte.
        self._file = os.fdopen(os.open(path, _NEW, 0o600), "wb")
        self._sha = hashlib.sha256()

    def write(self, content: str | bytes) -> None:
        """
        Write *content* behind what was written before.
        """
        if isinstance(content, str):
            content = content.encode("utf-8", "backslashreplace")
        self._file.write(content)
        self._sha.update(content)

    def close(self) -> str:
        """
        Make it durable; gives its digest.
        """
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
        return self._sha.hexdigest()


class Building:
    """
    A bundle that is not at its place yet.
    """

    def __init__(self, out: Path, folder: Path) -> None:
        self._out = out
        self._folder = folder
        self._digests: dict[str, str] = {}
        self._zip: Path | None = None

    @contextmanager
    def file(self, name: str) -> Iterator[BundleFile]:
        """
        A file of that *name*, to be written.
        """
        file = BundleFile(self._folder / name)
        try:
            yield file
        finally:
            self._digests[name] = file.close()

    def add(self, name: str, path: Path) -> str:
        """
        Copy the file at *path* into it as *name*; gives its digest.

        Raises:
            InputError: It can't be read.
        """
        with ExitStack() as stack:
            try:
                source = stack.enter_context(path.open("rb"))
            except OSError as error:
                raise InputError(f"{path} can't be read: {error.strerror}") from error
            with self.file(name) as file:
                while chunk := source.read(_CHUNK_BYTES):
                    file.write(chunk)
        return self._digests[name]

    def seal(self, names: Sequence[str]) -> str:
        """
        Chain the digests of the files called *names*, in that order, and make the whole
        ready; gives the last of the chain.
        """
        links = linked((name, self._digests[name]) for name in names)
        with self.file(DIGESTS) as file:
            file.write(as_text(links))
        if _is_zip(self._out):
            self._zip = _zipped(self._folder, [*names, DIGESTS])
        return last_of(links)

    def put(self) -> None:
        """
        Move it to its place, where nothing may be.
        """
        try:
            if self._zip is None:
                self._out.mkdir(mode=0o700)
                self._folder.rename(self._out)
            else:
                _put_file(self._zip, self._out)
        except FileExistsError as error:
            raise _is_there(self._out) from error


@contextmanager
def building(out: Path) -> Iterator[Building]:
    """
    A bundle that is to be at *out*: a zip if that ends in ``.zip``, else a folder.

    Whatever fails, nothing of it remains.

    Raises:
        InputError: Something is there already, or it can't be written.
    """
    if os.path.lexists(out):
        raise _is_there(out)
    try:
        prefix = f".{out.name[:100]}."
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=out.parent))
        try:
            yield Building(out, folder)
        finally:
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)
    except OSError as error:
        raise InputError(
            f"--output {out} can't be written: {error.strerror or error}"
        ) from error


def _is_zip(out: Path) -> bool:
    return out.suffix.lower() == ".zip"


def _is_there(out: Path) -> InputError:
    return InputError(
        f"--output {out} is there already, and nothing is written over it; give "
        "another name"
    )


def _zipped(folder: Path, names: Sequence[str]) -> Path:
    """
    The files of *folder* called *names* as one zip in it.
    """
    path = folder / "bundle.zip"
    with (
        os.fdopen(os.open(path, _NEW, 0o600), "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in names:
            info = zipfile.ZipInfo(name, ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            info.file_size = (folder / name).stat().st_size
            with (folder / name).open("rb") as source, archive.open(info, "w") as entry:
                shutil.copyfileobj(source, entry, _CHUNK_BYTES)
            # The whole takes little more room than its largest file does twice.
            (folder / name).unlink()
        archive.close()
        file.flush()
        os.fsync(file.fileno())
    return path


def _put_file(path: Path, out: Path) -> None:
    try:
        os.link(path, out)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links: hold the place, and take it.
        os.close(os.open(out, _NEW, 0o600))
        path.replace(out)
