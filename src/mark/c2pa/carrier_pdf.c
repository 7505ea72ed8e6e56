// PDF (ISO 32000-2): the store is an embedded file that the catalog associates with the document
// (/AFRelationship /C2PA_Manifest), added by an incremental update; the bytes of its stream are
// left out of the hash (C2PA specification 2.4, appendix A.6).
#include <string.h>

#include "mark/c2pa/carrier.h"
#include "mark/c2pa/pdf.h"

enum { FILES_MOST = 256 };

// ---- the store

// The stream of a file specification's embedded file.
static bool read_stream(ink_pdf *p, size_t specification, size_t *start, size_t *length) {
  size_t files = ink_pdf_resolve(p, ink_pdf_value(p, specification, "/EF"));
  size_t stream = ink_pdf_resolve(p, ink_pdf_value(p, files, "/F"));
  return ink_pdf_plain_stream(p, stream, start, length);
}

static ink_status find_manifest(ink_pdf *p, ink_place *place, ink_error *error) {
  size_t list = ink_pdf_resolve(p, ink_pdf_value(p, ink_pdf_catalog(p), "/AF"));
  if (!list || p->bytes[list] != '[') return INK_OK;
  size_t n = 0;
  for (size_t at = ink_pdf_skip_space(p, list + 1); at < p->size && p->bytes[at] != ']';) {
    if (++n > FILES_MOST) {
      return ink_place_fault(place, "general.error", "the PDF has too many associated files");
    }
    size_t specification = ink_pdf_resolve(p, at);
    if (ink_pdf_is_name(p, ink_pdf_value(p, specification, "/AFRelationship"), "/C2PA_Manifest")) {
      if (place->present) {
        return ink_place_fault(place, "general.error", "the PDF has several manifests");
      }
      place->present = true;
      if (!read_stream(p, specification, &place->start, &place->length) ||
          place->length > INK_STORE_MOST) {
        return ink_place_fault(place, "general.error", "the PDF's manifest cannot be read");
      }
      ink_text_add_bytes(&place->store, p->bytes + place->start, place->length);
    }
    at = ink_pdf_skip(p, at);
    if (!at) break;
    at = ink_pdf_skip_space(p, at);
  }
  return ink_text_status(&place->store, error);
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  ink_pdf p;
  // Without the name no association can be a manifest's, whatever form the rest has, unless it is
  // packed: then what cannot be unpacked has none.
  bool named = ink_find_bytes(bytes, size, 0, "C2PA_Manifest") != size;
  if (!named && ink_find_bytes(bytes, size, 0, "ObjStm") == size) return INK_OK;
  ink_status status = ink_pdf_load(bytes, size, &p, named ? error : NULL);
  if (status != INK_OK) return named ? status : INK_OK;
  status = find_manifest(&p, place, error);
  ink_pdf_free(&p);
  return status;
}

// ---- the update

static ink_status refuse(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_UNSUPPORTED, "PDF: %s", ink_error_say(error, what));
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  ink_pdf_writer w;
  INK_TRY(ink_pdf_update(bytes, size,
                         "it is encrypted; a manifest can only stand beside it (--sidecar)", out,
                         &w, error));
  if (ink_pdf_value(&w.pdf, w.catalog, "/AF")) {
    ink_pdf_free(&w.pdf);
    return refuse("it has associated files already; a manifest can stand beside it (--sidecar)",
                  error);
  }
  size_t stream = w.next++, specification = w.next++;
  bool names = ink_pdf_value(&w.pdf, w.catalog, "/Names") != 0;
  ink_pdf_begin(&w, stream, 0);
  ink_text_format(out,
                  "<< /Type /EmbeddedFile /Subtype /application#2Fc2pa /Length %zu >>\nstream\n",
                  store_size);
  *start = out->size - w.begin;
  *length = store_size;
  ink_text_add_bytes(out, store, store_size);
  ink_text_add(out, "\nendstream\nendobj\n");
  ink_pdf_begin(&w, specification, 0);
  ink_text_format(
      out,
      "<< /Type /Filespec /AFRelationship /C2PA_Manifest /Desc (Content Credentials)\n/F "
      "(content_credential.c2pa) /UF (content_credential.c2pa) /Subtype /application#2Fc2pa /EF << "
      "/F %zu 0 R >> >>\nendobj\n",
      stream);
  // The catalog once more, with the association; the name tree lists the file where there is none.
  ink_pdf_begin(&w, w.root, w.root_generation);
  ink_pdf_dictionary_open(&w, w.catalog);
  ink_text_format(out, "\n/AF [%zu 0 R]", specification);
  if (!names) {
    ink_text_format(
        out, "\n/Names << /EmbeddedFiles << /Names [(content_credential.c2pa) %zu 0 R] >> >>",
        specification);
  }
  ink_text_add(out, " >>\nendobj\n");
  ink_status status = ink_pdf_close(&w, 0, error);
  ink_pdf_free(&w.pdf);
  return status;
}

// True when the newest cross-references stand behind the store, and those before them are the
// newest of what ends at `at`.
static bool is_last_update(const unsigned char *bytes, size_t size, size_t at, size_t store) {
  ink_pdf p, before;
  if (ink_pdf_load(bytes, size, &p, NULL) != INK_OK) return false;
  size_t newest = p.sections[0].at, previous = p.n_section > 1 ? p.sections[1].at : size;
  ink_pdf_free(&p);
  if (newest <= store || previous >= at || ink_pdf_load(bytes, at, &before, NULL) != INK_OK) {
    return false;
  }
  bool follows = before.sections[0].at == previous;
  ink_pdf_free(&before);
  return follows;
}

// Our update is the last thing in the file, and all of it.
static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  (void)carrier;
  // Backwards over "\nN 0 obj\n<< … >>\nstream\n".
  size_t at = place->start;
  int lines = 0;
  while (at > 0 && lines < 4) lines += bytes[--at] == '\n';
  if (lines == 4 && is_last_update(bytes, size, at, place->start)) {
    ink_text_add_bytes(out, bytes, at);
    return ink_text_status(out, error);
  }
  return refuse("its manifest stands among other things and cannot be taken out", error);
}

static bool recognise(const unsigned char *bytes, size_t size) {
  return size >= 8 && memcmp(bytes, "%PDF-", 5) == 0;
}

const ink_carrier ink_carrier_pdf = {.name = "pdf",
                                     .media_type = "application/pdf",
                                     .endings = {"pdf"},
                                     .recognise = recognise,
                                     .find = find,
                                     .embed = embed,
                                     .remove = take_out};
