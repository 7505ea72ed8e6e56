"""Small pictures in every dress that PNG, JPEG and WebP wear, what Pillow reads from them and makes of them.

Usage: python make_pictures.py [OUT [CORPUS]]
  (OUT defaults to ../fixtures/picture, CORPUS to ../../fuzz/corpus/picture)

OUT/<name>.<ending>   the pictures
OUT/pictures.json     for each: channels, tolerance (of lossy decoders), notes it holds
OUT/expected.safetensors
  <name>              U8 [height, width, channels]: what is to be read, Exif's orientation obeyed
  resize.<filter>.<channels>.<width>x<height>   U8: Image.resize of `resize.source.<channels>`
CORPUS/               the same files, and those that lie
"""

import io
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
PARAMETERS = "a fox, (red:1.2)\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 8x6"
CHINESE = "一只红色的狐狸 🦊\nSteps: 4"
W, H = 11, 7

files, expected, abouts = {}, {}, []


def scene(channels, w=W, h=H, seed=1):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    base = np.stack([(x * 23) % 256, (y * 37) % 256, (x * y * 11) % 256], -1)
    base = (base + rng.integers(0, 30, base.shape)) % 256
    alpha = ((x * 31 + y * 17) % 256)[..., None]
    full = {1: base[..., :1], 2: np.concatenate([base[..., :1], alpha], -1), 3: base,
            4: np.concatenate([base, alpha], -1)}[channels]
    return full.astype(np.uint8)


MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def image(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels, MODES[pixels.shape[2]])


def array(im):
    a = np.asarray(im)
    return a[..., None] if a.ndim == 2 else a


def add(name, data, pixels, tolerance=0, notes=None):
    files[name] = data
    expected[name] = torch.from_numpy(np.array(pixels, order="C"))
    abouts.append(dict(file=name, channels=int(pixels.shape[2]), tolerance=tolerance, notes=notes or {}))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


SIGNATURE = b"\x89PNG\r\n\x1a\n"


def ihdr(w, h, depth, colour, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlace))


def pack_rows(samples, depth):
    """Rows of samples [h, n] as PNG's filter 0 lines of this depth."""
    out = b""
    for row in samples:
        if depth == 16:
            line = row.astype(">u2").tobytes()
        elif depth == 8:
            line = row.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in row)
            bits += "0" * (-len(bits) % 8)
            line = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
        out += b"\0" + line
    return out


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(samples, depth, colour, interlace=False, before=b"", after=b""):
    """samples [h, w, channels] as a PNG of our own making."""
    h, w, _ = samples.shape
    if interlace:
        raw = b""
        for x0, y0, dx, dy in ADAM7:
            part = samples[y0::dy, x0::dx]
            if part.shape[0] and part.shape[1]:
                raw += pack_rows(part.reshape(part.shape[0], -1), depth)
    else:
        raw = pack_rows(samples.reshape(h, -1), depth)
    return (SIGNATURE + ihdr(w, h, depth, colour, int(interlace)) + before + chunk(b"IDAT", zlib.compress(raw, 9))
            + after + chunk(b"IEND", b""))


def saved(im, kind, **options):
    out = io.BytesIO()
    im.save(out, kind, **options)
    return out.getvalue()


def pngs():
    for c in (1, 2, 3, 4):
        colour = {1: 0, 2: 4, 3: 2, 4: 6}[c]
        add(f"png-{c}.png", png(scene(c), 8, colour), scene(c))
        add(f"png-{c}-interlaced.png", png(scene(c), 8, colour, True), scene(c))
        wide = scene(c).astype(np.int64) * 257 + (np.arange(W)[None, :, None] * 5 - 20)
        wide = np.clip(wide, 0, 65535)
        eight = ((wide * 255 + 32895) >> 16).astype(np.uint8)  # what libpng documents for scaling 16 to 8
        add(f"png-{c}-16.png", png(wide, 16, colour, c == 3), eight)
    for depth in (1, 2, 4):
        grey = scene(1) >> (8 - depth)
        add(f"png-grey-{depth}.png", png(grey, depth, 0), (grey.astype(int) * 255 // (2**depth - 1)).astype(np.uint8))
    palette = np.array([[250, 20, 30], [10, 200, 40], [30, 60, 220], [255, 255, 255]], np.uint8)
    index = scene(1) % 4
    plte = chunk(b"PLTE", palette.tobytes())
    add("png-palette.png", png(index, 2, 3, before=plte), palette[index[..., 0]])
    alphas = np.array([255, 128, 0, 255], np.uint8)
    rgba = np.concatenate([palette[index[..., 0]], alphas[index]], -1)
    add("png-palette-alpha.png", png(index, 8, 3, True, before=plte + chunk(b"tRNS", alphas[:3].tobytes())), rgba)
    key = scene(3)
    clear = np.concatenate([key, np.where((key == key[2, 3]).all(-1), 0, 255)[..., None].astype(np.uint8)], -1)
    add("png-key.png", png(key, 8, 2, before=chunk(b"tRNS", key[2, 3].astype(">u2").tobytes())), clear)
    srgb = chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 45455))
    add("png-srgb.png", png(scene(3), 8, 2, before=srgb), scene(3))
    linear = scene(3).astype(np.float64) / 255
    shown = np.floor(255 * linear ** (1 / 2.2) + 0.5).astype(np.uint8)
    add("png-gamma-linear.png", png(scene(3), 8, 2, before=chunk(b"gAMA", struct.pack(">I", 100000))), shown, tolerance=1)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = icc[:24] + bytes(12) + icc[36:]  # the date of its making
    add("png-icc.png", saved(image(scene(3)), "PNG", icc_profile=icc), scene(3), notes={"(icc)": len(icc)})


def texts():
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", PARAMETERS)
    info.add_text("prompt", '{"3": {"class_type": "KSampler"}}', zip=True)
    info.add_itxt("title", CHINESE, zip=True)
    notes = {"parameters": PARAMETERS, "prompt": '{"3": {"class_type": "KSampler"}}', "title": CHINESE}
    add("png-texts.png", saved(image(scene(3)), "PNG", pnginfo=info), scene(3), notes=notes)
    latin = chunk(b"tEXt", b"Author\0Andr\xe9")
    utf8 = chunk(b"tEXt", b"parameters\0" + CHINESE.encode())
    add("png-texts-late.png", png(scene(1), 8, 0, after=latin + utf8), scene(1),
        notes={"Author": "André", "parameters": CHINESE})


def exif_with(comment=None, order="big", orientation=None, description=None):
    exif = Image.Exif()
    exif.endian = ">" if order == "big" else "<"
    if orientation:
        exif[0x0112] = orientation
    if description:
        exif[0x010E] = description
    if comment is not None:
        exif.get_ifd(0x8769)[0x9286] = comment
    return exif.tobytes()


def jpegs():
    def reading(data, mode):
        return array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert(mode))

    for name, pixels, options in (("grey", scene(1), {}), ("420", scene(3), dict(subsampling=2)),
                                  ("444", scene(3), dict(subsampling=0)),
                                  ("progressive", scene(3), dict(progressive=True))):
        data = saved(image(pixels), "JPEG", quality=85, **options)
        add(f"jpeg-{name}.jpg", data, reading(data, MODES[pixels.shape[2]]), tolerance=2)
    for orientation in range(1, 9):
        data = saved(image(scene(3)), "JPEG", quality=90, exif=exif_with(orientation=orientation))
        add(f"jpeg-turned-{orientation}.jpg", data, reading(data, "RGB"), tolerance=2)
    comment = b"UNICODE\0" + PARAMETERS.encode("utf-16-be")
    data = saved(image(scene(3)), "JPEG", exif=exif_with(comment))
    add("jpeg-comment.jpg", data, reading(data, "RGB"), 2, {"parameters": PARAMETERS})
    comment = b"UNICODE\0" + CHINESE.encode("utf-16-le")
    data = saved(image(scene(3)), "JPEG", exif=exif_with(comment))
    add("jpeg-comment-le.jpg", data, reading(data, "RGB"), 2, {"parameters": CHINESE})
    data = saved(image(scene(3)), "JPEG", exif=exif_with(b"ASCII\0\0\0plain words"))
    add("jpeg-comment-ascii.jpg", data, reading(data, "RGB"), 2, {"parameters": "plain words"})
    cmyk = Image.fromarray(scene(4), "CMYK")
    data = saved(cmyk, "JPEG", quality=95)
    ink = np.asarray(Image.open(io.BytesIO(data))).astype(int)  # Pillow inverts Adobe's
    paper = 255 - ink
    rgb = ((paper[..., :3] * paper[..., 3:] + 127) // 255).astype(np.uint8)
    add("jpeg-cmyk.jpg", data, rgb, tolerance=3)


def webps():
    def reading(data, mode):
        return array(Image.open(io.BytesIO(data)).convert(mode))

    for c in (3, 4):
        data = saved(image(scene(c)), "WEBP", lossless=True, exact=True)
        add(f"webp-{c}-lossless.webp", data, scene(c))
        data = saved(image(scene(c)), "WEBP", quality=80)
        add(f"webp-{c}.webp", data, reading(data, MODES[c]), tolerance=2)
    comment = b"UNICODE\0" + PARAMETERS.encode("utf-16-be")
    data = saved(image(scene(3)), "WEBP", lossless=True, exif=exif_with(comment, orientation=6))
    add("webp-comment.webp", data, np.rot90(scene(3), 3), notes={"parameters": PARAMETERS})


FILTERS = {"box": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
           "lanczos": Image.Resampling.LANCZOS}


def resizes():
    for c in (1, 3, 4):
        source = scene(c, 23, 17, seed=5)
        expected[f"resize.source.{c}"] = torch.from_numpy(source)
        for name, how in FILTERS.items():
            for w, h in ((7, 5), (40, 31), (23, 9), (64, 17), (1, 1)):
                out = array(image(source).resize((w, h), how))
                expected[f"resize.{name}.{c}.{w}x{h}"] = torch.from_numpy(np.ascontiguousarray(out))


def jpeg_header(w, h, components=1, kind=0xC0):
    frame = struct.pack(">BHHB", 8, h, w, components) + b"".join(bytes([i + 1, 0x11, 0]) for i in range(components))
    return b"\xff\xd8" + b"\xff" + bytes([kind]) + struct.pack(">H", len(frame) + 2) + frame


def hostile():
    """Files that lie: each must end in an error, quickly, and with little memory."""
    out = {}
    ok = png(scene(3), 8, 2)
    out["bomb-2-31.png"] = SIGNATURE + ihdr(2**31 - 1, 2**31 - 1, 8, 6) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    out["bomb-60000.png"] = SIGNATURE + ihdr(60000, 60000, 16, 6) + chunk(b"IDAT", zlib.compress(bytes(9999))) + chunk(b"IEND", b"")
    out["bomb-long.png"] = SIGNATURE + ihdr(16384, 16384, 8, 6, 1) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    out["no-width.png"] = SIGNATURE + ihdr(0, 5, 8, 2) + chunk(b"IEND", b"")
    out["no-pixels.png"] = SIGNATURE + ihdr(5, 5, 8, 2) + chunk(b"IEND", b"")
    out["few-pixels.png"] = SIGNATURE + ihdr(5, 5, 8, 2) + chunk(b"IDAT", zlib.compress(bytes(20))) + chunk(b"IEND", b"")
    out["odd-depth.png"] = SIGNATURE + ihdr(5, 5, 3, 2) + chunk(b"IEND", b"")
    out["no-palette.png"] = SIGNATURE + ihdr(5, 5, 8, 3) + chunk(b"IDAT", zlib.compress(bytes(30))) + chunk(b"IEND", b"")
    out["chunk-too-long.png"] = ok[:33] + struct.pack(">I", 0x7FFFFFFF) + ok[37:]
    out["text-beyond-the-end.png"] = ok[:33] + struct.pack(">I", 0x60000000) + b"tEXtparameters\0a fox" + ok[33:]
    out["bad-crc.png"] = ok[:45] + bytes([ok[45] ^ 1]) + ok[46:]
    out["signature-only.png"] = SIGNATURE
    out["bomb.jpg"] = jpeg_header(65500, 65500, 3)
    out["no-height.jpg"] = jpeg_header(8, 0)
    out["no-scan.jpg"] = jpeg_header(8, 8) + b"\xff\xd9"
    out["signature-only.jpg"] = b"\xff\xd8\xff"
    progressive = saved(image(scene(1, 64, 64)), "JPEG", progressive=True)
    scan = progressive.rindex(b"\xff\xda")
    out["many-scans.jpg"] = progressive[:-2] + progressive[scan:-2] * 230 + b"\xff\xd9"
    webp = saved(image(scene(4)), "WEBP", lossless=True, exif=exif_with(b"ASCII\0\0\0x"))
    out["riff-too-long.webp"] = webp[:4] + b"\xff\xff\xff\x7f" + webp[8:]
    at = webp.index(b"VP8X") + 12
    out["canvas-too-large.webp"] = webp[:at] + b"\xff" * 6 + webp[at + 6:]
    out["signature-only.webp"] = b"RIFF\x04\0\0\0WEBP"
    frames = [image(scene(3, seed=s)) for s in (1, 2)]
    out["animation.webp"] = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    out["nothing.png"] = b""
    out["neither.png"] = b"GIF89a" + bytes(20)
    return out


def crooked():
    """Files whose words are out of order while their pixels are fine: to be read without the words."""
    ok = png(scene(3), 8, 2)
    text_bomb = zlib.compress(bytes(20 << 20), 9)
    yield "text-bomb.png", ok[:33] + chunk(b"zTXt", b"parameters\0\0" + text_bomb) + ok[33:]

    def jpeg(tiff):
        body = saved(image(scene(3, 4, 4)), "JPEG")
        block = b"Exif\0\0" + tiff
        return body[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + body[2:]

    entry = lambda tag, kind, n, value: struct.pack(">HHII", tag, kind, n, value)
    head = b"MM\0*" + struct.pack(">I", 8)
    yield "exif-loop.jpg", jpeg(head + struct.pack(">H", 1) + entry(0x8769, 4, 1, 8) + bytes(4))
    yield "exif-far.jpg", jpeg(head + struct.pack(">H", 2) + entry(0x8769, 4, 1, 0xFFFFFFF0) + entry(0x010E, 2, 0xFFFFFFFF, 8))
    yield "exif-count.jpg", jpeg(head + struct.pack(">H", 0xFFFF) + entry(0x0112, 3, 1, 99 << 16))
    yield "exif-type.jpg", jpeg(head + struct.pack(">H", 1) + entry(0x9286, 77, 9, 9) + bytes(4))
    yield "exif-short.jpg", jpeg(b"MM\0*\0\0")
    yield "exif-odd-units.jpg", jpeg(head + struct.pack(">H", 1) + entry(0x9286, 7, 13, 26) + bytes(4) + b"UNICODE\0\xd8\x00\xd8\x00\x41")


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "picture"
    corpus = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parent.parent / "fuzz" / "corpus" / "picture"
    pngs()
    texts()
    jpegs()
    webps()
    resizes()
    lies = hostile()
    for folder in (out, out / "hostile", out / "crooked", corpus):
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    for name, data in lies.items():
        (out / "hostile" / name).write_bytes(data)
    for name, data in crooked():
        (out / "crooked" / name).write_bytes(data)
    # Enough of each kind to start a fuzzer from; tests/fixtures is replayed by the tests themselves.
    seeds = ["png-4-interlaced.png", "png-palette-alpha.png", "png-texts.png", "png-3-16.png", "jpeg-progressive.jpg",
             "jpeg-comment.jpg", "jpeg-cmyk.jpg", "webp-comment.webp", "webp-4.webp"]
    for name in seeds:
        (corpus / name).write_bytes(files[name])
    for name, data in [*lies.items(), *crooked()]:
        if len(data) <= 4096:
            (corpus / name).write_bytes(data)
    (out / "pictures.json").write_text("[\n" + ",\n".join(json.dumps(a, sort_keys=True) for a in abouts) + "\n]\n")
    save_file(expected, out / "expected.safetensors")
    (out / "expected.safetensors").chmod(0o644)
    print(len(files), "pictures", len(lies), "lies")


if __name__ == "__main__":
    main()
