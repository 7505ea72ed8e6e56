"""Has other programs open the files that the program writes: Pillow, exiftool, A1111's way of reading parameters, and
ImageMagick and Chromium where they are installed; sd-parsers and sd-prompt-reader, and the reader of ComfyUI's editor
(from comfyui-frontend-package, run by node, as it stands in its bundle), where those are.

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


def check_parsers(path):
    """Readers that galleries use: prompt, negative prompt, seed, steps, sampler, guidance, size and model."""
    try:
        import sd_parsers
        from sd_prompt_reader.image_data_reader import ImageDataReader
    except ImportError:
        return
    info = sd_parsers.ParserManager().parse(path)
    sampler = info and next(iter(info.samplers), None)
    need(sampler and sampler.name == "PLMS" and sampler.parameters.get("steps") == "2" and sampler.model.name == "sd1"
         and info.full_prompt == PROMPT and info.full_negative_prompt == NEGATIVE, f"{path.name}: sd-parsers: {info}")
    read = ImageDataReader(str(path))
    found = read.parameter
    need(read.positive == PROMPT and read.negative == NEGATIVE and found["size"] == "128x192" and found["steps"] == "2"
         and found["model"] == "sd1" and found["seed"].isdigit() and found["cfg"] == "7.5",
         f"{path.name}: sd-prompt-reader: {found} {read.positive!r}")
    readers.update({"sd-parsers", "sd-prompt-reader"})


# Node runs the functions of the bundle itself; what they need of a browser is put in their place.
EDITOR = """
const fs = require("fs"); const source = fs.readFileSync(process.argv[1], "utf8");
const begin = source.indexOf("async function decompressZlib"), end = source.indexOf("function getLatentMetadata");
if (begin < 0 || end < begin) { console.log("null"); process.exit(); }
globalThis.window = globalThis;
globalThis.FileReader = class { readAsArrayBuffer(b) { this.result = b; this.onload({target: {result: b}}); } };
const read = new Function(source.slice(begin, end) + "; return {png: getFromPngBuffer, webp: getWebpMetadata};")();
const bytes = fs.readFileSync(process.argv[2]);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const how = process.argv[2].endsWith(".png") ? read.png : read.webp;
how(buffer).then(found => console.log(JSON.stringify(found)));
"""


def check_comfyui(path, kinds):
    """The graph as ComfyUI's editor gets it from a file that is dropped on it (it reads none from JPEG)."""
    try:
        import comfyui_frontend_package
    except ImportError:
        return
    node, assets = shutil.which("node"), pathlib.Path(comfyui_frontend_package.__file__).parent / "static" / "assets"
    bundle = next((p for p in sorted(assets.glob("*.js")) if "function getWebpMetadata" in p.read_text()), None)
    if not node or not bundle:
        return
    done = subprocess.run([node, "-e", EDITOR, str(bundle), str(path)], capture_output=True, check=True)
    found = json.loads(done.stdout)
    if found is None:
        print("the reader of ComfyUI's editor is not where it was; left out")
        return
    graph = json.loads(found.get("prompt") or found.get("Prompt") or "{}")
    need(graph and all(isinstance(n.get("class_type"), str) and isinstance(n.get("inputs"), dict) for n in graph.values()),
         f"{path.name}: ComfyUI's reader found {found}")
    types = {n["class_type"] for n in graph.values()}
    links = {v[0] for n in graph.values() for v in n["inputs"].values() if isinstance(v, list)}
    need(kinds <= types, f"{path.name}: nodes {types}")
    need(links <= set(graph), f"{path.name}: links to nowhere")
    readers.add("ComfyUI's editor")


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
            check_parsers(path)
        plain, more = {"CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage", "KSampler", "VAEDecode", "SaveImage"}, \
            {"LoraLoader", "CLIPSetLastLayer", "LoadImage", "VAEEncode", "SetLatentNoiseMask"}
        pictures = ROOT / "tests/fixtures/pipelines"
        for ending in ("png", "webp"):
            for name, kinds, flags in [("words", plain, []),
                                       ("led", more, ["--lora", ROOT / "tests/fixtures/embedding/style.safetensors:0.5",
                                                      "--clip-skip", 1, "--init", pictures / "init.png", "--mask",
                                                      pictures / "mask.png"])]:
                path = folder / f"{name}.{ending}"
                run("paint", PROMPT, "--model", pictures / "sd1", "--steps", 4, "--size", "128x128", "--sampler", "euler",
                    "-o", path, *flags)
                check_comfyui(path, kinds)
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
