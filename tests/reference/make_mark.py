"""Keys, certificates and small files for the tests of src/mark, into tests/fixtures/mark.

    python tests/reference/make_mark.py

The keys are for tests and worth nothing. All but the pictures and what c2pa-python signs come out the same every time.
"""

import datetime
import io
import json
import pathlib
import wave

import c2pa
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


def pdf():
    """One empty page, with a table of cross-references."""
    out = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate((b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                                      b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"), 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return out + b"trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table


def files():
    picture = Image.new("RGB", (24, 16))
    picture.putdata([(x * 10, y * 15, 90) for y in range(16) for x in range(24)])
    picture.save(OUT / "plain.png")
    picture.save(OUT / "plain.jpg", quality=80)
    picture.save(OUT / "plain.webp", quality=60)
    picture.quantize(16).save(OUT / "plain.gif")
    (OUT / "plain.pdf").write_bytes(pdf())
    with wave.open(str(OUT / "plain.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(8000)
        out.writeframes(bytes(128 + i % 7 for i in range(120)))
    (OUT / "plain.svg").write_text('<?xml version="1.0"?>\n<!-- <svg> --><svg xmlns="http://www.w3.org/2000/svg" '
                                   'width="8" height="8">\n<rect width="4" height="4"/>\n</svg>\n')


def signed_by_others():
    """Files that c2pa-rs signs: claim of version 2, a thumbnail, an action."""
    info = c2pa.C2paSignerInfo(alg=b"ed25519", sign_cert=(OUT / "ed25519.pem").read_bytes(),
                               private_key=(OUT / "ed25519.key").read_bytes(), ta_url=None)
    definition = json.dumps({
        "claim_generator_info": [{"name": "others", "version": "1"}],
        "title": "other",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"}]}}]})
    for kind, file in (("image/png", "png"), ("image/jpeg", "jpg"), ("image/svg+xml", "svg"), ("audio/wav", "wav"),
                       ("application/pdf", "pdf")):
        out = io.BytesIO()
        c2pa.Builder(definition).sign(c2pa.Signer.from_info(info), kind,
                                      io.BytesIO((OUT / f"plain.{file}").read_bytes()), out)
        (OUT / f"other.{file}").write_bytes(out.getvalue())


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    keys()
    files()
    signed_by_others()
