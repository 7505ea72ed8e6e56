// The poet's data builder: reads a checkout of chinese-poetry, and writes the corpus. The steps are
// in poetry_clean.c, poetry_split.c, poetry_words.c, poetry_prosody.c and poetry_write.c.
#include "train/poetry.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "train/poetry_parts.h"
#include "train/poetry_write.h"

enum { LARGEST_FILE = 64 << 20, LONGEST_FIELD = 32, LONGEST_TUNE = 12, DEFAULT_LEAST = 1000 };

// Where poems lie in the checkout. The order decides which of two equal poems is kept.
typedef struct source {
  const char *folder, *prefix, *suffix;
  const char *dynasty;
  const char *body;  // member that holds the lines
  bool lyric;        // 词
  bool required;
} source;

static const source SOURCES[] = {
    {"诗经", "shijing", ".json", "先秦", "content", false, false},
    {"曹操诗集", "caocao", ".json", "汉", "paragraphs", false, false},
    {"五代诗词/huajianji", "huajianji-", "-juan.json", "五代", "paragraphs", true, false},
    {"五代诗词/nantang", "poetrys", ".json", "五代", "paragraphs", true, false},
    {"宋词", "ci.song.", ".json", "宋", "paragraphs", true, true},
    {"纳兰性德", "纳兰性德诗集", ".json", "清", "para", false, false},
    {"全唐诗", "poet.tang.", ".json", "唐", "paragraphs", false, true},
    {"全唐诗", "poet.song.", ".json", "宋", "paragraphs", false, true},
};

void ink_corpus_free(ink_corpus *corpus) {
  free(corpus->runes);
  free(corpus->poems);
  *corpus = (ink_corpus){0};
}

ink_status ink_corpus_add_runes(ink_corpus *corpus, const uint32_t *runes, size_t n, ink_span *span,
                                ink_error *error) {
  if (n > UINT32_MAX - corpus->n_rune) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "the corpus has more than 4 billion characters");
  }
  if (corpus->rune_capacity - corpus->n_rune < n) {
    size_t larger = corpus->rune_capacity * 2 + n + (1 << 16);
    uint32_t *grown = realloc(corpus->runes, larger * sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the corpus");
    corpus->runes = grown;
    corpus->rune_capacity = larger;
  }
  *span = (ink_span){(uint32_t)corpus->n_rune, (uint32_t)n};
  if (n) memcpy(corpus->runes + corpus->n_rune, runes, n * sizeof *runes);
  corpus->n_rune += n;
  return INK_OK;
}

ink_status ink_corpus_add_poem(ink_corpus *corpus, const ink_poem *poem, ink_error *error) {
  if (corpus->n_poem == corpus->poem_capacity) {
    size_t larger = corpus->poem_capacity * 2 + 1024;
    ink_poem *grown = realloc(corpus->poems, larger * sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the corpus");
    corpus->poems = grown;
    corpus->poem_capacity = larger;
  }
  corpus->poems[corpus->n_poem++] = *poem;
  return INK_OK;
}

// A growing set of 64-bit hashes; 0 stands for an empty place.
typedef struct hash_set {
  uint64_t *places;
  size_t count, capacity;
} hash_set;

static bool insert(uint64_t *places, size_t capacity, uint64_t hash) {
  size_t at = (size_t)hash & (capacity - 1);
  while (places[at] && places[at] != hash) at = (at + 1) & (capacity - 1);
  bool fresh = !places[at];
  places[at] = hash;
  return fresh;
}

static ink_status add_hash(hash_set *set, uint64_t hash, bool *fresh, ink_error *error) {
  if (set->count * 2 >= set->capacity) {
    size_t larger = set->capacity ? set->capacity * 2 : 1 << 12;
    uint64_t *grown = calloc(larger, sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory to find duplicates");
    for (size_t i = 0; i < set->capacity; i++) {
      if (set->places[i]) insert(grown, larger, set->places[i]);
    }
    free(set->places);
    set->places = grown;
    set->capacity = larger;
  }
  *fresh = insert(set->places, set->capacity, hash ? hash : 1);
  set->count += *fresh;
  return INK_OK;
}

// What one build holds.
typedef struct builder {
  const ink_poetry_options *options;
  ink_corpus corpus;
  hash_set bodies;
  ink_poetry_report report;
  uint32_t *runes;  // work space
  size_t capacity;
} builder;

static void builder_free(builder *b) {
  ink_corpus_free(&b->corpus);
  free(b->bodies.places);
  free(b->runes);
  for (size_t i = 0; i < b->report.n_file; i++) free(b->report.files[i].path);
  free(b->report.files);
}

// Append UTF-8 to the work space, keeping room for twice as much again.
static ink_status decode(builder *b, const char *text, size_t *n, ink_error *error) {
  size_t size = strlen(text), need;
  if (!ink_add_size(size + 1, *n, &need) || !ink_mul_size(need, 3, &need)) need = SIZE_MAX;
  if (need > b->capacity) {
    uint32_t *grown =
        need > SIZE_MAX / sizeof *grown ? NULL : realloc(b->runes, need * sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for a poem of %zu bytes", size);
    b->runes = grown;
    b->capacity = need;
  }
  for (size_t at = 0; at < size;) {
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    b->runes[(*n)++] = rune < 0 ? INK_RUNE_INVALID : (uint32_t)rune;
  }
  return INK_OK;
}

static ink_status add_field(builder *b, const char *text, size_t most, ink_span *span,
                            ink_error *error) {
  size_t n = 0;
  *span = (ink_span){0};
  if (!text) return INK_OK;
  INK_TRY(decode(b, text, &n, error));
  INK_TRY(ink_poetry_clean_field(b->runes, &n, most, error));
  return n ? ink_corpus_add_runes(&b->corpus, b->runes, n, span, error) : INK_OK;
}

static uint64_t body_hash(const uint32_t *runes, size_t n, uint32_t *scratch) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (ink_rune_is_han(runes[i])) scratch[kept++] = runes[i];
  }
  return ink_rune_hash(scratch, kept);
}

// The tune and the title of a 词: apart, or in one string "长相思·山一程". A tune of two names,
// "酹江月・念奴娇", gives the second, the common one.
static ink_status add_tune_and_title(builder *b, const char *tune, const char *title,
                                     ink_poem *poem, ink_error *error) {
  const char *dot = tune ? NULL : strstr(title, "·");
  const char *other_name = tune ? strstr(tune, "・") : NULL;
  const char *name = other_name ? other_name + strlen("・") : tune ? tune : title;
  size_t size = dot ? (size_t)(dot - name) : strlen(name);
  char *first = strndup(name, size);
  if (!first) return ink_fail(error, INK_ERR_MEMORY, "no memory for a title");
  ink_status status = add_field(b, first, LONGEST_TUNE, &poem->tune, error);
  free(first);
  if (status != INK_OK) return status;
  if (dot) return add_field(b, dot + strlen("·"), LONGEST_FIELD, &poem->title, error);
  // "菩萨蛮 其一" beside the tune 菩萨蛮 says nothing more, nor does a title without a tune.
  bool says_more = tune && title && strncmp(title, tune, strlen(tune)) != 0;
  return says_more ? add_field(b, title, LONGEST_FIELD, &poem->title, error) : INK_OK;
}

static ink_status join_lines(builder *b, const json_t *lines, const char *where, size_t index,
                             size_t *n, ink_error *error) {
  size_t i;
  json_t *line;
  *n = 0;
  json_array_foreach(lines, i, line) {
    if (!json_is_string(line)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /%zu: line %zu of the poem is not a string",
                      where, index, i);
    }
    INK_TRY(decode(b, json_string_value(line), n, error));
    // A paragraph that ends without a mark ends here all the same.
    if (*n && ink_rune_is_han(b->runes[*n - 1])) b->runes[(*n)++] = U'。';
  }
  return INK_OK;
}

static ink_status add_item(builder *b, const source *from, const json_t *item, const char *where,
                           size_t index, ink_error *error) {
  ink_poetry_file *file = &b->report.files[b->report.n_file - 1];
  const json_t *lines = json_object_get(item, from->body);
  if (!json_is_array(lines)) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: /%zu is not a poem: it has no list \"%s\"; is this a checkout of "
                    "chinese-poetry?",
                    where, index, from->body);
  }
  file->items++;
  const char *tune = NULL, *title = NULL, *author = NULL;
  INK_TRY(ink_json_get_string(item, "rhythmic", where, &tune, error));
  INK_TRY(ink_json_get_string(item, "title", where, &title, error));
  INK_TRY(ink_json_get_string(item, "author", where, &author, error));
  bool lyric =
      from->lyric || (!tune && title && strstr(title, "·") && strcmp(from->dynasty, "清") == 0);
  if (lyric && !tune && !title) lyric = false;

  size_t n;
  ink_clean_verdict verdict;
  ink_poem poem = {.file = (uint32_t)(b->report.n_file - 1)};
  INK_TRY(join_lines(b, lines, where, index, &n, error));
  INK_TRY(ink_poetry_clean_body(b->runes, &n, lyric, &poem.form, &verdict, error));
  if (verdict == INK_CLEAN_KEPT) {
    bool fresh;
    poem.hash = body_hash(b->runes, n, b->runes + n);
    INK_TRY(add_hash(&b->bodies, poem.hash, &fresh, error));
    if (!fresh) verdict = INK_CLEAN_DUPLICATE;
  }
  b->report.verdicts[verdict]++;
  if (verdict != INK_CLEAN_KEPT) return INK_OK;

  file->kept++;
  INK_TRY(ink_corpus_add_runes(&b->corpus, b->runes, n, &poem.body, error));
  INK_TRY(add_field(b, author, LONGEST_TUNE, &poem.author, error));
  if (lyric) {
    INK_TRY(add_tune_and_title(b, tune, title, &poem, error));
  } else {
    INK_TRY(add_field(b, title, LONGEST_FIELD, &poem.title, error));
  }
  int32_t dynasty = ink_poem_value(INK_POEM_DYNASTY, from->dynasty);
  poem.dynasty = (int8_t)(dynasty - ink_poem_value(INK_POEM_DYNASTY, ink_poem_dynasty_name(0)));
  return ink_corpus_add_poem(&b->corpus, &poem, error);
}

static ink_status add_file_record(builder *b, const char *folder, const char *name,
                                  ink_error *error) {
  ink_poetry_report *report = &b->report;
  ink_poetry_file *grown = realloc(report->files, (report->n_file + 1) * sizeof *grown);
  if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the list of files");
  report->files = grown;
  report->files[report->n_file] = (ink_poetry_file){.path = ink_path_join(folder, name)};
  if (!report->files[report->n_file++].path) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the list of files");
  }
  return INK_OK;
}

static ink_status read_file(builder *b, const source *from, const char *name, ink_error *error) {
  INK_TRY(add_file_record(b, from->folder, name, error));
  ink_poetry_file *file = &b->report.files[b->report.n_file - 1];
  char *path = ink_path_join(b->options->from, file->path);
  if (!path) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  char *bytes = NULL;
  json_t *items = NULL;
  ink_status status = ink_file_read(path, LARGEST_FILE, &bytes, &file->bytes, error);
  if (status == INK_OK) status = ink_sha256_of(bytes, file->bytes, file->sha256, error);
  if (status == INK_OK) status = ink_json_parse(bytes, file->bytes, path, &items, error);
  free(bytes);
  if (status == INK_OK && !json_is_array(items)) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s: must hold a list of poems", path);
  }
  size_t i;
  json_t *item;
  json_array_foreach(items, i, item) {
    if (status == INK_OK) status = add_item(b, from, item, path, i, error);
  }
  json_decref(items);
  free(path);
  return status;
}

static bool has_ends(const char *name, const source *from) {
  size_t length = strlen(name), prefix = strlen(from->prefix), suffix = strlen(from->suffix);
  return length >= prefix + suffix && strncmp(name, from->prefix, prefix) == 0 &&
         strcmp(name + length - suffix, from->suffix) == 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names, size_t n) {
  for (size_t i = 0; i < n; i++) free(names[i]);
  free(names);
}

// Names in the folder that belong to the source, sorted; none when the folder is not there.
static ink_status list_names(const char *folder, const source *from, char ***names, size_t *n,
                             ink_error *error) {
  *names = NULL;
  *n = 0;
  DIR *directory = opendir(folder);
  if (!directory) {
    if (errno == ENOENT) return INK_OK;
    return ink_fail(error, INK_ERR_IO, "%s: cannot read the folder: %s", folder, strerror(errno));
  }
  bool fine = true;
  for (struct dirent *entry; fine && (entry = readdir(directory));) {
    if (!has_ends(entry->d_name, from)) continue;
    char **grown = realloc(*names, (*n + 1) * sizeof *grown);
    fine = grown != NULL;
    if (!fine) break;
    *names = grown;
    grown[*n] = strdup(entry->d_name);
    fine = grown[*n] != NULL;
    *n += fine;
  }
  closedir(directory);
  if (!fine) {
    free_names(*names, *n);
    *names = NULL;
    *n = 0;
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to list it", folder);
  }
  if (*n) qsort(*names, *n, sizeof **names, by_name);
  return INK_OK;
}

static ink_status read_source(builder *b, const source *from, const ink_progress *progress,
                              ink_error *error) {
  char *folder = ink_path_join(b->options->from, from->folder);
  if (!folder) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  char **names;
  size_t n;
  ink_status status = list_names(folder, from, &names, &n, error);
  if (status == INK_OK && n == 0 && from->required) {
    status = ink_fail(error, INK_ERR_NOT_FOUND,
                      "%s: no %s*%s there; --from must name a checkout of "
                      "https://github.com/chinese-poetry/chinese-poetry",
                      folder, from->prefix, from->suffix);
  }
  if (status == INK_OK && n == 0) b->report.absent[b->report.n_absent++] = from->folder;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    status = read_file(b, from, names[i], error);
    if (status == INK_OK &&
        !ink_progress_report(progress, (int64_t)i + 1, (int64_t)n, from->folder)) {
      status = ink_fail(error, INK_ERR_CANCELLED, "%s: stopped while reading", folder);
    }
  }
  if (n) free_names(names, n);
  free(folder);
  return status;
}

static bool is_commit(const char *text) {
  return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

// First line of a file below .git, without its end; false when it is not there.
static bool git_line(const char *checkout, const char *name, char line[256]) {
  ink_text path = {0};
  ink_text_format(&path, "%s/.git/%s", checkout, name);
  char *bytes = NULL;
  size_t size;
  bool found = !path.failed && ink_file_read(path.bytes, 1 << 20, &bytes, &size, NULL) == INK_OK;
  if (found) {
    size_t length = strcspn(bytes, "\r\n");
    found = length < 256;
    if (found) {
      memcpy(line, bytes, length);
      line[length] = 0;
    }
  }
  free(bytes);
  ink_text_free(&path);
  return found;
}

static void read_commit(const char *checkout, char commit[41]) {
  char line[256];
  commit[0] = 0;
  if (!git_line(checkout, "HEAD", line)) return;
  if (strncmp(line, "ref: refs/", 10) == 0 && !strstr(line, "..")) {
    char reference[256];
    memcpy(reference, line + 5, sizeof reference - 5);
    if (!git_line(checkout, reference, line)) return;
  }
  if (is_commit(line)) memcpy(commit, line, 41);
}

static ink_status check_options(const ink_poetry_options *options, ink_error *error) {
  if (!options->from || !options->out) {
    return ink_fail(error, INK_ERR_USAGE, "data poetry needs --from CHECKOUT and --out DIR");
  }
  if (options->commit && !is_commit(options->commit)) {
    return ink_fail(error, INK_ERR_USAGE, "--commit %s: must be 40 hexadecimal digits",
                    options->commit);
  }
  if (!ink_file_is_folder(options->from)) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "%s: no such folder; clone "
                    "https://github.com/chinese-poetry/chinese-poetry there",
                    options->from);
  }
  return INK_OK;
}

static ink_status build(builder *b, const ink_progress *progress, ink_error *error) {
  const ink_poetry_options *options = b->options;
  for (size_t i = 0; i < sizeof SOURCES / sizeof *SOURCES; i++) {
    INK_TRY(read_source(b, &SOURCES[i], progress, error));
  }
  int64_t least = options->least ? options->least : DEFAULT_LEAST;
  if ((int64_t)b->corpus.n_poem < least) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "%s: only %zu usable poems, at least %lld are expected: the checkout is not "
                    "complete",
                    options->from, b->corpus.n_poem, (long long)least);
  }
  if (options->commit) {
    memcpy(b->report.commit, options->commit, sizeof b->report.commit);
  } else {
    read_commit(options->from, b->report.commit);
  }
  if (!ink_progress_report(progress, 0, 0, "clustering")) {
    return ink_fail(error, INK_ERR_CANCELLED, "stopped before clustering");
  }
  INK_TRY(
      ink_poetry_split_corpus(&b->corpus, &b->report.n_cluster, &b->report.largest_cluster, error));
  return ink_poetry_write(&b->corpus, &b->report, options->out, progress, error);
}

ink_status ink_poetry_build(const ink_poetry_options *options, const ink_progress *progress,
                            ink_error *error) {
  INK_TRY(check_options(options, error));
  builder b = {.options = options};
  ink_status status = build(&b, progress, error);
  builder_free(&b);
  return status;
}
