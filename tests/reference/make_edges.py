"""Edges of pictures as OpenCV's Canny finds them.

Usage: python make_edges.py [OUT]               (OUT defaults to ../fixtures/picture)

OUT/edges.safetensors   <name>: U8 [height, width, channels]; <name>.<low>.<high>: U8 [height, width], cv2.Canny of it
"""

import pathlib
import sys

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


def scenes():
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:48, 0:61]
    disc = ((x - 30) ** 2 + (y - 22) ** 2 < 15**2) * 150
    shade = 60 + 40 * np.sin(x / 7.0) + 40 * np.cos(y / 5.0 + x / 11.0)
    grey = np.clip(shade + disc + rng.normal(0, 12, x.shape), 0, 255)
    colours = np.stack([grey, np.roll(grey, 9, 1), 255 - np.roll(grey, 5, 0)], -1)
    yield "grey", grey[..., None]
    yield "colours", colours
    yield "noise", rng.integers(0, 256, (33, 40, 3))
    yield "line", np.where(x[:5, :9] == 4, 255, 0)[..., None]
    yield "dot", np.full((1, 1, 3), 200)


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "picture"
    tensors = {}
    for name, pixels in scenes():
        pixels = np.ascontiguousarray(pixels.astype(np.uint8))
        tensors[name] = torch.from_numpy(pixels)
        for low, high in ((100, 200), (0, 0), (30, 90), (250, 900)):
            edges = cv2.Canny(pixels if pixels.shape[2] == 3 else pixels[..., 0], low, high)
            tensors[f"{name}.{low}.{high}"] = torch.from_numpy(np.ascontiguousarray(edges))
            print(name, low, high, int((edges > 0).sum()), "of", edges.size)
    save_file(tensors, out / "edges.safetensors")
    (out / "edges.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
