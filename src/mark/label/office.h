// Inside the room: what the labels of Office Open XML (ECMA-376) share. Relations and content types
// of a package (part 2), and the visible label of each kind of document.
#ifndef INK_MARK_LABEL_OFFICE_H
#define INK_MARK_LABEL_OFFICE_H

#include "mark/label/label_parts.h"
#include "mark/label/package.h"

#define INK_OFFICE_RELATIONS "http://schemas.openxmlformats.org/package/2006/relationships"
#define INK_OFFICE_TYPES "http://schemas.openxmlformats.org/package/2006/content-types"

// The two dialects of the standard name all they have by other URIs: transitional and strict.
typedef struct ink_office_dialect {
  const char *relation;         // of an id that refers to a relation
  const char *drawing;          // DrawingML
  const char *custom_type;      // type of the relation to the custom properties
  const char *worksheet_type;   // and to a worksheet
  const char *custom, *values;  // custom properties, and the types of their values
} ink_office_dialect;

// Which one an element's namespace belongs to.
const ink_office_dialect *ink_office_dialect_of(const char *space);

enum { INK_OFFICE_NAME = 256, INK_OFFICE_ID = 128 };

// A relation to a file of the package that has not got it yet: appended to `relations` (a file that
// is made where it is not there). Its new id, where that is wanted.
ink_status ink_office_relate(ink_package *package, const char *relations, const char *type,
                             const char *target, char id[INK_OFFICE_ID], ink_error *error);
// The content type of a file, which must begin with '/', where none is stated for it.
ink_status ink_office_state_type(ink_package *package, const char *name, const char *type,
                                 ink_error *error);
// Where a relation of the file `name` points to, by its id; false where it is not there or points
// elsewhere.
ink_status ink_office_target(const ink_package *package, const char *name, const char *folder,
                             const char *id, char target[INK_OFFICE_NAME], bool *found,
                             ink_error *error);

// Put the visible label in, and say so in `out`.
ink_status ink_office_show_text(ink_package *package, const ink_label_work *work, ink_labelled *out,
                                ink_error *error);
ink_status ink_office_show_sheet(ink_package *package, const ink_label_work *work,
                                 ink_labelled *out, ink_error *error);
ink_status ink_office_show_slide(ink_package *package, const ink_label_work *work,
                                 ink_labelled *out, ink_error *error);

#endif
