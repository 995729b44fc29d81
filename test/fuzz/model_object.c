/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an object of every kind: its projection from the text is the one from the tree.
 *
 *     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ipkg -Itest/unit \
 *         test/fuzz/model_object.c test/unit/support/{projection,object_tree}.c pkg/model/[a-z]*.c
 * \ pkg/dsl/[a-z]*.c pkg/codec/[a-z]*.c pkg/base/[a-z]*.c -ljansson -lyaml -lcrypto -lz
 */
#include "support/object_tree.h"
#include "support/projection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ps_str text = ps_str_n((const char *)(const void *)data, size);
    PS_AUTO_JS struct json_t *tree = js_parse(text, NULL);

    for (int kind = 0; kind < MODEL_KIND_COUNT; kind++) {
        struct ps_err err = {0};
        PS_AUTO_FREE struct model_object *a = model_object_read((enum model_kind)kind, text, &err);
        PS_AUTO_FREE struct model_object *b =
            tree ? projection_of_tree((enum model_kind)kind, tree) : NULL;

        ps_assert((a == NULL) == (err.code != 0));
        /* Without a tree the reader may still have one: names that stand twice, \u0000. */
        ps_assert(tree == NULL || projection_equal(a, b));
    }
    return 0;
}
