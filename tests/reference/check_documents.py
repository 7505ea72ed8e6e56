"""Labels the documents of make_documents.py, an SVG and a GIF with the program, and has other programs open them and find
the labels: python-docx, openpyxl, python-pptx, ebooklib, odfpy, Pillow and, where they are installed, LibreOffice (which
must draw the words of the visible label) and exiftool.

    python tests/reference/check_documents.py build/inkstone

Prints a line for each file and who read what of it; exits 1 when a label was not found.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from xml.etree import ElementTree

import docx
import openpyxl
import pptx
from ebooklib import epub
from odf import opendocument, teletype
from PIL import Image, ImageChops

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "mark"
FILES = ("text.docx", "properties.docx", "sheets.xlsx", "slides.pptx", "third.epub", "second.epub", "text.odt", "plain.svg",
         "film.gif", "still.gif")
WORDS, OF_PICTURES = "本内容由AI生成", "本图片由AI生成"
CUSTOM = "{http://schemas.openxmlformats.org/officeDocument/2006/custom-properties}property"
# LibreOffice writes what it opened as plain text or, where it has no such way, as PDF.
CONVERTED = {"docx": "txt:Text (encoded):UTF8", "odt": "txt:Text (encoded):UTF8", "xlsx": "pdf", "pptx": "pdf"}


# ---- readers: (words that people see, the metadata label or None where the reader knows of none)


def by_docx(path):
    document = docx.Document(path)
    return "\n".join(p.text for p in document.paragraphs), custom_property(document.part.package)


def by_pptx(path):
    deck = pptx.Presentation(path)
    words = [s.text_frame.text for slide in deck.slides for s in slide.shapes if s.has_text_frame]
    return "\n".join(words), custom_property(deck.part.package)


def custom_property(package):
    (part,) = [p for p in package.iter_parts() if p.partname == "/docProps/custom.xml"]
    found = [p for p in ElementTree.fromstring(part.blob).iter(CUSTOM) if p.get("name") == "AIGC"]
    return "".join(found[0].itertext())


def by_openpyxl(path):
    book = openpyxl.load_workbook(path)
    cells = [str(c.value) for sheet in book for row in sheet.iter_rows() for c in row]
    return "\n".join(book.sheetnames + cells), book.custom_doc_props["AIGC"].value


def by_ebooklib(path):
    book = epub.read_epub(path)
    pages = [book.get_item_with_id(i) for i, *_ in book.spine]
    (_, about), = [m for values in book.metadata.values() for k, v in values.items() for m in v
                   if (m[1] or {}).get("name") == "AIGC"]
    return "\n".join("".join(ElementTree.fromstring(p.get_content()).itertext()) for p in pages), about["content"]


def by_odfpy(path):
    document = opendocument.load(path)
    (found,) = [e for e in document.meta.childNodes if "AIGC" in (e.attributes or {}).values()]
    return teletype.extractText(document.text), teletype.extractText(found)


def by_elements(path):
    return "\n".join(ElementTree.parse(path).getroot().itertext()), None


def by_pillow(path):
    """The words where every frame has changed against the file without label: Pillow reads none, nor XMP of a GIF."""
    before, after = Image.open(FIXTURES / path.name), Image.open(path)
    changed = before.n_frames == after.n_frames
    for n in range(before.n_frames):
        before.seek(n)
        after.seek(n)
        changed = changed and ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox() is not None
    return OF_PICTURES if changed else "", None


READERS = {"docx": ("python-docx", by_docx), "xlsx": ("openpyxl", by_openpyxl), "pptx": ("python-pptx", by_pptx),
           "epub": ("ebooklib", by_ebooklib), "odt": ("odfpy", by_odfpy), "svg": ("ElementTree", by_elements),
           "gif": ("Pillow", by_pillow)}


def by_libreoffice(path):
    kind = CONVERTED[path.suffix[1:]]
    out = path.with_suffix("." + kind.split(":")[0])
    subprocess.run(["soffice", f"-env:UserInstallation=file://{path.parent}/office", "--headless", "--convert-to", kind,
                    "--outdir", path.parent, path], check=True, capture_output=True, timeout=180)
    if kind == "pdf":
        return subprocess.run(["pdftotext", out, "-"], check=True, capture_output=True, text=True).stdout
    return out.read_text("utf-8-sig")


def by_exiftool(path):
    found = json.loads(subprocess.run(["exiftool", "-json", path], check=True, capture_output=True).stdout)[0]
    return found.get("AIGC") or found.get("Aigc")


# ---- the check


def is_label(text, identity):
    """The label that the program says it gave; exiftool has made JSON of it."""
    return text is not None and identity in str(text) and "ContentProducer" in str(text)


def check(path, identity):
    """(what was read, what was not)"""
    ending, read, faults = path.suffix[1:], [], []
    if ending in READERS:
        name, reader = READERS[ending]
        words, label = reader(path)
        (read if any(w in words for w in (WORDS, OF_PICTURES)) else faults).append(f"{name}: words")
        if label is not None:
            (read if is_label(label, identity) else faults).append(f"{name}: metadata label")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as z:
            (faults if z.testzip() else read).append("zipfile: checksums")
    if ending in CONVERTED and shutil.which("soffice") and (CONVERTED[ending] != "pdf" or shutil.which("pdftotext")):
        # Lines of a PDF break where the page wants it.
        found = "".join(by_libreoffice(path).split())
        (read if WORDS in found else faults).append("LibreOffice: words")
    if ending in ("docx", "xlsx", "pptx", "svg", "gif") and shutil.which("exiftool"):
        (read if is_label(by_exiftool(path), identity) else faults).append("exiftool: metadata label")
    return read, faults


def main():
    program, failed = os.path.abspath(sys.argv[1]), 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        home = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder))
        subprocess.run([program, "key", "init"], env=home, check=True, capture_output=True)
        for name in FILES:
            done = subprocess.run([program, "label", FIXTURES / name, "--out", folder / name, "--law", "cn,eu", "--language",
                                   "zh", "--json"], env=home, check=True, capture_output=True)
            try:
                read, faults = check(folder / name, json.loads(done.stdout)["identity"])
            except Exception as fault:  # a reader that does not open it
                read, faults = [], [f"{type(fault).__name__}: {fault}"]
            print(f"{name}: read by {', '.join(read) or 'nobody'}" + f"; NOT {', '.join(faults)}" * bool(faults))
            failed += bool(faults)
    print(f"{len(FILES)} files, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
