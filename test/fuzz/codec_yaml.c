/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as YAML: refused with a message that is text, or accepted as a value that JSON can
 * hold.
 */
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_err err = {0};
    PS_AUTO_JS struct json_t *value =
        codec_yaml_parse(ps_str_n((const char *)(const void *)data, size), &err);

    if (value == NULL) {
        ps_assert(err.code == PS_EINVAL || err.code == PS_ELIMIT);
        PS_AUTO_JS struct json_t *message = js_string(err.message);

        ps_assert(ps_streq(js_str(message), err.message)); /* UTF-8 */
        return 0;
    }
    PS_AUTO_FREE char *text = js_text(value);
    PS_AUTO_JS struct json_t *again = js_parse(ps_str(text), &err);

    ps_assert(js_equal(value, again));
    return 0;
}
