"""x86-64 page tables, walked in a copy of physical memory. (AMD APM vol. 2, 5.3 "Long-Mode Page Translation".)"""

from __future__ import annotations

import struct
from typing import Iterator, NamedTuple

PRESENT, WRITE, USER, HUGE, NX = 1 << 0, 1 << 1, 1 << 2, 1 << 7, 1 << 63
ADDRESS = 0x000ffffffffff000
PAGE = 4096
UPPER_HALF = 1 << 47


class Mapping(NamedTuple):
    """A piece of virtual memory, and what all levels together allow there."""

    start: int
    physical: int
    size: int
    is_writable: bool
    is_user: bool
    is_executable: bool

    @property
    def is_kernels(self) -> bool:
        return self.start >= UPPER_HALF

    def covers(self, address: int) -> bool:
        return self.start <= address < self.start + self.size

    def __str__(self) -> str:
        rights = "".join(letter if has else "-" for letter, has in
                         (("w", self.is_writable), ("x", self.is_executable), ("u", self.is_user)))
        return f"{self.start:#x} -> {self.physical:#x} size {self.size:#x} {rights}"


def mappings(memory: bytes, top: int) -> Iterator[Mapping]:
    """All that the tables below `top`, a physical address, map."""
    return walk(memory, top & ADDRESS, 3, 0, WRITE | USER)


def walk(memory: bytes, table: int, level: int, base: int, rights: int) -> Iterator[Mapping]:
    if table + PAGE > len(memory):
        return   # a device's memory, or a state that isn't ours
    for index, entry in enumerate(struct.unpack_from("<512Q", memory, table)):
        if not entry & PRESENT:
            continue
        size = PAGE << 9 * level
        start = base + index * size
        if level == 3 and index >= 256:
            start |= 0xffff << 48
        # Rights to write and ring 3's are there if all levels give them, execution if none takes it.
        below = (rights & entry & (WRITE | USER)) | ((rights | entry) & NX)
        if level == 0 or entry & HUGE:
            yield Mapping(start, entry & ADDRESS & ~(size - 1), size, bool(below & WRITE), bool(below & USER),
                          not below & NX)
        else:
            yield from walk(memory, entry & ADDRESS, level - 1, start, below)
