// Inside the room: how files of one format are labelled. Signing comes after, and is the same for
// all.
#ifndef INK_MARK_LABEL_LABEL_PARTS_H
#define INK_MARK_LABEL_LABEL_PARTS_H

#include "mark/label/label.h"

typedef struct ink_labelled {
  ink_text file;
  const char *what;        // "audible label"; NULL: "visible label"
  char visible[240];       // the label as it can be read or heard, with its place; "": none
  const char *no_visible;  // why not, an English constant
  char metadata[120];      // where the metadata label stands; "": none
  const char *no_metadata;
  bool unfixed;                              // the standard fixes no place for it in this format
  bool tells_source;                         // the metadata hold IPTC's DigitalSourceType
  const char *metadata_rule, *visible_rule;  // clauses of GB 45438-2025
  ink_text thumbnail;  // of the file as it was, and as it is; empty where it is no picture
  ink_text new_thumbnail;
} ink_labelled;

// What a file is given. The metadata label is NULL where one is there that stays.
typedef struct ink_label_work {
  const ink_label_request *request;
  const char *name;
  const unsigned char *bytes;  // without manifests
  size_t size;
  const json_t *aigc;
  const char *source_type;  // NULL: nothing is said of it
} ink_label_work;

// A format whose files can be labelled.
typedef struct ink_labeller {
  const char *const *formats;  // names of carriers (mark/c2pa/carrier.h), ended by NULL
  bool disclosed;              // a picture or a sound, which California's law is about
  ink_status (*label)(const ink_label_work *work, ink_labelled *labelled, ink_error *error);
  // The metadata label that is there: NULL without, JSON's null where it cannot be read.
  ink_status (*read)(const char *name, const unsigned char *bytes, size_t size, json_t **aigc,
                     ink_error *error);
} ink_labeller;

// The same for documents that are archives.
ink_status ink_label_read_document(const char *name, const unsigned char *bytes, size_t size,
                                   json_t **aigc, ink_error *error);

extern const ink_labeller ink_labeller_picture, ink_labeller_markdown, ink_labeller_html,
    ink_labeller_mp3, ink_labeller_pdf, ink_labeller_text, ink_labeller_wav, ink_labeller_docx,
    ink_labeller_xlsx, ink_labeller_pptx, ink_labeller_epub, ink_labeller_odt, ink_labeller_svg,
    ink_labeller_gif;

#endif
