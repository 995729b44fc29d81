/* SPDX-License-Identifier: Apache-2.0 */
#include "two.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the ones above */
#include <cmocka.h>

#define SECRET_MAX ((size_t)64 * 1024)

struct json_t *two_json(const char *text) /* ' for " */
{
    char *copy PS_AUTO_FREE = ps_xstrdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    struct json_t *object = js_parse(ps_str(copy), NULL);

    assert_non_null(object);
    return object;
}

static void set_base64(struct json_t *data, const char *key, const char *text)
{
    PS_AUTO_BUF(encoded, SECRET_MAX);

    codec_base64_encode(ps_str(text), &encoded);
    js_set_str(data, key, ps_buf_text(&encoded));
}

void two_put_secret(struct api *here, const struct api *there, const char *token)
{
    struct json_t *secret = js_object(), *data = js_child(secret, "data");

    set_base64(data, "server", script_url(there->script));
    set_base64(data, "token", token);
    set_base64(data, "ca.crt", there->ca_pem);
    api_put(here, "secrets", "penstock-system", "gpu", secret);
}

void two_put_namespace(struct api *api, const char *name)
{
    api_put(api, "namespaces", "", name, two_json("{'status': {'phase': 'Active'}}"));
}

void two_setup(struct two *two)
{
    ps_log_set_level(PS_LOG_ERROR);
    api_init(&two->here);
    api_init_beside(&two->there, &two->here);
    two->here.standby = true; /* no passes: they would look for the owner of what is there */
    two_put_namespace(&two->here, "n");
    two_put_namespace(&two->there, "far");
    api_put(&two->here, "platformaccounts", "", "gpuzone",
            two_json(
                "{'metadata': {'generation': 1, 'uid': 'a1'}, 'spec': {'type': 'Kubernetes', "
                "'kubernetes': {'namespace': 'far', 'cluster': {'secretRef': {'name': 'gpu'}}}}}"));
}

void two_begin(struct two *two)
{
    api_start(&two->here);
    two->here.op->patience = (struct operator__patience){.probe_ms = 400,
                                                         .away_ms = 60,
                                                         .ill_ms = 50,
                                                         .absent_ms = 20,
                                                         .other_ms = 20,
                                                         .usual_ms = 60000,
                                                         .retry_first_ms = 5,
                                                         .retry_max_ms = 20};
}

void two_teardown(struct two *two)
{
    api_stop(&two->here);
    api_fini_beside(&two->there);
    api_fini(&two->here);
    metrics_free(two->here.metrics);
}

const struct plan_cluster *two_view(const struct two *two)
{
    static const struct plan_cluster none = {.state = PLAN_CLUSTER_OWN};
    const struct operator__cluster *c = operator__cluster_get(two->here.op, "gpuzone");

    return c ? &c->view : &none;
}

void two_until(struct two *two, enum plan_cluster_state state)
{
    for (int waited = 0;
         waited < TWO_SOON_MS && (!two->here.op->synced || two_view(two)->state != state);
         waited += TWO_STEP_MS)
        script_wait(two->here.loop, TWO_STEP_MS);
    if (!two->here.op->synced || two_view(two)->state != state) {
        fail_msg("expected %s, found %s: %s", operator__cluster_word(state),
                 operator__cluster_word(two_view(two)->state),
                 two_view(two)->message ? two_view(two)->message : "");
    }
}

void two_settle(struct two *two)
{
    script_wait(two->here.loop, TWO_SETTLED_MS);
}
