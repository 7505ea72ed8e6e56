// A hub on 127.0.0.1 for tests: it answers as the real one does, and fails as told. "localhost" is
// the other host that it redirects content to.
#ifndef INK_TESTS_HUB_SERVER_H
#define INK_TESTS_HUB_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "testing.h"

enum { HUB_FILES = 16 };
#define HUB_COMMIT "0123456789abcdef0123456789abcdef01234567"

typedef struct hub_file {
  const char *path;
  const unsigned char *bytes;
  size_t size;
  bool lfs;
  char etag[65];     // what the hub announces
  size_t announced;  // as its size
} hub_file;

typedef struct hub_server {
  int listener, port;
  pthread_t thread;
  atomic_bool ended;
  hub_file files[HUB_FILES];
  size_t n_files;

  // How it behaves.
  const char *repo;     // "Org/Repo"
  const char *listing;  // instead of one made of the files
  const char *token;    // that it asks for; NULL: open to all
  bool redirects;       // LFS content is at the other host
  bool listing_moved;   // so is the listing
  bool loops;           // content is redirected to itself
  bool no_ranges;       // sends everything, whatever is asked for
  bool wrong_range;     // sends another part
  bool no_head_etag;
  int fail_status;  // of the next `failures` requests whose path holds `fail_path`
  int failures;
  const char *fail_path, *fail_code;
  int retry_after;  // seconds said with a failure, 0: none
  int cuts;         // so many bodies end after `cut_at` bytes
  size_t cut_at;
  int stalls;    // so many bodies stop in the middle without an end
  size_t extra;  // bytes too many at the end of a body

  // What was asked, one line each: "GET /path host=… token=… range=…".
  pthread_mutex_t lock;
  ink_text log;
  int n_requests;
} hub_server;

static inline void hub_send(int client, const void *bytes, size_t size) {
  const char *at = bytes;
  while (size) {
    ssize_t put = send(client, at, size, MSG_NOSIGNAL);
    if (put <= 0) return;
    at += put;
    size -= (size_t)put;
  }
}

static inline void hub_reply(int client, const char *status, const char *headers, const char *body,
                             bool head) {
  char text[4096];
  int n = snprintf(text, sizeof text,
                   "HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n", status,
                   headers, strlen(body));
  hub_send(client, text, (size_t)n);
  if (!head) hub_send(client, body, strlen(body));
}

typedef struct hub_request {
  char method[8], path[1024], host[128], token[256];
  long long range;  // -1: none
} hub_request;

// The value of a header line; "" when it is not there.
static inline void hub_header(const char *text, const char *name, char *out, size_t room) {
  const char *at = strcasestr(text, name);
  out[0] = 0;
  if (!at) return;
  at += strlen(name);
  size_t n = strcspn(at, "\r\n");
  snprintf(out, room, "%.*s", (int)n, at);
}

static inline bool hub_read(int client, hub_request *request) {
  char text[16384], range[64];
  size_t used = 0;
  while (used < sizeof text - 1) {
    ssize_t got = recv(client, text + used, sizeof text - 1 - used, 0);
    if (got <= 0) return false;
    used += (size_t)got;
    text[used] = 0;
    if (strstr(text, "\r\n\r\n")) break;
  }
  if (sscanf(text, "%7s %1023s", request->method, request->path) != 2) return false;
  hub_header(text, "\r\nHost: ", request->host, sizeof request->host);
  hub_header(text, "\r\nAuthorization: ", request->token, sizeof request->token);
  hub_header(text, "\r\nRange: bytes=", range, sizeof range);
  request->range = range[0] ? atoll(range) : -1;
  return true;
}

static inline void hub_list(hub_server *s, int client, bool head) {
  ink_text body = {0};
  if (s->listing) {
    ink_text_add(&body, s->listing);
  } else {
    ink_text_format(&body, "{\"sha\":\"%s\",\"siblings\":[", HUB_COMMIT);
    for (size_t i = 0; i < s->n_files; i++) {
      const hub_file *f = &s->files[i];
      ink_text_format(&body, "%s{\"rfilename\":\"%s\",\"size\":%zu", i ? "," : "", f->path,
                      f->announced);
      if (f->lfs) {
        ink_text_format(&body, ",\"lfs\":{\"sha256\":\"%s\",\"size\":%zu}", f->etag, f->announced);
      } else {
        ink_text_format(&body, ",\"blobId\":\"%s\"", f->etag);
      }
      ink_text_add(&body, "}");
    }
    ink_text_add(&body, "]}");
  }
  hub_reply(client, "200 OK", "Content-Type: application/json\r\n", ink_text_string(&body), head);
  ink_text_free(&body);
}

static inline void hub_content(hub_server *s, int client, const hub_file *f, const hub_request *r,
                               bool own) {
  char headers[1024], note[512] = "";
  size_t start = r->range > 0 && !s->no_ranges ? (size_t)r->range : 0;
  bool head = strcmp(r->method, "HEAD") == 0;
  if (s->wrong_range && start) start--;
  if (start >= f->size && start > 0) {
    hub_reply(client, "416 Range Not Satisfiable", "", "", head);
    return;
  }
  if (own && !s->no_head_etag) {
    snprintf(note, sizeof note, "ETag: %s\"%s\"\r\nX-Repo-Commit: %s\r\n", f->lfs ? "" : "W/",
             f->etag, HUB_COMMIT);
  }
  size_t size = f->size - start + s->extra;
  int n = snprintf(headers, sizeof headers,
                   "HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n",
                   start ? "206 Partial Content" : "200 OK", note, head ? f->announced : size);
  hub_send(client, headers, (size_t)n);
  if (start) {
    n = snprintf(headers, sizeof headers, "Content-Range: bytes %zu-%zu/%zu\r\n", start,
                 f->size - 1, f->size);
    hub_send(client, headers, (size_t)n);
  }
  hub_send(client, "\r\n", 2);
  if (head) return;
  size_t left = f->size - start;
  if (s->cuts > 0 && left > s->cut_at) {
    s->cuts--;
    hub_send(client, f->bytes + start, s->cut_at);
    return;
  }
  if (s->stalls > 0) {
    s->stalls--;
    hub_send(client, f->bytes + start, left / 2);
    struct pollfd gone = {.fd = client, .events = POLLIN};
    poll(&gone, 1, 20000);  // until the other side has had enough
    return;
  }
  hub_send(client, f->bytes + start, left);
  for (size_t i = 0; i < s->extra; i++) hub_send(client, "x", 1);
}

static inline const hub_file *hub_find(const hub_server *s, const char *path, const char *marker,
                                       bool by_etag) {
  const char *at = strstr(path, marker);
  if (!at) return NULL;
  at += strlen(marker);
  for (size_t i = 0; i < s->n_files; i++) {
    if (strcmp(by_etag ? s->files[i].etag : s->files[i].path, at) == 0) return &s->files[i];
  }
  return NULL;
}

static inline void hub_answer(hub_server *s, int client, const hub_request *r) {
  char headers[2048], wanted[300];
  bool head = strcmp(r->method, "HEAD") == 0, other = strncmp(r->host, "localhost", 9) == 0;
  if (s->failures > 0 && (!s->fail_path || strstr(r->path, s->fail_path))) {
    s->failures--;
    size_t n = 0;
    headers[0] = 0;
    if (s->retry_after)
      n = (size_t)snprintf(headers, sizeof headers, "Retry-After: %d\r\n", s->retry_after);
    if (s->fail_code)
      snprintf(headers + n, sizeof headers - n, "X-Error-Code: %s\r\n", s->fail_code);
    snprintf(wanted, sizeof wanted, "%d Failure", s->fail_status);
    hub_reply(client, wanted, headers, "{\"error\":\"no\"}", head);
    return;
  }
  snprintf(wanted, sizeof wanted, "Bearer %s", s->token ? s->token : "");
  if (s->token && !other && strcmp(r->token, wanted) != 0) {
    hub_reply(client, "401 Unauthorized", "", "{}", head);
    return;
  }
  snprintf(wanted, sizeof wanted, "/api/models/%s/revision/", s->repo);
  if (strncmp(r->path, wanted, strlen(wanted)) == 0) {
    if (s->listing_moved && !other) {
      snprintf(headers, sizeof headers, "Location: http://localhost:%d%s\r\n", s->port, r->path);
      hub_reply(client, "302 Found", headers, "", head);
    } else {
      hub_list(s, client, head);
    }
    return;
  }
  const hub_file *f = hub_find(s, r->path, "/cdn/", true);
  if (f) {
    hub_content(s, client, f, r, false);
    return;
  }
  snprintf(wanted, sizeof wanted, "/%s/resolve/" HUB_COMMIT "/", s->repo);
  f = hub_find(s, r->path, wanted, false);
  if (!f) {
    hub_reply(client, "404 Not Found", "X-Error-Code: EntryNotFound\r\n", "{}", head);
  } else if (s->loops && !head) {
    snprintf(headers, sizeof headers, "Location: %s\r\n", r->path);
    hub_reply(client, "307 Temporary Redirect", headers, "", head);
  } else if (s->redirects && f->lfs) {
    snprintf(
        headers, sizeof headers,
        "Location: http://localhost:%d/cdn/%s\r\nX-Linked-Etag: \"%s\"\r\nX-Linked-Size: %zu\r\n"
        "X-Repo-Commit: %s\r\nETag: \"of-the-redirect\"\r\n",
        s->port, f->etag, f->etag, f->announced, HUB_COMMIT);
    hub_reply(client, "302 Found", headers, "", head);
  } else {
    hub_content(s, client, f, r, true);
  }
}

static inline void *hub_run(void *context) {
  hub_server *s = context;
  while (!s->ended) {
    struct pollfd ready = {.fd = s->listener, .events = POLLIN};
    if (poll(&ready, 1, 50) <= 0) continue;
    int client = accept(s->listener, NULL, NULL);
    if (client < 0) continue;
    hub_request r = {0};
    if (hub_read(client, &r)) {
      pthread_mutex_lock(&s->lock);
      s->n_requests++;
      ink_text_format(&s->log, "%s %s host=%s token=%s range=%lld\n", r.method, r.path, r.host,
                      r.token, r.range);
      pthread_mutex_unlock(&s->lock);
      hub_answer(s, client, &r);
    }
    shutdown(client, SHUT_WR);
    close(client);
  }
  return NULL;
}

static inline void hub_start(hub_server *s) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  s->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(s->listener >= 0);
  assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(s->listener, 16), 0);
  assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
  s->port = ntohs(address.sin_port);
  pthread_mutex_init(&s->lock, NULL);
  assert_int_equal(pthread_create(&s->thread, NULL, hub_run, s), 0);
}

static inline void hub_stop(hub_server *s) {
  s->ended = true;
  pthread_join(s->thread, NULL);
  close(s->listener);
  pthread_mutex_destroy(&s->lock);
  ink_text_free(&s->log);
}

#endif
