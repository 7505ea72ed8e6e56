// Time-stamp requests: the query by OpenSSL, the way there and back by libcurl.
#include "mark/c2pa/stamper.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ts.h>
#include <string.h>
#include <strings.h>

#include "mark/c2pa/timestamp.h"

enum { MOST_REPLY = 1 << 20, NONCE = 16 };

// ---- the query

static bool set_imprint(TS_REQ *query, const void *bytes, size_t size) {
  unsigned char hash[32];
  TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
  X509_ALGOR *algorithm = X509_ALGOR_new();
  bool good = imprint && algorithm &&
              EVP_Digest(bytes, size, hash, NULL, EVP_sha256(), NULL) == 1 &&
              X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) == 1 &&
              TS_MSG_IMPRINT_set_algo(imprint, algorithm) == 1 &&
              TS_MSG_IMPRINT_set_msg(imprint, hash, sizeof hash) == 1 &&
              TS_REQ_set_msg_imprint(query, imprint) == 1;
  TS_MSG_IMPRINT_free(imprint);
  X509_ALGOR_free(algorithm);
  return good;
}

static bool set_nonce(TS_REQ *query) {
  unsigned char bytes[NONCE];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] = (unsigned char)((bytes[0] & 0x7F) | 0x40);  // positive, of full length
  BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
  ASN1_INTEGER *nonce = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
  bool good = nonce && TS_REQ_set_nonce(query, nonce) == 1;
  ASN1_INTEGER_free(nonce);
  BN_free(number);
  return good;
}

static TS_REQ *make_query(const void *bytes, size_t size) {
  TS_REQ *query = TS_REQ_new();
  bool good = query && TS_REQ_set_version(query, 1) == 1 && set_imprint(query, bytes, size) &&
              set_nonce(query) && TS_REQ_set_cert_req(query, 1) == 1;
  if (good) return query;
  TS_REQ_free(query);
  return NULL;
}

// ---- there and back

static size_t take_reply(char *bytes, size_t one, size_t n, void *context) {
  ink_text *reply = context;
  if (n > MOST_REPLY - reply->size) return 0;  // curl ends the transfer
  ink_text_add_bytes(reply, bytes, one * n);
  return reply->failed ? 0 : n;
}

static bool is_web(const char *url) {
  return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

// Without user and query, which are nobody's business in a message.
static void name_of(const char *url, char name[160]) {
  CURLU *parts = curl_url();
  char *host = NULL;
  snprintf(name, 160, "the time-stamp server");
  if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    snprintf(name, 160, "%.150s", host);
  }
  curl_free(host);
  curl_url_cleanup(parts);
}

static bool set_up(CURL *curl, const ink_stamper *stamper, struct curl_slist *headers,
                   const unsigned char *query, long size, ink_text *reply) {
  long seconds = stamper->seconds ? stamper->seconds : INK_STAMPER_SECONDS;
  // Where the operator's server sends us on to, nobody asked for.
  return curl_easy_setopt(curl, CURLOPT_URL, stamper->url) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, size) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDS, query) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_reply) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_TIMEOUT, seconds) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, seconds) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_USERAGENT, "inkstone/" INKSTONE_VERSION) == CURLE_OK;
}

static ink_status post(const ink_stamper *stamper, const char *name, const unsigned char *query,
                       long size, ink_text *reply, ink_error *error) {
  CURL *curl = curl_easy_init();
  struct curl_slist *headers = NULL, *more;
  headers = curl_slist_append(NULL, "Content-Type: application/timestamp-query");
  more = headers ? curl_slist_append(headers, "Accept: application/timestamp-reply") : NULL;
  ink_status status = curl && more && set_up(curl, stamper, headers, query, size, reply)
                          ? INK_OK
                          : ink_fail(error, INK_ERR_MEMORY, "no memory for a time-stamp");
  CURLcode code = status == INK_OK ? curl_easy_perform(curl) : CURLE_OK;
  long http = 0;
  if (status == INK_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    status = ink_fail(error, INK_ERR_NETWORK, "%s gave no time-stamp in time", name);
  } else if (code != CURLE_OK) {
    status = ink_fail(error, INK_ERR_NETWORK, "%s gave no time-stamp: %s", name,
                      curl_easy_strerror(code));
  } else if (status == INK_OK && http != 200) {
    status =
        ink_fail(error, INK_ERR_NETWORK, "%s gave no time-stamp: it answered HTTP %ld", name, http);
  }
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return status;
}

// ---- the reply

// What the server says of itself, in one line of printable characters.
static void reason_of(TS_STATUS_INFO *info, char *text, size_t size) {
  const STACK_OF(ASN1_UTF8STRING) *words = TS_STATUS_INFO_get0_text(info);
  text[0] = 0;
  size_t at = 0;
  for (int i = 0; i < sk_ASN1_UTF8STRING_num(words); i++) {
    const ASN1_UTF8STRING *word = sk_ASN1_UTF8STRING_value(words, i);
    const unsigned char *bytes = ASN1_STRING_get0_data(word);
    if (i && at + 1 < size) text[at++] = ' ';
    for (int j = 0; j < ASN1_STRING_length(word) && at + 1 < size; j++) {
      text[at++] = bytes[j] >= 0x20 && bytes[j] < 0x7F ? (char)bytes[j] : '?';
    }
  }
  text[at] = 0;
}

static ink_status check_status(TS_RESP *response, const char *name, ink_error *error) {
  TS_STATUS_INFO *info = TS_RESP_get_status_info(response);
  long status = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(info));
  char reason[200];
  if ((status == TS_STATUS_GRANTED || status == TS_STATUS_GRANTED_WITH_MODS) &&
      TS_RESP_get_token(response)) {
    return INK_OK;
  }
  reason_of(info, reason, sizeof reason);
  return ink_fail(error, INK_ERR_NETWORK, "%s refuses a time-stamp (status %ld%s%s)", name, status,
                  reason[0] ? ": " : "", reason);
}

static ink_status check_token(TS_RESP *response, TS_REQ *query, const char *name, const void *bytes,
                              size_t size, ink_text *token, ink_error *error) {
  TS_TST_INFO *info = TS_RESP_get_tst_info(response);
  const ASN1_INTEGER *nonce = info ? TS_TST_INFO_get_nonce(info) : NULL;
  if (!nonce || ASN1_INTEGER_cmp(nonce, TS_REQ_get_nonce(query)) != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "the time-stamp of %s answers another question: its nonce is not ours", name);
  }
  unsigned char *der = NULL;
  int length = i2d_PKCS7(TS_RESP_get_token(response), &der);
  if (length <= 0) return ink_fail(error, INK_ERR_MEMORY, "no memory for a time-stamp");
  ink_timestamp stamp;
  ink_timestamp_check(der, (size_t)length, bytes, size, NULL, &stamp);
  ink_status status = INK_OK;
  if (stamp.state == INK_TIMESTAMP_MISMATCH) {
    status = ink_fail(error, INK_ERR_CONFLICT, "the time-stamp of %s is of something else", name);
  } else if (stamp.state == INK_TIMESTAMP_OUTSIDE) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "the time-stamp of %s lies outside the time of its certificate", name);
  } else if (stamp.state != INK_TIMESTAMP_VALIDATED) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "the time-stamp of %s is not signed by a certificate for time-stamps that it "
                      "brings along",
                      name);
  } else {
    ink_text_add_bytes(token, der, (size_t)length);
    status = ink_text_status(token, error);
  }
  ink_timestamp_free(&stamp);
  OPENSSL_free(der);
  return status;
}

static ink_status take_token(const ink_text *reply, TS_REQ *query, const char *name,
                             const void *bytes, size_t size, ink_text *token, ink_error *error) {
  const unsigned char *at = (const unsigned char *)ink_text_string(reply);
  TS_RESP *response = d2i_TS_RESP(NULL, &at, (long)reply->size);
  if (!response) {
    ERR_clear_error();
    return ink_fail(error, INK_ERR_NETWORK, "%s gave no time-stamp: its answer is none", name);
  }
  ink_status status = check_status(response, name, error);
  if (status == INK_OK) status = check_token(response, query, name, bytes, size, token, error);
  TS_RESP_free(response);
  ERR_clear_error();
  return status;
}

ink_status ink_stamper_ask(const ink_stamper *stamper, const void *bytes, size_t size,
                           ink_text *token, ink_error *error) {
  char name[160];
  ink_text reply = {0};
  unsigned char *der = NULL;
  if (!is_web(stamper->url)) {
    return ink_fail(error, INK_ERR_USAGE, "\"%.200s\" is no address of a time-stamp server",
                    stamper->url);
  }
  name_of(stamper->url, name);
  TS_REQ *query = make_query(bytes, size);
  int length = query ? i2d_TS_REQ(query, &der) : 0;
  ink_status status =
      length > 0 ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a time-stamp");
  if (status == INK_OK) status = post(stamper, name, der, length, &reply, error);
  if (status == INK_OK) status = take_token(&reply, query, name, bytes, size, token, error);
  ink_text_free(&reply);
  OPENSSL_free(der);
  TS_REQ_free(query);
  return status;
}
