/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include "support/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define ENOUGH_MS   8000
#define STEP_MS     5
#define PATH_MAX_N  ((size_t)512)
#define JOURNAL_MAX ((size_t)64 * 1024)
#define PARTS_MAX   8

/* What a path names; texts are owned by the parts. */
struct target {
    char *parts[PARTS_MAX];
    size_t count;
    const char *plural, *namespace, *name, *sub; /* "" = none */
};

static void target_fini(struct target *target)
{
    for (size_t i = 0; i < target->count; i++)
        ps_free(target->parts[i]);
}

/* "/api/v1/…" or "/apis/<group>/<version>/…" */
static struct target parse(const char *text)
{
    struct target t = {.plural = "", .namespace = "", .name = "", .sub = ""};
    struct ps_str rest = ps_str_n(text, strcspn(text, "?")), part;

    while (t.count < PARTS_MAX && ps_str_split(&rest, '/', &part)) {
        if (part.n > 0)
            t.parts[t.count++] = ps_xstrndup(part.p, part.n);
    }
    size_t at = t.count > 0 && ps_streq(t.parts[0], "api") ? 2 : 3;

    if (at + 2 < t.count && ps_streq(t.parts[at], "namespaces")) {
        t.namespace = t.parts[at + 1];
        at += 2;
    }
    const char **fields[] = {&t.plural, &t.name, &t.sub};

    for (size_t i = 0; i < PS_ARRAY_LEN(fields) && at + i < t.count; i++)
        *fields[i] = t.parts[at + i];
    return t;
}

static const char *path(struct ps_buf *buf, const char *plural, const char *namespace,
                        const char *name)
{
    ps_buf_printf(buf, "%s/%s/%s", plural, namespace, name);
    return ps_buf_text(buf);
}

const struct json_t *api_get(const struct api *api, const char *plural, const char *namespace,
                             const char *name)
{
    PS_AUTO_BUF(buf, PATH_MAX_N);

    return ps_map_get(&api->objects, path(&buf, plural, namespace, name));
}

/* ---- changes -------------------------------------------------------------------------------- */

static void send_event(struct script_peer *peer, const char *type, struct json_t *object)
{
    struct json_t *event PS_AUTO_JS = js_object();

    js_set_str(event, "type", type);
    js_set(event, "object", object);
    char *text PS_AUTO_FREE = js_text(event);
    PS_AUTO_BUF(line, JOURNAL_MAX);

    ps_buf_printf(&line, "%s\n", text);
    script_chunk(peer, ps_buf_text(&line));
}

static void tell(struct api *api, const char *plural, const char *type, struct json_t *object)
{
    for (size_t i = 0; i < api->watch_count; i++) {
        if (ps_streq(api->watches[i].plural, plural))
            send_event(api->watches[i].peer, type, js_copy(object));
    }
}

void api_put(struct api *api, const char *plural, const char *namespace, const char *name,
             struct json_t *object)
{
    struct json_t *metadata = js_child(object, "metadata");
    PS_AUTO_BUF(buf, PATH_MAX_N);
    PS_AUTO_BUF(version, 32);

    ps_buf_printf(&version, "%lld", (long long)++api->version);
    js_set_str(metadata, "name", name);
    js_set_str(metadata, "namespace", *namespace ? namespace : NULL);
    if (js_get(metadata, "uid") == NULL)
        js_set_str(metadata, "uid", ps_buf_text(&version));
    js_set_str(metadata, "resourceVersion", ps_buf_text(&version));
    struct json_t *old = ps_map_put(&api->objects, path(&buf, plural, namespace, name), object);

    js_unref(old);
    tell(api, plural, old ? "MODIFIED" : "ADDED", object);
}

void api_delete(struct api *api, const char *plural, const char *namespace, const char *name)
{
    PS_AUTO_BUF(buf, PATH_MAX_N);
    PS_AUTO_BUF(version, 32);
    struct json_t *object PS_AUTO_JS =
        ps_map_remove(&api->objects, path(&buf, plural, namespace, name));

    if (object == NULL)
        return;
    ps_buf_printf(&version, "%lld", (long long)++api->version);
    js_set_str(js_get(object, "metadata"), "resourceVersion", ps_buf_text(&version));
    tell(api, plural, "DELETED", object);
}

void api_lag(struct api *api)
{
    api->watch_count = 0;
}

/* Who asks for a kind anew has no other watch of it any more. */
static void forget_watch(struct api *api, const char *plural)
{
    for (size_t i = 0; i < api->watch_count; i++) {
        if (ps_streq(api->watches[i].plural, plural)) {
            api->watches[i] = api->watches[--api->watch_count];
            return;
        }
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

static void refuse(struct script_peer *peer, int status, const char *reason)
{
    PS_AUTO_BUF(body, 512);

    ps_buf_printf(&body,
                  "{\"kind\":\"Status\",\"code\":%d,\"reason\":\"%s\",\"message\":\"told so\"}",
                  status, reason);
    script_reply(peer, status, "", ps_buf_text(&body));
}

static void reply(struct script_peer *peer, const struct json_t *object)
{
    char *text PS_AUTO_FREE = js_text(object);

    script_reply(peer, 200, "", text);
}

static void list(struct api *api, struct script_peer *peer, const struct target *t)
{
    struct json_t *answer PS_AUTO_JS = js_object(), *items = js_array();
    PS_AUTO_BUF(version, 32);
    size_t at = 0;
    const char *key;
    void *value;

    forget_watch(api, t->plural);
    ps_buf_printf(&version, "%lld", (long long)api->version);
    js_set_str(js_child(answer, "metadata"), "resourceVersion", ps_buf_text(&version));
    while (ps_map_next(&api->objects, &at, &key, &value)) {
        struct ps_str rest = ps_str(key), plural;

        (void)ps_str_split(&rest, '/', &plural);
        if (ps_str_is(plural, t->plural))
            js_push(items, js_copy(value));
    }
    js_set(answer, "items", items);
    reply(peer, answer);
}

/* All objects of the kind, and the bookmark that ends them. */
static void send_initial(struct api *api, struct script_peer *peer, const char *kind)
{
    struct json_t *end = js_object(), *metadata = js_child(end, "metadata");
    PS_AUTO_BUF(version, 32);
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&api->objects, &at, &key, &value)) {
        struct ps_str rest = ps_str(key), plural;

        (void)ps_str_split(&rest, '/', &plural);
        if (ps_str_is(plural, kind))
            send_event(peer, "ADDED", js_copy(value));
    }
    ps_buf_printf(&version, "%lld", (long long)api->version);
    js_set_str(metadata, "resourceVersion", ps_buf_text(&version));
    js_set_str(js_child(metadata, "annotations"), "k8s.io/initial-events-end", "true");
    send_event(peer, "BOOKMARK", end);
}

static void watch(struct api *api, struct script_peer *peer, const struct target *t, bool initial)
{
    forget_watch(api, t->plural);
    assert_true(api->watch_count < API_WATCHES_MAX);
    api->watches[api->watch_count].peer = peer;
    memcpy(api->watches[api->watch_count++].plural, t->plural, strlen(t->plural) + 1);
    script_stream(peer);
    if (initial)
        send_initial(api, peer, t->plural);
}

static void on_close(void *self, struct script_peer *peer)
{
    struct api *api = self;

    for (size_t i = 0; i < api->watch_count; i++) {
        if (api->watches[i].peer == peer)
            api->watches[i--] = api->watches[--api->watch_count];
    }
}

/* ---- writes --------------------------------------------------------------------------------- */

/* The object after the write, or the reason why not. Borrowed. */
struct outcome {
    int status;
    const char *reason;
    const struct json_t *object;
};

static struct outcome create(struct api *api, const struct target *t, const struct json_t *body)
{
    const char *name = js_path_str(body, "metadata.name");

    if (api_get(api, t->plural, t->namespace, name) != NULL)
        return (struct outcome){409, "AlreadyExists", NULL};
    api_put(api, t->plural, t->namespace, name, js_copy(body));
    return (struct outcome){200, "", api_get(api, t->plural, t->namespace, name)};
}

static struct outcome patch(struct api *api, const struct target *t, const struct json_t *body)
{
    static const char drop[] = "$deleteFromPrimitiveList/finalizers";
    const struct json_t *old = api_get(api, t->plural, t->namespace, t->name);
    const char *version = js_path_str(body, "metadata.resourceVersion");

    if (old == NULL)
        return (struct outcome){404, "NotFound", NULL};
    if (!ps_streq(version, js_path_str(old, "metadata.resourceVersion")))
        return (struct outcome){409, "Conflict", NULL};
    struct json_t *merged = snapshot_merge(old, body), *metadata = js_get(merged, "metadata");

    if (js_get(metadata, drop) != NULL) {
        js_remove(metadata, drop);
        js_remove(metadata, "finalizers");
    }
    api_put(api, t->plural, t->namespace, t->name, merged);
    return (struct outcome){200, "", api_get(api, t->plural, t->namespace, t->name)};
}

static struct outcome perform(struct api *api, const char *method, const struct target *t,
                              struct ps_str text)
{
    struct json_t *body PS_AUTO_JS = text.n > 0 ? js_parse(text, NULL) : NULL;
    const struct json_t *object = api_get(api, t->plural, t->namespace, t->name);

    if (ps_streq(method, "POST"))
        return create(api, t, body);
    if (ps_streq(method, "PATCH"))
        return patch(api, t, body);
    if (object == NULL)
        return (struct outcome){404, "NotFound", NULL};
    if (ps_streq(method, "GET"))
        return (struct outcome){200, "", object};
    api_delete(api, t->plural, t->namespace, t->name);
    return (struct outcome){200, "", NULL};
}

static const struct api_fault *fault_of(struct api *api, const char *line)
{
    for (size_t i = 0; i < API_FAULTS_MAX; i++) {
        struct api_fault *fault = &api->faults[i];

        if (fault->line == NULL || fault->times == 0 || !ps_str_starts(ps_str(line), fault->line))
            continue;
        fault->times -= fault->times > 0;
        return fault;
    }
    return NULL;
}

static const char *verb_of(const char *method)
{
    static const char *const verbs[][2] = {
        {"GET", "get"}, {"POST", "create"}, {"PATCH", "patch"}, {"DELETE", "delete"}};

    for (size_t i = 0; i < PS_ARRAY_LEN(verbs); i++) {
        if (ps_streq(verbs[i][0], method))
            return verbs[i][1];
    }
    return method;
}

static void write_line(struct ps_buf *line, const struct script_request *request,
                       const struct target *t)
{
    struct json_t *body PS_AUTO_JS = request->body.n > 0 ? js_parse(request->body, NULL) : NULL;
    const char *name = *t->name ? t->name : js_path_str(body, "metadata.name");

    ps_buf_printf(line, "%s %s%s%s %s/%s", verb_of(request->method), t->plural, *t->sub ? "/" : "",
                  t->sub, t->namespace, name ? name : "?");
}

static void on_request(void *self, struct script_peer *peer, const struct script_request *request)
{
    struct api *api = self;
    PS_CLEANUP(target_fini) struct target t = parse(request->target);
    PS_AUTO_BUF(line, PATH_MAX_N);

    if (api->mute)
        return;
    if (ps_str_starts(ps_str(request->target), "/version")) {
        script_reply(peer, 200, "", "{\"gitVersion\":\"v1.36.3\"}");
        return;
    }
    if (ps_streq(request->method, "GET") && *t.name == '\0') {
        if (strstr(request->target, "watch=1") != NULL) {
            watch(api, peer, &t, strstr(request->target, "sendInitialEvents=true") != NULL);
        } else {
            list(api, peer, &t);
        }
        return;
    }
    write_line(&line, request, &t);
    ps_buf_printf(&api->journal, "%s\n", ps_buf_text(&line));
    const struct api_fault *fault = fault_of(api, ps_buf_text(&line));

    if (fault != NULL && fault->how == API_REFUSE) {
        refuse(peer, fault->status, "Told");
        return;
    }
    if (fault != NULL && fault->how == API_HANG)
        return;
    const struct outcome outcome = fault != NULL && fault->how == API_DROP
                                       ? (struct outcome){0}
                                       : perform(api, request->method, &t, request->body);

    if (fault != NULL) {
        script_close(peer);
    } else if (outcome.status != 200) {
        refuse(peer, outcome.status, outcome.reason);
    } else if (outcome.object != NULL) {
        reply(peer, outcome.object);
    } else {
        script_reply(peer, 200, "", "{\"kind\":\"Status\",\"status\":\"Success\"}");
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static void init_at(struct api *api, struct loop *loop)
{
    *api = (struct api){.loop = loop, .version = 100};
    ps_buf_init(&api->journal, JOURNAL_MAX);
    ps_map_init(&api->objects);
}

void api_init(struct api *api)
{
    init_at(api, loop_new());
    http_global_init();
}

void api_init_beside(struct api *other, const struct api *api)
{
    init_at(other, api->loop);
    struct certs_pair ca = certs_authority("ca");

    other->server = certs_issue(&ca, "server", "IP:127.0.0.1");
    other->ca_pem = ca.cert;
    ps_free(ca.key);
    api_answer(other);
}

void api_answer(struct api *other)
{
    other->script = other->port ? script_new_at(other->loop, other->port, on_request, other)
                                : script_new(other->loop, on_request, other);
    other->port = script_port(other->script);
    script_on_close(other->script, on_close);
    script_tls(other->script, other->server.cert, other->server.key, NULL);
}

void api_die(struct api *other)
{
    script_free(other->script);
    other->script = NULL;
    other->watch_count = 0;
}

static void on_gained(void *self)
{
    (void)self;
    fail_msg("the lease was not started");
}

static void on_lost(void *self, const char *why)
{
    (void)self;
    fail_msg("%s", why);
}

static struct kube_lease *make_lease(struct api *api)
{
    const struct kube_lease_callbacks callbacks = {on_gained, on_lost, NULL};
    const struct kube_lease_options options = {
        .namespace = "n", .name = "l", .identity = "i", .user_agent = "penstock/test"};

    return kube_lease_new(api->loop, &api->config, &options, &callbacks, NULL);
}

void api_start(struct api *api)
{
    struct operator_options options = {.namespace = "penstock-system",
                                       .installation = "i",
                                       .instance = "penstock-0",
                                       .metrics = api->metrics};

    api->script = script_new(api->loop, on_request, api);
    script_on_close(api->script, on_close);
    api->config.server = ps_xstrdup(script_url(api->script));
    api->client = kube_client_new(api->loop, &api->config, "penstock/test");
    if (api->standby)
        options.lease = api->lease = make_lease(api);
    api->op = operator_new(api->loop, api->client, &options, NULL);
    operator_start(api->op);
}

void api_stop(struct api *api)
{
    operator_free(api->op);
    kube_client_free(api->client);
    kube_lease_free(api->lease);
    api->lease = NULL;
    script_free(api->script);
    kube_config_fini(&api->config);
    api->watch_count = 0;
    api->config = (struct kube_config){0};
}

static void forget_objects(struct api *api)
{
    size_t at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&api->objects, &at, &key, &value))
        js_unref(value);
    ps_map_fini(&api->objects);
    ps_buf_fini(&api->journal);
}

void api_fini(struct api *api)
{
    loop_free(api->loop);
    http_global_fini();
    forget_objects(api);
}

void api_fini_beside(struct api *other)
{
    if (other->script != NULL)
        api_die(other);
    certs_free(&other->server);
    ps_free(other->ca_pem);
    forget_objects(other);
}

/* ---- looking at it -------------------------------------------------------------------------- */

size_t api_count(const struct api *api, const char *start)
{
    struct ps_str rest = ps_buf_get(&api->journal), line;
    size_t count = 0;

    while (ps_str_split(&rest, '\n', &line))
        count += ps_str_starts(line, start);
    return count;
}

void api_until(struct api *api, const char *start, size_t count)
{
    for (int waited = 0; waited < ENOUGH_MS && api_count(api, start) < count; waited += STEP_MS)
        script_wait(api->loop, STEP_MS);
    if (api_count(api, start) < count)
        fail_msg("\"%s\" did not come %zu times:\n%s", start, count, ps_buf_text(&api->journal));
}

void api_wait(struct api *api, int64_t ms)
{
    script_wait(api->loop, ms);
}
