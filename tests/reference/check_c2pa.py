"""Signs files with the program and has others read them: c2pa-python, and for what it does not know the checker of
c2pa_checker.py (and encypher-c2pa where it is installed).

    python tests/reference/check_c2pa.py build/inkstone 1000

Every file must be Valid with no failure but signingCredential.untrusted. Exits 1 and names the first that is not.
"""

import collections
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import wave

import c2pa
from PIL import Image

import c2pa_checker
import make_mark

try:
    import encypher_c2pa
    encypher_c2pa.set_telemetry_preference(False)
except ImportError:
    encypher_c2pa = None

UNTRUSTED = ["signingCredential.untrusted"]


def picture(chance, kind):
    size = chance.randint(1, 40), chance.randint(1, 40)
    mode = chance.choice(["RGB", "L"] if kind == "JPEG" else ["RGB", "RGBA", "L"])
    image = Image.frombytes(mode, size, chance.randbytes(size[0] * size[1] * len(mode)))
    out = io.BytesIO()
    image.save(out, kind, **({"quality": chance.randint(5, 95)} if kind != "PNG" else {}))
    return out.getvalue()


def sound(chance):
    out = io.BytesIO()
    with wave.open(out, "wb") as w:
        w.setnchannels(chance.choice([1, 2]))
        w.setsampwidth(2)
        w.setframerate(8000)
        w.writeframes(chance.randbytes(4 * chance.randint(1, 300)))
    return out.getvalue()


def words(chance):
    return "".join(chance.choice("秋夜山居 the moon é ü \n 𠮷 áb") for _ in range(chance.randint(0, 200)))


def svg(chance):
    head = chance.choice(["", '<?xml version="1.0" encoding="UTF-8"?>\n', "<!-- <svg> -->\n"])
    body = "".join(f'<rect x="{chance.randint(0, 9)}" width="{chance.randint(1, 9)}" height="3"/>'
                   for _ in range(chance.randint(1, 9)))
    return f'{head}<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{body}</svg>\n'.encode()


def html(chance):
    head = chance.choice(["", "<style>a > b {}</style>", "<!-- </head> -->", "<script>'</head>'</script>"])
    return f"<!doctype html>\n<html><head>{head}<title>x</title></head><body><p>{words(chance)}</p></body></html>\n".encode()


def markdown(chance):
    head = chance.choice(["", "---\ntitle: x\n---\n\n"])
    return (head + "# 题\n\n" + words(chance) + chance.choice(["", "\n"])).encode()


def source(chance):
    return (chance.choice(["", "#!/usr/bin/env python3\n"]) + "print(1)\n" * chance.randint(0, 9)).encode()


def pdf(chance):
    out = io.BytesIO()
    out.write(make_mark.pdf(chance.randint(1, 9)))
    return out.getvalue()


def gif(chance):
    out = io.BytesIO()
    frames = [Image.frombytes("L", (9, 7), chance.randbytes(63)).convert("P") for _ in range(chance.randint(1, 3))]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


KINDS = {
    "png": ("image/png", lambda r: picture(r, "PNG")),
    "jpg": ("image/jpeg", lambda r: picture(r, "JPEG")),
    "webp": ("image/webp", lambda r: picture(r, "WEBP")),
    "wav": ("audio/wav", sound),
    "svg": ("image/svg+xml", svg),
    "gif": ("image/gif", gif),
    "pdf": ("application/pdf", pdf),
    "mp3": ("audio/mpeg", lambda r: make_mark.mp3(r.randint(1, 9), r.choice([None, b"x" * r.randint(1, 99)]))),
    "html": (None, html),
    "md": (None, markdown),
    "py": (None, source),
    "txt": (None, lambda r: words(r).encode()),
}


def by_c2pa(kind, path, sidecar=None):
    asset = io.BytesIO(path.read_bytes())
    reader = c2pa.Reader(kind, asset, sidecar.read_bytes()) if sidecar else c2pa.Reader(kind, asset)
    found = json.loads(reader.json())
    results = found["validation_results"]
    failures = [f["code"] for f in results["activeManifest"]["failure"]]
    for delta in results.get("ingredientDeltas", []):
        failures += [f["code"] for f in delta["validationDeltas"]["failure"]]
    return found["validation_state"], failures


def by_encypher(path):
    found = encypher_c2pa.verify(str(path))
    failures = [f["code"] for f in found["validation_results"].get("failure", [])]
    return found["validation_state"], failures


def main():
    program, n = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(2026)
    counts = collections.Counter()
    for ending, (kind, _) in KINDS.items():
        golden = make_mark.OUT / f"golden.{ending}"
        if golden.exists():
            assert by_c2pa(kind, golden) == ("Valid", UNTRUSTED), golden
            assert c2pa_checker.check(golden.read_bytes(), ending) == ("Valid", []), golden
            counts["both, golden bytes", ending] += 1
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        environment = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder / "data"))
        run = lambda *command: subprocess.run([program, *map(str, command)], env=environment, check=True,
                                              stdout=subprocess.DEVNULL)
        run("key", "init")
        for i in range(n):
            ending = list(KINDS)[i % len(KINDS)]
            kind, make = KINDS[ending]
            plain, signed, again = (folder / f"{name}.{ending}" for name in ("plain", "signed", "again"))
            plain.write_bytes(make(chance))
            sidecar = kind and chance.random() < 0.1
            if sidecar:
                side = folder / "side.c2pa"
                run("sign", plain, "--sidecar", "--out", side)
                verdicts = [("c2pa-python, sidecar", by_c2pa(kind, plain, side))]
            else:
                run("sign", plain, "--out", signed, "--title", f"file {i}")
                if kind and chance.random() < 0.2:  # signed twice: the first manifest becomes the parent's
                    run("sign", signed, "--out", again)
                    signed = again
                verdicts = [("checker", c2pa_checker.check(signed.read_bytes(), ending))]
                if kind:
                    verdicts.append(("c2pa-python", by_c2pa(kind, signed)))
                elif encypher_c2pa:
                    verdicts.append(("encypher-c2pa", by_encypher(signed)))
            for judge, (state, failures) in verdicts:
                if state != "Valid" or (failures != UNTRUSTED and judge != "checker"
                                        and not (judge == "encypher-c2pa" and set(failures) <= set(UNTRUSTED))):
                    kept = pathlib.Path(tempfile.gettempdir()) / f"refused.{ending}"
                    kept.write_bytes((plain if sidecar else signed).read_bytes())
                    sys.exit(f"{judge}: file {i} ({ending}) is {state}: {failures}; kept as {kept}")
                counts[judge, ending] += 1
    for (judge, ending), count in sorted(counts.items()):
        print(f"{judge:22} {ending:5} {count} Valid")
    print(f"{n} files, no failure but signingCredential.untrusted")


if __name__ == "__main__":
    main()
