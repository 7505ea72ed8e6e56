"""GIFs for tests/mark/test_label_drawings.c, by Pillow: a still, films with each kind of disposal, a full palette, an
interlaced one, and one of 256 greys that are nearly one."""

import pathlib
import random

from PIL import Image, ImageDraw

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "mark"
SIZE = (144, 88)


def scene(i):
    picture = Image.new("RGB", SIZE, (240, 240, 200))
    ImageDraw.Draw(picture).ellipse((8 + 18 * i, 14, 48 + 18 * i, 54), fill=(200, 30, 60))
    return picture


def clear(i):
    picture = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((10 + 22 * i, 20, 40 + 22 * i, 84), fill=(10, 120, 200, 255))
    return picture


def noise():
    random.seed(1)
    # Every colour of a cube is used, so that no place in the palette is left.
    cube = [(r, g, b) for r in range(0, 256, 51) for g in range(0, 256, 51) for b in range(0, 256, 51)]
    cube += [(16 * i, 16 * i, 16 * i) for i in range(1, 15)] + [(0, 8 * i, 4 * i) for i in range(1, 27)]
    picture = Image.new("P", SIZE)
    picture.putpalette([v for colour in cube[:256] for v in colour])
    picture.putdata([random.randrange(256) if i >= 256 else i for i in range(SIZE[0] * SIZE[1])])
    return picture


def grey():
    picture = Image.new("P", SIZE)
    picture.putpalette([v for i in range(256) for v in (100 + i % 16, 100 + i // 16, 100)])
    picture.putdata([i % 256 for i in range(SIZE[0] * SIZE[1])])
    return picture


def film(name, pictures, **options):
    pictures[0].save(OUT / name, save_all=True, append_images=pictures[1:], duration=80, loop=0, **options)


if __name__ == "__main__":
    scene(0).save(OUT / "still.gif")
    film("film.gif", [scene(i) for i in range(4)])
    film("wiped.gif", [clear(i) for i in range(4)], disposal=2)
    film("taken_back.gif", [clear(i) for i in range(4)], disposal=3)
    noise().save(OUT / "full.gif", optimize=False)
    noise().save(OUT / "interlaced.gif", interlace=1, optimize=False)
    grey().save(OUT / "grey.gif", optimize=False)
