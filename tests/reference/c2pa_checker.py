"""A second checker of C2PA manifests, written apart from src/mark: from the specification (2.4), with cbor2 and
cryptography alone.

check(bytes, ending, store=None) -> ("Valid" | "Invalid", [what is wrong]). `store` is that of a sidecar. It knows png, jpg,
webp, wav, svg, gif, pdf, mp3, html, txt, the archives docx xlsx pptx epub odt, and source in the languages of COMMENTS.

Looked at: where the store lies and what the hard binding (bytes, parts of PARTS, files of an archive) leaves out for it;
every manifest that the active one leads to, with its claim, each hashed URI in it, actions, ingredients, the signature with
its chain of certificates, and time-stamps, its own and late ones (imprint, signature, profile of the certificate); what an
update manifest may hold, and the binding of what it updates. Trust is nobody's here: a chain may end anywhere. Assertions
that a later claim took out are taken for missing.
"""

import base64
import datetime
import hashlib
import html.parser
import re
import struct
import unicodedata
import zlib

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

BEGIN, END = b"-----BEGIN C2PA MANIFEST-----", b"-----END C2PA MANIFEST-----"
COMMENTS = {"md": (b"<!--", b" -->"), "py": (b"#", b""), "sh": (b"#", b""), "yaml": (b"#", b""), "c": (b"//", b""),
            "js": (b"//", b""), "css": (b"/*", b" */"), "sql": (b"--", b""), "tex": (b"%", b""), "ini": (b";", b"")}
ARCHIVES = ("docx", "xlsx", "pptx", "epub", "odt")
STORE_IN_ARCHIVE = "META-INF/content_credential.c2pa"
OF_AN_UPDATE = {"c2pa.opened", "c2pa.edited.metadata", "c2pa.published", "c2pa.redacted"}
CLAIM_SIGNING, STAMPING = "1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.8"


class Wrong(Exception):
    pass


def need(holds, what):
    if not holds:
        raise Wrong(what)


def unbase64(text):
    value = base64.b64decode(text, validate=True)
    need(base64.b64encode(value) == text, "base64")  # no bits that count for nothing
    return value


# ---- where the store lies: (store, start, length) of what is left out of the hash (appendix A)


def find_png(data):
    found, at = [], 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        need(zlib.crc32(data[at + 4:at + 8 + size]) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0],
             f"checksum of {kind}")
        if kind == b"caBX":
            found.append((data[at + 8:at + 8 + size], at, size + 12))
        need(kind != b"caBX" or data[at + 12 + size:].find(b"IDAT") >= 0, "caBX behind the pixels")
        at += size + 12
    need(len(found) == 1, "one caBX")
    return found[0]


def find_jpeg(data):
    at, parts, start, end, numbers = 2, b"", None, None, []
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        size = struct.unpack(">H", data[at + 2:at + 4])[0]
        if data[at + 1] == 0xEB and data[at + 4:at + 6] == b"JP":
            payload = data[at + 12:at + 2 + size]
            numbers.append(struct.unpack(">I", data[at + 8:at + 12])[0])
            need(start is None or (at == end and payload[:8] == parts[:8]), "segments stand apart")
            parts += payload if start is None else payload[8:]
            start = at if start is None else start
            end = at + 2 + size
        at += 2 + size
    need(numbers == list(range(1, len(numbers) + 1)) and numbers, "numbers of the segments")
    return parts, start, end - start


def find_riff(data):
    at, found = 12, []
    need(struct.unpack("<I", data[4:8])[0] == len(data) - 8, "size of the RIFF file")
    while at + 8 <= len(data):
        kind, size = struct.unpack("<4sI", data[at:at + 8])
        if kind == b"C2PA":
            found.append((data[at + 8:at + 8 + size], at, size + 8))
        at += 8 + size + size % 2
    need(len(found) == 1 and at == len(data), "one C2PA chunk in a whole file")
    return found[0]


def find_gif(data):
    start = data.index(b"!\xff\x0bC2PA_GIF\1\0\0")
    need(data.count(b"!\xff\x0bC2PA_GIF\1\0\0") == 1 and data[:6] == b"GIF89a", "one extension of a GIF89a")
    at, store = start + 14, b""
    while data[at]:
        store += data[at + 1:at + 1 + data[at]]
        at += 1 + data[at]
    return store, start, at + 1 - start


def find_pdf(data):
    match = re.search(rb"(\d+) 0 obj\s*<<[^>]*/Subtype /application#2Fc2pa /Length (\d+) >>\nstream\n", data)
    need(re.search(rb"/AFRelationship /C2PA_Manifest[^>]*/EF << /F " + match[1] + rb" 0 R", data), "file specification")
    size = int(match[2])
    need(data[match.end() + size:].startswith(b"\nendstream"), "length of the stream")
    # The last cross-references, a table or a stream with fields of 1, 4 and 2 bytes, say where the stream's object stands.
    last = int(re.findall(rb"startxref\s+(\d+)\s+%%EOF", data)[-1])
    entry = b"\1" + struct.pack(">IH", match.start(), 0)
    if data[last:last + 4] == b"xref":
        entry = b"%010d 00000 n" % match.start()
    else:
        need(re.match(rb"\d+ 0 obj\n<< /Type /XRef [^>]*/W \[1 4 2\]", data[last:]), "stream of cross-references")
    need(entry in data[last:], "cross-references")
    return data[match.end():match.end() + size], match.end(), size


def find_mp3(data):
    need(data[:3] == b"ID3" and data[3] in (3, 4), "ID3 tag")
    safe = lambda b: sum(x << 7 * (3 - i) for i, x in enumerate(b))  # noqa: E731
    end, at, found = 10 + safe(data[6:10]), 10, []
    while at + 10 <= end and data[at:at + 4] != bytes(4):
        size = struct.unpack(">I", data[at + 4:at + 8])[0] if data[3] == 3 else safe(data[at + 4:at + 8])
        body = data[at + 10:at + 10 + size]
        if data[at:at + 4] == b"GEOB":
            encoding, rest = body[0], body[1:]
            media, rest = rest.split(b"\0", 1)
            need(encoding in (0, 3), "encoding of the object's names")
            name, rest = rest.split(b"\0", 1)
            about, rest = rest.split(b"\0", 1)
            if media == b"application/c2pa":
                found.append((rest, at + 10 + size - len(rest), len(rest)))
        at += 10 + size
    need(len(found) == 1, "one object")
    return found[0]


def find_svg(data):
    matches = list(re.finditer(rb"<metadata[^>]*>\s*<c2pa:manifest[^>]*>([A-Za-z0-9+/=]*)</c2pa:manifest>", data))
    need(len(matches) == 1 and data.count(b"<c2pa:manifest") == 1, "one element")
    need(re.search(rb"""xmlns:c2pa=["']http://c2pa.org/manifest["']""", data[:matches[0].end()]), "namespace")
    return unbase64(matches[0][1]), matches[0].start(1), len(matches[0][1])


class Head(html.parser.HTMLParser):
    """The scripts and links of a page that speak of manifests, and whether they stand in its head."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.found, self.in_body, self.open = [], False, None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.in_body |= tag == "body"
        if tag == "script" and attributes.get("type") == "application/c2pa":
            self.found.append("")
            self.open = True
            need(not self.in_body, "manifest outside the head")
        need(tag != "link" or attributes.get("rel") != "c2pa-manifest", "two ways to a manifest")

    def handle_data(self, data):
        if self.open:
            self.found[-1] += data

    def handle_endtag(self, tag):
        self.open = False


def find_html(data):
    page = Head()
    page.feed(data.decode())
    need(len(page.found) == 1, "one script")
    match = re.search(rb'<script type="application/c2pa">' + re.escape(page.found[0].encode()) + rb"</script>", data)
    return unbase64(page.found[0].strip().encode()), match.start(), len(match[0])


def find_block(ending):
    comment, close = COMMENTS[ending]

    def find(data):
        need(data.count(BEGIN) == 1 and data.count(END) == 1, "one block")
        lines, at = data.split(b"\n"), 0
        reference = rb"data:application/c2pa;base64,([A-Za-z0-9+/=]*)"
        whole = re.compile(re.escape(comment) + rb" " + BEGIN + rb" " + reference + rb" " + END + re.escape(close) + rb"\r?")
        for i, line in enumerate(lines):
            match = whole.fullmatch(line)
            if match and i == 0:
                return unbase64(match[1]), 0, len(line) + (1 if len(lines) > 1 else 0)
            if match:  # the last line, with the end of line before it
                need(i >= len(lines) - 2 and (i == len(lines) - 1 or not lines[i + 1]), "a block in the middle")
                start = at - 1
                return unbase64(match[1]), start, len(data) - start
            if line.rstrip(b"\r") == BEGIN:  # front matter
                match = re.fullmatch(reference + rb"\r?", lines[i + 1])
                need(lines[i + 2].rstrip(b"\r") == END and lines[0].rstrip(b"\r") == b"---", "front matter")
                return unbase64(match[1]), at, sum(len(lines[i + k]) + 1 for k in range(3))
            at += len(line) + 1
        raise Wrong("the block is no comment")

    return find


def find_selectors(data):
    text = data.decode()
    at = text.index("\ufeff\U000e0133\U000e0122")
    values, end = [], at + 1
    for c in text[at + 1:]:
        n = ord(c)
        if 0xFE00 <= n <= 0xFE0F:
            values.append(n - 0xFE00)
        elif 0xE0100 <= n <= 0xE01EF:
            values.append(n - 0xE0100 + 16)
        else:
            break
        end += 1
    wrapper = bytes(values)
    need(wrapper[:9] == b"C2PATXT\0\x01" and struct.unpack(">I", wrapper[9:13])[0] == len(wrapper) - 13, "wrapper")
    start = len(text[:at].encode())
    return wrapper[13:], start, len(text[at:end].encode())


class Archive:
    """A ZIP file read from its directory: the bytes of each file with its header, and those of the directory that are
    hashed (A.6.2)."""

    def __init__(self, data):
        end = data.rindex(b"PK\5\6")
        n, size, self.directory, comment = struct.unpack("<10xHIIH", data[end:end + 22])
        need(end + 22 + comment == len(data) and self.directory + size == end, "end of the archive")
        at, headers = self.directory, []
        for _ in range(n):
            (signature, flags, method, checksum, packed, name, extra, about, start) = struct.unpack(
                "<4s4xHH4xII4xHHH8xI", data[at:at + 46])
            need(signature == b"PK\1\2", "directory")
            headers.append((start, data[at + 46:at + 46 + name].decode(), at, flags, method, checksum, packed))
            at += 46 + name + extra + about
        need(at == end, "size of the directory")
        headers.sort()
        self.parts, self.store = {}, None
        for i, (start, name, central, flags, method, checksum, packed) in enumerate(headers):
            next_start = headers[i + 1][0] if i + 1 < n else self.directory
            local = struct.unpack("<4s2xHH16xHH", data[start:start + 30])
            need(local[:3] == (b"PK\3\4", flags, method), f"header of {name}")
            name_size, extra_size = local[3:]
            need(data[start + 30:start + 30 + name_size].decode() == name, f"name of {name}")
            content = start + 30 + name_size + extra_size
            behind = next_start - content - packed
            need(behind in ((12, 16) if flags & 8 else (0,)), f"something behind {name}")
            need(name not in self.parts, f"{name} twice")
            if name == STORE_IN_ARCHIVE:
                self.store = data[content:content + packed]
                need(method == 0 and flags == 0 and zlib.crc32(self.store) == checksum, "how the store is kept")
                need(data[start + 4:start + 28] == data[central + 6:central + 30], "headers of the store")
                self.hashed = data[self.directory:central + 16] + data[central + 20:]
            else:
                self.parts[name] = data[start:next_start]
        need(self.store is not None, "store")


FIND = {"png": find_png, "jpg": find_jpeg, "webp": find_riff, "wav": find_riff, "svg": find_svg, "gif": find_gif,
        "pdf": find_pdf, "mp3": find_mp3, "html": find_html, "txt": find_selectors,
        **{ending: find_block(ending) for ending in COMMENTS}}


# ---- the parts of a file as c2pa.hash.boxes names them (section 18.7.3): (name, start, end); the store lies in `held`


def png_parts(data, held):
    yield "PNGh", 0, 8
    at = 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        yield "C2PA" if at == held.start else kind.decode(), at, at + 12 + size
        at += 12 + size


def jpeg_parts(data, held):
    names = {0xC4: "DHT", 0xC8: "JPG", 0xCC: "DAC", 0xD8: "SOI", 0xD9: "EOI", 0xDA: "SOS", 0xDB: "DQT", 0xDC: "DNL",
             0xDD: "DRI", 0xFE: "COM", **{0xE0 + n: f"APP{n}" for n in range(16)},
             **{0xC0 + n: f"SOF{n}" for n in range(16) if n not in (4, 8, 12)}}
    at = 0
    while at < len(data):
        need(data[at] == 0xFF, "a segment of the JPEG")
        marker, begin = data[at + 1], at
        at += 2 if marker in (0xD8, 0xD9) else 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        if marker == 0xDA:  # with its entropy-coded data, in which no marker but those of restarts stands
            while data[at] != 0xFF or data[at + 1] in (0, 0xFF, *range(0xD0, 0xD8)):
                at += 1
        if begin == held.start:  # all segments of the store are one part
            yield "C2PA", held.start, held.stop
        elif begin not in held:
            yield names[marker], begin, at


def gif_parts(data, held):
    def behind_table(at, packed):
        return at + (3 << (packed & 7) + 1 if packed & 0x80 else 0)

    def behind_blocks(at):
        while data[at]:
            at += 1 + data[at]
        return at + 1

    at = behind_table(13, data[10])
    yield data[:6].decode(), 0, 6
    yield "LSD", 6, at
    while data[at] != 0x3B:
        begin = at
        if data[at] == 0x21:
            at = behind_blocks(at + 2)
            yield "C2PA" if begin == held.start else f"21{data[begin + 1]:02X}", begin, at
        else:
            need(data[at] == 0x2C, "a block of the GIF")
            pixels = behind_table(at + 10, data[at + 9])
            at = behind_blocks(pixels + 1)
            yield "2C", begin, pixels
            yield "TBID", pixels, at
    yield "3B", at, at + 1


def riff_parts(data, held):
    yield data[8:12].decode(), 0, 12
    at = 12
    while at < len(data):
        kind, size = struct.unpack("<4sI", data[at:at + 8])
        end = at + 8 + size + size % 2
        need(at != held.start or not any(data[held.stop:end]), "the byte that evens the store")
        yield (data[at + 8:at + 12] if kind == b"LIST" else kind).decode(), at, end
        at = end


PARTS = {"png": png_parts, "jpg": jpeg_parts, "gif": gif_parts, "webp": riff_parts, "wav": riff_parts}


# ---- JUMBF (ISO 19566-5; section 11.1)


class Box:
    """A superbox: its type, label, what it holds, and the bytes that a hashed URI hashes."""

    def __init__(self, payload):
        self.payload = payload
        contents = list(boxes(payload))
        need(contents and contents[0][0] == b"jumd", "description box")
        description = contents[0][1]
        self.type, toggles = description[:4], description[16]
        need(description[4:16] == bytes.fromhex("00110010800000aa00389b71") or self.type == b"\x40\xcb\x0c\x32", "type")
        need(toggles in (0x03, 0x13), "toggles")
        self.label, rest = description[17:].split(b"\0", 1)
        self.label = self.label.decode()
        need(not re.search(r"[/;?#\x00-\x1f\x7f]", self.label), "label")
        if toggles & 0x10:
            (kind, salt), = boxes(rest)
            need(kind == b"c2sh" and len(salt) in (16, 32), "salt")
        else:
            need(not rest, "rest of the description")
        self.contents = contents[1:]
        self.children = {}
        for kind, content in self.contents:
            if kind == b"jumb":
                child = Box(content)
                need(child.label not in self.children, f"{child.label} twice")
                self.children[child.label] = child

    def content(self, kind):
        (found, payload), = self.contents
        need(found == kind, f"content of {self.label}")
        return payload


def boxes(data):
    at = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        need(8 <= size <= len(data) - at, "size of a box")
        yield kind, data[at + 8:at + size]
        at += size


# ---- signatures


def verify(key, algorithm, signature, message):
    if algorithm == -8:
        need(isinstance(key, ed25519.Ed25519PublicKey), "kind of key")
        key.verify(signature, message)
    elif algorithm in (-7, -35, -36):
        half = len(signature) // 2
        need(isinstance(key, ec.EllipticCurvePublicKey) and half == (key.curve.key_size + 7) // 8, "size of the signature")
        der = utils.encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        key.verify(der, message, ec.ECDSA({-7: hashes.SHA256, -35: hashes.SHA384, -36: hashes.SHA512}[algorithm]()))
    else:
        hashed = {-37: hashes.SHA256, -38: hashes.SHA384, -39: hashes.SHA512}[algorithm]()
        need(isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048, "size of the key")
        key.verify(signature, message, padding.PSS(padding.MGF1(hashed), hashed.digest_size), hashed)


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def check_profile(leaf, usage):
    """What section 14.5.1 asks of a certificate that signs claims, or time-stamps."""
    constraints, keys = extension(leaf, x509.BasicConstraints), extension(leaf, x509.KeyUsage)
    usages = extension(leaf, x509.ExtendedKeyUsage)
    need(leaf.version == x509.Version.v3 and (not constraints or not constraints.value.ca), "certificate of an authority")
    need(keys and keys.value.digital_signature and not keys.value.key_cert_sign, "usage of the key")
    named = [u.dotted_string for u in usages.value] if usages else []
    need(named and "2.5.29.37.0" not in named, "purposes of the certificate")
    need(usage in named or (usage == CLAIM_SIGNING and "1.3.6.1.5.5.7.3.4" in named), "purpose of the certificate")
    need(leaf.issuer != leaf.subject and extension(leaf, x509.AuthorityKeyIdentifier), "issuer of the certificate")


def check_chain(chain, when):
    for child, parent in zip(chain, chain[1:]):
        child.verify_directly_issued_by(parent)
        need(extension(parent, x509.BasicConstraints).value.ca, "an issuer that is no authority")
    for certificate in chain:
        need(certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc, "time of a certificate")


# ---- time-stamps (RFC 3161 in CMS, RFC 5652)


def der(data):
    """(tag, content, whole) of each value."""
    at = 0
    while at < len(data):
        begin, tag, size = at, data[at], data[at + 1]
        at += 2
        if size & 0x80:
            width = size & 0x7F
            need(1 <= width <= 4, "length in DER")
            size = int.from_bytes(data[at:at + width], "big")
            at += width
        need(at + size <= len(data), "length in DER")
        yield tag, data[at:at + size], data[begin:at + size]
        at += size


SHA = {bytes.fromhex("608648016503040201"): hashes.SHA256, bytes.fromhex("608648016503040202"): hashes.SHA384,
       bytes.fromhex("608648016503040203"): hashes.SHA512}


def digest(algorithm, data):
    value = hashes.Hash(algorithm())
    value.update(data)
    return value.finalize()


def algorithm_of(sequence):
    oid = next(der(sequence))[1]
    need(oid in SHA, "hash of a time-stamp")
    return SHA[oid]


def check_stamp(token, stamped):
    """The time that a token gives; `stamped` is what it must be of."""
    (_, info, _), = der(token)
    (_, oid, _), (_, wrapped, _) = der(info)
    need(oid == bytes.fromhex("2a864886f70d010702"), "signed data")
    (_, signed, _), = der(wrapped)
    parts = list(der(signed))
    (_, kind, _), (_, octets, _) = der(parts[2][1])
    need(kind == bytes.fromhex("2a864886f70d0109100104"), "time-stamp")
    (_, content, _), = der(octets)
    (_, tst, _), = der(content)
    _, _, imprint, _, time = list(der(tst))[:5]
    (_, hashed, _), (_, expected, _) = der(imprint[1])
    need(digest(algorithm_of(hashed), stamped) == expected, "imprint of the time-stamp")
    when = datetime.datetime.strptime(time[1].decode()[:14], "%Y%m%d%H%M%S").replace(tzinfo=datetime.timezone.utc)
    certificates = [x509.load_der_x509_certificate(whole) for tag, _, whole in der(
        next(p[1] for p in parts[3:] if p[0] == 0xA0)) if tag == 0x30]
    (_, signer, _), = der(next(p[1] for p in parts[3:] if p[0] == 0x31))
    fields = list(der(signer))
    hashed = algorithm_of(fields[2][1])
    attributes = fields[3]
    need(attributes[0] == 0xA0, "signed attributes")
    values = {}
    for _, attribute, _ in der(attributes[1]):
        (_, name, _), (_, value, _) = der(attribute)
        values[name] = next(der(value))[1]
    need(values[bytes.fromhex("2a864886f70d010904")] == digest(hashed, content), "digest within the time-stamp")
    message, signature = b"\x31" + attributes[2][1:], fields[5][1]
    for certificate in certificates:
        key = certificate.public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, message, padding.PKCS1v15(), hashed())
            else:
                key.verify(signature, message, ec.ECDSA(hashed()))
        except InvalidSignature:
            continue
        need(STAMPING in [u.dotted_string for u in extension(certificate, x509.ExtendedKeyUsage).value],
             "purpose of the time-stamp's certificate")
        need(certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc, "time of a time-stamp")
        return when
    raise Wrong("signature of the time-stamp")


# ---- manifests


def uri_name(uri, manifest):
    """(manifest, [labels]) that a JUMBF URI names."""
    need(uri.startswith("self#jumbf="), f"address {uri}")
    path = uri[len("self#jumbf="):]
    labels = path.strip("/").split("/")
    if path.startswith("/"):
        need(labels[0] == "c2pa", f"address {uri}")
        return labels[1], labels[2:]
    return manifest, labels


class Store:
    def __init__(self, data):
        (kind, payload), = boxes(data)
        self.root = Box(payload)
        need(kind == b"jumb" and (self.root.type, self.root.label) == (b"c2pa", "c2pa"), "manifest store")
        self.manifests = self.root.children
        need(self.manifests, "no manifest")
        self.active = list(self.manifests)[-1]
        self.checked = set()
        self.late_stamps = {}  # by manifest, as those that are checked before it give them

    def resolve(self, uri, manifest):
        name, labels = uri_name(uri, manifest)
        box = self.manifests.get(name)
        for label in labels:
            box = box and box.children.get(label)
        need(box, f"{uri} is not there")
        return box

    def hashed(self, reference, manifest, default="sha256"):
        """What a hashed URI names, which must be as it was."""
        box = self.resolve(reference["url"], manifest)
        algorithm = reference.get("alg", default)
        need(algorithm in ("sha256", "sha384", "sha512"), "name of a hash")
        need(hashlib.new(algorithm, box.payload).digest() == reference["hash"], f"hash of {box.label}")
        return box

    def check(self, name, binding):
        """One manifest and what it leads to; `binding` is called with the label and content of its hard binding, or that of
        what it updates."""
        self.checked.add(name)
        manifest = self.manifests[name]
        need(manifest.type in (b"c2ma", b"c2um") and re.fullmatch(r"urn:c2pa:[0-9a-f-]{36}(:.*)?", name), "manifest's label")
        claim_box, assertions = manifest.children["c2pa.claim.v2"], manifest.children["c2pa.assertions"]
        need((claim_box.type, assertions.type) == (b"c2cl", b"c2as"), "types of claim and assertions")
        claim = cbor2.loads(claim_box.content(b"cbor"))
        ours = claim["claim_generator_info"]["name"] == "inkstone"
        need({"instanceID", "signature", "created_assertions"} <= set(claim), "claim")
        default = claim.get("alg", "sha256")
        listed = [self.hashed(r, name, default) for key in ("created_assertions", "gathered_assertions")
                  for r in claim.get(key, [])]
        need(sorted(b.label for b in listed) == sorted(assertions.children), "list of assertions")
        need(all(assertions.children[b.label] is b for b in listed), "place of an assertion")
        if ours:
            need(claim["claim_generator_info"]["specVersion"] == "2.4.0", "version of the specification")
            for box in [*listed, claim_box]:
                need(all(deterministic(c) for kind, c in box.contents if kind == b"cbor"), f"encoding of {box.label}")
        created = [uri_name(r["url"], name)[1][-1] for r in claim["created_assertions"]]
        bindings = [b for b in listed if b.label.startswith("c2pa.hash.")]
        update = manifest.type == b"c2um"
        if update:
            self.check_update(listed)
        else:
            need(len(bindings) == 1, "one hard binding")
            need(not ours or bindings[0].label in created, "binding among what was created")
        self.check_signature(manifest, self.resolve(claim["signature"], name), claim_box.content(b"cbor"))
        self.check_actions(name, listed, created if ours else [b.label for b in listed])
        for box in listed:
            if box.label.startswith("c2pa.time-stamp"):
                self.take_stamps(box)
        for box in listed:
            if box.label.startswith("c2pa.ingredient"):
                self.check_ingredient(name, box, binding if update else lambda *_: None)
            elif box.label.startswith("c2pa.thumbnail"):
                (about, text), (_, picture) = box.contents
                need(about == b"bfdb" and text[1:].split(b"\0")[0] == b"image/jpeg" and picture[:2] == b"\xff\xd8"
                     or not ours, "thumbnail")
            elif box.label.startswith("c2pa.soft-binding"):
                soft = cbor2.loads(box.content(b"cbor"))
                need(soft["alg"] and all({"scope", "value"} <= set(b) for b in soft["blocks"]), "soft binding")
        if not update:
            binding(bindings[0].label, cbor2.loads(bindings[0].content(b"cbor")), default)

    def check_update(self, listed):
        """What section 11.2.3 asks of a manifest that leaves the content as it is."""
        need(not [b for b in listed if b.label.startswith(("c2pa.hash.", "c2pa.thumbnail"))], "assertions of an update")
        parents = [cbor2.loads(b.content(b"cbor")) for b in listed if b.label.startswith("c2pa.ingredient")]
        need([p["relationship"] for p in parents] == ["parentOf"], "parent of an update")
        need("activeManifest" in parents[0], "manifest of an update's parent")
        # What is checked already would not be asked for its binding again.
        need(uri_name(parents[0]["activeManifest"]["url"], None)[0] not in self.checked, "parent of an update")
        said = {a["action"] for b in listed if b.label.startswith("c2pa.actions")
                for a in cbor2.loads(b.content(b"cbor"))["actions"]}
        need(said <= OF_AN_UPDATE, "actions of an update")

    def take_stamps(self, box):
        """Time-stamps that a manifest gives to others (section 18.17.3)."""
        stamps = cbor2.loads(box.content(b"cbor"))
        need(box.label == "c2pa.time-stamp" and stamps, "late time-stamps")
        for name, token in stamps.items():
            need(name in self.manifests and name not in self.checked, "manifest of a late time-stamp")
            self.late_stamps.setdefault(name, []).append(token)

    def check_actions(self, name, listed, created):
        found = [b for b in listed if b.label.startswith("c2pa.actions")]
        need(found, "actions")
        for n, box in enumerate(found):
            for i, action in enumerate(cbor2.loads(box.content(b"cbor"))["actions"]):
                first = n == 0 and i == 0
                need((action["action"] in ("c2pa.created", "c2pa.opened")) == first, "first action")
                need(not first or box.label in created, "first action among what was created")
                ingredients = action.get("parameters", {}).get("ingredients", [])
                relation = {"c2pa.opened": "parentOf", "c2pa.placed": "componentOf"}.get(action["action"])
                need(not relation or ingredients, f"ingredient of {action['action']}")
                for reference in ingredients:
                    ingredient = cbor2.loads(self.hashed(reference, name).content(b"cbor"))
                    need(not relation or ingredient["relationship"] == relation, "kind of an ingredient")
                need(action["action"] != "c2pa.watermarked.bound"
                     or any(b.label.startswith("c2pa.soft-binding") for b in listed), "watermark without soft binding")

    def check_ingredient(self, name, box, binding):
        ingredient = cbor2.loads(box.content(b"cbor"))
        need(ingredient["relationship"] in ("parentOf", "componentOf", "inputTo"), "relationship")
        for key in ("data", "thumbnail"):
            if key in ingredient:
                self.hashed(ingredient[key], name)
        if "activeManifest" in ingredient:
            other = self.hashed(ingredient["activeManifest"], name)
            signature = self.hashed(ingredient["claimSignature"], name)
            need(other.children["c2pa.signature"] is signature, "signature of an ingredient")
            need("validationResults" in ingredient, "what was found of an ingredient")
            if other.label not in self.checked:
                self.check(other.label, binding)

    def check_signature(self, manifest, box, claim):
        need(manifest.children["c2pa.signature"] is box and box.type == b"c2cs", "signature's place")
        tag = cbor2.loads(box.content(b"cbor"))
        need(tag.tag == 18, "COSE_Sign1")
        protected, unprotected, payload, signature = tag.value
        header = cbor2.loads(protected)
        need(payload is None and set(unprotected) <= {"pad", "pad2", "sigTst2", "rVals"}, "COSE_Sign1")
        need(not any(unprotected.get("pad", b"").strip(b"\xff")), "padding")
        chain = header[33] if isinstance(header[33], list) else [header[33]]
        chain = [x509.load_der_x509_certificate(c) for c in chain]
        times = []
        stamps = unprotected.get("sigTst2", {}).get("tstTokens", [])
        need(len(stamps) <= 1, "one time-stamp")
        for stamp in stamps:
            times.append(check_stamp(stamp["val"],
                                     cbor2.dumps(["CounterSignature", protected, b"", cbor2.dumps(signature)])))
        for token in self.late_stamps.get(manifest.label, []):
            times.append(check_stamp(token, signature))
        check_profile(chain[0], CLAIM_SIGNING)
        check_chain(chain, min(times, default=datetime.datetime.now(datetime.timezone.utc)))
        verify(chain[0].public_key(), header[1], signature, cbor2.dumps(["Signature1", protected, b"", claim]))


# ---- the hard binding (15.12)


def check_data(assertion, default, data, held, updated, normalised):
    excluded = assertion.get("exclusions", [])
    need([e["start"] for e in excluded] == ([held.start] if held else []), "exclusion")
    # An update made the store longer than what was left out for it (15.12.1.1).
    need(all(e["length"] == len(held) or (updated and 0 < e["length"] < len(held)) for e in excluded), "length left out")
    need("pad" in assertion and not any(assertion["pad"]), "padding of the binding")
    rest = data[:held.start] + data[held.stop:] if held else data
    if normalised:
        rest = unicodedata.normalize("NFC", rest.decode()).encode()
    need(hashlib.new(assertion.get("alg", default), rest).digest() == assertion["hash"], "hash of the content")


def check_parts(assertion, default, data, held, divide):
    """Every part is listed, in order, from the first byte to the last, and is what was signed (15.12.4)."""
    parts, end, stores = divide(data, held), 0, 0
    for entry in assertion["boxes"]:
        begin = end
        need(entry["names"], "names of a part")
        for name in entry["names"]:
            found, start, stop = next(parts, (None, 0, 0))
            need((found, start) == (name, end) and stop > start, f"part {name}")
            end = stop
        if "C2PA" in entry["names"]:
            need(len(entry["names"]) == 1 and begin == held.start, "part of the store")
            stores += 1
        else:
            algorithm = entry.get("alg", assertion.get("alg", default))
            need(hashlib.new(algorithm, data[begin:end]).digest() == entry["hash"], f"hash of {entry['names']}")
        need(not any(entry.get("pad", b"")), "padding of a part")
    need(end == len(data) and next(parts, None) is None and stores == 1, "parts of the whole file")


def unescape(uri):
    need(re.fullmatch(r"([A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri), f"{uri} is no relative URI")
    name = re.sub(rb"%(..)", lambda m: bytes([int(m[1], 16)]), uri.encode()).decode()
    need(not {".", ".."} & set(name.split("/")) and not name.startswith("/"), f"{uri} leads outside")
    return name


def check_collection(assertion, archive):
    uris = {unescape(u["uri"]): u["hash"] for u in assertion["uris"]}
    need(len(uris) == len(assertion["uris"]) and set(uris) == set(archive.parts), "files of the archive")
    for name, part in archive.parts.items():
        need(hashlib.new(assertion["alg"], part).digest() == uris[name], f"hash of {name}")
    need(hashlib.new(assertion["alg"], archive.hashed).digest() == assertion["zip_central_directory_hash"],
         "hash of the directory")


def check(data, ending, store=None):
    try:
        archive, held = None, range(0)
        if store is None and ending in ARCHIVES:
            archive = Archive(data)
            store = archive.store
        elif store is None:
            store, start, length = FIND[ending](data)
            held = range(start, start + length)
        read = Store(store)

        def binding(label, assertion, default):
            if archive:
                need(label == "c2pa.hash.collection.data", "kind of hard binding")
                check_collection(assertion, archive)
            elif label == "c2pa.hash.boxes":
                check_parts(assertion, default, data, held, PARTS[ending])
            else:
                need(label == "c2pa.hash.data", "kind of hard binding")
                updated = read.manifests[read.active].type == b"c2um"
                check_data(assertion, default, data, held, updated, ending == "txt" and held)

        read.check(read.active, binding)
        need(read.checked == set(read.manifests), "a manifest that nothing leads to")
    except Wrong as wrong:
        return "Invalid", [str(wrong)]
    except InvalidSignature:
        return "Invalid", ["signature"]
    except Exception as fault:  # bytes that are not what they should be
        return "Invalid", [f"{type(fault).__name__}: {fault}"]
    return "Valid", []


def deterministic(content):
    """True when heads are shortest, lengths definite and keys rise (RFC 8949, 4.2.1)."""
    at = 0

    def item():
        nonlocal at
        first, begin = content[at], at
        major, info = first >> 5, first & 31
        at += 1
        if info < 24:
            n = info
        elif info <= 27:
            width = 1 << (info - 24)
            n = int.from_bytes(content[at:at + width], "big")
            at += width
            if major != 7 and n < (24 if width == 1 else 1 << (4 * width)):
                return False
        else:
            return False
        if major in (2, 3):
            at += n
        elif major == 4:
            return all(item() for _ in range(n))
        elif major == 5:
            last = b""
            for _ in range(n):
                key = at
                if not item():
                    return False
                if content[key:at] <= last:
                    return False
                last = content[key:at]
                if not item():
                    return False
        elif major == 6:
            return item()
        return at > begin

    return item() and at == len(content)
