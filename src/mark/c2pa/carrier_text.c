// Markdown, source, configuration: the store is a base64 data URI between two delimiters in a
// comment of the language, on one line (C2PA specification 2.4, appendix A.9). The block is left
// out of the hash: its line with the end of line; at the end of a file also the end of line before
// it. The bytes are hashed as they are, in no normalisation form.
#include <string.h>

#include "mark/c2pa/carrier.h"

static const char begin_mark[] = "-----BEGIN C2PA MANIFEST-----";
static const char end_mark[] = "-----END C2PA MANIFEST-----";
static const char uri[] = "data:application/c2pa;base64,";

// What a line holds before and behind the block must be the comment's own signs: no hash covers
// them.
static bool is_comment(const ink_carrier *carrier, const unsigned char *before, size_t n_before,
                       const unsigned char *after, size_t n_after) {
  size_t prefix = strlen(carrier->comment), suffix = strlen(carrier->comment_end);
  if (n_before != prefix + 1 || memcmp(before, carrier->comment, prefix) != 0 ||
      before[prefix] != ' ') {
    return false;
  }
  if (!suffix) return n_after == 0;
  return n_after == suffix + 1 && after[0] == ' ' &&
         memcmp(after + 1, carrier->comment_end, suffix) == 0;
}

// The reference of a block on one line, or on a line of its own between lines with the delimiters
// alone, as front matter has it.
static bool read_reference(const ink_carrier *carrier, const unsigned char *bytes, size_t line,
                           size_t begin, size_t end, size_t behind, size_t *from, size_t *to) {
  *from = begin + sizeof begin_mark - 1;
  *to = end;
  size_t tail = end + sizeof end_mark - 1;
  if (memchr(bytes + begin, '\n', end - begin)) {
    if (line != begin || bytes[*from] != '\n' || bytes[end - 1] != '\n' || *from + 1 >= end - 1) {
      return false;
    }
    *from += 1;
    *to -= 1;
    return behind == tail && !memchr(bytes + *from, '\n', *to - *from);
  }
  if (end - *from < 2 || bytes[*from] != ' ' || bytes[end - 1] != ' ') return false;
  *from += 1;
  *to -= 1;
  return *from < *to &&
         is_comment(carrier, bytes + line, begin - line, bytes + tail, behind - tail);
}

static ink_status read_uri(const unsigned char *bytes, size_t from, size_t to, ink_place *place) {
  size_t head = sizeof uri - 1;
  if (to - from >= head && memcmp(bytes + from, uri, head) == 0) {
    if (ink_base64_read((const char *)bytes + from + head, to - from - head, &place->store)) {
      return INK_OK;
    }
    return ink_place_fault(place, "manifest.structuredText.malformedReference",
                           "the data URI is not base64");
  }
  if (to - from > 8 &&
      (memcmp(bytes + from, "https://", 8) == 0 || memcmp(bytes + from, "http://", 7) == 0)) {
    return ink_place_fault(place, "manifest.inaccessible",
                           "the text refers to a manifest elsewhere, which is not fetched");
  }
  return ink_place_fault(place, "manifest.structuredText.malformedReference",
                         "the reference is neither a URL nor a data URI");
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  size_t begin = ink_find_bytes(bytes, size, 0, begin_mark);
  size_t end = ink_find_bytes(bytes, size, 0, end_mark);
  // A text that only speaks of one delimiter has no manifest.
  if (begin == size || end == size) return INK_OK;
  place->present = true;
  if (ink_find_bytes(bytes, size, begin + 1, begin_mark) != size ||
      ink_find_bytes(bytes, size, end + 1, end_mark) != size) {
    return ink_place_fault(place, "manifest.structuredText.multipleReferences",
                           "the text has several manifest blocks");
  }
  if (end < begin) {
    return ink_place_fault(place, "manifest.structuredText.noManifest",
                           "the delimiters of the manifest block stand in the wrong order");
  }
  size_t line = begin, behind = end + sizeof end_mark - 1;
  while (line && bytes[line - 1] != '\n') line--;
  while (behind < size && bytes[behind] != '\n') behind++;
  // A carriage return ends a line only with the line feed behind it.
  size_t text_end = behind < size && bytes[behind - 1] == '\r' ? behind - 1 : behind;
  size_t from, to;
  if (!read_reference(carrier, bytes, line, begin, end, text_end, &from, &to)) {
    bool empty = end - begin <= sizeof begin_mark + 1;
    return ink_place_fault(place,
                           empty ? "manifest.structuredText.emptyReference"
                                 : "manifest.structuredText.malformedReference",
                           "the manifest block is not one line of a comment");
  }
  if (behind < size) behind++;
  if (behind == size && line > 0) {
    line--;
    if (line && bytes[line - 1] == '\r') line--;
  }
  place->start = line;
  place->length = behind - line;
  INK_TRY(read_uri(bytes, from, to, place));
  return ink_text_status(&place->store, error);
}

// First lines that a format keeps for itself.
static bool first_line_is_taken(const unsigned char *bytes, size_t size) {
  static const char *const taken[] = {"#!", "<?", "---", "+++", "\xEF\xBB\xBF", "<!"};
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    size_t n = strlen(taken[i]);
    if (size >= n && memcmp(bytes, taken[i], n) == 0) return true;
  }
  return false;
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  bool at_end = first_line_is_taken(bytes, size);
  if (ink_find_bytes(bytes, size, 0, begin_mark) != size ||
      ink_find_bytes(bytes, size, 0, end_mark) != size) {
    return ink_fail(
        error, INK_ERR_FORMAT,
        "the text holds a delimiter of manifest blocks (\"%s\"); one block could not be "
        "told from the other",
        begin_mark);
  }
  if (at_end) ink_text_add_bytes(out, bytes, size);
  *start = at_end ? size : 0;
  size_t before = out->size;
  // A carriage return at the text's end stays the text's: the line end that is added has its own.
  bool returns = size && bytes[size - 1] == '\r';
  if (at_end) ink_text_add(out, returns ? "\r\n" : "\n");
  ink_text_format(out, "%s %s %s", carrier->comment, begin_mark, uri);
  ink_base64_add(out, store, store_size);
  ink_text_format(out, " %s%s%s\n", end_mark, carrier->comment_end[0] ? " " : "",
                  carrier->comment_end);
  *length = out->size - before;
  if (!at_end) ink_text_add_bytes(out, bytes, size);
  return ink_text_status(out, error);
}

#define TEXT_CARRIER(symbol, text, media, sign, end, ...)           \
  const ink_carrier ink_carrier_##symbol = {.name = text,           \
                                            .media_type = media,    \
                                            .endings = __VA_ARGS__, \
                                            .comment = sign,        \
                                            .comment_end = end,     \
                                            .find = find,           \
                                            .embed = embed}

TEXT_CARRIER(markdown, "markdown", "text/markdown", "<!--", "-->", {"md", "markdown"});
TEXT_CARRIER(c, "c", "text/plain", "//", "", {"c", "h", "cc", "cpp", "java", "js", "ts", "rs"});
TEXT_CARRIER(css, "css", "text/css", "/*", "*/", {"css"});
TEXT_CARRIER(shell, "shell", "text/plain", "#", "",
             {"py", "sh", "yaml", "yml", "toml", "rb", "pl", "cmake"});
TEXT_CARRIER(sql, "sql", "text/plain", "--", "", {"sql", "lua", "hs"});
TEXT_CARRIER(tex, "tex", "text/plain", "%", "", {"tex", "sty"});
TEXT_CARRIER(ini, "ini", "text/plain", ";", "", {"ini", "lisp", "el", "scm"});
