/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any values as those of a Secret that leads to another cluster: a configuration that asks for
 * nothing but what somebody else may ask for, or a message that shows no part of a value.
 *
 * A line "=key" begins the value of a key of the Secret; a first line "!" lets verification be
 * skipped.
 */
#include "kube/kube.h"

#include <string.h>

#define CANARY    "hUsH" /* stands in values of the corpus */
#define VALUE_MAX ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct json_t *secret, struct ps_str key, struct ps_str value)
{
    static const char *const keys[] = {"kubeconfig", "server", "token", "ca.crt", "skipVerify"};
    PS_AUTO_BUF(text, 2 * VALUE_MAX);

    codec_base64_encode(value, &text);
    for (size_t i = 0; i < PS_ARRAY_LEN(keys); i++) {
        if (ps_str_is(key, keys[i]))
            js_set_str(secret, keys[i], ps_buf_text(&text));
    }
}

static void read_values(struct json_t *secret, struct ps_str rest)
{
    struct ps_str line, key = ps_str(NULL);
    PS_AUTO_BUF(value, VALUE_MAX);

    while (ps_str_split(&rest, '\n', &line)) {
        if (ps_str_starts(line, "=")) {
            put(secret, key, ps_buf_get(&value));
            ps_buf_clear(&value);
            key = ps_str_skip(line, 1);
        } else {
            ps_buf_view(&value, line);
            ps_buf_char(&value, '\n');
        }
    }
    put(secret, key, ps_buf_get(&value));
}

static void check_message(const struct ps_err *err)
{
    PS_AUTO_JS struct json_t *message = js_string(err->message);

    ps_assert(err->code == PS_EINVAL || err->code == PS_ELIMIT);
    ps_assert(ps_streq(js_str(message), err->message)); /* UTF-8 */
    ps_assert(strstr(err->message, CANARY) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ps_str text = ps_str_n((const char *)(const void *)data, size);
    const bool may_skip = ps_str_starts(text, "!");
    PS_AUTO_JS struct json_t *secret = js_object();
    struct kube_config config;
    struct ps_err err = {0};

    read_values(secret, text);
    if (kube_config_from_secret(&config, secret, may_skip, &err) != 0) {
        check_message(&err);
        ps_assert(config.server == NULL && config.token == NULL && config.client_key_pem == NULL);
        return 0;
    }
    ps_assert(ps_str_starts(ps_str(config.server), "https://"));
    ps_assert(config.token != NULL || config.client_key_pem != NULL);
    ps_assert(config.exec == NULL && config.token_file == NULL && config.ca_file == NULL);
    ps_assert(config.client_cert_file == NULL && config.client_key_file == NULL);
    ps_assert(may_skip || !config.insecure);
    kube_config_fini(&config);
    return 0;
}
