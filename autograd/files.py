"""Files that are whole or not there: the only place that writes them, and it knows nothing of what they hold."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__: list[str] = []  # for what writes pictures, pages and models; what users call is there


def path_of(owner: str, path: str | os.PathLike[str]) -> Path:
    """The path of a file, or an error that says who needed one."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise TypeError(f"{owner} needs a str or a Path as path. Received: {path!r} ({type(path).__name__})")
    if "\0" in os.fspath(path):
        raise ValueError(f"{owner} needs a path without null characters. Received: path={os.fspath(path)!r}")
    return Path(path)


def replace(owner: str, path: str | os.PathLike[str], data: bytes) -> None:
    """Put a file with this data at the path, at once: at any moment there is the old one or the new one, whole.

    It is written beside its place, to the disk, and then takes it in one step. A symbolic link stays one, and an older
    file's permissions stay. Where a process is killed in between, a hidden file `.<random>.part` is left over.

    Raises OSError where it cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     replace("my_function", folder + "/note.txt", b"new")
    ...     print(Path(folder, "note.txt").read_text())
    new
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{os.urandom(16).hex()}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            part.chmod(target.stat().st_mode)
        os.replace(part, target)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{owner} needs a folder that exists, may be written and has {len(data):,} bytes left ({error.strerror}):"
            " nothing was written, and what was there has not changed. Received",
            os.fspath(path),
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()
