"""Files of many shapes to sign, drawn by lot: SHAPES[ending](chance) -> bytes.

Pictures of every mode that Pillow writes, PNG by hand for what it does not (interlaced, 16 bits, few bits, late chunks),
small ones of other programs (tests/fixtures/picture); sounds of every format and with chunks and tags before and behind."""

import functools
import io
import pathlib
import struct
import wave
import zipfile
import zlib

from PIL import Image, ImageCms, PngImagePlugin

import make_archives
import make_mark

XMP = ('<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
       '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li '
       'xml:lang="x-default">秋夜</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>').encode()


PICTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "picture"


@functools.cache
def of_others(ending):
    return [path.read_bytes() for path in sorted(PICTURES.glob(f"*.{ending}"))]


@functools.cache
def profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def words(chance):
    return "".join(chance.choice("秋夜山居 the moon é ü \n 𠮷 áb") for _ in range(chance.randint(0, 200)))


def pixels(chance, mode):
    size = chance.choice([(1, 1), (chance.randint(1, 60), chance.randint(1, 60)),
                          (chance.randint(100, 300), chance.randint(100, 300)), (chance.randint(1, 9), 700)])
    if mode in ("1", "P", "I;16"):
        image = Image.frombytes("L", size, chance.randbytes(size[0] * size[1]))
        return image.convert("I;16") if mode == "I;16" else image.convert(mode)
    if chance.random() < 0.5:  # smooth, so that it compresses
        image = Image.radial_gradient("L").resize(size).convert("RGB" if mode == "CMYK" else mode)
        return image.convert(mode)
    return Image.frombytes(mode, size, chance.randbytes(size[0] * size[1] * len(mode)))


def exif(chance):
    about = Image.Exif()
    about[0x0112] = chance.choice([1, 3, 6])
    about[0x010E] = "autumn"
    return about.tobytes()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png_by_hand(chance):
    """What Pillow does not write: all depths, interlaced, in several IDAT, with rarer chunks around them."""
    colour = chance.choice(list(CHANNELS))
    depth = chance.choice({0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(colour, (8, 16)))
    width, height, interlaced = chance.randint(1, 90), chance.randint(1, 90), chance.randint(0, 1)
    rows = b""
    for x, y, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        wide, high = -(-(width - x) // across), -(-(height - y) // down)
        if wide > 0 and high > 0:
            size = -(-wide * CHANNELS[colour] * depth // 8)
            rows += b"".join(bytes([chance.choice([0, 1, 2])]) + chance.randbytes(size) for _ in range(high))
    data = zlib.compress(rows)
    cut = chance.randint(1, len(data))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    out += chance.choice([b"", chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"sRGB", b"\0"),
                          chunk(b"iCCP", b"p\0\0" + zlib.compress(profile()))])
    if colour == 3:
        out += chunk(b"PLTE", chance.randbytes(3 << depth)) + chance.choice([b"", chunk(b"tRNS", b"\0\x80")])
    out += chance.choice([b"", chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
                          chunk(b"tIME", bytes([7, 234, 9, 1, 0, 0, 0]))])
    out += b"".join(chunk(b"IDAT", part) for part in (data[:cut], data[cut:]) if part)
    late = [chunk(b"tEXt", b"Comment\0autumn"), chunk(b"zTXt", b"Long\0\0" + zlib.compress(b"night" * 99)),
            chunk(b"prVt", b"\1")]
    return out + b"".join(c for c in late if chance.random() < 0.3) + chunk(b"IEND", b"")


def png(chance):
    which = chance.random()
    if which < 0.2:
        return chance.choice(of_others("png"))
    if which < 0.5:
        return png_by_hand(chance)
    image = pixels(chance, chance.choice(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]))
    notes, options = PngImagePlugin.PngInfo(), {}
    if chance.random() < 0.3:
        notes.add_text("parameters", "a cat\nSteps: 20")
    if chance.random() < 0.3:
        notes.add_itxt("XML:com.adobe.xmp", XMP.decode())
    if chance.random() < 0.3:
        options["exif"] = exif(chance)
    if image.mode in ("RGB", "RGBA") and chance.random() < 0.1:
        options.update(save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    return saved(image, "PNG", pnginfo=notes, **options)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def beside(chance):
    options = {}
    if chance.random() < 0.4:
        options["exif"] = exif(chance)
    if chance.random() < 0.4:
        options["xmp"] = XMP
    if chance.random() < 0.3:
        options["icc_profile"] = profile()
    return options


def jpg(chance):
    if chance.random() < 0.2:
        return chance.choice(of_others("jpg"))
    options = beside(chance)
    if chance.random() < 0.3:
        options["dpi"] = (300, 300)
    if chance.random() < 0.3:
        options["comment"] = b"of autumn" * chance.randint(1, 100)
    if chance.random() < 0.3:
        options["restart_marker_rows"] = 1
    image = pixels(chance, chance.choice(["L", "RGB", "RGB", "CMYK"]))
    if image.mode == "RGB":
        options["subsampling"] = chance.choice([0, 1, 2])
    return saved(image, "JPEG", quality=chance.randint(5, 95), progressive=chance.random() < 0.4,
                 optimize=chance.random() < 0.3, **options)


def webp(chance):
    if chance.random() < 0.15:
        return chance.choice(of_others("webp"))
    image = pixels(chance, chance.choice(["RGB", "RGBA"]))
    options = beside(chance)
    if chance.random() < 0.3:
        options.update(save_all=True, append_images=[image.rotate(90), image.rotate(180)], duration=50)
    return saved(image, "WEBP", quality=chance.randint(5, 95), lossless=chance.random() < 0.3, **options)


def gif(chance):
    frames = [pixels(chance, "P") for _ in range(chance.randint(1, 3))]
    options = {"comment": b"autumn"} if chance.random() < 0.3 else {}
    options["interlace"] = chance.randint(0, 1)
    if chance.random() < 0.4:
        options.update(transparency=chance.randint(0, 255), disposal=chance.choice([0, 1, 2]), loop=chance.randint(0, 3))
    if chance.random() < 0.2:  # as the first version of the format had it
        return b"GIF87a" + saved(frames[0], "GIF", interlace=options["interlace"])[6:]
    return saved(frames[0], "GIF", save_all=True, append_images=[f.resize(frames[0].size) for f in frames[1:]], **options)


def wav_by_hand(chance):
    """Floats, the extensible format, and chunks before and behind the sound."""
    bits, kind = chance.choice([(8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3), (24, 0xFFFE)])
    channels, rate = chance.choice([1, 2, 6]), chance.choice([8000, 48000])
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits)
    if kind == 0xFFFE:
        form += struct.pack("<HHIH", 22, bits, 0, 1) + bytes.fromhex("000000001000800000aa00389b71")
    sound = chance.randbytes(frame * chance.randint(0, 500))
    parts = [(b"fmt ", form), (b"data", sound)]
    extras = ((b"fact", struct.pack("<I", len(sound) // frame)), (b"bext", bytes(602)), (b"id3 ", b"ID3\3" + bytes(7)))
    for extra in extras:
        if chance.random() < 0.3:
            parts.insert(chance.randint(1, len(parts)), extra)
    body = b"".join(name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
                    for name, content in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def wav(chance):
    if chance.random() < 0.5:
        return wav_by_hand(chance)
    out = io.BytesIO()
    width = chance.choice([1, 2, 3])
    channels = chance.choice([1, 2])
    with wave.open(out, "wb") as w:
        w.setnchannels(channels)
        w.setsampwidth(width)
        w.setframerate(chance.choice([8000, 44100]))
        w.writeframes(chance.randbytes(width * channels * chance.randint(1, 999)))
    data = out.getvalue()
    if chance.random() < 0.3:  # a title of odd length behind the sound
        data += b"\0" * (len(data) % 2) + b"LIST" + struct.pack("<I", 4 + 8 + 7) + b"INFOINAM" + struct.pack("<I", 7) + b"autumn\0\0"
        data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    return data


def mp3(chance):
    sound = make_mark.mp3(chance.randint(1, 9), chance.choice([None, b"x" * chance.randint(1, 99)]))
    if chance.random() < 0.4:  # a tag of version 2.4 with a picture, whose sizes have seven bits a byte
        seven = lambda n: bytes([n >> 21 & 127, n >> 14 & 127, n >> 7 & 127, n & 127])
        frame = lambda name, content: name + seven(len(content)) + b"\0\0" + content
        content = frame(b"TIT2", b"\3" + "秋夜".encode()) + frame(b"APIC", b"\0image/png\0\3\0" + of_others("png")[0])
        content += bytes(chance.choice([0, 1, 500]))
        sound = b"ID3\4\0\0" + seven(len(content)) + content + make_mark.mp3(chance.randint(1, 9))
    if chance.random() < 0.3:  # a tag of the first version behind the sound
        sound += b"TAG" + b"autumn".ljust(125, b"\0")
    return sound


def pdf(chance):
    if chance.random() < 0.5:  # pictures on pages
        pages = [pixels(chance, chance.choice(["RGB", "L", "CMYK"])) for _ in range(chance.randint(1, 3))]
        return saved(pages[0], "PDF", save_all=True, append_images=pages[1:], title="秋夜", author="others")
    return make_mark.pdf(chance.randint(1, 9))


def svg(chance):
    head = chance.choice(["", '<?xml version="1.0" encoding="UTF-8"?>\n', "<!-- <svg> -->\n",
                          '<?xml version="1.0" standalone="no"?>\n<?xml-stylesheet href="a.css"?>\n'])
    inner = chance.choice(["", "<metadata><a xmlns='urn:x'/></metadata>", "<style><![CDATA[a > b {}]]></style>",
                           "<title>秋夜 &amp; more</title>", "<metadata>\n</metadata>"])
    body = "".join(f'<rect x="{chance.randint(0, 9)}" width="{chance.randint(1, 9)}" height="3"/>'
                   for _ in range(chance.choice([0, 3, 9, 200])))
    more = chance.choice(["", ' viewBox="0 0 9 9"', ' xmlns:xlink="http://www.w3.org/1999/xlink"',
                          " preserveAspectRatio='none'"])
    return f'{head}<svg xmlns="http://www.w3.org/2000/svg"{more} width="9" height="9">{inner}{body}</svg>\n'.encode()


def html(chance):
    head = chance.choice(["", "<style>a > b {}</style>", "<!-- </head> -->", "<script>'</head>'</script>"])
    end = chance.choice(["\n", "\r\n", ""])
    return (f"<!doctype html>{end}<html><head>{head}<title>x</title></head>{end}<body><p>{words(chance)}</p></body></html>"
            f"{end}").encode()


def md(chance):
    head = chance.choice(["", "---\ntitle: x\n---\n\n"])
    return (head + "# 题\n\n" + words(chance) + chance.choice(["", "\n"])).encode()


def source(line, first=""):
    def make(chance):
        end = chance.choice(["\n", "\r\n"])
        body = (line + end) * chance.randint(0, 9) + chance.choice(["", line])
        return ((first + end if first and chance.random() < 0.5 else "") + body).encode()
    return make


def archive(files):
    def make(chance):
        # Data descriptors: not where the media type must stand at a known place.
        out = make_archives.Stream() if chance.random() < 0.3 and "mimetype" not in files else io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            for name, text in files.items():
                info = zipfile.ZipInfo(name, make_archives.WHEN)
                info.compress_type = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
                if name == "mimetype":
                    info.compress_type = zipfile.ZIP_STORED
                z.writestr(info, text.encode())
            if chance.random() < 0.5:
                z.writestr(zipfile.ZipInfo("更多/a b+c%41.txt", make_archives.WHEN), words(chance))
            if chance.random() < 0.3:
                z.mkdir("empty")
            if chance.random() < 0.3:
                z.comment = b"of autumn"
        return out.getvalue()
    return make


def office(kind, part):
    return {"[Content_Types].xml": "<Types/>", "_rels/.rels": "<Relationships/>", part: f"<{kind}/>"}


ODT = {"mimetype": "application/vnd.oasis.opendocument.text", "META-INF/manifest.xml": "<manifest/>", "content.xml": "<a/>"}

SHAPES = {
    "png": png, "jpg": jpg, "webp": webp, "gif": gif, "svg": svg, "wav": wav, "mp3": mp3, "pdf": pdf, "html": html, "md": md,
    "py": source("print(1)", "#!/usr/bin/env python3"), "sh": source("true", "#!/bin/sh"), "c": source("int x;"),
    "js": source("let x"), "css": source("a { color: red }"), "sql": source("select 1;"), "tex": source("\\relax"),
    "ini": source("a = b"), "yaml": source("a: b"), "txt": lambda chance: words(chance).encode(),
    "docx": archive(make_archives.DOCX), "epub": archive(make_archives.EPUB), "odt": archive(ODT),
    "xlsx": archive(office("workbook", "xl/workbook.xml")), "pptx": archive(office("presentation", "ppt/presentation.xml")),
}
