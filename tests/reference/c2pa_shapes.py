"""Files of many shapes to sign, drawn by lot: SHAPES[ending](chance) -> bytes."""

import io
import struct
import wave
import zipfile

from PIL import Image, PngImagePlugin

import make_archives
import make_mark

XMP = ('<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
       '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li '
       'xml:lang="x-default">秋夜</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>').encode()


def words(chance):
    return "".join(chance.choice("秋夜山居 the moon é ü \n 𠮷 áb") for _ in range(chance.randint(0, 200)))


def pixels(chance, mode):
    size = chance.choice([(1, 1), (chance.randint(1, 60), chance.randint(1, 60)),
                          (chance.randint(100, 300), chance.randint(100, 300))])
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


def png(chance):
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
    return options


def jpg(chance):
    options = beside(chance)
    if chance.random() < 0.3:
        options["comment"] = b"of autumn" * chance.randint(1, 100)
    if chance.random() < 0.3:
        options["restart_marker_rows"] = 1
    return saved(pixels(chance, chance.choice(["L", "RGB", "CMYK"])), "JPEG", quality=chance.randint(5, 95),
                 progressive=chance.random() < 0.4, **options)


def webp(chance):
    image = pixels(chance, chance.choice(["RGB", "RGBA"]))
    options = beside(chance)
    if chance.random() < 0.3:
        options.update(save_all=True, append_images=[image.rotate(90), image.rotate(180)], duration=50)
    return saved(image, "WEBP", quality=chance.randint(5, 95), lossless=chance.random() < 0.3, **options)


def gif(chance):
    frames = [pixels(chance, "P") for _ in range(chance.randint(1, 3))]
    options = {"comment": b"autumn"} if chance.random() < 0.3 else {}
    return saved(frames[0], "GIF", save_all=True, append_images=[f.resize(frames[0].size) for f in frames[1:]], **options)


def wav(chance):
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
    return make_mark.mp3(chance.randint(1, 9), chance.choice([None, b"x" * chance.randint(1, 99)]))


def pdf(chance):
    return make_mark.pdf(chance.randint(1, 9))


def svg(chance):
    head = chance.choice(["", '<?xml version="1.0" encoding="UTF-8"?>\n', "<!-- <svg> -->\n"])
    inner = chance.choice(["", "<metadata><a xmlns='urn:x'/></metadata>", "<style><![CDATA[a > b {}]]></style>"])
    body = "".join(f'<rect x="{chance.randint(0, 9)}" width="{chance.randint(1, 9)}" height="3"/>'
                   for _ in range(chance.randint(0, 9)))
    return f'{head}<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{inner}{body}</svg>\n'.encode()


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
