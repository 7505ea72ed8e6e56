// A page of HTML (WHATWG living standard) that stands alone.
#include <stdlib.h>
#include <string.h>

#include "mark/c2pa/carrier.h"
#include "publish/publish.h"

// A mounted sheet: wall, mount, paper with its ruled columns, ink and one red, that of the seal.
// Verse runs in columns from right to left; on a narrow screen only what is short does, the rest in
// rows. The size of the type follows from how many columns there are and how long they grow, so
// that a long ci fits as a quatrain does. At night the paper turns, the ink with it.
// One rule of the sheet to a line.
// clang-format off
static const char style[] =
    ":root{--wall:#ece5d6;--mount:#e0d6c1;--sheet:#fbf8f0;--ink:#26221c;--faint:#6a6150;"
      "--rule:#e4d9c3;--seal:#a8321f;--cut:#fbf8f0;color-scheme:light dark}\n"
    "@media (prefers-color-scheme:dark){:root{--wall:#131210;--mount:#2b2721;--sheet:#1d1b17;"
      "--ink:#ece4d4;--faint:#a89e8a;--rule:#353026;--seal:#e0705c;--cut:#1d1b17}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;"
      "justify-content:center;gap:2rem;padding:2.6rem 1.4rem;background:var(--wall);"
      "color:var(--ink);font-family:\"Noto Serif CJK SC\",\"Noto Serif SC\",\"Source Han Serif "
      "SC\",\"Songti SC\",STSong,SimSun,Georgia,serif}\n"
    ".sheet{background:var(--sheet);max-width:100%;overflow-x:auto;padding:3rem 3.2rem;"
      "border:1px solid var(--rule);box-shadow:0 0 0 .7rem var(--mount),0 0 0 calc(.7rem + 1px) "
      "var(--rule),0 1.6rem 3.4rem -1rem rgba(50,38,16,.5)}\n"
    ".verse{writing-mode:vertical-rl;font-size:clamp(1.05rem,min(84vw/(var(--columns)*1.95),"
      "66vh/(var(--longest)*1.2)),2.1rem);line-height:1.95;letter-spacing:.18em;"
      "max-height:max(24em,80vh);border-right:1px solid var(--rule)}\n"
    ".verse p{margin:0;border-left:1px solid var(--rule)}\n"
    ".verse h1{margin:0;border-left:1px solid var(--rule);font-size:1.22em;line-height:1.95;"
      "font-weight:600;letter-spacing:.28em}\n"
    ".verse .form{font-size:.66em;line-height:2.4;color:var(--faint);padding-top:3em}\n"
    ".verse .stanza{margin-right:1.95em;border-right:1px solid var(--rule)}\n"
    ".verse .mark{color:var(--faint)}\n"
    ".verse .rhyme{color:var(--seal)}\n"
    ".verse .figure{margin:0;padding:0 .8em;border-left:1px solid var(--rule);display:flex;"
      "align-items:center;justify-content:center}\n"
    ".figure img{display:block;width:11em;height:auto;max-width:100%;border-radius:.2em;"
      "mix-blend-mode:multiply}\n"
    "@media (prefers-color-scheme:dark){.figure img{mix-blend-mode:normal}}\n"
    ".verse .colophon{display:flex;align-items:center;justify-content:flex-end;gap:.7em;"
      "font-size:max(.6em,.8rem);line-height:2.9;color:var(--faint)}\n"
    ".colophon strong{font-weight:600;color:var(--ink);text-orientation:upright}\n"
    ".seal{writing-mode:horizontal-tb;flex:none;width:2.6em;height:2.6em;display:grid;"
      "place-items:center;background:var(--seal);color:var(--cut);border-radius:.3em;"
      "box-shadow:inset 0 0 0 .14em var(--seal),inset 0 0 0 .2em var(--cut);letter-spacing:0;"
      "line-height:1;font-weight:600}\n"
    ".seal span{font-size:1.5em}\n"
    ".prose{max-width:38rem;font-size:1.1rem;line-height:1.9}\n"
    ".prose h1{margin-top:0}\n"
    "details{color:var(--faint);font-size:.9rem;max-width:100%}\n"
    "summary{cursor:pointer;text-align:center;letter-spacing:.12em}\n"
    "table{margin:1rem auto 0;border-collapse:collapse}\n"
    "td{padding:.2rem .8rem;letter-spacing:.14em}\n"
    "td.rhyme{color:var(--seal)}\n"
    "details p{text-align:center}\n"
    "footer{font-size:.8rem;color:var(--faint);text-align:center;line-height:1.8;"
      "overflow-wrap:anywhere}\n"
    "footer strong{color:var(--ink);font-size:1rem}\n"
    "@media (max-width:44rem){\n"
    "body{padding:2rem 1.2rem;justify-content:flex-start}\n"
    ".sheet{padding:2rem 1.5rem}\n"
    ".verse:not(.short){writing-mode:horizontal-tb;font-size:1.3rem;max-height:none;"
      "text-align:center;word-break:keep-all;border:0}\n"
    ".verse:not(.short) :is(p,h1){border:0}\n"
    ".verse:not(.short) .form{padding:0;margin-bottom:1em}\n"
    ".verse:not(.short) .stanza{margin:1.4em 0 0}\n"
    ".verse:not(.short) .figure{padding:1.2em 0 0}\n"
    ".verse:not(.short) .colophon{justify-content:center;margin-top:.9em;line-height:1.6;"
      "font-size:.72em}\n"
    "}\n"
    "@media print{\n"
    "@page{margin:16mm}\n"
    ":root{--wall:#fff;--sheet:#fff;--ink:#000;--faint:#555;--rule:#ccc;--seal:#a8321f;"
      "--cut:#fff}\n"
    "body{padding:0;min-height:0}\n"
    ".sheet{box-shadow:none;break-inside:avoid}\n"
    ".seal{print-color-adjust:exact;-webkit-print-color-adjust:exact}\n"
    "details{display:none}\n"
    "}\n";
// clang-format on

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

static bool is_han(int32_t rune) {
  return (rune >= 0x3400 && rune <= 0x9FFF) || rune >= 0x20000;
}

// A line with its marks set back and, where it rhymes, its last character set off.
static void add_line(const ink_document_line *line, ink_text *out) {
  size_t size = strlen(line->text), last = size;
  for (size_t at = 0, length; at < size; at += length) {
    int32_t rune;
    length = ink_utf8_decode(line->text + at, size - at, &rune);
    if (is_han(rune)) last = at;
  }
  for (size_t at = 0, length; at < size; at += length) {
    int32_t rune;
    length = ink_utf8_decode(line->text + at, size - at, &rune);
    const char *kind = line->rhymes && at == last      ? "rhyme"
                       : rune >= 0x80 && !is_han(rune) ? "mark"
                                                       : NULL;
    if (kind) ink_text_format(out, "<span class=\"%s\">", kind);
    add_escaped_bytes(out, line->text + at, length);
    if (kind) ink_text_add(out, "</span>");
  }
}

// "2026-11-25T…" as 二〇二六年十一月二十五日.
static void add_chinese_date(const char *created, ink_text *out) {
  static const char *const digits[] = {"〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"};
  for (int i = 0; i < 4; i++) ink_text_add(out, digits[created[i] - '0']);
  ink_text_add(out, "年");
  for (int part = 0; part < 2; part++) {
    int tens = created[5 + 3 * part] - '0', ones = created[6 + 3 * part] - '0';
    if (tens > 1) ink_text_add(out, digits[tens]);
    if (tens) ink_text_add(out, "十");
    if (ones) ink_text_add(out, digits[ones]);
    ink_text_add(out, part ? "日" : "月");
  }
}

static bool is_date(const char *created) {
  static const char shape[] = "0000-00-00";
  for (size_t i = 0; shape[i]; i++) {
    if (shape[i] == '-' ? created[i] != '-' : created[i] < '0' || created[i] > '9') return false;
  }
  return true;
}

// What stands at the end of a scroll: when, by what, and the seal. The visible label is part of the
// sheet, so that it stays with it on paper and in a picture of it.
static void add_colophon(const ink_marked *marked, ink_text *out) {
  const char *created = ink_marked_created(marked);
  bool chinese = strncmp(ink_marked_document(marked)->language, "zh", 2) == 0;
  if (is_date(created)) {
    ink_text_format(out, "<p class=\"colophon\"><time datetime=\"%.10s\">", created);
    if (chinese) {
      add_chinese_date(created, out);
    } else {
      ink_text_format(out, "%.10s", created);
    }
    ink_text_add(out, "</time></p>\n");
  }
  ink_text_add(out, "<p class=\"colophon\"><strong>");
  add_escaped(out, ink_marked_label(marked));
  ink_text_add(out,
               "</strong><span class=\"seal\" aria-hidden=\"true\"><span>砚</span></span></p>\n");
}

// Columns that the verse takes, with title, form and colophon, and characters in the longest.
static void measure(const ink_document *d, size_t *columns, size_t *longest) {
  *columns = 5;
  *longest = 7;
  for (size_t i = 0; i < d->n_line; i++) {
    size_t length = ink_utf8_length(d->lines[i].text, strlen(d->lines[i].text));
    *columns += 1;
    if (length > *longest) *longest = length;
  }
}

// The picture within the page, so that the page stands alone.
static void add_figure(const ink_document_figure *figure, ink_text *out) {
  ink_text_format(out, "<figure class=\"figure\"><img width=\"%d\" height=\"%d\" alt=\"",
                  (int)figure->width, (int)figure->height);
  add_escaped(out, figure->alt);
  ink_text_add(out, "\" src=\"data:image/png;base64,");
  ink_base64_add(out, figure->png, figure->size);
  ink_text_add(out, "\"></figure>\n");
}

static void add_verse(const ink_marked *marked, ink_text *out) {
  enum { SHORT_COLUMNS = 9, SHORT_LENGTH = 10, FIGURE_COLUMNS = 6 };
  const ink_document *d = ink_marked_document(marked);
  size_t columns, longest;
  measure(d, &columns, &longest);
  const char *width = columns <= SHORT_COLUMNS && longest <= SHORT_LENGTH ? " short" : "";
  if (d->figure) columns += FIGURE_COLUMNS;
  ink_text_format(out,
                  "<main class=\"sheet\"><article class=\"verse%s\" style=\"--columns:%zu;"
                  "--longest:%zu\">\n<h1>",
                  width, columns, longest);
  add_escaped(out, d->title);
  ink_text_add(out, "</h1>\n");
  if (d->subtitle) {
    ink_text_add(out, "<p class=\"form\">");
    add_escaped(out, d->subtitle);
    ink_text_add(out, "</p>\n");
  }
  bool gap = false;
  for (size_t i = 0; i < d->n_line; i++) {
    if (d->lines[i].text[0]) {
      ink_text_add(out, gap ? "<p class=\"stanza\">" : "<p>");
      add_line(&d->lines[i], out);
      ink_text_add(out, "</p>\n");
    }
    gap = !d->lines[i].text[0];
  }
  if (d->figure) add_figure(d->figure, out);
  add_colophon(marked, out);
  ink_text_add(out, "</article></main>\n");
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
  if (d->figure) add_figure(d->figure, out);
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
  if (d->subtitle) {
    ink_text_add(out, " · ");
    add_escaped(out, d->subtitle);
  }
  ink_text_format(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
  if (d->kind == INK_DOCUMENT_VERSE) {
    add_verse(marked, out);
    add_form_check(d, out);
    ink_text_add(out, "<footer>");
  } else {
    add_prose(d, out);
    ink_text_add(out, "<footer><strong>");
    add_escaped(out, ink_marked_label(marked));
    ink_text_add(out, "</strong><br>");
  }
  ink_text_add(out, "inkstone · <code>");
  add_escaped(out, ink_marked_identity(marked));
  ink_text_add(out, "</code></footer>\n</body>\n</html>\n");
  free(aigc);
}
