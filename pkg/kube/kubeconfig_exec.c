/* SPDX-License-Identifier: Apache-2.0 */
/* A kubeconfig's program that gives out the credential (client.authentication.k8s.io): what is to
 * be run, and what it is told. */
#include "kubeconfig.h"

#include <string.h>

#define PROGRAM_WORDS_MAX 1000 /* arguments, and variables of its environment */
#define CLUSTER_EXTENSION "client.authentication.k8s.io/exec"

static int take_version(struct json_t *exec, const struct kube__entry *from, struct ps_err *err)
{
    const char *version = NULL;
    const char *mode = NULL;
    int code = kube__entry_text(from, "apiVersion", &version, err);

    if (code == 0)
        code = kube__entry_text(from, "interactiveMode", &mode, err);
    if (code != 0)
        return code;
    if (!ps_streq(version, "client.authentication.k8s.io/v1") &&
        !ps_streq(version, "client.authentication.k8s.io/v1beta1")) {
        return kube__entry_refuse(from, "apiVersion",
                                  "expected client.authentication.k8s.io/v1 or …/v1beta1", err);
    }
    if (mode == NULL && ps_str_ends(ps_str(version), "/v1"))
        return kube__entry_refuse(from, "interactiveMode", "missing: v1 requires it", err);
    if (ps_streq(mode, "Always")) {
        return kube__entry_refuse(from, "interactiveMode",
                                  "Always: there is nobody to ask; use a credential that needs no "
                                  "terminal",
                                  err);
    }
    if (mode != NULL && !ps_streq(mode, "Never") && !ps_streq(mode, "IfAvailable"))
        return kube__entry_refuse(from, "interactiveMode", "expected Never or IfAvailable", err);
    js_set_str(exec, "apiVersion", version);
    return 0;
}

/* A command with a slash belongs to the file's directory; another one is looked for in PATH. */
static int take_command(struct json_t *exec, const struct kube__entry *from, struct ps_err *err)
{
    const char *command = NULL;
    const char *hint = NULL;
    int code = kube__entry_text(from, "command", &command, err);

    if (code == 0)
        code = kube__entry_text(from, "installHint", &hint, err);
    if (code != 0)
        return code;
    if (command == NULL)
        return kube__entry_refuse(from, "command", "missing", err);
    PS_AUTO_FREE char *path =
        strchr(command, '/') != NULL ? kube__resolve(from->dir, command) : ps_xstrdup(command);

    js_set_str(exec, "command", path);
    js_set_str(exec, "installHint", hint);
    return 0;
}

static int check_list(const struct kube__entry *from, const char *key, const struct json_t *list,
                      struct ps_err *err)
{
    const enum js_type type = js_type(list);

    if (type != JS_ABSENT && type != JS_NULL && type != JS_ARRAY)
        return kube__entry_refuse(from, key, "expected a list", err);
    if (js_len(list) > PROGRAM_WORDS_MAX)
        return kube__entry_refuse(from, key, "too long a list", err);
    return 0;
}

static int take_args(struct json_t *exec, const struct kube__entry *from, struct ps_err *err)
{
    const struct json_t *list = js_get(from->object, "args");

    if (check_list(from, "args", list, err) != 0)
        return PS_EINVAL;
    for (size_t i = 0; i < js_len(list); i++) {
        if (js_str(js_at(list, i)) == NULL)
            return kube__entry_refuse(from, "args", "expected texts", err);
    }
    if (js_len(list) > 0)
        js_set(exec, "args", js_copy(list));
    return 0;
}

static int take_env(struct json_t *exec, const struct kube__entry *from, struct ps_err *err)
{
    const struct json_t *list = js_get(from->object, "env");

    if (check_list(from, "env", list, err) != 0)
        return PS_EINVAL;
    for (size_t i = 0; i < js_len(list); i++) {
        const char *name = js_str(js_get(js_at(list, i), "name"));

        if (name == NULL || name[0] == '\0' || strchr(name, '=') != NULL ||
            js_str(js_get(js_at(list, i), "value")) == NULL)
            return kube__entry_refuse(from, "env", "expected name and value, both texts", err);
    }
    if (js_len(list) > 0)
        js_set(exec, "env", js_copy(list));
    return 0;
}

/* spec.cluster of what the program is told; the authority always as data. */
static struct json_t *describe_cluster(const struct kube_config *config,
                                       const struct kube__entry *cluster)
{
    struct json_t *described = js_object();
    const struct json_t *extensions = js_get(cluster->object, "extensions");

    js_set_str(described, "server", config->server);
    js_set_str(described, "tls-server-name", config->tls_server_name);
    js_set_str(described, "proxy-url", config->proxy_url);
    if (config->insecure)
        js_set_bool(described, "insecure-skip-tls-verify", true);
    if (js_is_true(js_get(cluster->object, "disable-compression")))
        js_set_bool(described, "disable-compression", true);
    if (config->ca_pem != NULL) {
        PS_AUTO_BUF(data, KUBE_CONFIG_MAX * 2);

        codec_base64_encode(ps_str(config->ca_pem), &data);
        js_set_str(described, "certificate-authority-data", ps_buf_text(&data));
    }
    for (size_t i = 0; i < js_len(extensions); i++) {
        const struct json_t *item = js_at(extensions, i);

        if (ps_streq(js_str(js_get(item, "name")), CLUSTER_EXTENSION))
            js_set(described, "config", js_copy(js_get(item, "extension")));
    }
    return described;
}

int kube__take_exec(struct kube_config *config, const struct kube__entry *user,
                    const struct kube__entry *cluster, struct ps_err *err)
{
    const struct json_t *given = js_get(user->object, "exec");
    struct kube__entry from = *user;
    bool with_cluster = false;
    PS_AUTO_BUF(where, KUBE__WHERE_MAX - 1);
    PS_AUTO_JS struct json_t *exec = js_object();

    if (js_type(given) == JS_ABSENT || js_type(given) == JS_NULL)
        return 0;
    if (user->trust != KUBE_CONFIG_OWN) {
        return kube__entry_refuse(
            user, "exec",
            "programs are refused here: give token, or client-certificate-data "
            "and client-key-data",
            err);
    }
    if (js_type(given) != JS_OBJECT)
        return kube__entry_refuse(user, "exec", "expected an object", err);
    ps_buf_printf(&where, "%s.exec", user->where);
    memcpy(from.where, ps_buf_text(&where), where.n + 1);
    from.object = given;
    int code = take_version(exec, &from, err);

    if (code == 0)
        code = take_command(exec, &from, err);
    if (code == 0)
        code = take_args(exec, &from, err);
    if (code == 0)
        code = take_env(exec, &from, err);
    if (code == 0)
        code = kube__entry_bool(&from, "provideClusterInfo", &with_cluster, err);
    if (code == 0 && with_cluster)
        js_set(exec, "cluster", describe_cluster(config, cluster));
    /* It is asked only when nothing else says who we are. */
    if (code == 0 && config->token == NULL && config->client_key_pem == NULL)
        config->exec = js_ref(exec);
    return code;
}
