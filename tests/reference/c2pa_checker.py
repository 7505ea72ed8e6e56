"""A small checker of C2PA manifests, written apart from src/mark: from the specification, with cbor2 and cryptography.

check(bytes, ending) -> ("Valid" | "Invalid", [what is wrong]). It knows png, jpg, webp, wav, svg, gif, pdf, mp3, html, md, py, txt.
"""

import base64
import datetime
import hashlib
import re
import struct
import unicodedata

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils

BEGIN, END = b"-----BEGIN C2PA MANIFEST-----", b"-----END C2PA MANIFEST-----"


def find_png(data):
    at = 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"caBX":
            return data[at + 8:at + 8 + size], at, size + 12
        at += size + 12


def find_jpeg(data):
    at, parts, start = 2, b"", None
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        size = struct.unpack(">H", data[at + 2:at + 4])[0]
        if data[at + 1] == 0xEB and data[at + 4:at + 6] == b"JP":
            payload = data[at + 12:at + 2 + size]
            parts += payload if start is None else payload[8:]
            start = at if start is None else start
            end = at + 2 + size
        at += 2 + size
    return parts, start, end - start


def find_riff(data):
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack("<4sI", data[at:at + 8])
        if kind == b"C2PA":
            return data[at + 8:at + 8 + size], at, size + 8
        at += 8 + size + size % 2


def find_gif(data):
    start = data.index(b"!\xff\x0bC2PA_GIF\1\0\0")
    at, store = start + 14, b""
    while data[at]:
        store += data[at + 1:at + 1 + data[at]]
        at += 1 + data[at]
    return store, start, at + 1 - start


def find_pdf(data):
    match = re.search(rb"(\d+) 0 obj\s*<<[^>]*/Subtype /application#2Fc2pa /Length (\d+) >>\nstream\n", data)
    assert re.search(rb"/AFRelationship /C2PA_Manifest[^>]*/EF << /F " + match[1] + rb" 0 R", data)
    size = int(match[2])
    return data[match.end():match.end() + size], match.end(), size


def find_mp3(data):
    frame = data.index(b"GEOB")
    size = data[frame + 4:frame + 8]
    size = struct.unpack(">I", size)[0] if data[3] == 3 else sum(b << 7 * (3 - i) for i, b in enumerate(size))
    head = b"\0application/c2pa\0c2pa\0c2pa manifest store\0"
    start = frame + 10 + len(head)
    assert data[frame + 10:start] == head
    return data[start:frame + 10 + size], start, size - len(head)


def find_svg(data):
    match = re.search(rb"<c2pa:manifest[^>]*>([A-Za-z0-9+/=]*)</c2pa:manifest>", data)
    return base64.b64decode(match[1], validate=True), match.start(1), len(match[1])


def find_html(data):
    match = re.search(rb'<script type="application/c2pa">([A-Za-z0-9+/=]*)</script>', data)
    return base64.b64decode(match[1], validate=True), match.start(), len(match[0])


def find_block(data):
    match = re.search(rb"[^\n]*" + BEGIN + rb" data:application/c2pa;base64,([A-Za-z0-9+/=]*) " + END + rb"[^\n]*\n?", data)
    start, end = match.span()
    if end == len(data) and start:
        start -= 1
    return base64.b64decode(match[1], validate=True), start, end - start


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
    assert wrapper[:9] == b"C2PATXT\0\x01" and struct.unpack(">I", wrapper[9:13])[0] == len(wrapper) - 13
    start = len(text[:at].encode())
    return wrapper[13:], start, len(text[at:end].encode())


FIND = {"png": find_png, "jpg": find_jpeg, "webp": find_riff, "wav": find_riff, "svg": find_svg, "gif": find_gif, "pdf": find_pdf, "mp3": find_mp3, "html": find_html,
        "md": find_block, "py": find_block, "txt": find_selectors}


def boxes(data):
    at = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        assert 8 <= size <= len(data) - at
        yield kind, data[at + 8:at + size]
        at += size


def superbox(payload):
    """(type, label, [(kind, payload) of its contents])."""
    contents = list(boxes(payload))
    assert contents[0][0] == b"jumd"
    description = contents[0][1]
    assert description[16] == 3 and description[-1] == 0
    return description[:4], description[17:-1].decode(), contents[1:]


def verify(key, algorithm, signature, message):
    if algorithm == -8:
        key.verify(signature, message)
    elif algorithm in (-7, -35, -36):
        half = len(signature) // 2
        der = utils.encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        key.verify(der, message, ec.ECDSA({-7: hashes.SHA256, -35: hashes.SHA384, -36: hashes.SHA512}[algorithm]()))
    else:
        hashed = {-37: hashes.SHA256, -38: hashes.SHA384, -39: hashes.SHA512}[algorithm]()
        key.verify(signature, message, padding.PSS(padding.MGF1(hashed), hashed.digest_size), hashed)


def check(data, ending):
    wrong = []

    def need(holds, what):
        if not holds:
            wrong.append(what)

    store, start, length = FIND[ending](data)
    (kind, payload), = boxes(store)
    need(kind == b"jumb", "store")
    kind, label, manifests = superbox(payload)
    need((kind, label) == (b"c2pa", "c2pa"), "store's type")
    kind, urn, parts = superbox(manifests[-1][1])
    need(kind == b"c2ma" and re.fullmatch(r"urn:c2pa:[0-9a-f-]{36}", urn), "manifest's label")
    parts = {superbox(p)[1]: p for _, p in parts}
    assertions = {superbox(p)[1]: p for _, p in superbox(parts["c2pa.assertions"])[2]}
    (_, claim_bytes), = superbox(parts["c2pa.claim.v2"])[2]
    (_, cose), = superbox(parts["c2pa.signature"])[2]
    claim = cbor2.loads(claim_bytes)
    need(cbor2.dumps(claim, canonical=False) is not None, "claim")
    need(claim["signature"] == f"self#jumbf=/c2pa/{urn}/c2pa.signature", "signature's address")
    need(claim["claim_generator_info"]["specVersion"] == "2.4.0", "version of the specification")
    # Every assertion is listed, each hash is that of its box.
    listed = {a["url"].rsplit("/", 1)[1]: a["hash"] for a in claim["created_assertions"]}
    need(set(listed) == set(assertions), "list of assertions")
    for name, payload in assertions.items():
        need(hashlib.sha256(payload).digest() == listed.get(name), f"hash of {name}")
    # Deterministic: encoding again what was read gives the same bytes (keys in the order of their encodings).
    for name, payload in [*assertions.items(), ("claim", parts["c2pa.claim.v2"])]:
        for kind, content in superbox(payload)[2]:
            if kind == b"cbor":
                need(deterministic(content), f"encoding of {name}")
    # Hard binding.
    (_, content), = superbox(assertions["c2pa.hash.data"])[2]
    binding = cbor2.loads(content)
    need(binding["exclusions"] == [{"start": start, "length": length}], "exclusion")
    rest = data[:start] + data[start + length:]
    if ending == "txt":
        rest = unicodedata.normalize("NFC", rest.decode()).encode()
    need(hashlib.sha256(rest).digest() == binding["hash"], "hash of the content")
    # Actions.
    (_, content), = superbox(assertions["c2pa.actions.v2"])[2]
    need(cbor2.loads(content)["actions"][0]["action"] in ("c2pa.created", "c2pa.opened"), "first action")
    # Signature.
    tag = cbor2.loads(cose)
    protected, unprotected, nothing, signature = tag.value
    header = cbor2.loads(protected)
    need(tag.tag == 18 and nothing is None and set(unprotected) == {"pad"}, "COSE_Sign1")
    chain = header[33] if isinstance(header[33], list) else [header[33]]
    leaf = x509.load_der_x509_certificate(chain[0])
    message = cbor2.dumps(["Signature1", protected, b"", claim_bytes])
    try:
        verify(leaf.public_key(), header[1], signature, message)
    except Exception:
        wrong.append("signature")
    now = datetime.datetime.now(datetime.timezone.utc)
    need(leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc, "time of the certificate")
    usages = [u.dotted_string for u in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]
    need("1.3.6.1.4.1.62558.2.1" in usages and leaf.issuer != leaf.subject, "profile of the certificate")
    return ("Invalid" if wrong else "Valid"), wrong


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
