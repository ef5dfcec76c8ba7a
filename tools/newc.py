"""The cpio archive format of initramfs images ("newc"), written from a directory tree.

Every file belongs to root in the archive whoever runs this, names are sorted and times are zero,
so the same tree always makes the same bytes.  Directories, regular files and symbolic links only.
An archive may simply be appended to another: Linux unpacks them one after the other.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO, Iterator

TRAILER = "TRAILER!!!"


def align(out: BinaryIO) -> None:
    """Pad `out` to the four bytes that every part of an archive starts at."""
    out.write(b"\0" * (-out.tell() % 4))


def write_header(out: BinaryIO, name: str, inode: int, mode: int, size: int, links: int) -> None:
    encoded = os.fsencode(name) + b"\0"
    fields = (inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(encoded), 0)
    out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + encoded)
    align(out)


def entries(root: Path) -> Iterator[Path]:
    """Everything below `root`, each directory before what it holds."""
    for entry in sorted(root.iterdir()):
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from entries(entry)


def write_entry(out: BinaryIO, root: Path, entry: Path, inode: int) -> None:
    name = str(entry.relative_to(root))
    status = entry.lstat()
    if stat.S_ISDIR(status.st_mode):
        write_header(out, name, inode, status.st_mode, 0, 2)
    elif stat.S_ISLNK(status.st_mode):
        target = os.fsencode(os.readlink(entry))
        write_header(out, name, inode, status.st_mode, len(target), 1)
        out.write(target)
    elif stat.S_ISREG(status.st_mode):
        write_header(out, name, inode, status.st_mode, status.st_size, 1)
        with open(entry, "rb") as content:
            shutil.copyfileobj(content, out, 1 << 20)
    else:
        raise ValueError(f"{entry}: neither a file, a directory nor a symbolic link")
    align(out)


def append_tree(out: BinaryIO, root: Path) -> None:
    """Append an archive of everything below `root` to `out`."""
    align(out)
    for inode, entry in enumerate(entries(root), start=1):
        write_entry(out, root, entry, inode)
    write_header(out, TRAILER, 0, 0, 0, 1)


def append_archive(out: BinaryIO, archive: Path) -> None:
    """Append a finished archive, which may be compressed, to `out`."""
    align(out)
    with open(archive, "rb") as content:
        shutil.copyfileobj(content, out, 1 << 20)
