/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare writer: makes the writes of N streams as the operator makes them, with bodies that are
 * ready before it starts. For each stream the CR, then its children at once, then its status; a
 * few CRs at a time as `kubectl apply` by several people would, the rest as fast as the server
 * takes it. Prints the seconds until the last CR and until the last answer, the requests that were
 * answered, and the CPU seconds of the writing.
 *
 *     writer --server URL --ca FILE --cert FILE --key FILE [--token FILE] --streams N [--first I]
 *            [--rate STREAMS_A_SECOND] [--connections N] snapshot.json
 *
 * Without --token the CRs alone are written: what the operator is given to do.
 */
#include "exec/exec.h"
#include "support/cpu.h"
#include "support/server.h"
#include "support/streams.h"

#include <stdio.h>
#include <string.h>

#define APPLIERS     4 /* CRs under way */
#define REQUESTS_MAX 32
#define STREAMS_MAX  99999
#define BODY_MAX     ((size_t)1024 * 1024)

enum stage {
    STAGE_CR,
    STAGE_CHILDREN,
    STAGE_STATUS,
    STAGES
};

struct request {
    enum stage stage;
    const char *method, *type;
    char *path;
    struct ps_str body;
};

struct stream {
    struct run *run;
    struct request requests[REQUESTS_MAX];
    size_t count, open; /* open: not answered in this stage */
    enum stage stage;
    char *uid, *rv; /* of the CR; NULL before it is there */
};

/* One request on its way through the gate. */
struct sending {
    struct stream *stream;
    const struct request *request;
    struct loop_ticket *ticket;
};

struct run {
    struct server server;
    struct ps_arena arena;
    struct loop_gate *gate;
    struct loop_timer *timer;
    struct stream *streams;
    int64_t count, first, rate, start_ns, applied_ns;
    size_t begun, applied, done, answered, failed;
    const char *placeholder_uid, *placeholder_rv; /* of the snapshot's CR */
};

/* ---- bodies --------------------------------------------------------------------------------- */

static void add_request(struct stream *stream, enum stage stage, enum model_kind kind,
                        const struct json_t *body)
{
    static const char *const methods[] = {"POST", "POST", "PATCH"};
    static const char *const types[] = {"application/json", "application/json",
                                        "application/merge-patch+json"};
    struct ps_arena *arena = &stream->run->arena;
    const bool named = stage == STAGE_STATUS;
    PS_AUTO_BUF(path, 4096);
    PS_AUTO_FREE char *text = js_text(body);
    struct ps_err err = {0};

    ps_assert(stream->count < REQUESTS_MAX);
    ps_assert(kube_path(&path, exec_kind(kind), js_path_str(body, "metadata.namespace"),
                        named ? js_path_str(body, "metadata.name") : NULL, named ? "status" : NULL,
                        &err) == 0);
    if (stage != STAGE_CR) {
        kube_query(&path, "fieldManager", "penstock");
        kube_query(&path, "fieldValidation", "Strict");
    }
    stream->requests[stream->count++] = (struct request){
        .stage = stage,
        .method = methods[stage],
        .type = types[stage],
        .path = ps_arena_dup(arena, ps_buf_text(&path)),
        .body = ps_str(ps_arena_dup(arena, text)),
    };
}

/* What a human writes of it. */
static void add_cr(struct stream *stream, const struct json_t *in)
{
    static const char *const servers[] = {"uid", "resourceVersion", "generation",
                                          "creationTimestamp"};
    PS_AUTO_JS struct json_t *cr = js_copy(js_get(in, "cr"));

    for (size_t i = 0; i < PS_ARRAY_LEN(servers); i++)
        js_remove(js_get(cr, "metadata"), servers[i]);
    add_request(stream, STAGE_CR, MODEL_STREAM, cr);
}

static void add_children(struct stream *stream, const struct json_t *plan)
{
    const struct json_t *ops = js_get(plan, "ops");

    for (size_t i = 0; i < js_len(ops); i++) {
        const struct json_t *op = js_at(ops, i);

        ps_assert(ps_streq(js_path_str(op, "verb"), "create"));
        add_request(stream, STAGE_CHILDREN, snapshot_kind(js_path_str(op, "kind")),
                    js_get(op, "body"));
    }
}

/* The path is made of the body's namespace and name: they do no harm in a patch. */
static void add_status(struct stream *stream, const struct json_t *in, const struct json_t *plan)
{
    PS_AUTO_JS struct json_t *patch = js_copy(js_get(plan, "status"));
    struct json_t *metadata = js_child(patch, "metadata");

    js_set_str(metadata, "namespace", js_path_str(in, "namespace"));
    js_set_str(metadata, "name", js_path_str(in, "name"));
    add_request(stream, STAGE_STATUS, MODEL_STREAM, patch);
}

static void prepare(struct stream *stream, const struct json_t *base, size_t number)
{
    PS_AUTO_JS struct json_t *in = streams_named(base, number);
    PS_AUTO_JS struct json_t *first = streams_plan(in);

    add_cr(stream, in);
    if (stream->run->server.token == NULL)
        return;
    add_children(stream, first);
    streams_advance(in, first);
    PS_AUTO_JS struct json_t *second = streams_plan(in);

    add_status(stream, in, second);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void send_stage(struct stream *stream);
static void begin_next(struct run *run);

/* The text with what only the server knows in the place of the snapshot's. */
static void fill_in(struct ps_buf *out, struct ps_str text, const struct stream *stream)
{
    const char *from[] = {stream->run->placeholder_uid, stream->run->placeholder_rv};
    const char *to[] = {stream->uid, stream->rv};

    while (text.n > 0) {
        ptrdiff_t best = -1;
        size_t which = 0;

        for (size_t i = 0; stream->uid != NULL && i < PS_ARRAY_LEN(from); i++) {
            const ptrdiff_t at = ps_str_find(text, from[i]);

            if (at >= 0 && (best < 0 || at < best)) {
                best = at;
                which = i;
            }
        }
        if (best < 0) {
            ps_buf_view(out, text);
            return;
        }
        ps_buf_view(out, ps_str_head(text, (size_t)best));
        ps_buf_str(out, to[which]);
        text = ps_str_skip(text, (size_t)best + strlen(from[which]));
    }
}

static bool take_cr(struct stream *stream, struct ps_str answer)
{
    PS_AUTO_JS struct json_t *cr = js_parse(answer, NULL);
    struct run *run = stream->run;

    if (cr == NULL)
        return false;
    stream->uid = ps_arena_dup(&run->arena, js_path_str(cr, "metadata.uid"));
    stream->rv = ps_arena_dup(&run->arena, js_path_str(cr, "metadata.resourceVersion"));
    return stream->uid != NULL && stream->rv != NULL;
}

static void stream_done(struct run *run)
{
    if (++run->done == (size_t)run->count)
        loop_stop(run->server.loop);
}

static void fail(struct run *run, const struct request *request,
                 const struct http_response *response)
{
    if (run->failed++ == 0) {
        (void)fprintf(stderr, "writer: %s %s: status %d %s %.300s\n", request->method,
                      request->path, response->status, response->err.message, response->body.p);
    }
}

static void on_done(void *self, const struct http_response *response)
{
    struct sending *sending = self;
    struct stream *stream = sending->stream;
    const struct request *request = sending->request;
    struct run *run = stream->run;
    const bool ok = response->status / 100 == 2;

    loop_gate_leave(sending->ticket);
    ps_free(sending);
    run->answered += ok;
    if (!ok || (request->stage == STAGE_CR && !take_cr(stream, response->body)))
        fail(run, request, response);
    if (request->stage == STAGE_CR && ++run->applied == (size_t)run->count)
        run->applied_ns = loop_now_ns();
    if (request->stage == STAGE_CR && run->rate == 0)
        begin_next(run);
    if (--stream->open > 0)
        return;
    stream->stage++;
    send_stage(stream);
}

static void send_now(void *self)
{
    struct sending *sending = self;
    const struct request *request = sending->request;
    const struct server *server = &sending->stream->run->server;
    const bool as_admin = request->stage == STAGE_CR;
    const struct http_header type = {"Content-Type", request->type};
    PS_AUTO_BUF(url, HTTP_URL_MAX);
    PS_AUTO_BUF(body, BODY_MAX);

    fill_in(&body, request->body, sending->stream);
    const struct http_send send = {
        .method = request->method,
        .url = server_url(server, &url, request->path),
        .headers = &type,
        .header_count = 1,
        .bearer = as_admin ? NULL : server->bearer,
        .body = ps_buf_get(&body),
        .on_done = on_done,
        .self = sending,
    };

    (void)http_send(as_admin ? server->as_cert : server->as_token, &send);
}

/* The CRs pass by the gate: they have connections of their own, and few of them. */
static void send_request(struct stream *stream, const struct request *request)
{
    struct sending *sending = ps_xcalloc(1, sizeof(*sending));

    sending->stream = stream;
    sending->request = request;
    if (request->stage == STAGE_CR) {
        send_now(sending);
        return;
    }
    sending->ticket = loop_gate_enter(stream->run->gate, NULL, send_now, sending);
}

static void send_stage(struct stream *stream)
{
    const enum stage stage = stream->stage;

    for (size_t i = 0; i < stream->count; i++)
        stream->open += stream->requests[i].stage == stage;
    if (stage == STAGES || stream->open == 0) {
        stream_done(stream->run);
        return;
    }
    for (size_t i = 0; i < stream->count; i++)
        if (stream->requests[i].stage == stage)
            send_request(stream, &stream->requests[i]);
}

static void begin_next(struct run *run)
{
    if (run->begun < (size_t)run->count)
        send_stage(&run->streams[run->begun++]);
}

static void on_tick(void *self)
{
    struct run *run = self;
    const int64_t next_ns = run->start_ns + (int64_t)(run->begun + 1) * 1000000000 / run->rate;
    const int64_t wait_ms = (next_ns - loop_now_ns()) / 1000000;

    begin_next(run);
    if (run->begun < (size_t)run->count)
        loop_timer_set(run->timer, wait_ms > 0 ? wait_ms : 0);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void write_all(struct run *run)
{
    const int64_t cpu = cpu_ns();

    run->start_ns = loop_now_ns();
    if (run->rate > 0)
        on_tick(run);
    for (int i = 0; i < APPLIERS && run->rate == 0; i++)
        begin_next(run);
    loop_run(run->server.loop);
    printf("%.4f %.4f %zu %.4f\n", (double)(run->applied_ns - run->start_ns) / 1e9,
           (double)(loop_now_ns() - run->start_ns) / 1e9, run->answered,
           (double)(cpu_ns() - cpu) / 1e9);
}

static void prepare_all(struct run *run, const char *snapshot)
{
    PS_AUTO_JS struct json_t *base = streams_load(snapshot);

    run->placeholder_uid = ps_arena_dup(&run->arena, js_path_str(base, "cr.metadata.uid"));
    run->placeholder_rv =
        ps_arena_dup(&run->arena, js_path_str(base, "cr.metadata.resourceVersion"));
    run->streams = ps_xcalloc((size_t)run->count, sizeof(*run->streams));
    for (size_t i = 0; i < (size_t)run->count; i++) {
        run->streams[i].run = run;
        prepare(&run->streams[i], base, (size_t)run->first + i);
    }
}

static bool take(struct run *run, const char *name, const char *value)
{
    if (ps_streq(name, "--streams")) {
        run->count = server_number(name, value, STREAMS_MAX);
    } else if (ps_streq(name, "--first")) {
        run->first = server_number(name, value, STREAMS_MAX);
    } else if (ps_streq(name, "--rate")) {
        run->rate = server_number(name, value, 1000);
    } else {
        return server_take(&run->server, name, value);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct run run = {.count = 1};
    int at = 1;

    while (at + 1 < argc && take(&run, argv[at], argv[at + 1]))
        at += 2;
    if (at + 1 != argc || run.server.cert == NULL) {
        (void)fprintf(stderr,
                      "usage: %s --server URL --ca FILE --cert FILE --key FILE … "
                      "snapshot.json\n",
                      argv[0]);
        return 2;
    }
    codec_init();
    ps_arena_init(&run.arena);
    server_open(&run.server);
    run.gate = loop_gate_new((size_t)run.server.connections);
    run.timer = loop_timer_new(run.server.loop, on_tick, &run);
    prepare_all(&run, argv[at]);
    write_all(&run);
    loop_timer_free(run.timer);
    loop_gate_free(run.gate);
    server_close(&run.server);
    ps_free(run.streams);
    ps_arena_fini(&run.arena);
    return run.failed > 0 ? 1 : 0;
}
