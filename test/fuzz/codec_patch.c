/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two JSON values, one line each: their merge patch turns the first into the second, and where that
 * has nothing to say, neither has the strategic one.
 */
#include "codec/codec.h"
#include "support/apply.h"

#define PATHS_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pair(const struct json_t *from, const struct json_t *to)
{
    PS_AUTO_JS struct json_t *merge = codec_merge_diff(from, to);
    PS_AUTO_JS struct json_t *strategic = codec_strategic_diff(from, to);
    PS_AUTO_BUF(paths, CODEC_JSON_MAX);

    codec_diff_paths(&paths, from, to, PATHS_MAX);
    if (merge == NULL) {
        ps_assert(strategic == NULL && paths.n == 0);
        return;
    }
    ps_assert(paths.n > 0);
    PS_AUTO_JS struct json_t *result = apply_merge(from, merge);
    PS_AUTO_JS struct json_t *rest = codec_merge_diff(result, to);

    ps_assert(rest == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_str rest = ps_str_n((const char *)(const void *)data, size), line;

    if (!ps_str_split(&rest, '\n', &line))
        return 0;
    PS_AUTO_JS struct json_t *from = js_parse(line, NULL);
    PS_AUTO_JS struct json_t *to = js_parse(rest, NULL);

    if (from != NULL && to != NULL)
        check_pair(from, to);
    return 0;
}
