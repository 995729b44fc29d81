/* SPDX-License-Identifier: Apache-2.0 */
/* What an account's policy lets pods be: every rule of the Pod Security Standards, and names. */
#include "plan/policy.h"
#include "plan/render.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Stays below them. */
#include <cmocka.h>
#include <string.h>

struct row {
    const char *patch;    /* laid over the template */
    const char *expected; /* in what is said; NULL: nothing is */
};

/* A template that meets Restricted. */
#define GOOD                                                                                       \
    "{'metadata': {'annotations': {'a': 'b'}}, 'spec': {'securityContext': {'runAsNonRoot': "      \
    "true, 'seccompProfile': {'type': 'RuntimeDefault'}}, 'containers': [{'name': 'c', "           \
    "'securityContext': {'allowPrivilegeEscalation': false, 'capabilities': {'drop': "             \
    "['ALL']}}}]}}"
/* One that meets Baseline. */
#define PLAIN "{'spec': {'containers': [{'name': 'c'}]}}"

static const char *problem_of(struct ps_arena *arena, const char *template, const char *patch,
                              const char *policy, bool own)
{
    struct json_t *plain PS_AUTO_JS = render_json(template);
    struct json_t *over PS_AUTO_JS = render_json(patch);
    struct json_t *merged PS_AUTO_JS = snapshot_merge(plain, over);
    struct json_t *account PS_AUTO_JS = render_json(
        "{'metadata': {'name': 'zone'}, 'spec': {'type': 'Kubernetes', 'kubernetes': {}}}");

    js_set(js_get(account, "spec"), "policy", render_json(policy));
    const struct model_account *read =
        model_account_read(arena, account, &(struct model_properties){0});

    assert_int_equal(read->problem.code, 0);
    const char *problem = plan__policy_problem(arena, read, own, merged);

    return problem ? ps_arena_dup(arena, problem) : NULL;
}

static void check_rows(const char *template, const char *policy, bool own, const struct row *rows,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ps_arena arena;

        ps_arena_init(&arena);
        const char *problem = problem_of(&arena, template, rows[i].patch, policy, own);

        if ((problem == NULL) != (rows[i].expected == NULL) ||
            (problem != NULL && strstr(problem, rows[i].expected) == NULL))
            fail_msg("%s under %s: %s", rows[i].patch, policy, problem ? problem : "(fine)");
        ps_arena_fini(&arena);
    }
}

#define POD(text)       "{'spec': {" text "}}"
#define CONTAINER(text) POD("'containers': [{'name': 'c', " text "}]")
#define CONTEXT(text)   CONTAINER("'securityContext': {" text "}")
/* Of a container that meets Restricted but for what is added. */
#define STRICT(text)                                                                               \
    CONTEXT("'allowPrivilegeEscalation': false, 'capabilities': {'drop': ['ALL']}, " text)

static void every_rule_of_baseline_is_kept(void **state)
{
    static const struct row rows[] = {
        {POD("'hostNetwork': true"), "spec.hostNetwork: expected false or nothing, as spec.policy."
                                     "podSecurity Baseline of PlatformAccount zone asks for"},
        {POD("'hostNetwork': false"), NULL},
        {POD("'hostNetwork': 'yes'"), "spec.hostNetwork"},
        {POD("'hostPID': true"), "spec.hostPID"},
        {POD("'hostIPC': true"), "spec.hostIPC"},
        {POD("'securityContext': {'windowsOptions': {'hostProcess': true}}"), "hostProcess"},
        {CONTEXT("'windowsOptions': {'hostProcess': true}"), "containers[0].securityContext.win"},
        {CONTEXT("'privileged': true"), "spec.containers[0].securityContext.privileged"},
        {CONTEXT("'privileged': false"), NULL},
        {POD("'initContainers': [{}, {'securityContext': {'privileged': true}}]"),
         "spec.initContainers[1].securityContext.privileged"},
        {POD("'ephemeralContainers': [{'securityContext': {'privileged': true}}]"),
         "spec.ephemeralContainers[0].securityContext.privileged"},
        {CONTEXT("'capabilities': {'add': ['CHOWN', 'SYS_CHROOT', 'NET_BIND_SERVICE']}"), NULL},
        {CONTEXT("'capabilities': {'add': ['CHOWN', 'NET_ADMIN']}"),
         "capabilities.add[1]: expected one of AUDIT_WRITE, CHOWN"},
        {CONTEXT("'capabilities': {'add': ['ALL']}"), "capabilities.add[0]"},
        {POD("'volumes': [{'emptyDir': {}}, {'hostPath': {'path': '/'}}]"),
         "spec.volumes[1].hostPath: expected nothing"},
        {POD("'volumes': [{'nfs': {}}]"), NULL},
        {CONTAINER("'ports': [{'containerPort': 1}, {'hostPort': 80}]"), "ports[1].hostPort"},
        {CONTAINER("'ports': [{'hostPort': 0}]"), NULL},
        {CONTAINER("'livenessProbe': {'httpGet': {'host': '10.0.0.1'}}"), "livenessProbe.httpGet."},
        {CONTAINER("'livenessProbe': {'httpGet': {'host': ''}}"), NULL},
        {CONTAINER("'livenessProbe': {'tcpSocket': {'host': 'a'}}"), "livenessProbe.tcpSocket"},
        {CONTAINER("'readinessProbe': {'httpGet': {'host': 'a'}}"), "readinessProbe.httpGet"},
        {CONTAINER("'readinessProbe': {'tcpSocket': {'host': 'a'}}"), "readinessProbe.tcpSocket"},
        {CONTAINER("'startupProbe': {'httpGet': {'host': 'a'}}"), "startupProbe.httpGet"},
        {CONTAINER("'startupProbe': {'tcpSocket': {'host': 'a'}}"), "startupProbe.tcpSocket"},
        {CONTAINER("'lifecycle': {'postStart': {'httpGet': {'host': 'a'}}}"), "postStart.httpGet"},
        {CONTAINER("'lifecycle': {'postStart': {'tcpSocket': {'host': 'a'}}}"), "postStart.tcp"},
        {CONTAINER("'lifecycle': {'preStop': {'httpGet': {'host': 'a'}}}"), "preStop.httpGet"},
        {CONTAINER("'lifecycle': {'preStop': {'tcpSocket': {'host': 'a'}}}"), "preStop.tcp"},
        {POD("'securityContext': {'appArmorProfile': {'type': 'Unconfined'}}"), "appArmorProfile"},
        {CONTEXT("'appArmorProfile': {'type': 'Unconfined'}"), "[0].securityContext.appArmor"},
        {CONTEXT("'appArmorProfile': {'type': 'Localhost'}"), NULL},
        {"{'metadata': {'annotations': {'container.apparmor.security.beta.kubernetes.io/c': "
         "'unconfined'}}}",
         "metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: expected"},
        {"{'metadata': {'annotations': {'container.apparmor.security.beta.kubernetes.io/c': "
         "'localhost/x'}}}",
         NULL},
        {POD("'securityContext': {'seLinuxOptions': {'type': 'spc_t'}}"), "seLinuxOptions.type"},
        {POD("'securityContext': {'seLinuxOptions': {'type': 'container_init_t'}}"), NULL},
        {POD("'securityContext': {'seLinuxOptions': {'user': 'u'}}"), "seLinuxOptions.user"},
        {CONTEXT("'seLinuxOptions': {'role': 'r'}"), "[0].securityContext.seLinuxOptions.role"},
        {CONTEXT("'procMount': 'Unmasked'"), "procMount: expected one of Default"},
        {CONTEXT("'procMount': 'Default'"), NULL},
        {POD("'securityContext': {'seccompProfile': {'type': 'Unconfined'}}"), "seccompProfile"},
        {CONTEXT("'seccompProfile': {'type': 'Unconfined'}"), "[0].securityContext.seccomp"},
        {CONTEXT("'seccompProfile': {'type': 'Localhost'}"), NULL},
        {POD("'securityContext': {'sysctls': [{'name': 'kernel.msgmax'}]}"), "sysctls[0].name"},
        {POD("'securityContext': {'sysctls': [{'name': 'net.ipv4.tcp_rmem'}]}"), NULL},
        {CONTEXT("'allowPrivilegeEscalation': true, 'runAsUser': 0"), NULL},
    };

    (void)state;
    check_rows(PLAIN, "{}", false, rows, PS_ARRAY_LEN(rows));
    check_rows(PLAIN, "{'podSecurity': 'Baseline'}", true, rows, PS_ARRAY_LEN(rows));
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const struct row fine = {rows[i].patch, NULL};

        check_rows(PLAIN, "{'podSecurity': 'Privileged'}", false, &fine, 1);
    }
}

static void every_rule_of_restricted_is_kept(void **state)
{
    static const struct row rows[] = {
        {"{}", NULL},
        {POD("'hostNetwork': true"), "hostNetwork"},
        {POD("'volumes': [{'name': 'v', 'emptyDir': {}}, {'name': 'w', 'configMap': {}}]"), NULL},
        {POD("'volumes': [{'name': 'v', 'nfs': {}}]"), "spec.volumes[0].nfs: expected another"},
        {CONTEXT("'capabilities': {'drop': ['ALL']}"), "allowPrivilegeEscalation: expected false"},
        {CONTEXT("'allowPrivilegeEscalation': true, 'capabilities': {'drop': ['ALL']}"),
         "allowPrivilegeEscalation: expected false"},
        {CONTEXT("'allowPrivilegeEscalation': false"), "capabilities.drop: expected ALL"},
        {CONTEXT("'allowPrivilegeEscalation': false, 'capabilities': {'drop': ['KILL']}"),
         "capabilities.drop: expected ALL"},
        {CONTEXT("'allowPrivilegeEscalation': false, 'capabilities': {'drop': ['ALL'], 'add': "
                 "['CHOWN']}"),
         "capabilities.add[0]: expected one of NET_BIND_SERVICE"},
        {CONTEXT("'allowPrivilegeEscalation': false, 'capabilities': {'drop': ['ALL'], 'add': "
                 "['NET_BIND_SERVICE']}"),
         NULL},
        {STRICT("'runAsNonRoot': false"), "[0].securityContext.runAsNonRoot: expected true"},
        {STRICT("'runAsUser': 0"), "[0].securityContext.runAsUser: expected a user other"},
        {STRICT("'runAsUser': 7"), NULL},
        {POD("'securityContext': {'runAsUser': 0}"), "spec.securityContext.runAsUser"},
        {POD("'securityContext': {'runAsNonRoot': null}"), "containers[0].securityContext.runAsNo"},
        {POD("'securityContext': {'runAsNonRoot': false}"), "spec.securityContext.runAsNonRoot"},
        {POD("'securityContext': {'seccompProfile': null}"), "seccompProfile.type: expected Runt"},
        {POD("'initContainers': [{'name': 'i'}]"), "spec.initContainers[0].securityContext.allow"},
    };
    static const struct row own[] = {
        {POD("'securityContext': null, 'containers': [{'securityContext': "
             "{'allowPrivilegeEscalation': false, 'capabilities': {'drop': ['ALL']}, "
             "'runAsNonRoot': true, 'seccompProfile': {'type': 'Localhost'}}}]"),
         NULL},
    };

    (void)state;
    check_rows(GOOD, "{'podSecurity': 'Restricted'}", false, rows, PS_ARRAY_LEN(rows));
    check_rows(GOOD, "{'podSecurity': 'Restricted'}", false, own, PS_ARRAY_LEN(own));
}

/* ---- names ----------------------------------------------------------------------------------- */

#define ENV(text) CONTAINER("'env': [{'valueFrom': {" text "}}]")

static void names_elsewhere_have_to_be_listed(void **state)
{
    static const struct {
        const char *patch, *field;
    } places[] = {
        {POD("'imagePullSecrets': [{'name': 'x'}]"), "secrets"},
        {POD("'volumes': [{'secret': {'secretName': 'x'}}]"), "secrets"},
        {POD("'volumes': [{'projected': {'sources': [{'secret': {'name': 'x'}}]}}]"), "secrets"},
        {POD("'volumes': [{'azureFile': {'secretName': 'x'}}]"), "secrets"},
        {POD("'volumes': [{'cephfs': {'secretRef': {'name': 'x'}}}]"), "secrets"},
        {POD("'volumes': [{'cinder': {'secretRef': {'name': 'x'}}}]"), "secrets"},
        {POD("'volumes': [{'csi': {'nodePublishSecretRef': {'name': 'x'}}}]"), "secrets"},
        {POD("'volumes': [{'flexVolume': {'secretRef': {'name': 'x'}}}]"), "secrets"},
        {POD("'volumes': [{'iscsi': {'secretRef': {'name': 'x'}}}]"), "secrets"},
        {POD("'volumes': [{'rbd': {'secretRef': {'name': 'x'}}}]"), "secrets"},
        {POD("'volumes': [{'scaleIO': {'secretRef': {'name': 'x'}}}]"), "secrets"},
        {POD("'volumes': [{'storageos': {'secretRef': {'name': 'x'}}}]"), "secrets"},
        {ENV("'secretKeyRef': {'name': 'x', 'key': 'k'}"), "secrets"},
        {CONTAINER("'envFrom': [{'secretRef': {'name': 'x'}}]"), "secrets"},
        {POD("'initContainers': [{'envFrom': [{'secretRef': {'name': 'x'}}]}]"), "secrets"},
        {POD("'volumes': [{'configMap': {'name': 'x'}}]"), "configMaps"},
        {POD("'volumes': [{'projected': {'sources': [{'configMap': {'name': 'x'}}]}}]"),
         "configMaps"},
        {ENV("'configMapKeyRef': {'name': 'x', 'key': 'k'}"), "configMaps"},
        {CONTAINER("'envFrom': [{'configMapRef': {'name': 'x'}}]"), "configMaps"},
        {POD("'volumes': [{'persistentVolumeClaim': {'claimName': 'x'}}]"), "claims"},
        {POD("'volumes': [{'ephemeral': {'volumeClaimTemplate': {'spec': {'dataSource': {'name': "
             "'x'}}}}}]"),
         "claims"},
        {POD("'volumes': [{'ephemeral': {'volumeClaimTemplate': {'spec': {'dataSourceRef': "
             "{'name': 'x'}}}}}]"),
         "claims"},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(places); i++) {
        PS_AUTO_BUF(listed, 128);
        PS_AUTO_BUF(others, 128);
        PS_AUTO_BUF(words, 128);

        ps_buf_printf(&words, ": x is not among spec.policy.%s of PlatformAccount zone",
                      places[i].field);
        ps_buf_printf(&listed, "{'%s': ['y', 'x']}", places[i].field);
        ps_buf_printf(&others, "{'%s': ['y', 'xx', '']}", places[i].field);
        const struct row fine = {places[i].patch, NULL};
        const struct row refused = {places[i].patch, ps_buf_text(&words)};

        check_rows(PLAIN, "{}", false, &refused, 1);
        check_rows(PLAIN, ps_buf_text(&others), false, &refused, 1);
        check_rows(PLAIN, ps_buf_text(&listed), false, &fine, 1);
        check_rows(PLAIN, "{}", true, &fine, 1); /* its own namespace */
        ps_buf_clear(&listed);
        ps_buf_printf(&listed, "{'%s': ['*']}", places[i].field);
        check_rows(PLAIN, ps_buf_text(&listed), false, &fine, 1);
    }
}

static void service_accounts_have_to_be_listed(void **state)
{
    static const struct {
        const char *policy, *patch;
        bool own, fine;
    } rows[] = {
        {"{}", "{}", false, true},
        {"{}", "{}", true, true},
        {"{}", POD("'serviceAccountName': 'default'"), false, true},
        {"{}", POD("'serviceAccountName': 'runner'"), false, false},
        {"{}", POD("'serviceAccountName': 'runner'"), true, true},
        {"{}", POD("'serviceAccount': 'runner'"), false, false},
        {"{'serviceAccounts': []}", "{}", true, false},
        {"{'serviceAccounts': ['runner']}", "{}", false, false},
        {"{'serviceAccounts': ['runner']}", "{}", true, false},
        {"{'serviceAccounts': ['runner']}", POD("'serviceAccountName': 'runner'"), false, true},
        {"{'serviceAccounts': ['*']}", POD("'serviceAccountName': 'runner'"), false, true},
    };

    (void)state;
    for (size_t i = 0; i < PS_ARRAY_LEN(rows); i++) {
        const struct row row = {rows[i].patch, rows[i].fine ? NULL : "spec.serviceAccountName: "};

        check_rows(PLAIN, rows[i].policy, rows[i].own, &row, 1);
    }
}

static void a_list_is_walked_with_its_paths(void **state)
{
    static const struct row rows[] = {
        {POD("'volumes': {'hostPath': {}}, 'containers': 7"), NULL}, /* no lists: nothing is run */
        {POD("'volumes': [7, null, {'hostPath': 'x'}]"), "spec.volumes[2].hostPath"},
    };

    (void)state;
    check_rows(PLAIN, "{}", false, rows, PS_ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_of_baseline_is_kept),
        cmocka_unit_test(every_rule_of_restricted_is_kept),
        cmocka_unit_test(names_elsewhere_have_to_be_listed),
        cmocka_unit_test(service_accounts_have_to_be_listed),
        cmocka_unit_test(a_list_is_walked_with_its_paths),
    };

    codec_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
