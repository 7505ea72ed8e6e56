// What the tests of marks share: fixtures in memory, the test signer, a description.
#ifndef INK_TESTS_MARK_MARKING_H
#define INK_TESTS_MARK_MARKING_H

#include "files.h"
#include "mark/c2pa/manifest.h"
#include "mark/c2pa/validate.h"
#include "scratch.h"

static const char test_identity[] = "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

typedef struct blob {
  unsigned char *bytes;
  size_t size;
} blob;

static inline blob load_path(const char *path) {
  blob b;
  b.bytes = (unsigned char *)read_file(path, &b.size);
  return b;
}

static inline blob load(const char *name) {
  return load_path(below(fixture_path("mark"), name));
}

static inline blob blob_of(const char *text) {
  blob b = {(unsigned char *)strdup(text), strlen(text)};
  assert_non_null(b.bytes);
  return b;
}

static inline ink_signer *signer_named(const char *name) {
  ink_error error = {0};
  ink_signer *signer;
  char key[256], certificates[256];
  snprintf(key, sizeof key, "mark/%s.key", name);
  snprintf(certificates, sizeof certificates, "mark/%s.pem", name);
  assert_ok(ink_signer_open(fixture_path(key), fixture_path(certificates), NULL, &signer, &error));
  return signer;
}

static const ink_c2pa_action test_action = {.action = "c2pa.created",
                                            .source_type = INK_SOURCE_TRAINED,
                                            .agent_name = "poet",
                                            .agent_version = "1"};
static const ink_c2pa_ingredient test_ingredients[] = {{.relationship = "inputTo",
                                                        .title = "prompt",
                                                        .format = "text/plain",
                                                        .data = "秋夜",
                                                        .data_size = 6},
                                                       {.relationship = "inputTo",
                                                        .title = "poet",
                                                        .instance = "sha256:00",
                                                        .data_type = "c2pa.types.generator"}};

static inline ink_c2pa_manifest test_manifest(void) {
  return (ink_c2pa_manifest){.identity = test_identity,
                             .created = "2026-01-02T03:04:05Z",
                             .title = "秋夜",
                             .version = "1.0",
                             .actions = &test_action,
                             .n_action = 1,
                             .ingredients = test_ingredients,
                             .n_ingredient = 2,
                             .model = "poet",
                             .oversight = "prompt_guided",
                             .training = "notAllowed"};
}

static inline ink_text sign_blob(const blob *b, const ink_carrier *carrier,
                                 const ink_c2pa_manifest *manifest, const ink_signer *signer) {
  ink_error error = {0};
  ink_text out = {0};
  assert_ok(ink_c2pa_sign(b->bytes, b->size, carrier, manifest, signer, &out, &error));
  return out;
}

// State of a file; the report is kept when wanted.
static inline ink_c2pa_state state_of(const void *bytes, size_t size, const ink_carrier *carrier,
                                      const ink_c2pa_options *options, ink_c2pa_report *report) {
  ink_error error = {0};
  ink_c2pa_report own = {0}, *into = report ? report : &own;
  assert_ok(ink_c2pa_validate(bytes, size, carrier, NULL, 0, options, into, &error));
  ink_c2pa_state state = into->state;
  ink_c2pa_report_free(&own);
  return state;
}

// A file for each carrier; those of text stand here.
typedef struct sample {
  const char *carrier, *file, *text;
} sample;

static const sample samples[] = {
    {"png", "plain.png", NULL},
    {"jpeg", "plain.jpg", NULL},
    {"webp", "plain.webp", NULL},
    {"wav", "plain.wav", NULL},
    {"svg", "plain.svg", NULL},
    {"svg", NULL, "<svg xmlns=\"http://www.w3.org/2000/svg\"><metadata><a/></metadata><g/></svg>"},
    {"svg", NULL, "<svg><metadata/><metadata></metadata></svg>"},
    {"gif", "plain.gif", NULL},
    {"mp3", "plain.mp3", NULL},
    {"mp3", "tagged.mp3", NULL},
    {"pdf", "plain.pdf", NULL},
    {"pdf", "packed.pdf", NULL},
    {"pdf", "hybrid.pdf", NULL},
    {"docx", "plain.docx", NULL},
    {"epub", "plain.epub", NULL},
    {"html", NULL,
     "<!doctype html>\n<html><head><!-- </head> --><script>'</head>'</script>\n<title>x</title>"
     "</head>\n<body><p>秋夜</p></body></html>\n"},
    {"markdown", NULL, "---\ntitle: x\n---\n\n# 秋夜\n"},
    {"markdown", NULL, "# 秋夜\n\nno end of line"},
    {"shell", NULL, "#!/bin/sh\necho x\r\n"},
    {"c", NULL, "int x;\n"},
    {"css", NULL, "a { color: red }\n"},
    {"sql", NULL, "select 1;\n"},
    {"tex", NULL, "\\bye"},
    {"ini", NULL, "a = b\n"},
    {"text", NULL, "山月随人归，\n秋灯照客衣。\n"},
};
enum { N_SAMPLE = sizeof samples / sizeof *samples };

static inline blob sample_blob(const sample *s) {
  return s->file ? load(s->file) : blob_of(s->text);
}

// The first file for a carrier.
static inline const sample *sample_for(const char *carrier) {
  const sample *s = samples;
  while (strcmp(s->carrier, carrier) != 0) s++;
  return s;
}

#endif
