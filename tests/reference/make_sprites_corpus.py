#!/usr/bin/env python3
"""Writes fuzz/corpus/sprites: a small sprites.bin for the names in fuzz/fuzz_sprites.c, and files that lie."""
import hashlib
import os
import re
import struct

here = os.path.dirname(__file__)
source = open(os.path.join(here, "../../fuzz/fuzz_sprites.c"), encoding="utf-8").read()
literal = source[source.index("NAMES[] =") : source.index(";\n\nint LLVM")]
names = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)).replace('\\"', '"').encode()
folder = os.path.join(here, "../../fuzz/corpus/sprites")
os.makedirs(folder, exist_ok=True)


def sprites(records, pixels, version=1, count=None, size=None):
    head = 64 + 24 * len(records)
    body = b"".join(struct.pack("<QHHHBBBBhI", head + offset, *rest, 0) for offset, *rest in records)
    whole = head + len(pixels)
    return (
        struct.pack("<8sIIQ32s8x", b"INKSPRIT", version, len(records) if count is None else count,
                    whole if size is None else size, hashlib.sha256(names).digest()) + body + pixels
    )


pixels = bytes((x * 7 + x // 4 * 31) % 256 if x % 4 != 3 else 255 for x in range(4 * 5 * 3 * 3))
# offset, concept, width, height, style, colour, tone, level, hue
cat, pixel, grapes = (0, 0, 5, 3, 0, 0, 1, 120, 170), (60, 0, 3, 5, 2, 0, 0, 120, 170), (120, 1, 5, 3, 0, 6, 2, 200, 900)
good = [cat, pixel, grapes]


def changed(at, field, value):
    records = [list(r) for r in good]
    records[at][field] = value
    return records


files = {
    "good": sprites(good, pixels),
    "short": sprites(good, pixels)[:-1],
    "head": sprites(good, pixels)[:40],
    "none": sprites([], b""),
    "many": sprites(good, pixels, count=0xFFFFFFFF),
    "size": sprites(good, pixels, size=1 << 63),
    "version": sprites(good, pixels, version=2),
    "offset": sprites(changed(1, 0, 1 << 62), pixels),
    "concept": sprites(changed(2, 1, 7), pixels),
    "order": sprites([grapes, cat], pixels),
    "width": sprites(changed(0, 2, 129), pixels),
    "empty": sprites(changed(0, 3, 0), pixels),
    "style": sprites(changed(0, 4, 9), pixels),
    "first-style": sprites(changed(0, 4, 1), pixels),
    "colour": sprites(changed(0, 5, 40), pixels),
    "tone": sprites(changed(0, 6, 6), pixels),
    "level-0": sprites(changed(0, 7, 0), pixels),
    "level-255": sprites(changed(0, 7, 255), pixels),
    "hue": sprites(changed(0, 8, -1), pixels),
}
for name, content in files.items():
    with open(os.path.join(folder, name + ".bin"), "wb") as file:
        file.write(content)
print(len(files), "files")
