"""GUID partition tables, written: for the disks of tests."""

import struct
import zlib

ENTRIES = 128
ENTRY_BYTES = 128


def partition(image: bytearray, partitions: dict[int, tuple[int, int]], block: int = 512) -> None:
    """Put a table at the beginning and at the end of `image`: number -> (first block, number of blocks)."""
    blocks = len(image) // block
    table_blocks = ENTRIES * ENTRY_BYTES // block
    entries = bytearray(ENTRIES * ENTRY_BYTES)
    for number, (first, count) in partitions.items():
        struct.pack_into("<16s16sQQ", entries, (number - 1) * ENTRY_BYTES, b"\1" * 16, bytes([number]) * 16, first,
                         first + count - 1)

    def header(at: int, other: int, table: int) -> bytes:
        raw = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, at, other, table_blocks + 2,
                          blocks - table_blocks - 2, b"\2" * 16, table, ENTRIES, ENTRY_BYTES, zlib.crc32(entries))
        return (raw[:16] + struct.pack("<I", zlib.crc32(raw)) + raw[20:]).ljust(block, b"\0")

    image[0:512] = bytes(446) + struct.pack("<B3sB3sII", 0, b"", 0xee, b"", 1, blocks - 1) + bytes(48) + b"\x55\xaa"
    image[block:2 * block] = header(1, blocks - 1, 2)
    image[2 * block:2 * block + len(entries)] = entries
    image[-block - len(entries):-block] = entries
    image[-block:] = header(blocks - 1, 1, blocks - table_blocks - 1)
