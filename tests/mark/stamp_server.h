// A time-stamp authority on 127.0.0.1 for tests: `openssl ts -reply` behind a small HTTP server,
// which misbehaves as told.
#ifndef INK_TESTS_STAMP_SERVER_H
#define INK_TESTS_STAMP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "testing.h"

typedef enum stamp_way {
  STAMP_GOOD,
  STAMP_OTHER_HASH,
  STAMP_OTHER_NONCE,
  STAMP_REFUSED,
  STAMP_HTTP_ERROR,
  STAMP_GARBAGE,
  STAMP_SILENT,
  STAMP_LARGE  // its certificate is larger than the room that is kept at first
} stamp_way;

typedef struct stamp_server {
  char *folder, url[64];
  pid_t child;
} stamp_server;

static inline bool stamp_has_openssl(void) {
  return system("openssl version >/dev/null 2>&1") == 0;
}

// Authority and keys; false when openssl does not make them.
static inline bool stamp_make_keys(const char *folder) {
  char line[4096];
  snprintf(
      line, sizeof line,
      "cd '%s' && C='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && "
      "openssl req -x509 $C -keyout ca.key -out ca.pem -days 30 -subj /CN=TestAuthority && "
      "openssl req $C -keyout tsa.key -out tsa.csr -subj '/O=Test/CN=TestStamps' && "
      "printf 'keyUsage=critical,digitalSignature\\nextendedKeyUsage=critical,timeStamping\\n' >e "
      "&& "
      "(cat e; printf 'nsComment=%%s\\n' $(head -c 20000 /dev/zero | tr '\\0' x)) >l && "
      "for i in e l; do openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
      "-out $i.pem -days 30 -extfile $i || exit 1; done >log 2>&1; "
      "for i in e l; do for d in 'sha256, sha384' sha384; do printf '[tsa]\\ndefault_tsa = "
      "c\\n[c]\\n"
      "serial = n\\nsigner_cert = %%s.pem\\nsigner_key = tsa.key\\ndefault_policy = 1.2.3.4\\n"
      "digests = %%s\\nsigner_digest = sha256\\ness_cert_id_alg = sha256\\naccuracy = secs:1\\n' "
      "$i "
      "\"$d\" >$i-${#d}.cnf; done; done; test -s e.pem",
      folder);
  char quiet[4200];
  snprintf(quiet, sizeof quiet, "(%s) >/dev/null 2>&1", line);
  return system(quiet) == 0;
}

static inline size_t stamp_read_request(int client, unsigned char *body, size_t room) {
  char head[8192];
  size_t n = 0, want = 0;
  char *end = NULL;
  while (n < sizeof head - 1 && !end) {
    ssize_t got = recv(client, head + n, sizeof head - 1 - n, 0);
    if (got <= 0) return 0;
    n += (size_t)got;
    head[n] = 0;
    end = strstr(head, "\r\n\r\n");
  }
  char *length = strcasestr(head, "content-length:");
  if (!end || !length || !strstr(head, "application/timestamp-query")) return 0;
  want = strtoul(length + 15, NULL, 10);
  size_t have = n - (size_t)(end + 4 - head);
  if (want > room || have > want) return 0;
  memcpy(body, end + 4, have);
  while (have < want) {
    ssize_t got = recv(client, body + have, want - have, 0);
    if (got <= 0) return 0;
    have += (size_t)got;
  }
  return want;
}

static inline void stamp_send(int client, const char *status, const void *bytes, size_t size) {
  char head[256];
  int n =
      snprintf(head, sizeof head,
               "HTTP/1.1 %s\r\nContent-Type: application/timestamp-reply\r\nConnection: close\r\n"
               "Content-Length: %zu\r\n\r\n",
               status, size);
  if (send(client, head, (size_t)n, MSG_NOSIGNAL) == n) send(client, bytes, size, MSG_NOSIGNAL);
}

static inline void stamp_answer(const char *folder, stamp_way way, int client) {
  unsigned char query[4096];
  static unsigned char reply[1 << 17];
  char path[4200], line[8800];
  size_t size = stamp_read_request(client, query, sizeof query);
  if (!size) return;
  if (way == STAMP_SILENT) sleep(20);
  if (way == STAMP_HTTP_ERROR) return stamp_send(client, "503 Busy", "busy", 4);
  if (way == STAMP_GARBAGE) return stamp_send(client, "200 OK", "no stamps today", 15);
  unsigned char *hash = memmem(query, size, "\x04\x20", 2);
  if (hash && way == STAMP_OTHER_HASH) hash[7] ^= 1;
  if (hash && way == STAMP_OTHER_NONCE) hash[2 + 32 + 2 + 5] ^= 1;
  snprintf(path, sizeof path, "%s/q", folder);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(query, 1, size, file) != size || fclose(file) != 0) return;
  snprintf(line, sizeof line,
           "cd '%s' && openssl ts -reply -queryfile q -config %s-%d.cnf -section c -out r "
           ">/dev/null 2>&1",
           folder, way == STAMP_LARGE ? "l" : "e", way == STAMP_REFUSED ? 6 : 14);
  if (system(line) != 0) return;
  snprintf(path, sizeof path, "%s/r", folder);
  file = fopen(path, "rb");
  if (!file) return;
  size = fread(reply, 1, sizeof reply, file);
  fclose(file);
  stamp_send(client, "200 OK", reply, size);
}

// Serve in a process of its own until stamp_stop. The keys lie in `folder`.
static inline stamp_server stamp_start(char *folder, stamp_way way) {
  stamp_server server = {.folder = folder};
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 8), 0);
  getsockname(listener, (struct sockaddr *)&address, &length);
  snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d/stamp", ntohs(address.sin_port));
  pid_t parent = getpid();
  server.child = fork();
  assert_true(server.child >= 0);
  if (server.child == 0) {
    // A test that fails leaves its server running; who reads our output must not wait for it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    for (;;) {
      int client = accept(listener, NULL, NULL);
      if (client < 0) _exit(0);
      stamp_answer(folder, way, client);
      close(client);
    }
  }
  close(listener);
  return server;
}

static inline void stamp_stop(stamp_server *server) {
  kill(server->child, SIGKILL);
  waitpid(server->child, NULL, 0);
}

// For the tests of a file: the authority's folder, NULL where there is no openssl.
static char *stamp_folder;

static inline int stamp_set_up(void **state) {
  (void)state;
  if (!stamp_has_openssl()) return 0;
  stamp_folder = scratch_make();
  return stamp_folder && stamp_make_keys(stamp_folder) ? 0 : 1;
}

static inline int stamp_take_down(void **state) {
  (void)state;
  scratch_remove(stamp_folder);
  free(stamp_folder);
  return 0;
}

#endif
