"""Small documents that are archives, for tests/mark: plain.docx, bomb.docx and plain.epub, by Python's zipfile
(one compressed, one with data descriptors), with a document and a label in docProps/custom.xml."""

import io
import pathlib
import zipfile

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "mark"
WHEN = (2026, 1, 2, 3, 4, 6)
AIGC = (
    '{"Label":"1","ContentProducer":"inkstone","ProduceID":"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4",'
    '"ReservedCode1":"","ContentPropagator":"inkstone",'
    '"PropagateID":"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4","ReservedCode2":""}'
)
DOCX = {
    "[Content_Types].xml": '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/'
    'package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
    'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document'
    '.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
    '<Override PartName="/docProps/custom.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'custom-properties+xml"/></Types>',
    "_rels/.rels": '<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/'
    'package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/officeDocument" Target="word/document.xml"/><Relationship Id="r2" Type="http://schemas.'
    'openxmlformats.org/officeDocument/2006/relationships/custom-properties" Target="docProps/custom.xml"/>'
    "</Relationships>",
    "word/document.xml": '<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="http://schemas.openxmlformats.'
    'org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>秋夜将何处，江天月自明。</w:t></w:r></w:p></w:body>'
    "</w:document>",
    "docProps/custom.xml": '<?xml version="1.0" encoding="UTF-8"?><Properties xmlns="http://schemas.openxmlformats.'
    'org/officeDocument/2006/custom-properties" xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/'
    'docPropsVTypes"><property fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="2" name="AIGC"><vt:lpwstr>'
    + AIGC.replace('"', "&quot;")
    + "</vt:lpwstr></property></Properties>",
}
EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:'
    'xmlns:container"><rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>",
    "book.opf": '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"/>',
    "秋.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'><body><p>秋夜</p></body></html>",
}


class Stream(io.BytesIO):
    """What cannot be sought in gets data descriptors."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation

    def tell(self):
        raise io.UnsupportedOperation


def archive(files, stream):
    with zipfile.ZipFile(stream, "w") as z:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, WHEN)
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            z.writestr(info, text.encode())
        z.comment = b"made for tests"
    return stream.getvalue()


if __name__ == "__main__":
    (OUT / "plain.docx").write_bytes(archive(DOCX, Stream()))
    # Sixteen megabytes of blanks before the label.
    bomb = {k: v.replace("<property ", " " * (1 << 24) + "<property ") for k, v in DOCX.items()}
    (OUT / "bomb.docx").write_bytes(archive(bomb, io.BytesIO()))
    (OUT / "plain.epub").write_bytes(archive(EPUB, io.BytesIO()))
