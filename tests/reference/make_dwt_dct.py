"""Pictures that invisible-watermark marked, and what it reads from ours.

Usage: python make_dwt_dct.py [OUT]        (OUT defaults to ../fixtures/mark)
       python make_dwt_dct.py --check FILE.png ...

OUT/dwt-dct-<message>.png   256 x 256, marked with that message (sdxl, flux2)
--check prints, for each picture, how many bits of each message invisible-watermark 0.2.0 reads.
"""

import pathlib
import sys

import cv2
import numpy as np
from imwatermark import WatermarkDecoder, WatermarkEncoder

HERE = pathlib.Path(__file__).parent
MESSAGES = {
    "sdxl": bin(0b101100111110110010010000011110111011000110011110)[2:],
    "sd1": "".join(f"{byte:08b}" for byte in b"StableDiffusionV1"),
    "flux2": bin(0b001010101111111010000111100111001111010100101110)[2:],
}


def scene():
    """Soft shapes in many colours, as BGR."""
    y, x = np.mgrid[0:256, 0:256] / 256
    b = 128 + 90 * np.sin(5 * x + 2 * y)
    g = 128 + 90 * np.cos(4 * y - 3 * x)
    r = 60 + 160 * x * y
    return np.clip(np.stack([b, g, r], -1), 0, 255).astype(np.uint8)


def main():
    if sys.argv[1:2] == ["--check"]:
        for path in sys.argv[2:]:
            for name, bits in MESSAGES.items():
                decoder = WatermarkDecoder("bits", len(bits))
                read = decoder.decode(cv2.imread(path), "dwtDct")
                print(path, name, sum(int(a) == int(b) for a, b in zip(read, bits)), "of", len(bits))
        return
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "../fixtures/mark"
    for name in ("sdxl", "flux2"):
        encoder = WatermarkEncoder()
        encoder.set_watermark("bits", [int(bit) for bit in MESSAGES[name]])
        cv2.imwrite(str(out / f"dwt-dct-{name}.png"), encoder.encode(scene(), "dwtDct"),
                    [cv2.IMWRITE_PNG_COMPRESSION, 9])


main()
