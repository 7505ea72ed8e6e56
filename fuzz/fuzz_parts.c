// Fuzz target: the XML within a document that is labelled. The first byte chooses the document and
// which of its files the rest becomes. What is labelled must be read again, and bear the label.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mark/archive.h"
#include "mark/label/label.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define OFFICE "http://schemas.openxmlformats.org/officeDocument/2006"
#define PACKAGE "http://schemas.openxmlformats.org/package/2006"
#define OPEN "urn:oasis:names:tc:opendocument:xmlns:"

enum { PARTS = 6 };

typedef struct part {
  const char *name, *content;
} part;

static const part documents[][PARTS] = {
    {{"[Content_Types].xml", "<Types xmlns='" PACKAGE "/content-types'/>"},
     {"_rels/.rels", "<Relationships xmlns='" PACKAGE "/relationships'/>"},
     {"word/document.xml", "<w:document xmlns:w='w'><w:body/></w:document>"},
     {"docProps/custom.xml", "<Properties xmlns='" OFFICE "/custom-properties'/>"}},
    {{"[Content_Types].xml", "<Types xmlns='" PACKAGE "/content-types'/>"},
     {"_rels/.rels", "<Relationships xmlns='" PACKAGE "/relationships'/>"},
     {"xl/workbook.xml", "<workbook xmlns='s'><sheets/></workbook>"},
     {"xl/_rels/workbook.xml.rels", "<Relationships xmlns='" PACKAGE "/relationships'/>"}},
    {{"[Content_Types].xml", "<Types xmlns='" PACKAGE "/content-types'/>"},
     {"_rels/.rels", "<Relationships xmlns='" PACKAGE "/relationships'/>"},
     {"ppt/presentation.xml", "<p xmlns='s' xmlns:r='" OFFICE
                              "/relationships'><sldIdLst><sldId r:id='a'/></sldIdLst><sldSz "
                              "cx='9144000' cy='6858000'/></p>"},
     {"ppt/_rels/presentation.xml.rels",
      "<Relationships xmlns='" PACKAGE
      "/relationships'><Relationship Id='a' Type='t' Target='a.xml'/></Relationships>"},
     {"ppt/a.xml", "<sld xmlns='s'><c><spTree/></c></sld>"}},
    {{"mimetype", "application/epub+zip"},
     {"META-INF/container.xml", "<container xmlns='" OPEN "container'><rootfile full-path='a.opf'/>"
                                "</container>"},
     {"a.opf",
      "<package xmlns='http://www.idpf.org/2007/opf'><metadata/><manifest/><spine/>"
      "</package>"}},
    {{"mimetype", "application/vnd.oasis.opendocument.text"},
     {"META-INF/manifest.xml", "<m xmlns='" OPEN "manifest:1.0'/>"},
     {"content.xml", "<c xmlns='" OPEN "office:1.0'><body><text/></body></c>"},
     {"meta.xml", "<c xmlns='" OPEN "office:1.0'><meta/></c>"}},
};
enum { DOCUMENTS = sizeof documents / sizeof *documents };

// An archive of the files, stored.
static bool pack(const part *parts, size_t chosen, const uint8_t *bytes, size_t size,
                 ink_text *out) {
  static const unsigned char none[22] = {'P', 'K', 5, 6};
  ink_archive a;
  ink_archive_change changes[PARTS];
  size_t n = 0;
  ink_error error = {0};
  for (; n < PARTS && parts[n].name; n++) {
    bool fresh = n == chosen;
    changes[n] = (ink_archive_change){.name = parts[n].name,
                                      .bytes = fresh ? (const char *)bytes : parts[n].content,
                                      .size = fresh ? size : strlen(parts[n].content),
                                      .stored = true};
  }
  if (ink_archive_read(none, sizeof none, &a, &error) != INK_OK) abort();
  bool packed = ink_archive_write(none, sizeof none, &a, changes, n, out, &error) == INK_OK;
  ink_archive_free(&a);
  return packed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (!size) return 0;
  const part *parts = documents[bytes[0] % DOCUMENTS];
  ink_label_request request = {.laws = INK_LAW_CN,
                               .visible = true,
                               .identity = "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4",
                               .created = "2026-01-02T03:04:05Z",
                               .at_end = bytes[0] & 0x80};
  ink_label_result result;
  ink_text file = {0}, out = {0};
  ink_error error = {0};
  json_t *aigc = NULL;
  if (pack(parts, bytes[0] / DOCUMENTS % PARTS, bytes + 1, size - 1, &file) &&
      ink_label_file("a", (const unsigned char *)file.bytes, file.size, &request, NULL, &out,
                     &result, &error) == INK_OK) {
    ink_status status =
        ink_label_read("a", (const unsigned char *)out.bytes, out.size, &aigc, &error);
    if (status != INK_OK || !aigc) abort();
  }
  json_decref(aigc);
  ink_text_free(&file);
  ink_text_free(&out);
  return 0;
}
