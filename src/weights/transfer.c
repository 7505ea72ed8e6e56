// Requests to a hub: redirects (RFC 9110, 15.4), ranges (14), retries.
#include "weights/transfer.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
  MOST_HOPS = 10,
  LONGEST_PAUSE_MS = 30000,
  LONGEST_ASKED_S = 120,  // that a Retry-After is obeyed
};

struct ink_transfer {
  CURL *curl;
  CURLU *endpoint;
  char *base;
  char *authorization;  // the header's line; NULL without a token
  const ink_hub_options *options;
};

// What came back from one hop.
typedef struct answer {
  long status;
  char etag[132], linked_etag[132], commit[132], fault[64];
  int64_t length, linked_size;  // -1: not said
  int64_t range_start, range_total;
  int64_t retry_after;  // seconds, -1: not said
  char *location;
} answer;

// One hop on its way.
typedef struct hop {
  ink_transfer *transfer;
  answer answer;
  // Where the body goes: memory, or a file.
  ink_text *body;
  size_t most;
  ink_download *download;
  bool begun;  // the first bytes of a body that is wanted have come
  bool cancelled;
  ink_status status;  // of a sink that refused
  ink_error *error;
} hop;

// -- Making one -----------------------------------------------------------------------------------

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for a transfer");
}

static bool is_web(CURLU *url) {
  char *scheme = NULL, *host = NULL;
  bool fine = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] &&
              (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);
  curl_free(scheme);
  curl_free(host);
  return fine;
}

static ink_status set_token(ink_transfer *t, const char *token, ink_error *error) {
  for (const char *at = token; *at; at++) {
    if (isgraph((unsigned char)*at)) continue;
    return ink_fail(error, INK_ERR_USAGE,
                    "the hub's token holds a space or a control character; check HF_TOKEN");
  }
  if (asprintf(&t->authorization, "Authorization: Bearer %s", token) >= 0) return INK_OK;
  t->authorization = NULL;
  return no_memory(error);
}

ink_status ink_transfer_new(const char *endpoint, const char *token, const ink_hub_options *options,
                            ink_transfer **transfer, ink_error *error) {
  *transfer = NULL;
  ink_transfer *t = calloc(1, sizeof *t);
  if (!t) return no_memory(error);
  t->options = options;
  t->base = strdup(endpoint);
  for (size_t n = t->base ? strlen(t->base) : 0; n && t->base[n - 1] == '/'; n--)
    t->base[n - 1] = 0;
  t->curl = curl_easy_init();
  t->endpoint = curl_url();
  ink_status status = t->base && t->curl && t->endpoint ? INK_OK : no_memory(error);
  if (status == INK_OK &&
      (curl_url_set(t->endpoint, CURLUPART_URL, t->base, 0) != CURLUE_OK || !is_web(t->endpoint))) {
    status = ink_fail(error, INK_ERR_USAGE, "\"%.200s\" is no address of a hub; check HF_ENDPOINT",
                      endpoint);
  }
  if (status == INK_OK && token) status = set_token(t, token, error);
  if (status != INK_OK) {
    ink_transfer_free(t);
    return status;
  }
  *transfer = t;
  return INK_OK;
}

void ink_transfer_free(ink_transfer *transfer) {
  if (!transfer) return;
  curl_easy_cleanup(transfer->curl);
  curl_url_cleanup(transfer->endpoint);
  free(transfer->base);
  free(transfer->authorization);
  free(transfer);
}

char *ink_transfer_url(const ink_transfer *transfer, const char *path) {
  char *url;
  return asprintf(&url, "%s/%s", transfer->base, path) < 0 ? NULL : url;
}

// -- Addresses ------------------------------------------------------------------------------------

static bool same_part(CURLU *a, CURLU *b, CURLUPart part) {
  char *x = NULL, *y = NULL;
  unsigned flags = part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
  bool same = curl_url_get(a, part, &x, flags) == CURLUE_OK &&
              curl_url_get(b, part, &y, flags) == CURLUE_OK && strcasecmp(x, y) == 0;
  curl_free(x);
  curl_free(y);
  return same;
}

// Scheme, host and port are the endpoint's: what may see the token.
static bool is_endpoint(const ink_transfer *t, const char *address) {
  CURLU *url = curl_url();
  bool same = url && curl_url_set(url, CURLUPART_URL, address, 0) == CURLUE_OK &&
              same_part(url, t->endpoint, CURLUPART_SCHEME) &&
              same_part(url, t->endpoint, CURLUPART_HOST) &&
              same_part(url, t->endpoint, CURLUPART_PORT);
  curl_url_cleanup(url);
  return same;
}

static bool is_secure(const char *address) {
  return strncasecmp(address, "https://", 8) == 0;
}

// Where a redirect leads, seen from `from`. malloc'ed by us; NULL for what is no web address.
static char *resolve(const char *from, const char *location) {
  CURLU *url = curl_url();
  char *whole = NULL, *copy = NULL;
  if (url && curl_url_set(url, CURLUPART_URL, from, 0) == CURLUE_OK &&
      curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK && is_web(url) &&
      curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK) {
    copy = strdup(whole);
  }
  curl_free(whole);
  curl_url_cleanup(url);
  return copy;
}

// Without query, user and fragment: signatures and keys are nobody's business in a message.
static const char *host_of(const char *address, char out[200]) {
  CURLU *url = curl_url();
  char *host = NULL;
  snprintf(out, 200, "the hub");
  if (url && curl_url_set(url, CURLUPART_URL, address, 0) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    snprintf(out, 200, "%s", host);
  }
  curl_free(host);
  curl_url_cleanup(url);
  return out;
}

// -- One hop --------------------------------------------------------------------------------------

// A value trimmed, a weak etag's mark and quotes taken away if asked for; "" when it is too long.
static void keep(char *out, size_t room, const char *value, size_t size, bool etag) {
  if (etag && size > 2 && value[0] == 'W' && value[1] == '/') {
    value += 2;
    size -= 2;
  }
  if (etag && size >= 2 && value[0] == '"' && value[size - 1] == '"') {
    value++;
    size -= 2;
  }
  out[0] = 0;
  if (size >= room) return;
  memcpy(out, value, size);
  out[size] = 0;
}

static int64_t number_of(const char *value, size_t size) {
  char text[24], *end;
  keep(text, sizeof text, value, size, false);
  if (!isdigit((unsigned char)text[0])) return -1;
  errno = 0;
  long long number = strtoll(text, &end, 10);
  return *end || errno ? -1 : number;
}

// "bytes 100-199/200"
static void read_range(answer *a, const char *value, size_t size) {
  char text[96];
  long long start, end, total;
  keep(text, sizeof text, value, size, false);
  if (sscanf(text, "bytes %18lld-%18lld/%18lld", &start, &end, &total) != 3) return;
  a->range_start = start;
  a->range_total = total;
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
  hop *h = context;
  answer *a = &h->answer;
  size_t all = size * count, length = all;
  while (length && isspace((unsigned char)line[length - 1])) length--;
  const char *colon = memchr(line, ':', length);
  if (!colon) return all;
  size_t name = (size_t)(colon - line);
  const char *value = colon + 1;
  while (value < line + length && isspace((unsigned char)*value)) value++;
  size_t n = (size_t)(line + length - value);
#define IS(text) (name == sizeof(text) - 1 && strncasecmp(line, text, sizeof(text) - 1) == 0)
  if (IS("etag")) keep(a->etag, sizeof a->etag, value, n, true);
  if (IS("x-linked-etag")) keep(a->linked_etag, sizeof a->linked_etag, value, n, true);
  if (IS("x-repo-commit")) keep(a->commit, sizeof a->commit, value, n, false);
  if (IS("x-error-code")) keep(a->fault, sizeof a->fault, value, n, false);
  if (IS("x-linked-size")) a->linked_size = number_of(value, n);
  if (IS("content-length")) a->length = number_of(value, n);
  if (IS("content-range")) read_range(a, value, n);
  if (IS("retry-after")) a->retry_after = number_of(value, n);
  if (IS("location")) {
    free(a->location);
    a->location = strndup(value, n);
  }
#undef IS
  return all;
}

static ink_status refuse_body(hop *h, ink_status status) {
  h->status = status;
  return status;
}

static ink_status disk_fault(const ink_download *d, ink_error *error) {
  bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return ink_fail(error, INK_ERR_IO, "%s: cannot be written: %s%s", d->what, strerror(errno),
                  full ? "; free some space and pull again, what came is kept" : "");
}

// Start over, from the first byte.
static ink_status empty_file(ink_download *d, ink_error *error) {
  d->have = 0;
  if (ftruncate(d->descriptor, 0) == 0 && lseek(d->descriptor, 0, SEEK_SET) == 0) return INK_OK;
  return disk_fault(d, error);
}

// The first bytes of the wanted body: do they go where the file ends?
static ink_status begin_body(hop *h) {
  ink_download *d = h->download;
  const answer *a = &h->answer;
  h->begun = true;
  if (!d || d->have == 0) return INK_OK;
  bool fits =
      a->status == 206 && a->range_start == d->have && (d->size < 0 || a->range_total == d->size);
  return fits || a->status == 200
             ? (fits ? INK_OK : empty_file(d, h->error))
             : ink_fail(h->error, INK_ERR_NETWORK,
                        "%s: the hub sent another part than was asked for", d->what);
}

static ink_status take_body(hop *h, const char *bytes, size_t size) {
  ink_download *d = h->download;
  if (!h->begun) INK_TRY(begin_body(h));
  if (!d) {
    if (size > h->most - h->body->size) {
      return ink_fail(h->error, INK_ERR_FORMAT, "the answer is larger than %zu bytes", h->most);
    }
    ink_text_add_bytes(h->body, bytes, size);
    return ink_text_status(h->body, h->error);
  }
  if (d->size >= 0 && (int64_t)size > d->size - d->have) {
    ink_status status = empty_file(d, h->error);
    return status != INK_OK ? status
                            : ink_fail(h->error, INK_ERR_CONFLICT,
                                       "%s: the hub sends more than the %lld bytes it announced",
                                       d->what, (long long)d->size);
  }
  while (size) {
    ssize_t put = write(d->descriptor, bytes, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return disk_fault(d, h->error);
    bytes += put;
    size -= (size_t)put;
    d->have += put;
  }
  return INK_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  hop *h = context;
  curl_easy_getinfo(h->transfer->curl, CURLINFO_RESPONSE_CODE, &h->answer.status);
  if (h->answer.status != 200 && h->answer.status != 206) return size * count;  // not wanted
  if (!h->body && !h->download) return size * count;
  return refuse_body(h, take_body(h, bytes, size * count)) == INK_OK ? size * count : 0;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now) {
  (void)total, (void)now, (void)up_total, (void)up_now;
  hop *h = context;
  const ink_download *d = h->download;
  h->cancelled = !ink_progress_report(h->transfer->options->progress, d ? d->done + d->have : 0,
                                      d ? d->total : 0, d ? d->what : NULL);
  return h->cancelled;
}

static void set_up(hop *h, const char *url, bool head, struct curl_slist *headers) {
  CURL *c = h->transfer->curl;
  const ink_hub_options *o = h->transfer->options;
  curl_easy_reset(c);
  curl_easy_setopt(c, CURLOPT_URL, url);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_NOBODY, head ? 1L : 0L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "inkstone/" INKSTONE_VERSION);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, o->connect_seconds ? (long)o->connect_seconds : 15L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, o->stall_seconds ? (long)o->stall_seconds : 60L);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
}

static struct curl_slist *headers_for(const hop *h, const char *url) {
  char range[64];
  struct curl_slist *list = curl_slist_append(NULL, "Accept-Encoding: identity");
  if (h->download && h->download->have > 0) {
    snprintf(range, sizeof range, "Range: bytes=%lld-", (long long)h->download->have);
    list = curl_slist_append(list, range);
  }
  const char *authorization = h->transfer->authorization;
  if (authorization && is_endpoint(h->transfer, url)) list = curl_slist_append(list, authorization);
  return list;
}

// Failures of the connection that another try may mend.
static bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

static ink_status run_hop(hop *h, const char *url, bool head, const char *what, bool *again,
                          ink_error *error) {
  char host[200], words[CURL_ERROR_SIZE] = "";
  free(h->answer.location);
  h->answer = (answer){
      .length = -1, .linked_size = -1, .range_start = -1, .range_total = -1, .retry_after = -1};
  h->begun = h->cancelled = false;
  h->status = INK_OK;
  h->error = error;
  struct curl_slist *headers = headers_for(h, url);
  set_up(h, url, head, headers);
  curl_easy_setopt(h->transfer->curl, CURLOPT_ERRORBUFFER, words);
  CURLcode code = curl_easy_perform(h->transfer->curl);
  curl_easy_setopt(h->transfer->curl, CURLOPT_ERRORBUFFER, NULL);
  curl_slist_free_all(headers);
  curl_easy_getinfo(h->transfer->curl, CURLINFO_RESPONSE_CODE, &h->answer.status);
  *again = false;
  if (h->status != INK_OK) return h->status;
  if (h->cancelled) {
    return ink_fail(error, INK_ERR_CANCELLED, "%s: stopped; what came is kept for the next pull",
                    what);
  }
  if (code == CURLE_OK) return INK_OK;
  *again = may_pass(code);
  return ink_fail(error, INK_ERR_NETWORK, "%s: %s: %.200s", what, host_of(url, host),
                  words[0] ? words : curl_easy_strerror(code));
}

// -- Redirects and what answers mean --------------------------------------------------------------

static bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static ink_status refuse_answer(const hop *h, const char *url, const char *what, bool *again,
                                ink_error *error) {
  const answer *a = &h->answer;
  char host[200];
  host_of(url, host);
  bool token = h->transfer->authorization != NULL;
  *again = a->status == 408 || a->status == 429 || a->status == 500 || a->status == 502 ||
           a->status == 503 || a->status == 504;
  if (strcmp(a->fault, "GatedRepo") == 0) {
    return ink_fail(error, INK_ERR_NETWORK,
                    "%s: HTTP %ld from %s: its owner asks you to accept terms first; do so on its "
                    "page and set HF_TOKEN to a token of yours",
                    what, a->status, host);
  }
  if (a->status == 404 || strcmp(a->fault, "RepoNotFound") == 0 ||
      strcmp(a->fault, "RevisionNotFound") == 0) {
    bool revision = strcmp(a->fault, "RevisionNotFound") == 0;
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: HTTP %ld: %s has no such %s%s", what, a->status,
                    host, revision ? "revision" : "repository or file",
                    token || revision ? "" : ", or it is private: set HF_TOKEN");
  }
  if (a->status == 401 || a->status == 403) {
    return ink_fail(error, INK_ERR_NETWORK, "%s: HTTP %ld from %s: %s", what, a->status, host,
                    token ? "the token in use does not open it"
                          : "it is not open to everyone, or not there; set HF_TOKEN");
  }
  if (a->status == 429) {
    return ink_fail(error, INK_ERR_NETWORK,
                    "%s: HTTP 429 from %s: too many requests; wait a while%s", what, host,
                    token ? "" : ", or set HF_TOKEN");
  }
  return ink_fail(error, INK_ERR_NETWORK, "%s: HTTP %ld from %s%s", what, a->status, host,
                  *again ? "; try again later" : "");
}

// One request and the redirects it leads to; h->answer is the last one.
static ink_status follow(hop *h, const char *start, const char *what, bool head, bool *again,
                         ink_error *error) {
  char *url = strdup(start);
  ink_status status = url ? INK_OK : no_memory(error);
  *again = false;
  for (int hops = 0; status == INK_OK; hops++) {
    status = run_hop(h, url, head, what, again, error);
    if (status != INK_OK) break;
    if (!is_redirect(h->answer.status)) break;
    char *next = h->answer.location ? resolve(url, h->answer.location) : NULL;
    if (!next || hops == MOST_HOPS) {
      status = ink_fail(error, INK_ERR_NETWORK, "%s: %s", what,
                        next ? "redirected without end" : "redirected to nowhere");
      free(next);
    } else if (is_secure(url) && !is_secure(next)) {
      status = ink_fail(error, INK_ERR_NETWORK, "%s: redirected from https to plain http", what);
      free(next);
    } else if (head && !is_endpoint(h->transfer, next)) {
      free(next);  // the hub has said all there is to say
      break;
    } else {
      free(url);
      url = next;
    }
  }
  long code = h->answer.status;
  bool fine =
      (code >= 200 && code < 300) || (head && is_redirect(code)) || (code == 416 && h->download);
  if (status == INK_OK && !fine) status = refuse_answer(h, url, what, again, error);
  free(url);
  return status;
}

// -- Tries ----------------------------------------------------------------------------------------

// Wait, listening for a cancel.
static ink_status pause_for(const ink_transfer *t, int64_t ms, const ink_download *d,
                            const char *what, ink_error *error) {
  for (int64_t left = ms; left > 0; left -= 100) {
    if (!ink_progress_report(t->options->progress, d ? d->done + d->have : 0, d ? d->total : 0,
                             "waiting to try again")) {
      return ink_fail(error, INK_ERR_CANCELLED, "%s: stopped; what came is kept for the next pull",
                      what);
    }
    struct timespec moment = {0, (left < 100 ? left : 100) * 1000000};
    nanosleep(&moment, NULL);
  }
  return INK_OK;
}

typedef struct tries {
  int failures;
  int64_t reached;  // most bytes there ever were: only more is progress
} tries;

// After a failure that may pass: INK_OK to go on, else the failure itself.
static ink_status try_again(const hop *h, tries *t, const char *what, ink_status failure,
                            ink_error *error) {
  const ink_hub_options *o = h->transfer->options;
  int most = o->retries < 0 ? 0 : o->retries ? o->retries : 5;
  int64_t have = h->download ? h->download->have : 0;
  if (have > t->reached) {
    t->failures = 0;
    t->reached = have;
  }
  if (t->failures >= most) return failure;
  int64_t ms = o->backoff_ms ? o->backoff_ms : 500;
  for (int i = 0; i < t->failures && ms < LONGEST_PAUSE_MS; i++) ms *= 2;
  if (ms > LONGEST_PAUSE_MS) ms = LONGEST_PAUSE_MS;
  int64_t asked = h->answer.retry_after;
  if (asked > LONGEST_ASKED_S) return failure;  // a person decides whether to wait that long
  if (asked * 1000 > ms) ms = asked * 1000;
  t->failures++;
  return pause_for(h->transfer, ms, h->download, what, error);
}

static void end_hop(hop *h) {
  free(h->answer.location);
  h->answer.location = NULL;
}

ink_status ink_transfer_get(ink_transfer *transfer, const char *url, const char *what, size_t most,
                            ink_text *body, ink_error *error) {
  hop h = {.transfer = transfer, .body = body, .most = most};
  tries t = {0};
  ink_status status;
  for (;;) {
    bool again;
    ink_text_clear(body);
    status = follow(&h, url, what, false, &again, error);
    if (status == INK_OK || !again) break;
    status = try_again(&h, &t, what, status, error);
    if (status != INK_OK) break;
  }
  end_hop(&h);
  return status;
}

ink_status ink_transfer_head(ink_transfer *transfer, const char *url, const char *what,
                             ink_file_head *head, ink_error *error) {
  hop h = {.transfer = transfer};
  tries t = {0};
  ink_status status;
  *head = (ink_file_head){.size = -1};
  for (;;) {
    bool again;
    status = follow(&h, url, what, true, &again, error);
    if (status == INK_OK || !again) break;
    status = try_again(&h, &t, what, status, error);
    if (status != INK_OK) break;
  }
  if (status == INK_OK) {
    const answer *a = &h.answer;
    memcpy(head->etag, a->linked_etag[0] ? a->linked_etag : a->etag, sizeof head->etag);
    memcpy(head->commit, a->commit, sizeof head->commit);
    head->size = a->linked_size >= 0 || is_redirect(a->status) ? a->linked_size : a->length;
  }
  end_hop(&h);
  return status;
}

// One try: whatever is missing.
static ink_status fetch_rest(hop *h, bool *again, ink_error *error) {
  ink_download *d = h->download;
  INK_TRY(follow(h, d->url, d->what, false, again, error));
  if (h->answer.status == 416) {  // nothing behind what is there, and yet not all of it
    *again = true;
    INK_TRY(empty_file(d, error));
    return ink_fail(error, INK_ERR_NETWORK, "%s: HTTP 416: the hub refused to go on in the middle",
                    d->what);
  }
  if (d->size < 0 || d->have == d->size) return INK_OK;
  *again = true;
  return ink_fail(error, INK_ERR_NETWORK, "%s: ended at %lld of %lld bytes", d->what,
                  (long long)d->have, (long long)d->size);
}

ink_status ink_transfer_download(ink_transfer *transfer, ink_download *download, ink_error *error) {
  hop h = {.transfer = transfer, .download = download};
  off_t end = lseek(download->descriptor, 0, SEEK_END);
  if (end < 0) return disk_fault(download, error);
  download->have = end;
  if (download->size >= 0 && download->have > download->size) INK_TRY(empty_file(download, error));
  // Without a size nothing tells whether the beginning is of this file.
  if (download->size < 0) INK_TRY(empty_file(download, error));
  tries t = {.reached = download->have};
  ink_status status = INK_OK;
  while (download->size < 0 || download->have < download->size) {
    bool again;
    status = fetch_rest(&h, &again, error);
    if (status == INK_OK || !again) break;
    status = try_again(&h, &t, download->what, status, error);
    if (status != INK_OK) break;
  }
  end_hop(&h);
  return status;
}
