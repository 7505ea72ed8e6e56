"""Small documents without labels, for tests/mark: DOCX, XLSX, PPTX, EPUB 2 and 3, ODT, written by hand as their
standards have them, packed by Python's zipfile. check_documents.py opens what is made of them with other programs."""

import pathlib
import zipfile

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "mark"
WHEN = (2026, 1, 2, 3, 4, 6)
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
FORMAT = "application/vnd.openxmlformats-officedocument."
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def types(**parts):
    overrides = "".join(f'<Override PartName="/{n}" ContentType="{FORMAT}{t}+xml"/>' for n, t in parts.items())
    return (
        f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.'
        'openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f"{overrides}</Types>"
    )


def relations(*pairs, office=OFFICE):
    rows = "".join(
        f'<Relationship Id="r{i}" Type="{office}/relationships/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(pairs, 1)
    )
    return f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{rows}</Relationships>'


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DOCX = {
    "[Content_Types].xml": types(**{"word/document.xml": "wordprocessingml.document.main"}),
    "_rels/.rels": relations(("officeDocument", "word/document.xml")),
    "word/document.xml": f'{XML}<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>秋夜将何处 &amp; 江天</w:t></w:r>'
    '</w:p><w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr></w:body></w:document>',
}
CUSTOM = (
    f'{XML}<Properties xmlns="{OFFICE}/custom-properties" xmlns:vt="{OFFICE}/docPropsVTypes"><property '
    'fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="7" name="Project"><vt:lpwstr>mine &lt;&amp;&gt;</vt:lpwstr>'
    "</property></Properties>"
)
PROPERTIES = DOCX | {
    "[Content_Types].xml": types(
        **{"word/document.xml": "wordprocessingml.document.main", "docProps/custom.xml": "custom-properties"}
    ),
    "_rels/.rels": relations(("officeDocument", "word/document.xml"), ("custom-properties", "docProps/custom.xml")),
    "docProps/custom.xml": CUSTOM,
}
PURL = "http://purl.oclc.org/ooxml"
STRICT = {
    "[Content_Types].xml": DOCX["[Content_Types].xml"],
    "_rels/.rels": relations(("officeDocument", "word/document.xml"), office=f"{PURL}/officeDocument"),
    "word/document.xml": f'{XML}<document xmlns="{PURL}/wordprocessingml/main"><body/></document>',
}
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
XLSX = {
    "[Content_Types].xml": types(
        **{
            "xl/workbook.xml": "spreadsheetml.sheet.main",
            "xl/worksheets/sheet1.xml": "spreadsheetml.worksheet",
            "xl/worksheets/ai-label.xml": "spreadsheetml.worksheet",
        }
    ),
    "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
    "xl/workbook.xml": f'{XML}<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}/relationships"><sheets><sheet name="一" '
    'sheetId="4" r:id="r1"/><sheet name="AI-generated CONTENT" sheetId="9" r:id="r2"/></sheets><definedNames>'
    '<definedName name="_xlnm.Print_Area" localSheetId="0">一!$A$1:$A$2</definedName></definedNames></workbook>',
    "xl/_rels/workbook.xml.rels": relations(
        ("worksheet", "worksheets/sheet1.xml"), ("worksheet", "worksheets/ai-label.xml")
    ),
    "xl/worksheets/sheet1.xml": f'{XML}<worksheet xmlns="{SHEET}"><sheetData><row r="1"><c r="A1"><v>12</v></c></row>'
    '<row r="2"><c r="A2"><f>A1*2</f><v>24</v></c></row></sheetData></worksheet>',
    "xl/worksheets/ai-label.xml": f'{XML}<worksheet xmlns="{SHEET}"><sheetData/></worksheet>',
}
SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
TREE = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'


def slide(words, show=""):
    return (
        f'{XML}<p:sld xmlns:p="{SLIDE}" xmlns:a="{DRAWING}"{show}><p:cSld><p:spTree>{TREE}<p:sp><p:nvSpPr><p:cNvPr '
        'id="5" name="t"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm><a:off x="900000" y="900000"/><a:ext '
        'cx="5000000" cy="900000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody>'
        f"<a:bodyPr/><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
    )


THEME = (
    f'{XML}<a:theme xmlns:a="{DRAWING}" name="t"><a:themeElements><a:clrScheme name="c">'
    + "".join(
        f'<a:{n}><a:srgbClr val="{v}"/></a:{n}>'
        for n, v in zip(
            "dk1 lt1 dk2 lt2 accent1 accent2 accent3 accent4 accent5 accent6 hlink folHlink".split(),
            "000000 FFFFFF 222222 EEEEEE 4472C4 ED7D31 A5A5A5 FFC000 5B9BD5 70AD47 0563C1 954F72".split(),
        )
    )
    + '</a:clrScheme><a:fontScheme name="f">'
    + "".join(f'<a:{n}Font><a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/></a:{n}Font>' for n in ("major", "minor"))
    + '</a:fontScheme><a:fmtScheme name="s">'
    + "<a:fillStyleLst>" + '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>' * 3 + "</a:fillStyleLst>"
    + "<a:lnStyleLst>" + '<a:ln w="6350"><a:solidFill><a:schemeClr val="phClr"/></a:solidFill></a:ln>' * 3 + "</a:lnStyleLst>"
    + "<a:effectStyleLst>" + "<a:effectStyle><a:effectLst/></a:effectStyle>" * 3 + "</a:effectStyleLst>"
    + "<a:bgFillStyleLst>" + '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>' * 3 + "</a:bgFillStyleLst>"
    + "</a:fmtScheme></a:themeElements></a:theme>"
)
MAP = (
    '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" '
    + " ".join(f'accent{i}="accent{i}"' for i in range(1, 7))
    + ' hlink="hlink" folHlink="folHlink"/>'
)
PPTX = {
    "[Content_Types].xml": types(
        **{
            "ppt/presentation.xml": "presentationml.presentation.main",
            "ppt/slideMasters/master.xml": "presentationml.slideMaster",
            "ppt/slideLayouts/layout.xml": "presentationml.slideLayout",
            "ppt/theme/theme.xml": "theme",
            "ppt/slides/a.xml": "presentationml.slide",
            "ppt/slides/b.xml": "presentationml.slide",
        }
    ),
    "_rels/.rels": relations(("officeDocument", "ppt/presentation.xml")),
    "ppt/presentation.xml": f'{XML}<p:presentation xmlns:p="{SLIDE}" xmlns:r="{OFFICE}/relationships"><p:sldMasterIdLst>'
    '<p:sldMasterId id="2147483648" r:id="r1"/></p:sldMasterIdLst><p:sldIdLst><p:sldId id="256" r:id="r2"/><p:sldId '
    'id="257" r:id="r3"/></p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/>'
    "</p:presentation>",
    "ppt/_rels/presentation.xml.rels": relations(
        ("slideMaster", "slideMasters/master.xml"), ("slide", "/ppt/slides/a.xml"), ("slide", "../ppt/slides/b.xml")
    ),
    "ppt/slideMasters/master.xml": f'{XML}<p:sldMaster xmlns:p="{SLIDE}" xmlns:a="{DRAWING}" xmlns:r="{OFFICE}/'
    f'relationships"><p:cSld><p:spTree>{TREE}</p:spTree></p:cSld>{MAP}<p:sldLayoutIdLst><p:sldLayoutId '
    'id="2147483649" r:id="r1"/></p:sldLayoutIdLst></p:sldMaster>',
    "ppt/slideMasters/_rels/master.xml.rels": relations(
        ("slideLayout", "../slideLayouts/layout.xml"), ("theme", "../theme/theme.xml")
    ),
    "ppt/slideLayouts/layout.xml": f'{XML}<p:sldLayout xmlns:p="{SLIDE}" xmlns:a="{DRAWING}" type="blank"><p:cSld>'
    f"<p:spTree>{TREE}</p:spTree></p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sldLayout>",
    "ppt/slideLayouts/_rels/layout.xml.rels": relations(("slideMaster", "../slideMasters/master.xml")),
    "ppt/theme/theme.xml": THEME,
    "ppt/slides/a.xml": slide("hidden", ' show="0"'),
    "ppt/slides/_rels/a.xml.rels": relations(("slideLayout", "../slideLayouts/layout.xml")),
    "ppt/slides/b.xml": slide("秋夜"),
    "ppt/slides/_rels/b.xml.rels": relations(("slideLayout", "../slideLayouts/layout.xml")),
}
CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="书/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub='
    '"http://www.idpf.org/2007/ops"><head><title>秋</title></head><body>%s</body></html>'
)
EPUB3 = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "书/book.opf": '<?xml version="1.0"?>\n<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier='
    '"i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">urn:x-test:1</dc:identifier><dc:title>'
    '秋</dc:title><dc:language>zh</dc:language><meta property="dcterms:modified">2026-01-02T03:04:05Z</meta></metadata>'
    '<manifest><item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="p" href='
    '"page.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="p"/></spine></package>',
    "书/nav.xhtml": PAGE % '<nav epub:type="toc"><ol><li><a href="page.xhtml">秋</a></li></ol></nav>',
    "书/page.xhtml": PAGE % "<p>秋夜</p>",
}
EPUB2 = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER.replace("书/", ""),
    "book.opf": '<?xml version="1.0"?>\n<o:package xmlns:o="http://www.idpf.org/2007/opf" version="2.0" unique-identifier='
    '"i"><o:metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">urn:x-test:1</dc:identifier>'
    '<dc:title>秋</dc:title><dc:language>zh</dc:language></o:metadata><o:manifest><o:item id="ncx" href="toc.ncx" '
    'media-type="application/x-dtbncx+xml"/><o:item id="p" href="page.xhtml" media-type="application/xhtml+xml"/>'
    '</o:manifest><o:spine toc="ncx"><o:itemref idref="p"/></o:spine></o:package>',
    "toc.ncx": '<?xml version="1.0"?>\n<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><head><meta '
    'name="dtb:uid" content="urn:x-test:1"/></head><docTitle><text>秋</text></docTitle><navMap><navPoint id="a" playOrder='
    '"1"><navLabel><text>秋</text></navLabel><content src="page.xhtml"/></navPoint></navMap></ncx>',
    "page.xhtml": '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" '
    '"http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title>秋</title>'
    "</head><body><p>秋夜&nbsp;</p></body></html>",
}
OPEN = "urn:oasis:names:tc:opendocument:xmlns:"
ODT = {
    "mimetype": "application/vnd.oasis.opendocument.text",
    "content.xml": f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document-content xmlns:office="{OPEN}office:1.0" '
    f'xmlns:text="{OPEN}text:1.0" office:version="1.3"><office:body><office:text><text:sequence-decls>'
    '<text:sequence-decl text:display-outline-level="0" text:name="Table"/></text:sequence-decls><text:p>秋夜将何处'
    "</text:p></office:text></office:body></office:document-content>",
    "META-INF/manifest.xml": f'<?xml version="1.0" encoding="UTF-8"?>\n<manifest:manifest xmlns:manifest="{OPEN}'
    'manifest:1.0" manifest:version="1.3"><manifest:file-entry manifest:full-path="/" manifest:media-type="application/'
    'vnd.oasis.opendocument.text"/><manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"'
    "/></manifest:manifest>",
}


def archive(name, files):
    with zipfile.ZipFile(OUT / name, "w") as z:
        for part, text in files.items():
            info = zipfile.ZipInfo(part, WHEN)
            info.compress_type = zipfile.ZIP_STORED if part == "mimetype" else zipfile.ZIP_DEFLATED
            z.writestr(info, text.encode())


if __name__ == "__main__":
    for name, files in {
        "text.docx": DOCX,
        "properties.docx": PROPERTIES,
        "strict.docx": STRICT,
        "sheets.xlsx": XLSX,
        "slides.pptx": PPTX,
        "third.epub": EPUB3,
        "second.epub": EPUB2,
        "text.odt": ODT,
    }.items():
        archive(name, files)
