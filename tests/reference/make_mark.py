"""Keys, certificates and small files for the tests of src/mark, into tests/fixtures/mark.

    python tests/reference/make_mark.py

The keys are for tests and worth nothing. All but the pictures and what c2pa-python signs come out the same every time.
"""

import datetime
import hashlib
import io
import json
import pathlib
import struct
import wave
import zlib

import c2pa
import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from PIL import Image

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "mark"
CLAIM_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
EMAIL = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.4")
ANY = x509.ObjectIdentifier("2.5.29.37.0")
SERVER = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "inkstone tests"),
                      x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, serial, ca=False, usages=(EMAIL, CLAIM_SIGNING), years=(2020, 2120),
                digest=None, aki=True):
    builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
               .public_key(key.public_key()).serial_number(serial)
               .not_valid_before(datetime.datetime(years[0], 1, 1)).not_valid_after(datetime.datetime(years[1], 1, 1))
               .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
               .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))
    if aki:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    if usages and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer_key, digest)


def pem_key(key, passphrase=None):
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def save(file, *parts):
    (OUT / file).write_bytes(b"".join(p if isinstance(p, bytes) else p.public_bytes(serialization.Encoding.PEM)
                                      for p in parts))


def keys():
    root = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    leaf = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
    authority = certificate("test authority", root, "test authority", root, 1, ca=True)
    save("authority.pem", authority)
    good = certificate("test signer", leaf, "test authority", root, 2)
    save("ed25519.key", pem_key(leaf))
    save("ed25519.pem", good, authority)
    # What the profile of C2PA refuses, each with the key of ed25519.key.
    save("bad_self_signed.pem", certificate("test signer", leaf, "test signer", leaf, 3))
    save("bad_authority.pem", certificate("test signer", leaf, "test authority", root, 4, ca=True))
    save("bad_any_usage.pem", certificate("test signer", leaf, "test authority", root, 5, usages=(ANY, EMAIL)))
    save("bad_server_usage.pem", certificate("test signer", leaf, "test authority", root, 6, usages=(SERVER,)))
    save("bad_no_usage.pem", certificate("test signer", leaf, "test authority", root, 7, usages=()))
    save("bad_no_issuer_key.pem", certificate("test signer", leaf, "test authority", root, 8, aki=False))
    save("expired.pem", certificate("test signer", leaf, "test authority", root, 9, years=(2020, 2021)))
    for label, key in (("es256", ec.generate_private_key(ec.SECP256R1())),
                       ("es384", ec.generate_private_key(ec.SECP384R1())),
                       ("es512", ec.generate_private_key(ec.SECP521R1())),
                       ("ps256", rsa.generate_private_key(65537, 2048))):
        save(label + ".key", pem_key(key))
        save(label + ".pem", certificate("test signer " + label, key, "test authority", root, 10))
    small = rsa.generate_private_key(65537, 1024)
    save("small.key", pem_key(small))
    save("small.pem", certificate("test signer", small, "test authority", root, 11))
    save("encrypted.key", pem_key(leaf, b"open sesame"))


def pdf(pages=1):
    """Empty pages, with a table of cross-references."""
    out = b"%PDF-1.4\n"
    offsets = []
    kids = b" ".join(b"%d 0 R" % n for n in range(3, 3 + pages))
    for number, content in enumerate((b"<< /Type /Catalog /Pages 2 0 R >>",
                                      b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages),
                                      *[b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"] * pages), 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (3 + pages) + b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (3 + pages, table)


def predicted(rows):
    """Rows behind the predictors of PNG, each of the five in turn."""
    out, above = b"", bytes(len(rows[0]))
    for n, row in enumerate(rows):
        expected = []
        for i, up in enumerate(above):
            left, corner = (row[i - 1], above[i - 1]) if i else (0, 0)
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(guess - v))
            expected.append((0, left, up, (left + up) // 2, paeth)[n % 5])
        out += bytes([n % 5]) + bytes((b - e) % 256 for b, e in zip(row, expected))
        above = row
    return out


def packed_pdf(hybrid=False, free=False):
    """A page and a title in an object stream, with a stream of cross-references. A hybrid shows its catalog and its page to
    those who read tables alone; the title is in the stream beside the table, which does not list it or calls it free."""
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Resources << >> /Contents 5 0 R >>",
               4: b"<< /Title (A \\(title\\)) /Author <FEFF00410042> >>"}
    content = b"0.5 g 20 20 40 40 re f"
    hidden = [4] if hybrid else [1, 2, 3, 4]
    out, places = b"%PDF-1.5\n", {}

    def add(number, dictionary, data=None):
        nonlocal out
        places[number] = (1, len(out), 0)
        if data is not None:
            dictionary = b"<< %s /Length %d >>\nstream\n%s\nendstream" % (dictionary, len(data), data)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, dictionary)

    for number, value in objects.items():
        if number not in hidden:
            add(number, value)
    add(5, b"", content)
    header, body = b"", b""
    for index, number in enumerate(hidden):
        header += b"%d %d " % (number, len(body))
        body += objects[number] + b"\n"
        places[number] = (2, 6, index)
    add(6, b"/Type /ObjStm /N %d /First %d /Filter /FlateDecode" % (len(hidden), len(header)),
        zlib.compress(header + body))
    at = places[7] = (1, len(out), 0)
    listed = [4, 6, 7] if hybrid else list(range(8))
    index = b"4 1 6 2" if hybrid else b"0 8"
    rows = [struct.pack(">BIB", *places.get(number, (0, 0, 255))) for number in listed]
    keys = b"/Size 8 /Root 1 0 R /Info 4 0 R"
    add(7, b"/Type /XRef /W [1 4 1] /Index [%s] %s /Filter [/FlateDecode] /DecodeParms [<< /Predictor 15 /Columns 6 >>]"
        % (index, keys), zlib.compress(predicted(rows)))
    end = at[1]
    if hybrid:
        end = len(out)
        lines = {n: b"%010d 00000 n \n" % places[n][1] if n in (1, 2, 3, 5) else b"0000000000 %05d f \n" % (0 if n else 65535)
                 for n in range(8)}
        runs = [range(8)] if free else [range(4), range(5, 6)]
        out += b"xref\n" + b"".join(b"%d %d\n" % (r[0], len(r)) + b"".join(lines[n] for n in r) for r in runs)
        out += b"trailer\n<< %s /XRefStm %d >>\n" % (keys, at[1])
    return out + b"startxref\n%d\n%%%%EOF\n" % end


def mp3(frames=3, title=None):
    """Silent frames of MPEG-1 layer III, 128 kbit/s at 44.1 kHz; a title in an ID3v2.3 tag with padding."""
    tag = b""
    if title:
        text = b"\0" + title
        content = b"TIT2" + struct.pack(">I", len(text)) + b"\0\0" + text + bytes(10)
        tag = b"ID3\3\0\0" + bytes([0, 0, len(content) >> 7, len(content) & 127]) + content
    return tag + (b"\xff\xfb\x90\x00" + bytes(413)) * frames


def files():
    picture = Image.new("RGB", (24, 16))
    picture.putdata([(x * 10, y * 15, 90) for y in range(16) for x in range(24)])
    picture.save(OUT / "plain.png")
    picture.save(OUT / "plain.jpg", quality=80)
    picture.save(OUT / "plain.webp", quality=60)
    picture.quantize(16).save(OUT / "plain.gif", comment=b"of the second version")
    (OUT / "plain.pdf").write_bytes(pdf())
    (OUT / "packed.pdf").write_bytes(packed_pdf())
    (OUT / "hybrid.pdf").write_bytes(packed_pdf(hybrid=True))
    (OUT / "hidden.pdf").write_bytes(packed_pdf(hybrid=True, free=True))
    (OUT / "plain.mp3").write_bytes(mp3())
    (OUT / "tagged.mp3").write_bytes(mp3(title=b"Autumn night"))
    with wave.open(str(OUT / "plain.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(8000)
        out.writeframes(bytes(128 + i % 7 for i in range(120)))
    (OUT / "plain.svg").write_text('<?xml version="1.0"?>\n<!-- <svg> --><svg xmlns="http://www.w3.org/2000/svg" '
                                   'width="8" height="8">\n<rect width="4" height="4"/>\n</svg>\n')


def signed_by_others():
    """Files that c2pa-rs signs: claim of version 2, an action, salted boxes."""
    info = c2pa.C2paSignerInfo(alg=b"ed25519", sign_cert=(OUT / "ed25519.pem").read_bytes(),
                               private_key=(OUT / "ed25519.key").read_bytes(), ta_url=None)
    definition = json.dumps({
        "claim_generator_info": [{"name": "others", "version": "1"}],
        "title": "other",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"}]}}]})
    plain = c2pa.Context(settings=c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}}))
    for kind, file in KINDS:
        out = io.BytesIO()
        c2pa.Builder(definition, context=plain).sign(c2pa.Signer.from_info(info), kind,
                                                     io.BytesIO((OUT / f"plain.{file}").read_bytes()), out)
        (OUT / f"other.{file}").write_bytes(out.getvalue())


KINDS = (("image/png", "png"), ("image/jpeg", "jpg"), ("image/webp", "webp"), ("image/gif", "gif"),
         ("image/svg+xml", "svg"), ("audio/wav", "wav"), ("audio/mpeg", "mp3"), ("application/pdf", "pdf"))


# ---- files bound by c2pa.hash.boxes, which c2pa-rs reads but is not asked to write here


def box(kind, payload):
    return struct.pack(">I4s", len(payload) + 8, kind) + payload


def superbox(kind, label, *contents):
    uuid = kind + bytes.fromhex("00110010800000aa00389b71")
    return box(b"jumb", box(b"jumd", uuid + b"\x03" + label.encode() + b"\0") + b"".join(contents))


def store_of(parts):
    """A manifest store that binds named parts: [(name, bytes)], the store's own being b""."""
    boxes = [{"names": [name], "alg": "sha256", "pad": b"",
              "hash": hashlib.sha256(part).digest() if part else b"\0"} for name, part in parts]
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assertions = {"c2pa.actions.v2": {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]},
                  "c2pa.hash.boxes": {"boxes": boxes}}
    written = {label: superbox(b"cbor", label, box(b"cbor", cbor2.dumps(value, canonical=True)))
               for label, value in assertions.items()}
    claim = cbor2.dumps({"instanceID": "xmp:iid:1", "claim_generator_info": {"name": "boxes", "version": "1"},
                         "signature": "self#jumbf=c2pa.signature", "alg": "sha256",
                         "created_assertions": [{"url": f"self#jumbf=c2pa.assertions/{label}",
                                                 "hash": hashlib.sha256(payload[8:]).digest()}
                                                for label, payload in written.items()]}, canonical=True)
    leaf = x509.load_pem_x509_certificate((OUT / "ed25519.pem").read_bytes())
    header = cbor2.dumps({1: -8, 33: leaf.public_bytes(serialization.Encoding.DER)}, canonical=True)
    key = serialization.load_pem_private_key((OUT / "ed25519.key").read_bytes(), None)
    signature = key.sign(cbor2.dumps(["Signature1", header, b"", claim]))
    cose = cbor2.dumps(cbor2.CBORTag(18, [header, {}, None, signature]))
    return superbox(b"c2pa", "c2pa", superbox(
        b"c2ma", "urn:c2pa:0b0b0b0b-ceb2-4faa-b6bf-329bf39fa1e4",
        superbox(b"c2as", "c2pa.assertions", *written.values()),
        superbox(b"c2cl", "c2pa.claim.v2", box(b"cbor", claim)),
        superbox(b"c2cs", "c2pa.signature", box(b"cbor", cose))))


def png_parts(data):
    parts, at = [("PNGh", data[:8])], 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        parts.append((kind.decode(), data[at:at + size + 12]))
        at += size + 12
    return parts


def jpeg_parts(data):
    names = {0xDB: "DQT", 0xC4: "DHT", 0xC0: "SOF0", 0xC2: "SOF2", 0xDD: "DRI", 0xFE: "COM", 0xD9: "EOI", 0xDA: "SOS"}
    parts, at = [("SOI", data[:2])], 2
    while at < len(data):
        marker = data[at + 1]
        end = at + 2 if marker == 0xD9 else at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        if marker == 0xDA:
            while data[end] != 0xFF or data[end + 1] in (0, *range(0xD0, 0xD8)):
                end += 1
        parts.append((names.get(marker, f"APP{marker - 0xE0}"), data[at:end]))
        at = end
    return parts


def bound_by_boxes():
    for kind, file, parts_of in (("image/png", "png", png_parts), ("image/jpeg", "jpg", jpeg_parts)):
        parts = parts_of((OUT / f"plain.{file}").read_bytes())
        store = store_of([*parts[:2], ("C2PA", b""), *parts[2:]])
        if file == "png":
            wrapped = struct.pack(">I", len(store)) + b"caBX" + store
            wrapped += struct.pack(">I", zlib.crc32(wrapped[4:]))
        else:
            wrapped = b"\xff\xeb" + struct.pack(">H", len(store) + 10) + b"JP\0\1\0\0\0\1" + store
        data = b"".join(part for _, part in parts[:2]) + wrapped + b"".join(part for _, part in parts[2:])
        if c2pa.Reader(kind, io.BytesIO(data)).get_validation_state() != "Valid":
            raise SystemExit(f"boxes.{file}: c2pa-python does not find it Valid")
        (OUT / f"boxes.{file}").write_bytes(data)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    keys()
    files()
    signed_by_others()
    bound_by_boxes()
