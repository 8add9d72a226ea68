"""Words for what the operating system refuses, with what a person can do about it."""

from __future__ import annotations

import errno
from pathlib import Path

from ls3_common.errors import DataError

AGAIN = "then run the same command again: it continues after what was saved last"
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"make room, {AGAIN}"),
    errno.EROFS: f"make the disk writable, or give another place, {AGAIN}",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        "correct the permissions, run the command as the owner, or give another place",
    ),
    errno.EFBIG: f"raise the limit for files (ulimit -f), {AGAIN}",
    **dict.fromkeys(
        (errno.EMFILE, errno.ENFILE), "close other files, or raise the limit: ulimit -n"
    ),
    errno.EIO: "the disk reports a fault: keep the file, and check the disk",
    **dict.fromkeys(
        (errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN),
        "the network disk does not answer: mount it again",
    ),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
        "a file stands where a directory is expected, or the reverse: give another path",
    ),
    errno.ENAMETOOLONG: "give a shorter path",
}
"""What a person can do about an error of the system, by its number. No entry calls a file damaged:
the file's content was not seen."""
POINTERS = {
    b"version https://git-lfs.": ("Git LFS", "fetch the content: git lfs pull"),
    b"/annex/objects/": ("git-annex", "fetch the content: git annex get"),
}
"""How a file begins that stands for another file's content, with its program and the remedy."""


def refuse_pointer(content: bytes, path: str | Path) -> None:
    """Refuse the small file that Git LFS or git-annex leaves in the place of a large one.

    Args:
        content: the first bytes of the file, or all.
        path: the file.

    Raises:
        DataError: the file only points to its content; the text says how to fetch the content.
    """
    for mark, (program, do) in POINTERS.items():
        if content.startswith(mark):
            what = f"a pointer of {program} and not the content, which was never fetched"
            raise DataError(what, where=str(path), do=do)


def unreadable(path: str | Path, error: OSError) -> DataError:
    """Return the error for a file that the operating system cannot read, with a remedy."""
    what = f"cannot be read: {error.strerror or error}"
    return DataError(what, where=str(path), do=REMEDIES.get(error.errno or 0, ""))


def refused_by_system(error: OSError) -> DataError:
    """Return the error for anything that the operating system refuses, with a remedy."""
    names = (name for name in (error.filename, error.filename2) if name is not None)
    return DataError(
        error.strerror or str(error),
        where=", ".join(map(str, names)),
        do=REMEDIES.get(error.errno or 0, "check the file, its directory and its disk"),
    )
