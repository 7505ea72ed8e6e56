// A page of HTML (WHATWG living standard) that stands alone.
#include <stdlib.h>
#include <string.h>

#include "publish/publish.h"

// Paper, ink and one red: the seal. Verse runs in columns from right to left where the page is
// wide, in rows where it is narrow; in the dark the paper turns, the ink with it.
static const char style[] =
    ":root{--paper:#f6f1e5;--sheet:#fbf8f0;--ink:#26221c;--faint:#8d8371;--rule:#d9cfba;"
    "--seal:#b3392b}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#191714;--sheet:#211e1a;--ink:#e8e0d0;"
    "--faint:#8f8674;--rule:#3a352c;--seal:#d0564a}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;"
    "justify-content:center;gap:1.6rem;padding:2.5rem 1rem;background:var(--paper);"
    "color:var(--ink);font-family:\"Noto Serif CJK SC\",\"Source Han Serif SC\",\"Songti SC\","
    "STSong,SimSun,Georgia,serif}\n"
    ".sheet{background:var(--sheet);border:1px solid var(--rule);outline:1px solid var(--rule);"
    "outline-offset:6px;padding:3.2rem 3.4rem;max-width:100%;overflow-x:auto;"
    "box-shadow:0 18px 50px -24px rgba(60,45,20,.45)}\n"
    ".verse{writing-mode:vertical-rl;text-orientation:upright;max-height:min(80vh,34em);"
    "line-height:2.1;letter-spacing:.22em;font-size:1.45rem;display:flex;flex-direction:column;"
    "}\n"
    ".verse h1{font-size:1.75rem;font-weight:600;letter-spacing:.3em;margin:0 0 0 .5rem}\n"
    ".verse .form{font-size:.95rem;color:var(--faint);margin:3.2rem 0 0 1.2rem}\n"
    ".verse p{margin:0}\n"
    ".verse .gap{width:1.4rem}\n"
    ".rhyme{color:var(--seal)}\n"
    ".seal{writing-mode:vertical-rl;align-self:flex-end;width:2.3em;height:2.3em;margin:1.2rem "
    ".6rem 0 0;display:grid;place-items:center;background:var(--seal);color:var(--sheet);"
    "border-radius:.22em;letter-spacing:0;line-height:1;font-size:1rem}\n"
    ".prose{max-width:38rem;font-size:1.1rem;line-height:1.9}\n"
    ".prose h1{margin-top:0}\n"
    "details{color:var(--faint);font-size:.9rem;max-width:34rem;width:100%}\n"
    "summary{cursor:pointer;text-align:center;letter-spacing:.12em}\n"
    "table{margin:1rem auto 0;border-collapse:collapse}\n"
    "td{padding:.2rem .9rem;letter-spacing:.18em}\n"
    "footer{font-size:.82rem;color:var(--faint);text-align:center;line-height:1.9}\n"
    "footer strong{color:var(--ink);font-size:1rem;font-weight:600;letter-spacing:.08em}\n"
    "code{font-size:.78rem}\n"
    "@media (max-width:40rem){.sheet{padding:2rem 1.6rem}.verse{writing-mode:horizontal-tb;"
    "height:auto;display:block;text-align:center;font-size:1.25rem}.verse .form{margin:.2rem 0 "
    "1.4rem}.verse .gap{height:1.2rem}.seal{margin:1.6rem auto 0}}\n"
    "@media print{body{background:none}.sheet{box-shadow:none}details{display:none}}\n";

static void add_escaped_bytes(ink_text *out, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    switch (text[i]) {
      case '&':
        ink_text_add(out, "&amp;");
        break;
      case '<':
        ink_text_add(out, "&lt;");
        break;
      case '>':
        ink_text_add(out, "&gt;");
        break;
      case '"':
        ink_text_add(out, "&quot;");
        break;
      case '\'':
        ink_text_add(out, "&#39;");
        break;
      default:
        ink_text_add_bytes(out, text + i, 1);
    }
  }
}

static void add_escaped(ink_text *out, const char *text) {
  add_escaped_bytes(out, text, strlen(text));
}

// Where the last character before the closing punctuation of a line begins and ends: its rhyme
// word.
static void find_rhyme_word(const char *line, size_t *begin, size_t *end) {
  size_t size = strlen(line);
  *begin = *end = 0;
  for (size_t at = 0; at < size;) {
    int32_t rune;
    size_t length = ink_utf8_decode(line + at, size - at, &rune);
    if ((rune >= 0x3400 && rune <= 0x9FFF) || rune >= 0x20000) {
      *begin = at;
      *end = at + length;
    }
    at += length;
  }
}

static void add_verse(const ink_document *d, ink_text *out) {
  ink_text_add(out, "<main class=\"sheet\"><article class=\"verse\">\n<h1>");
  add_escaped(out, d->title);
  ink_text_add(out, "</h1>\n");
  if (d->subtitle) {
    ink_text_add(out, "<p class=\"form\">");
    add_escaped(out, d->subtitle);
    ink_text_add(out, "</p>\n");
  }
  for (size_t i = 0; i < d->n_line; i++) {
    const char *line = d->lines[i].text;
    if (!line[0]) {
      ink_text_add(out, "<p class=\"gap\"></p>\n");
      continue;
    }
    size_t begin = 0, end = 0;
    if (d->lines[i].rhymes) find_rhyme_word(line, &begin, &end);
    ink_text_add(out, "<p>");
    add_escaped_bytes(out, line, begin);
    if (end > begin) {
      ink_text_add(out, "<span class=\"rhyme\">");
      add_escaped_bytes(out, line + begin, end - begin);
      ink_text_add(out, "</span>");
    }
    add_escaped(out, line + end);
    ink_text_add(out, "</p>\n");
  }
  ink_text_add(out, "<span class=\"seal\" aria-hidden=\"true\">砚</span>\n</article></main>\n");
}

static void add_prose(const ink_document *d, ink_text *out) {
  ink_text_add(out, "<main class=\"sheet\"><article class=\"prose\">\n<h1>");
  add_escaped(out, d->title);
  ink_text_add(out, "</h1>\n");
  for (size_t i = 0; i < d->n_line; i++) {
    if (!d->lines[i].text[0]) continue;
    ink_text_add(out, "<p>");
    add_escaped(out, d->lines[i].text);
    ink_text_add(out, "</p>\n");
  }
  ink_text_add(out, "</article></main>\n");
}

// The form, line by line: what a reader can follow with a finger.
static void add_form_check(const ink_document *d, ink_text *out) {
  bool chinese = strncmp(d->language, "zh", 2) == 0;
  ink_text_format(out, "<details><summary>%s</summary>\n<table>\n", chinese ? "格律" : "Form");
  for (size_t i = 0; i < d->n_line; i++) {
    if (!d->lines[i].tones) continue;
    ink_text_add(out, "<tr><td>");
    add_escaped(out, d->lines[i].text);
    ink_text_add(out, "</td><td>");
    add_escaped(out, d->lines[i].tones);
    ink_text_format(out, "</td><td class=\"rhyme\">%s</td></tr>\n",
                    !d->lines[i].rhymes ? ""
                    : chinese           ? "韵"
                                        : "rhyme");
  }
  ink_text_add(out, "</table>\n");
  if (d->note) {
    ink_text_add(out, "<p>");
    add_escaped(out, d->note);
    ink_text_add(out, "</p>\n");
  }
  ink_text_add(out, "</details>\n");
}

void ink_publish_html(const ink_marked *marked, ink_text *out) {
  const ink_document *d = ink_marked_document(marked);
  char *aigc = json_dumps(ink_marked_aigc(marked), JSON_COMPACT);
  if (!aigc) {
    out->failed = true;
    return;
  }
  ink_text_add(out, "<!doctype html>\n<html lang=\"");
  add_escaped(out, d->language);
  ink_text_add(out,
               "\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
               "<meta name=\"generator\" content=\"inkstone\">\n<meta name=\"date\" content=\"");
  add_escaped(out, ink_marked_created(marked));
  ink_text_add(out, "\">\n<meta name=\"AIGC\" content=\"");
  add_escaped(out, aigc);
  ink_text_add(out,
               "\">\n<meta property=\"Iptc4xmpExt:DigitalSourceType\" content=\""
               "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia\">\n"
               "<title>");
  add_escaped(out, d->title);
  ink_text_format(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
  if (d->kind == INK_DOCUMENT_VERSE) {
    add_verse(d, out);
    add_form_check(d, out);
  } else {
    add_prose(d, out);
  }
  ink_text_add(out, "<footer><strong>");
  add_escaped(out, ink_marked_label(marked));
  ink_text_add(out, "</strong><br>inkstone · <code>");
  add_escaped(out, ink_marked_identity(marked));
  ink_text_add(out, "</code></footer>\n</body>\n</html>\n");
  free(aigc);
}
