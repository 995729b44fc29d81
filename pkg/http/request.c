/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange: curl's options and callbacks for it, and what its result means. */
#include "internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS    10000L
/* Servers close connections idle for 90 s; curl's own limit of 118 s would meet closed ones. */
#define POOL_AGE_MAX_S        60L
/* As client-go: a peer that is gone is noticed after 30 s of silence or of unacknowledged data. */
#define KEEPALIVE_IDLE_S      30L
#define KEEPALIVE_INTERVAL_S  10L
#define TCP_UNACKNOWLEDGED_MS 30000U
/* curl's least; its own 64 KiB for each write in flight make malloc tidy up whenever they go. */
#define UPLOAD_BUFFER         16384L
#define HEAD_MAX              ((size_t)256 * 1024)
#define ERROR_BODY_MAX        ((size_t)1024 * 1024) /* of an answer that is not 2xx to a stream */
#define RETRY_AFTER_MAX_MS    ((int64_t)24 * 3600 * 1000)
#define BEARER_MAX            ((size_t)64 * 1024)
/* Head and body of a request that curl gives to TLS, and that to the system, in one piece:
 * CURL_MAX_WRITE_SIZE, as much as a TLS record holds. An idle connection takes that at once. */
#define ONE_WRITE_MAX         ((size_t)16384)
#define HEAD_REST_MAX         ((size_t)1024) /* what curl adds to a head */

/* ---- curl's callbacks ----------------------------------------------------------------------- */

static bool is_wanted(const struct http_request *request)
{
    return request->state == HTTP_ACTIVE && !request->client->closing;
}

static void touch(struct http_request *request)
{
    if (request->quiet_timer != NULL)
        request->last_byte_ms = loop_now_ms();
}

static bool is_success(const struct http_request *request)
{
    long status = 0;

    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

// NOLINTNEXTLINE(readability-non-const-parameter): curl's type
static size_t on_head(char *line, size_t size, size_t n, void *self)
{
    struct http_request *request = self;

    n *= size;
    if (!is_wanted(request))
        return n + 1;
    touch(request);
    request->head_bytes += n;
    if (request->head_bytes > HEAD_MAX) {
        (void)ps_fail(&request->err, PS_ELIMIT, "the answer's head is larger than %zu bytes",
                      HEAD_MAX);
        return n + 1;
    }
    const bool is_end = n <= 2 && (line[0] == '\r' || line[0] == '\n');

    if (is_end && !request->open && is_success(request)) {
        request->open = true;
        if (request->on_open != NULL)
            request->on_open(request->self);
    }
    return is_wanted(request) ? n : n + 1;
}

static size_t gather(struct http_request *request, const char *p, size_t n)
{
    ps_buf_add(&request->answer, p, n);
    if (!ps_buf_failed(&request->answer))
        return n;
    (void)ps_fail(&request->err, PS_ELIMIT, "the answer is larger than %zu bytes",
                  request->answer.max);
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_body(char *p, size_t size, size_t n, void *self)
{
    struct http_request *request = self;

    n *= size;
    if (!is_wanted(request))
        return CURL_WRITEFUNC_ERROR;
    touch(request);
    if (request->on_data == NULL || !is_success(request))
        return gather(request, p, n);
    if (!request->on_data(request->self, ps_str_n(p, n)) && request->state == HTTP_ACTIVE) {
        (void)ps_fail(&request->err, PS_ECANCELED, "ended by its reader");
        return CURL_WRITEFUNC_ERROR;
    }
    return is_wanted(request) ? n : CURL_WRITEFUNC_ERROR;
}

static bool withhold(struct http_request *request)
{
    if (request->may_send == NULL || request->may_send(request->self))
        return false;
    request->withheld = true;
    (void)ps_fail(&request->err, PS_ECANCELED, "not sent: its sender may no longer write");
    return true;
}

static size_t on_send(char *p, size_t size, size_t n, void *self)
{
    struct http_request *request = self;
    const size_t left = request->body_n - request->body_at;

    n *= size;
    if (left > 0 && withhold(request))
        return CURL_READFUNC_ABORT;
    if (n > left)
        n = left;
    memcpy(p, request->body + request->body_at, n);
    request->body_at += n;
    touch(request);
    return n;
}

/* A connection is there, and the whole request is about to go out. curl repeats a request by itself
 * when a reused connection dies before the answer: a create would be made twice. */
// NOLINTNEXTLINE(readability-non-const-parameter): curl's type
static int on_go(void *self, char *to, char *from, int to_port, int from_port)
{
    struct http_request *request = self;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    if (request->gone) {
        request->repeated = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (withhold(request))
        return CURL_PREREQFUNC_ABORT;
    request->gone = true;
    return CURL_PREREQFUNC_OK;
}

/* It cannot repeat what it cannot rewind. */
static int on_rewind(void *self, curl_off_t offset, int origin)
{
    (void)self;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

static int on_socket_made(void *self, curl_socket_t fd, curlsocktype purpose)
{
    const unsigned int timeout_ms = TCP_UNACKNOWLEDGED_MS;
    struct http_request *request = self;

    (void)purpose;
    http__socket_made(request->client, fd);
    if (request->gone) { /* no need to connect for what would be a repetition */
        request->repeated = true;
        return CURL_SOCKOPT_ERROR;
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return CURL_SOCKOPT_ERROR;
    /* Not vital: without it the keep-alive notices a dead peer a little later. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    return CURL_SOCKOPT_OK;
}

/* ---- making it ------------------------------------------------------------------------------ */

static void add_header(struct http_request *request, const char *line)
{
    struct curl_slist *longer = curl_slist_append(request->headers, line);

    ps_assert(longer != NULL);
    request->headers = longer;
}

static void set_headers(struct http_request *request, const struct http_send *send)
{
    for (size_t i = 0; i < send->header_count; i++) {
        PS_AUTO_BUF(line, HTTP_URL_MAX);
        ps_buf_printf(&line, "%s: %s", send->headers[i].name, send->headers[i].value);
        if (ps_buf_failed(&line)) {
            (void)ps_fail(&request->err, PS_EINVAL, "header %s: too long", send->headers[i].name);
        } else {
            add_header(request, ps_buf_text(&line));
        }
    }
    if (send->bearer != NULL) {
        PS_AUTO_BUF(line, BEARER_MAX);
        ps_buf_printf(&line, "Authorization: Bearer %s", send->bearer);
        if (ps_buf_failed(&line)) {
            (void)ps_fail(&request->err, PS_EINVAL, "bearer token: too long");
        } else {
            add_header(request, ps_buf_text(&line));
        }
        ps_wipe(line.p, line.n);
    }
    /* curl calls what has no body a form. */
    if (send->body.n == 0)
        add_header(request, "Content-Type:");
    /* No waiting for "100 Continue" before a body. */
    add_header(request, "Expect:");
    (void)curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
}

static bool is_one_write(const struct http_send *send)
{
    size_t n = send->body.n + strlen(send->url) + HEAD_REST_MAX;

    for (size_t i = 0; i < send->header_count; i++)
        n += strlen(send->headers[i].name) + strlen(send->headers[i].value) + strlen(": \r\n");
    return n + (send->bearer ? strlen(send->bearer) : 0) <= ONE_WRITE_MAX;
}

/* A small body goes out with its head, a large one is asked for in pieces. */
static void set_body(struct http_request *request, const struct http_send *send)
{
    CURL *easy = request->easy;

    if (ps_streq(send->method, "GET"))
        return;
    (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, send->method);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)send->body.n);
    request->body = ps_xstrndup(send->body.n > 0 ? send->body.p : "", send->body.n);
    request->body_n = send->body.n;
    if (is_one_write(send)) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
        (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_go);
        (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, request);
    } else {
        (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        (void)curl_easy_setopt(easy, CURLOPT_READDATA, request);
        (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
    }
}

static void set_connection(const struct http_request *request)
{
    CURL *easy = request->easy;

    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                           "https,http"); /* http_url_check: loopback */
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver thread */
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, POOL_AGE_MAX_S);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    (void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
    (void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, request);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http__socket_close);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, request->client);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
}

/* curl lets the environment name a proxy, and hosts that go without one, unless told otherwise. */
static void set_proxy(const struct http_request *request)
{
    const char *proxy = request->client->proxy;
    CURL *easy = request->easy;

    (void)curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (proxy == NULL)
        return;
    (void)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* Not for the proxy: the token, and who is impersonated. */
    (void)curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

static void set_blob(CURL *easy, CURLoption option, void *pem, size_t n)
{
    /* The client outlives its requests. */
    struct curl_blob blob = {.data = pem, .len = n, .flags = CURL_BLOB_NOCOPY};

    if (n > 0)
        (void)curl_easy_setopt(easy, option, &blob);
}

static void set_tls(const struct http_request *request)
{
    const struct http_client *client = request->client;
    CURL *easy = request->easy;

    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, client->insecure ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, client->insecure ? 0L : 2L);
    set_blob(easy, CURLOPT_CAINFO_BLOB, client->ca_pem, client->ca_n);
    set_blob(easy, CURLOPT_PROXY_CAINFO_BLOB, client->ca_pem, client->ca_n);
    set_blob(easy, CURLOPT_SSLCERT_BLOB, client->client_cert_pem, client->client_cert_n);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, client->client_key_pem, client->client_key_n);
}

/* curl takes the name to verify, and that of the SNI, from the URL. */
static void set_server_name(struct http_request *request, const struct http_send *send)
{
    PS_AUTO_BUF(url, HTTP_URL_MAX);
    PS_AUTO_BUF(connect_to, HTTP_URL_MAX);
    PS_AUTO_BUF(host, HTTP_URL_MAX);

    if (http__rename(send->url, request->client->tls_server_name, &url, &connect_to, &host,
                     &request->err) != 0)
        return;
    request->connect_to = curl_slist_append(NULL, ps_buf_text(&connect_to));
    ps_assert(request->connect_to != NULL);
    (void)curl_easy_setopt(request->easy, CURLOPT_URL, ps_buf_text(&url));
    (void)curl_easy_setopt(request->easy, CURLOPT_CONNECT_TO, request->connect_to);
    add_header(request, ps_buf_text(&host));
}

static void set_callbacks(struct http_request *request, const struct http_send *send)
{
    CURL *easy = request->easy;

    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->curl_error);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    (void)curl_easy_setopt(easy, CURLOPT_URL, send->url);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, request->client->user_agent);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)send->timeout_ms);
    /* API servers send watches as many gzip members, which curl does not read: plain for streams.
     * Answers to writes are short. */
    if (send->on_data == NULL && ps_streq(send->method, "GET"))
        (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void on_quiet(void *self)
{
    struct http_request *request = self;
    const int64_t left = request->last_byte_ms + request->idle_timeout_ms - loop_now_ms();

    if (left > 0) {
        loop_timer_set(request->quiet_timer, left);
        return;
    }
    (void)ps_fail(&request->err, PS_ETIMEOUT, "no byte for %lld ms",
                  (long long)request->idle_timeout_ms);
    http__todo(request, HTTP_FAILED);
    http__settle(request->client);
}

static void watch_silence(struct http_request *request, int64_t timeout_ms)
{
    if (timeout_ms <= 0)
        return;
    request->idle_timeout_ms = timeout_ms;
    request->last_byte_ms = loop_now_ms();
    request->quiet_timer = loop_timer_new(request->client->loop, on_quiet, request);
    loop_timer_set(request->quiet_timer, timeout_ms);
}

struct http_request *http__request_new(struct http_client *client, const struct http_send *send)
{
    struct http_request *request = ps_xcalloc(1, sizeof(*request));
    const size_t body_max = send->on_data != NULL ? ERROR_BODY_MAX : HTTP_BODY_MAX;

    request->client = client;
    request->may_send = send->may_send;
    request->on_open = send->on_open;
    request->on_data = send->on_data;
    request->on_done = send->on_done;
    request->self = send->self;
    request->secret = send->secret;
    ps_buf_init(&request->answer, send->body_max > 0 ? send->body_max : body_max);
    request->easy = http__easy_take(client);
    if (http__check_send(client, send, &request->err) != 0)
        return request;
    set_callbacks(request, send);
    set_connection(request);
    set_proxy(request);
    set_tls(request);
    if (client->tls_server_name != NULL)
        set_server_name(request, send);
    set_body(request, send);
    set_headers(request, send);
    watch_silence(request, send->idle_timeout_ms);
    return request;
}

void http__request_free(struct http_request *request)
{
    http__easy_give(request->client, request->easy);
    for (const struct curl_slist *line = request->headers; line != NULL; line = line->next) {
        if (ps_str_starts(ps_str(line->data), "Authorization:"))
            ps_wipe(line->data, strlen(line->data));
    }
    curl_slist_free_all(request->headers);
    curl_slist_free_all(request->connect_to);
    loop_timer_free(request->quiet_timer);
    if (request->secret) {
        ps_wipe(request->body, request->body_n);
        ps_wipe(request->answer.p, request->answer.n);
    }
    ps_buf_fini(&request->answer);
    ps_free(request->body);
    ps_free(request);
}

/* ---- its result ----------------------------------------------------------------------------- */

static int code_of(CURLcode code)
{
    static const struct {
        CURLcode curl;
        int code;
    } known[] = {
        {CURLE_OPERATION_TIMEDOUT, PS_ETIMEOUT}, {CURLE_URL_MALFORMAT, PS_EINVAL},
        {CURLE_UNSUPPORTED_PROTOCOL, PS_EINVAL}, {CURLE_WEIRD_SERVER_REPLY, PS_EPROTO},
        {CURLE_BAD_CONTENT_ENCODING, PS_EPROTO}, {CURLE_HTTP2, PS_EPROTO},
        {CURLE_FILESIZE_EXCEEDED, PS_ELIMIT},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(known); i++) {
        if (known[i].curl == code)
            return known[i].code;
    }
    return PS_EIO;
}

static bool is_tls_failure(CURLcode code)
{
    static const CURLcode known[] = {CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR,
                                     CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE,
                                     CURLE_SSL_ISSUER_ERROR};

    for (size_t i = 0; i < PS_ARRAY_LEN(known); i++) {
        if (known[i] == code)
            return true;
    }
    return false;
}

static bool may_have_sent(CURL *easy)
{
    long head_bytes = 0;
    curl_off_t connected_us = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &head_bytes);
    (void)curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    return head_bytes > 0 || connected_us > 0;
}

static int64_t retry_after_ms(CURL *easy)
{
    curl_off_t seconds = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return 0;
    return seconds < RETRY_AFTER_MAX_MS / 1000 ? (int64_t)seconds * 1000 : RETRY_AFTER_MAX_MS;
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    struct curl_header *found = NULL;

    if (response->status == 0 ||
        curl_easy_header(response->request->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
        return NULL;
    return found->value;
}

/* Did curl want to send it again? */
static bool is_repetition(const struct http_request *request, CURLcode code)
{
    return request->repeated || code == CURLE_SEND_FAIL_REWIND;
}

/* How long it took. Words of errors stand in status, and what differs there is written. */
static void cut_duration(char *text)
{
    static const char after[] = " after ";
    static const char *const units[] = {" milliseconds", " ms"};
    char *at = strstr(text, after);

    if (at == NULL)
        return;
    const char *number = at + strlen(after);
    const char *unit = number + strspn(number, "0123456789");

    for (size_t i = 0; unit > number && i < PS_ARRAY_LEN(units); i++) {
        if (ps_str_starts(ps_str(unit), units[i])) {
            const char *rest = unit + strlen(units[i]);

            memmove(at, rest, strlen(rest) + 1);
            return;
        }
    }
}

/* curl's own words, but where it speaks of its callbacks. */
static const char *words_of(struct http_request *request, CURLcode code)
{
    cut_duration(request->curl_error);
    if (is_repetition(request, code))
        return "the server closed the connection while the request was sent, and gave no answer";
    return request->curl_error[0] ? request->curl_error : curl_easy_strerror(code);
}

void http__request_report(struct http_request *request, CURLcode code)
{
    long status = 0;
    long connects = 0;
    struct http_response response = {.sent = !request->withheld &&
                                             (request->gone || may_have_sent(request->easy))};

    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &connects);
    /* Where curl wanted to repeat it, the second connection is counted too. */
    response.reused_connection = response.sent && (connects == 0 || is_repetition(request, code));
    if (request->err.code == 0 && code != CURLE_OK) {
        (void)ps_fail(&request->err, code_of(code), "%s", words_of(request, code));
    }
    if (request->err.code != 0) {
        request->err.http_status = (int)status;
        response.tls_failed = is_tls_failure(code) && !request->gone;
        /* A CONNECT to a proxy has been sent, perhaps; the request has not. */
        response.sent = response.sent && !response.tls_failed;
        response.err = request->err;
    } else {
        response.status = (int)status;
        response.retry_after_ms = retry_after_ms(request->easy);
        response.request = request;
        response.body = ps_buf_get(&request->answer);
    }
    request->on_done(request->self, &response);
}
