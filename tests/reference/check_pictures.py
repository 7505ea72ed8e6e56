"""Has other programs open the files that the program writes: Pillow, exiftool, A1111's way of reading parameters, and
ImageMagick and Chromium where they are installed.

    python tests/reference/check_pictures.py build/inkstone

A tiny Stable Diffusion paints PNG, JPEG and WebP, `make poem` illustrates a poem, a PDF is labelled. Looked for: the same
pixels for every reader of a lossless file, generation parameters that parse, the fields of XMP (IPTC 2025.1), GB 45438-2025
AIGC. Exits 1 and says what is missing.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent.parent
PROMPT, NEGATIVE = "a red fox, 狐狸", "blurry, (low: quality)"
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
faults = []


def need(holds, what):
    if not holds:
        faults.append(what)


def parameters_of(path):
    """The text of generation parameters where A1111 looks for it: PNG's "parameters", else Exif's UserComment, as piexif
    reads it (UNICODE is UTF-16, the high byte first)."""
    image = Image.open(path)
    if path.suffix == ".png":
        return image.info.get("parameters", "")
    comment = image.getexif().get_ifd(0x8769).get(0x9286, b"")
    need(comment[:8] == b"UNICODE\0", f"{path.name}: code of UserComment")
    return comment[8:].decode("utf_16_be")


def parse_parameters(text):
    """Prompt, negative prompt and the values of the last line."""
    lines = text.strip().split("\n")
    pairs = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', lines[-1])
    prompt, negative = [], []
    at = prompt
    for line in lines[:-1]:
        if line.startswith("Negative prompt:"):
            at, line = negative, line[16:].strip()
        at.append(line)
    return "\n".join(prompt), "\n".join(negative), dict(pairs)


def exiftool(path):
    done = subprocess.run(["exiftool", "-j", "-G1", "-a", "-s", str(path)], capture_output=True, check=True)
    return json.loads(done.stdout)[0]


def check_fields(path, system=True):
    fields = exiftool(path)
    need(not any("Warning" in k or "Error" in k for k in fields),
         f"{path.name}: exiftool warns: {[v for k, v in fields.items() if 'Warning' in k or 'Error' in k]}")
    need(fields.get("XMP-iptcExt:DigitalSourceType") == IPTC, f"{path.name}: DigitalSourceType")
    for name in ("AISystemUsed", "AISystemVersionUsed", "AIPromptInformation") if system else ():
        need(fields.get(f"XMP-iptcExt:{name}"), f"{path.name}: {name}")
    label = fields.get("PDF:AIGC") or fields.get("XMP-TC260:Aigc") or fields.get("XMP-TC260:AIGC")
    label = json.loads(label) if isinstance(label, str) else label or {}
    need(list(label) == ["Label", "ContentProducer", "ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID",
                         "ReservedCode2"], f"{path.name}: AIGC label {label}")
    return fields


def check_viewers(path, folder):
    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:
        image.load()
        size = image.size
    convert = shutil.which("magick") or shutil.which("convert")
    if convert and b"ImageMagick" in subprocess.run([convert, "-version"], capture_output=True).stdout:
        out = folder / "converted.png"
        done = subprocess.run([convert, str(path), str(out)], capture_output=True)
        need(done.returncode == 0 and Image.open(out).size == size, f"{path.name}: ImageMagick: {done.stderr.decode()}")
        readers.add("ImageMagick")
    return size


def check_browser(paths, folder):
    chromium = shutil.which("chromium")
    if not chromium:
        return
    page = folder / "page.html"
    images = "".join(f"<img src='{p}' onload='document.title += \" {p.name}:\" + this.naturalWidth + \"x\" + "
                     f"this.naturalHeight'>" for p in paths)
    page.write_text(f"<title>seen</title>{images}")
    try:
        done = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000",
                               "--dump-dom", page.as_uri()], capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        print("Chromium did not answer; left out")
        return
    title = re.search(r"<title>(.*?)</title>", done.stdout.decode(errors="replace"))
    if not title:
        print("Chromium did not start; left out")
        return
    for path in paths:
        size = "x".join(map(str, Image.open(path).size))
        need(f"{path.name}:{size}" in title[1], f"{path.name}: Chromium saw {title[1]}")
    readers.add("Chromium")


readers = {"Pillow", "exiftool"}


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        environment = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder / "data"))
        run = lambda *command: subprocess.run([program, *map(str, command)], env=environment, check=True,  # noqa: E731
                                              capture_output=True)
        paths = []
        for i, (ending, more) in enumerate([("png", []), ("jpg", []), ("webp", []), ("webp", ["--lossless"]),
                                            ("jpg", ["--quality", 30]), ("png", ["--count", 2, "--grid"])]):
            path = folder / f"fox-{i}.{ending}"
            run("paint", PROMPT, "--negative", NEGATIVE, "--model", ROOT / "tests/fixtures/pipelines/sd1", "--steps", 2,
                "--size", "128x192", "--seed", 5 + i, "-o", path, *more)
            paths += sorted(folder.glob(f"fox-{i}*.{ending}"))
        for path in paths:
            need(check_viewers(path, folder)[0] >= 128, f"{path.name}: size")
            check_fields(path)
            prompt, negative, values = parse_parameters(parameters_of(path))
            need((prompt, negative) == (PROMPT, NEGATIVE), f"{path.name}: parameters {prompt!r} {negative!r}")
            need(values.get("Steps") == "2" and values.get("Size") == "128x192" and values.get("Seed", "").isdigit()
                 and {"Sampler", "CFG scale", "Model", "Model hash"} <= set(values), f"{path.name}: values {values}")
        piece = folder / "piece"
        run("make", "poem", "--set", "theme=秋夜", "--set", "form=五绝", "--seed", 3, "--out", piece)
        paths.append(piece / "poem.png")
        check_viewers(paths[-1], folder)
        check_fields(paths[-1])
        pdf = folder / "a.pdf"
        run("label", ROOT / "tests/fixtures/mark/plain.pdf", "-o", pdf, "--system", "painter", "--system-version", "1",
            "--prompt", "a fox")
        check_fields(pdf)
        check_browser(paths, folder)
    for fault in faults:
        print(fault)
    print(f"{len(paths)} pictures and a PDF, read by {', '.join(sorted(readers))}: {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
