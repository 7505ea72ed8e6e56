"""Makes files of every kind with the program, in every way it has, and has others judge them: c2pa-python, the checker of
c2pa_checker.py, the program itself, and encypher-c2pa and c2patool where they are installed.

    python tests/reference/check_c2pa.py build/inkstone 1000        # 1000 files that c2pa-python judges, 500 of other kinds
    C2PATOOL=c2patool python tests/reference/check_c2pa.py …        # and every tenth of the former by that program

Signed as they are drawn by lot (c2pa_shapes.py), signed twice, after c2pa-python signed them, labelled and signed, with
sidecars, bound by parts, updated once or twice (with late time-stamps); painted by a tiny Stable Diffusion, and pieces of
`make poem`; by keys of every algorithm, some with a time-stamp of a local authority (openssl ts). Each must be Valid for
every judge that knows it, with no failure but signingCredential.untrusted. Prints counts by carrier and every failure's
code; exits 1 when anything was refused, and keeps what was.
"""

import collections
import contextlib
import http.server
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import zipfile

import c2pa

import c2pa_checker
import c2pa_shapes
import make_mark

try:
    import encypher_c2pa
    encypher_c2pa.set_telemetry_preference(False)
except ImportError:
    encypher_c2pa = None

FIXTURES = make_mark.OUT.parent
UNTRUSTED = "signingCredential.untrusted"
# Kinds that c2pa-python reads. It does not read archives whose files the specification's array lists (18.8.2): its own
# are a map.
MEDIA = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "wav": "audio/wav", "svg": "image/svg+xml",
         "gif": "image/gif", "pdf": "application/pdf", "mp3": "audio/mpeg"}
RESTARTS = b"\xff\xdd\0\4"
SIGNED_BY_OTHERS = {e: m for e, m in MEDIA.items() if e != "pdf"}  # it reads PDF, and writes none
# What encypher-c2pa knows a media type for.
KNOWN_TO_ENCYPHER = ("html", "md", "py", "js", "css", "yaml", "txt", *c2pa_checker.ARCHIVES)
OTHERS = tuple(e for e in c2pa_shapes.SHAPES if e not in MEDIA)
GROWING = ("png", "jpg", "gif", "svg")  # a store grows in its place
LABELLED = ("png", "jpg", "webp", "gif", "svg", "pdf", "wav", "mp3", "html", "md", "py", "txt", *c2pa_checker.ARCHIVES)
KEYS = ("own", "es256", "es384", "es512", "ps256", "ed25519")
PICTURES = ("png", "jpg", "webp", "gif")
SOURCES = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia", "digitalCapture")
PAINTERS = ("sd1", "xl")


# ---- judges: (state, codes of failures)


def by_c2pa(media, path, sidecar=None):
    asset = io.BytesIO(path.read_bytes())
    reader = c2pa.Reader(media, asset, sidecar.read_bytes()) if sidecar else c2pa.Reader(media, asset)
    found = json.loads(reader.json())
    results = found["validation_results"]
    failures = [f["code"] for f in results["activeManifest"]["failure"]]
    for delta in results.get("ingredientDeltas", []):
        failures += [f["code"] for f in delta["validationDeltas"]["failure"]]
    return found["validation_state"], failures


def by_encypher(path):
    found = encypher_c2pa.verify(str(path))
    return found["validation_state"], [f["code"] for f in found["validation_results"].get("failure", [])]


def by_c2patool(path, sidecar=None):
    tool = [os.environ["C2PATOOL"], path, *(["--external-manifest", sidecar] if sidecar else []), "--detailed"]
    done = subprocess.run(tool, capture_output=True)
    if done.returncode:
        return "Refused", [done.stderr.decode()[:120]]
    found = json.loads(done.stdout)
    failures = [f["code"] for f in found["validation_results"]["activeManifest"]["failure"]]
    return found["validation_state"], failures


def by_program(run, path):
    found = json.loads(run("verify", path, "--json", check=False).stdout)
    return found["state"], [f["code"] for f in found["failure"]]


def judged(judge, *arguments):
    try:
        return judge(*arguments)
    except Exception as fault:
        return "Refused", [f"{type(fault).__name__}: {fault}"[:120]]


def has_folder(data):
    """Names that end with a slash are none for encypher-c2pa, which wants every name listed."""
    return data[:2] == b"PK" and any(i.is_dir() for i in zipfile.ZipFile(io.BytesIO(data)).infolist())


def known_to_c2pa(way, ending, data):
    """c2pa-rs 0.91 knows no parts of RIFF, and takes those of a JPEG with restart markers for changed."""
    unknown = ending in ("webp", "wav") or (ending == "jpg" and RESTARTS in data)
    return ending in MEDIA and not ("by parts" in way and unknown)


# ---- the local authority


def run_quietly(*command, **options):
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


@contextlib.contextmanager
def authority(folder):
    """The address of a server of time-stamps."""
    folder.mkdir()
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run_quietly("openssl", "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Times",
                cwd=folder)
    run_quietly("openssl", "req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/O=Test/CN=Stamps", cwd=folder)
    (folder / "ext").write_text("keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n")
    run_quietly("openssl", "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                "tsa.pem", "-days", "30", "-extfile", "ext", cwd=folder)
    (folder / "cnf").write_text("[tsa]\ndefault_tsa = c\n[c]\nserial = n\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n"
                                "default_policy = 1.2.3.4\ndigests = sha256, sha384\nsigner_digest = sha256\n"
                                "ess_cert_id_alg = sha256\naccuracy = secs:1\n")

    class Stamps(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            (folder / "q").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            run_quietly("openssl", "ts", "-reply", "-config", "cnf", "-queryfile", "q", "-out", "r", cwd=folder)
            answer = (folder / "r").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Stamps)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


# ---- making files


class Studio:
    """The program, with installations that have keys of their own."""

    def __init__(self, program, folder, stamps):
        self.program, self.folder, self.stamps = program, folder, stamps
        self.signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(
            alg=b"es256", sign_cert=(make_mark.OUT / "es256.pem").read_bytes(),
            private_key=(make_mark.OUT / "es256.key").read_bytes(), ta_url=None))
        self.review, self.credits = folder / "review.json", folder / "credits.json"
        self.review.write_text('{"verdict": "good"}')
        self.credits.write_text(json.dumps({"@context": {"dc": "http://purl.org/dc/elements/1.1/"}, "dc:creator": ["秋"]}))
        self.environments = {}
        for name in KEYS:
            home = folder / name
            self.environments[name] = dict(os.environ, HOME=str(home), XDG_DATA_HOME=str(home))
            taken = [] if name == "own" else ["--key", make_mark.OUT / f"{name}.key", "--certificates",
                                              make_mark.OUT / f"{name}.pem"]
            self.run(name)("key", "init", *taken)

    def run(self, key):
        def run(*command, check=True):
            done = subprocess.run([self.program, *map(str, command)], env=self.environments[key], capture_output=True)
            if check and done.returncode:
                raise RuntimeError(f"{command}: {done.stderr.decode()}")
            return done
        return run

    def others(self, chance, ending, data):
        out = io.BytesIO()
        definition = json.dumps({"claim_generator_info": [{"name": "others", "version": "1"}], "title": "other",
                                 "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [{
                                     "action": "c2pa.created", "digitalSourceType":
                                     "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"}]}}]})
        seen = ending in PICTURES and chance.random() < 0.5
        plain = c2pa.Context(settings=c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": seen}}}))
        c2pa.Builder(definition, context=plain).sign(self.signer, MEDIA[ending], io.BytesIO(data), out)
        return out.getvalue()

    def signed(self, chance, ending, i):
        """One file: (way, path, sidecar or None, key)."""
        stamps = ending != "txt"
        n_update = chance.choice([0, 0, 0, 0, 1, 1, 2])
        stamped = ["--timestamp-url", self.stamps] if stamps and chance.random() < 0.1 else []
        late = ["--timestamp-url", self.stamps] if stamps and chance.random() < 0.2 else []
        # Where a manifest keeps its length, this is what the updates take.
        room = ["--reserve", n_update * (16000 if late else chance.randint(5000, 9000))] if n_update else []
        way, path, side, key = self.signed_once(chance, ending, i, stamped + room)
        if way == "labelled" and ending not in GROWING:  # it leaves no room
            return way, path, side, key
        way += ", stamped" * bool(stamped)
        for n in range(n_update):
            out = side or self.folder / f"updated-{n}.{ending}"
            said = chance.choice([["--published"], ["--assertion", f"org.example.review={self.review}"],
                                  ["--metadata", self.credits], []])
            self.run(key)("sign", path, "--update", "--out", out, *["--sidecar"] * bool(side), *said, *late)
            path = path if side else out
        return way + f", updated{' twice' * (n_update == 2)}{' with stamps' * bool(late)}" * bool(n_update), path, side, key

    def said(self, chance):
        """Words of a signature, by lot."""
        words = ["--source", chance.choice(SOURCES)] if chance.random() < 0.5 else []
        words += ["--training", chance.choice(["allowed", "notAllowed"])] if chance.random() < 0.3 else []
        words += ["--metadata", self.credits] if chance.random() < 0.2 else []
        return words + ["--assertion", f"org.example.review={self.review}"] * chance.choice([0, 0, 0, 1, 2])

    def asked(self, chance, ending):
        """Of a label, by lot."""
        words = ["--law", chance.choice(["cn", "eu", "cn,eu,ca", "eu,ca"]), "--as",
                 chance.choice(["own", "declared", "suspected"]), "--language", chance.choice(["en", "zh"])]
        if ending in PICTURES:
            words += ["--place", chance.choice(["bottom-right", "top-left", "bottom", "top"]), "--height", "0.06"]
        return words + ["--producer", "a-producer", "--system", "painter", "--prompt", "a fox"] * (chance.random() < 0.5)

    def signed_once(self, chance, ending, i, more):
        key = chance.choice(KEYS)
        run = self.run(key)
        plain, made, again = (self.folder / f"{name}.{ending}" for name in ("plain", "signed", "again"))
        plain.write_bytes(c2pa_shapes.SHAPES[ending](chance))
        bound = chance.random() < 0.3 and ending in c2pa_checker.PARTS
        parts, by_parts = ["--binding", "boxes"] * bound, ", by parts" * bound
        more = [*more, *self.said(chance)]
        way = chance.random()
        if way < 0.1:
            side = self.folder / "side.c2pa"
            run("sign", plain, "--sidecar", "--out", side, *more)
            return "sidecar", plain, side, key
        if way < 0.25 and ending in SIGNED_BY_OTHERS:
            plain.write_bytes(self.others(chance, ending, plain.read_bytes()))
            run("sign", plain, "--out", made, *parts, *more)
            return "after c2pa-python" + by_parts, made, None, key
        # A label needs room, and refuses another's: those are no failures of the signature.
        if way < 0.45 and ending in LABELLED:
            if run("label", plain, "--out", made, *self.asked(chance, ending), check=False).returncode == 0:
                if run("verify", made, check=False).returncode == 0 and chance.random() < 0.5:
                    return "labelled", made, None, key
                run("sign", made, "--out", again, *parts, *more)
                return "labelled, signed" + by_parts, again, None, key
        run("sign", plain, "--out", made, "--title", f"file {i} 秋夜", *parts, *more)
        if way > 0.85:
            run("sign", made, "--out", again, *parts, *more)
            return "signed twice" + by_parts, again, None, key
        return "signed" + by_parts, made, None, key

    def painted(self, chance, i):
        key, ending = chance.choice(KEYS), chance.choice(list(PICTURES[:3]))
        out, begin = self.folder / f"painted.{ending}", self.folder / f"init.{ending}"
        way, more = "painted", []
        if chance.random() < 0.4:
            way, more = "painted over another", ["--init", begin, "--strength", chance.choice([0.5, 0.8])]
            if not begin.exists() or chance.random() < 0.5:
                way = "painted over a photograph"
                begin.write_bytes(chance.choice(c2pa_shapes.of_others(ending)))
        ways = [[], ["--quality", 40], ["--count", 2]]
        if not more:  # what begins with noise alone
            ways += [["--hires", "2:1"], ["--watermark", "public"], ["--count", 2, "--grid"]]
        more += chance.choice(ways)
        more += ["--timestamp-url", self.stamps] if chance.random() < 0.1 else []
        model = chance.choice([FIXTURES / "pipelines" / name for name in PAINTERS])
        self.run(key)("paint", chance.choice(["a fox", "雪山 <b>"]), "--model", model, "--steps", 2, "--size",
                      f"{chance.choice([64, 128, 256])}x{chance.choice([64, 128])}", "--seed", i, "-o", out, *more)
        begin.write_bytes((self.folder / f"painted-1.{ending}" if "--count" in more else out).read_bytes())
        for path in sorted(self.folder.glob("painted*")):
            yield way, path, None, key
            path.unlink()

    def pieces(self, chance, i):
        key, folder = chance.choice(KEYS), self.folder / f"piece-{i}"
        stamp = ["--timestamp-url", self.stamps] if chance.random() < 0.5 else []
        self.run(key)("make", "poem", "--set", f"theme={chance.choice('秋夜 江南 春山 明月'.split())}", "--set", "form=五绝",
                      "--seed", i, "--out", folder, *stamp)
        for path in sorted(folder.iterdir()):
            if path.suffix in (".md", ".html", ".png"):
                yield "made" + " stamped" * bool(stamp), path, None, key


def check_public(run):
    """The public files, which others signed: state and failures as c2pa-python has them."""
    n = 0
    shared = os.environ.get("INKSTONE_SHARED") or pathlib.Path(__file__).parent.parent.parent / "../shared"
    for path in sorted(pathlib.Path(shared).resolve().glob("data/c2pa/*.jpg")):
        try:
            found = json.loads(c2pa.Reader("image/jpeg", io.BytesIO(path.read_bytes())).json())
            theirs = found["validation_state"], [f["code"] for f in found["validation_results"]["activeManifest"]["failure"]]
        except c2pa.C2paError:
            theirs = "none", []
        ours = by_program(run, path)
        assert (ours[0], sorted(ours[1])) == (theirs[0], sorted(theirs[1])), f"{path.name}: {ours}, c2pa-python: {theirs}"
        n += 1
    print(f"{n} public files: state and failures as c2pa-python gives them")


def check_golden(counts):
    for ending in c2pa_shapes.SHAPES:
        golden = make_mark.OUT / f"golden.{ending}"
        if golden.exists():
            assert by_c2pa(MEDIA[ending], golden) == ("Valid", [UNTRUSTED]), golden
            assert c2pa_checker.check(golden.read_bytes(), ending) == ("Valid", []), golden
            counts[ending, "golden bytes"] += 1


def check_the_checker(studio, chance):
    """The checker must not be one that says yes to anything."""
    passed = []
    for ending, kind in (("png", ""), ("html", ""), ("docx", ""), ("txt", ""), ("pdf", ""), ("mp3", ""), ("svg", "updated"),
                         ("gif", "updated"), ("wav", "updated"), *((e, "by parts") for e in c2pa_checker.PARTS)):
        while (made := studio.signed(chance, ending, 0))[2] or kind not in made[0]:
            pass
        data = made[1].read_bytes()
        for _ in range(60):
            changed = bytearray(data)
            at = chance.randrange(len(data))
            changed[at] ^= 1 << chance.randrange(8)
            if c2pa_checker.check(bytes(changed), ending)[0] == "Valid" and not only_padding(data, bytes(changed), ending):
                passed.append((ending, at, data[at], changed[at], data[max(at - 40, 0):at + 20]))
    assert not passed, f"the checker let changes pass: {passed}"


def only_padding(data, changed, ending):
    before, after = (c2pa_checker.Archive(d).store if ending in c2pa_checker.ARCHIVES else c2pa_checker.FIND[ending](d)[0]
                     for d in (data, changed))
    pad = before.rindex(b"cpad") + 1
    return before != after and before[:pad] == after[:pad]


def main():
    program, n = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 2026)
    counts, codes, refused = collections.Counter(), collections.Counter(), []
    files = judges_of = known = 0
    ways = collections.Counter()
    check_golden(counts)
    with tempfile.TemporaryDirectory() as folder, authority(pathlib.Path(folder) / "times") as stamps:
        studio = Studio(program, pathlib.Path(folder), stamps)
        check_the_checker(studio, random.Random(1))
        check_public(studio.run("own"))

        def judge(way, path, side, key):
            nonlocal files, judges_of, known
            ending, verdicts = path.suffix[1:], {}
            data = path.read_bytes()
            verdicts["checker"] = judged(c2pa_checker.check, data, ending, side and side.read_bytes())
            if known_to_c2pa(way, ending, data):
                verdicts["c2pa-python"] = judged(by_c2pa, MEDIA[ending], path, side)
                known += 1
                if "C2PATOOL" in os.environ and known % 10 == 0:
                    verdicts["c2patool"] = judged(by_c2patool, path, side)
            elif encypher_c2pa and not side and ending in KNOWN_TO_ENCYPHER and not has_folder(data):
                verdicts["encypher-c2pa"] = judged(by_encypher, path)
            if not side:
                verdicts["inkstone verify"] = judged(by_program, studio.run(key), path)
            for name, (state, failures) in verdicts.items():
                counts[ending, name] += 1
                codes.update((name, code) for code in failures)
                if state != "Valid" or set(failures) - {UNTRUSTED}:
                    kept = pathlib.Path(tempfile.gettempdir()) / f"refused-{len(refused)}.{ending}"
                    kept.write_bytes(data)
                    refused.append(f"{name}: {way}, {key}: {state} {failures}; kept as {kept}")
            counts[ending, "files"] += 1
            ways[way] += 1
            files += 1
            judges_of += len(verdicts)
            if files % 100 == 0:
                print(f"{files} files, {known} of them by c2pa-python, {len(refused)} refused", file=sys.stderr, flush=True)

        for i in range(n // 25):
            for made in studio.pieces(chance, i):
                judge(*made)
        for i in range(n // 8):
            for made in studio.painted(chance, i):
                judge(*made)
        for i in range(n // 2):
            judge(*studio.signed(chance, OTHERS[i % len(OTHERS)], i))
        i = 0
        while known < n:
            judge(*studio.signed(chance, list(MEDIA)[i % len(MEDIA)], i))
            i += 1
    columns = ["files", "c2pa-python", "c2patool", "checker", "inkstone verify", "encypher-c2pa"]
    print(f"{'':8}" + "".join(f"{c:>17}" for c in columns))
    for ending in c2pa_shapes.SHAPES:
        print(f"{ending:8}" + "".join(f"{counts[ending, c] or '':>17}" for c in columns))
    print("ways: " + ", ".join(f"{count} {way}" for way, count in ways.most_common()))
    print("codes of failure:", {f"{judge}: {code}": count for (judge, code), count in sorted(codes.items())})
    for line in refused[:40]:
        print(line)
    print(f"{files} files, {judges_of} verdicts, {len(refused)} refused")
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
