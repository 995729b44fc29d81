/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, queries and the order of resourceVersions. */
#include "kube/kube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above */
#include <cmocka.h>

static const struct kube_kind pods = {"", "v1", "pods", "Pod", true};
static const struct kube_kind deployments = {"apps", "v1", "deployments", "Deployment", true};
static const struct kube_kind nodes = {"", "v1", "nodes", "Node", false};

static void paths_are_built_and_escaped(void **state)
{
    (void)state;

    static const struct {
        const struct kube_kind *kind;
        const char *namespace, *name, *subresource, *path;
    } rows[] = {
        {&pods, NULL, NULL, NULL, "/api/v1/pods"},
        {&pods, "cars", NULL, NULL, "/api/v1/namespaces/cars/pods"},
        {&pods, "cars", "foo-1", NULL, "/api/v1/namespaces/cars/pods/foo-1"},
        {&deployments, "cars", "foo", "status",
         "/apis/apps/v1/namespaces/cars/deployments/foo/status"},
        {&nodes, NULL, "n1", NULL, "/api/v1/nodes/n1"},
        {&nodes, "cars", "n1", NULL, "/api/v1/nodes/n1"},
        {&nodes, NULL, NULL, NULL, "/api/v1/nodes"},
        {&pods, "a/b", "c?d#e", NULL, "/api/v1/namespaces/a%2Fb/pods/c%3Fd%23e"},
        {&pods, "cars", "a b\r\n%", NULL, "/api/v1/namespaces/cars/pods/a%20b%0D%0A%25"},
        {&pods, "cars", "\xc3\xa9", NULL, "/api/v1/namespaces/cars/pods/%C3%A9"},
        {&pods, "cars", "system:x", NULL, "/api/v1/namespaces/cars/pods/system%3Ax"},
        {&pods, "cars", "...", NULL, "/api/v1/namespaces/cars/pods/..."},
        /* never the URL of something else */
        {&pods, "cars", "", NULL, NULL},
        {&pods, "", "foo", NULL, NULL},
        {&pods, "", NULL, NULL, NULL},
        {&pods, NULL, "foo", NULL, NULL},
        {&nodes, NULL, "", NULL, NULL},
        {&pods, "cars", "..", NULL, NULL},
        {&pods, ".", "foo", NULL, NULL},
        {&pods, "cars", "foo", "", NULL},
        {&pods, "cars", NULL, "status", NULL},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        struct ps_err err = {0};
        PS_AUTO_BUF(out, 4096);
        const int code = kube_path(&out, rows[i].kind, rows[i].namespace, rows[i].name,
                                   rows[i].subresource, &err);

        if (code != (rows[i].path != NULL ? 0 : PS_EINVAL))
            fail_msg("row %zu: %s", i, err.message);
        if (rows[i].path != NULL)
            assert_string_equal(ps_buf_text(&out), rows[i].path);
    }
}

static void lengths_have_their_limits(void **state)
{
    (void)state;
    char name[255];
    PS_AUTO_BUF(out, 4096);
    PS_AUTO_BUF(small, 20);

    memset(name, 'a', sizeof(name));
    name[253] = '\0';
    assert_int_equal(kube_path(&out, &pods, "cars", name, NULL, NULL), 0);
    name[253] = 'a';
    name[254] = '\0';
    assert_int_equal(kube_path(&out, &pods, "cars", name, NULL, NULL), PS_EINVAL);
    assert_int_equal(kube_path(&small, &pods, "cars", "foo", NULL, NULL), PS_ELIMIT);
}

static void queries_are_escaped(void **state)
{
    (void)state;
    PS_AUTO_BUF(url, 4096);

    ps_buf_str(&url, "/x");
    kube_query(&url, "labelSelector", "role=spring-app,a in (b,c)");
    kube_query(&url, "continue", "a+b/c==&d");
    assert_string_equal(ps_buf_text(&url),
                        "/x?labelSelector=role%3Dspring-app%2Ca%20in%20%28b%2Cc%29"
                        "&continue=a%2Bb%2Fc%3D%3D%26d");
}

static void resource_versions_compare_as_numbers(void **state)
{
    (void)state;

    static const struct {
        const char *a, *b;
        bool known;
        int order;
    } rows[] = {
        {"9", "10", true, -1},
        {"10", "9", true, 1},
        {"12", "12", true, 0},
        {"123", "124", true, -1},
        {"99999999999999999999999999", "100000000000000000000000000", true, -1},
        {"340282366920938463463374607431768211456", "18446744073709551615", true, 1},
        {"", "1", false, 0},
        {"1", "", false, 0},
        {"0", "1", false, 0},
        {"01", "1", false, 0},
        {"1", "1x", false, 0},
        {"-1", "1", false, 0},
        {" 1", "1", false, 0},
        {"abc", "abc", false, 0},
        {NULL, "1", false, 0},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        int order = 0;

        assert_int_equal(kube_rv_compare(rows[i].a, rows[i].b, &order), rows[i].known);
        assert_int_equal(order, rows[i].order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_built_and_escaped),
        cmocka_unit_test(lengths_have_their_limits),
        cmocka_unit_test(queries_are_escaped),
        cmocka_unit_test(resource_versions_compare_as_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
