/* SPDX-License-Identifier: Apache-2.0 */
/* penstock: flags, wiring, exit codes. */
#include "operator/operator.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef PENSTOCK_VERSION
#    define PENSTOCK_VERSION "dev"
#endif

#define EXIT_USAGE        64    /* sysexits.h: EX_USAGE */
#define EXIT_CONFIG       78    /* EX_CONFIG */
#define GRACE_MS          25000 /* below the pod's 30 s */
#define NAMESPACE_DEFAULT "penstock-system"
#define LEASE_DEFAULT     "penstock"
#define HOST_NAME_SIZE    256 /* HOST_NAME_MAX is 64 on Linux */
#define USER_AGENT        "penstock/" PENSTOCK_VERSION " (linux)"

struct options {
    const char *kubeconfig, *context, *service_account_dir, *health_address, *metrics_address,
        *installation, *namespace;
    bool leader_elect, allow_skip_verify;
    struct kube_lease_options lease; /* its namespace: NULL = the operator's */
    char **environment;
    bool metrics_secure;
    const char *metrics_cert_dir, *debug_address;
    struct ps_arena arena;
    struct model_properties account_vars;
};

static const char usage[] =
    "usage: penstock [flags]\n"
    "  --kubeconfig FILE                 default: $KUBECONFIG, then the pod's service account\n"
    "  --context NAME                    of the kubeconfig; default: its current-context\n"
    "  --namespace NAME                  the operator's own; default: $POD_NAMESPACE, then the "
    "service account's\n"
    "  --installation ID                 marks what this operator made; default: the uid of its "
    "namespace\n"
    "  --account-var NAME=VALUE          resolves ${NAME} in PlatformAccounts' properties; may be "
    "repeated\n"
    "  --allow-skip-verify[=true|false]  Secrets of other clusters may do without TLS "
    "verification; "
    "default false\n"
    "  --health-probe-bind-address ADDR  /healthz and /readyz; default :8081, 0 = none\n"
    "  --metrics-bind-address ADDR       /metrics; default 0 = none\n"
    "  --metrics-secure[=true|false]     /metrics over TLS, for whom the API server allows it; "
    "default false\n"
    "  --metrics-cert-path DIR           tls.crt and tls.key for that; default: made up at start\n"
    "  --debug-bind-address ADDR         /debug, on loopback only; default 0 = none\n"
    "  --leader-elect[=true|false]       lead only while holding a Lease; default false\n"
    "  --leader-elect-lease-duration D   how long others respect it; default 15s\n"
    "  --leader-elect-renew-deadline D   how long a leader goes on unrenewed; default 10s\n"
    "  --leader-elect-retry-period D     between two renewals; default 2s\n"
    "  --leader-elect-resource-namespace NAME  of the Lease; default: the operator's own\n"
    "  --leader-elect-resource-name NAME       default " LEASE_DEFAULT "\n"
    "  --service-account-dir DIR         default " KUBE_SERVICE_ACCOUNT_DIR "\n"
    "  --log-level LEVEL                 error, warn, info (default) or debug\n"
    "  --version, --help\n";

static int usage_error(const char *what, const char *value)
{
    (void)fprintf(stderr, "penstock: %s%s%s\n%s", what, value ? ": " : "", value ? value : "",
                  usage);
    return EXIT_USAGE;
}

static int set_level(const char *text)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            ps_log_set_level((enum ps_log_level)i);
            return 0;
        }
    }
    return usage_error("--log-level: expected error, warn, info or debug, found", text);
}

static int add_variable(struct options *options, const char *text)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text)
        return usage_error("--account-var: expected NAME=VALUE, found", text);
    const char *name = ps_arena_str(&options->arena, ps_str_n(text, (size_t)(equals - text)));

    model_properties_put(&options->arena, &options->account_vars, name, equals + 1);
    return 0;
}

enum flag {
    FLAG_KUBECONFIG,
    FLAG_CONTEXT,
    FLAG_NAMESPACE,
    FLAG_INSTALLATION,
    FLAG_ACCOUNT_VAR,
    FLAG_SKIP_VERIFY,
    FLAG_HEALTH,
    FLAG_METRICS,
    FLAG_METRICS_SECURE,
    FLAG_METRICS_CERT,
    FLAG_DEBUG,
    FLAG_LEADER_ELECT,
    FLAG_LEASE_DURATION,
    FLAG_RENEW_DEADLINE,
    FLAG_RETRY_PERIOD,
    FLAG_LEASE_NAMESPACE,
    FLAG_LEASE_NAME,
    FLAG_SERVICE_ACCOUNT_DIR,
    FLAG_LOG_LEVEL,
    FLAG_VERSION,
    FLAG_HELP,
};

static const char *const flag_names[] = {
    [FLAG_KUBECONFIG] = "--kubeconfig",
    [FLAG_CONTEXT] = "--context",
    [FLAG_NAMESPACE] = "--namespace",
    [FLAG_INSTALLATION] = "--installation",
    [FLAG_ACCOUNT_VAR] = "--account-var",
    [FLAG_SKIP_VERIFY] = "--allow-skip-verify",
    [FLAG_HEALTH] = "--health-probe-bind-address",
    [FLAG_METRICS] = "--metrics-bind-address",
    [FLAG_METRICS_SECURE] = "--metrics-secure",
    [FLAG_DEBUG] = "--debug-bind-address",
    [FLAG_METRICS_CERT] = "--metrics-cert-path",
    [FLAG_LEADER_ELECT] = "--leader-elect",
    [FLAG_LEASE_DURATION] = "--leader-elect-lease-duration",
    [FLAG_RENEW_DEADLINE] = "--leader-elect-renew-deadline",
    [FLAG_RETRY_PERIOD] = "--leader-elect-retry-period",
    [FLAG_LEASE_NAMESPACE] = "--leader-elect-resource-namespace",
    [FLAG_LEASE_NAME] = "--leader-elect-resource-name",
    [FLAG_SERVICE_ACCOUNT_DIR] = "--service-account-dir",
    [FLAG_LOG_LEVEL] = "--log-level",
    [FLAG_VERSION] = "--version",
    [FLAG_HELP] = "--help",
};

static int bad_value(enum flag flag, const char *expected, const char *value)
{
    (void)fprintf(stderr, "penstock: %s: expected %s, found %s\n%s", flag_names[flag], expected,
                  value, usage);
    return EXIT_USAGE;
}

static int read_switch(bool *on, enum flag flag, const char *value)
{
    *on = value == NULL || strcmp(value, "true") == 0;
    if (*on || strcmp(value, "false") == 0)
        return 0;
    return bad_value(flag, "true or false", value);
}

static int read_duration(int64_t *ms, enum flag flag, const char *value)
{
    if (codec_duration(ps_str(value), ms) && *ms > 0)
        return 0;
    return bad_value(flag, "a duration above 0 like 15s", value);
}

static const char *address(const char *value)
{
    return strcmp(value, "0") == 0 ? NULL : value;
}

static int keep(const char **text, const char *value)
{
    *text = value;
    return 0;
}

/* 0: go on; -1: done, exit 0; else an exit code. */
static int read_flag(struct options *options, enum flag flag, const char *value)
{
    switch (flag) {
    case FLAG_KUBECONFIG:
        return keep(&options->kubeconfig, value);
    case FLAG_CONTEXT:
        return keep(&options->context, value);
    case FLAG_NAMESPACE:
        return keep(&options->namespace, value);
    case FLAG_INSTALLATION:
        return keep(&options->installation, value);
    case FLAG_ACCOUNT_VAR:
        return add_variable(options, value);
    case FLAG_SKIP_VERIFY:
        return read_switch(&options->allow_skip_verify, flag, value);
    case FLAG_HEALTH:
        options->health_address = address(value);
        return 0;
    case FLAG_METRICS:
        options->metrics_address = address(value);
        return 0;
    case FLAG_METRICS_SECURE:
        return read_switch(&options->metrics_secure, flag, value);
    case FLAG_DEBUG:
        options->debug_address = address(value);
        return 0;
    case FLAG_METRICS_CERT:
        return keep(&options->metrics_cert_dir, value);
    case FLAG_LEADER_ELECT:
        return read_switch(&options->leader_elect, flag, value);
    case FLAG_LEASE_DURATION:
        return read_duration(&options->lease.duration_ms, flag, value);
    case FLAG_RENEW_DEADLINE:
        return read_duration(&options->lease.renew_deadline_ms, flag, value);
    case FLAG_RETRY_PERIOD:
        return read_duration(&options->lease.retry_ms, flag, value);
    case FLAG_LEASE_NAMESPACE:
        return keep(&options->lease.namespace, value);
    case FLAG_LEASE_NAME:
        return keep(&options->lease.name, value);
    case FLAG_SERVICE_ACCOUNT_DIR:
        return keep(&options->service_account_dir, value);
    case FLAG_LOG_LEVEL:
        return set_level(value);
    case FLAG_VERSION:
        (void)puts("penstock " PENSTOCK_VERSION);
        return -1;
    case FLAG_HELP:
        (void)fputs(usage, stdout);
        return -1;
    }
    ps_unreachable();
}

/* The index of the flag in `text` ("--name" or "--name=value"), or -1. */
static int find_flag(const char *text)
{
    const char *equals = strchr(text, '=');
    const size_t n = equals != NULL ? (size_t)(equals - text) : strlen(text);

    for (size_t i = 0; i < PS_ARRAY_LEN(flag_names); i++) {
        if (strlen(flag_names[i]) == n && strncmp(flag_names[i], text, n) == 0)
            return (int)i;
    }
    return -1;
}

static int read_flags(struct options *options, int argc, char **argv)
{
    int rc = 0;

    for (int i = 1; rc == 0 && i < argc; i++) {
        const int flag = find_flag(argv[i]);
        const char *equals = strchr(argv[i], '=');
        const bool bare = flag == FLAG_VERSION || flag == FLAG_HELP;
        const bool alone = bare || flag == FLAG_LEADER_ELECT || flag == FLAG_METRICS_SECURE ||
                           flag == FLAG_SKIP_VERIFY;

        if (flag < 0 || (bare && equals != NULL))
            return usage_error("unknown flag or argument", argv[i]);
        if (!alone && equals == NULL && i + 1 == argc)
            return usage_error("a value is missing", argv[i]);
        const char *value = equals != NULL ? equals + 1 : alone ? NULL : argv[++i];

        rc = read_flag(options, (enum flag)flag, value);
    }
    return rc;
}

/* The value of a variable; NULL when it is unset or empty. Environment is read here and nowhere
 * else. */
static const char *environment(const struct options *options, const char *name)
{
    const size_t n = strlen(name);

    for (char **variable = options->environment; *variable != NULL; variable++) {
        const char *value = *variable + n + 1;

        if (strncmp(*variable, name, n) == 0 && (*variable)[n] == '=' && *value != '\0')
            return value;
    }
    return NULL;
}

static int load_config(const struct options *options, struct kube_config *config,
                       struct ps_err *err)
{
    const char *paths = environment(options, "KUBECONFIG");

    if (options->kubeconfig != NULL)
        return kube_config_load(config, options->kubeconfig, options->context, err);
    if (paths != NULL)
        return kube_config_load_list(config, paths, options->context, err);
    return kube_config_in_cluster(config, environment(options, "KUBERNETES_SERVICE_HOST"),
                                  environment(options, "KUBERNETES_SERVICE_PORT"),
                                  options->service_account_dir, err);
}

struct program {
    struct loop *loop;
    struct metrics *metrics;
    struct kube_lease *lease; /* NULL: no leader election */
    struct controller *op;
    bool stopping;
};

/* ---- leadership ----------------------------------------------------------------------------- */

static void on_gained(void *self)
{
    struct program *program = self;

    operator_lead(program->op);
}

/* Another may lead already: nothing is tidied up, since that could write. */
static void on_lost(void *self, const char *why)
{
    (void)self;
    (void)why;
    _Exit(EXIT_FAILURE);
}

/* Never that of another process, nor of an earlier one of this pod. */
static void print_identity(struct ps_buf *out, const char *pod)
{
    char host[HOST_NAME_SIZE] = "penstock";

    if (pod == NULL)
        (void)gethostname(host, sizeof(host) - 1);
    ps_buf_printf(out, "%s_%08llx%08llx", pod ? pod : host,
                  (unsigned long long)loop_random((uint64_t)1 << 32),
                  (unsigned long long)loop_random((uint64_t)1 << 32));
}

static int start_lease(struct program *program, const struct options *options,
                       const struct kube_config *config,
                       const struct operator_options *operator_options, struct ps_err *err)
{
    const struct kube_lease_callbacks callbacks = {
        .on_gained = on_gained, .on_lost = on_lost, .self = program};
    struct kube_lease_options lease = options->lease;
    PS_AUTO_BUF(identity, 1024);

    if (!options->leader_elect)
        return 0;
    print_identity(&identity, environment(options, "POD_NAME"));
    if (ps_buf_failed(&identity))
        return ps_fail(err, PS_ELIMIT, "POD_NAME: too long");
    lease.identity = ps_buf_text(&identity);
    lease.namespace = lease.namespace ? lease.namespace : operator_options->namespace;
    lease.name = lease.name ? lease.name : LEASE_DEFAULT;
    lease.user_agent = USER_AGENT;
    lease.metrics = program->metrics;
    program->lease = kube_lease_new(program->loop, config, &lease, &callbacks, err);
    return program->lease != NULL ? 0 : err->code;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void on_released(void *self)
{
    struct program *program = self;

    loop_stop(program->loop);
}

/* With a write under way the lease is kept, and expires: that write may still take effect. */
static void on_stopped(void *self)
{
    struct program *program = self;

    if (program->lease != NULL && operator_is_at_rest(program->op)) {
        kube_lease_release(program->lease, on_released, program);
    } else {
        loop_stop(program->loop);
    }
}

/* The first signal lets the running work end; the second one does not wait. */
static void on_signal(void *self, int signum)
{
    struct program *program = self;

    if (program->stopping)
        _Exit(1);
    program->stopping = true;
    ps_log(PS_LOG_INFO, "stopping", "signal", signum == SIGINT ? "SIGINT" : "SIGTERM", NULL);
    operator_stop(program->op, GRACE_MS, on_stopped, program);
}

static int run(struct program *program, struct kube_client *client,
               const struct operator_options *options, struct ps_err *err)
{
    program->op = operator_new(program->loop, client, options, err);
    if (program->op == NULL)
        return err->code;
    struct loop_signal *term = loop_signal_new(program->loop, SIGTERM, on_signal, program);
    struct loop_signal *interrupt = loop_signal_new(program->loop, SIGINT, on_signal, program);

    operator_start(program->op);
    if (program->lease != NULL)
        kube_lease_start(program->lease);
    loop_run(program->loop);
    operator_free(program->op);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    ps_log(PS_LOG_INFO, "stopped", NULL);
    return 0;
}

static struct kube_client *start_client(const struct program *program,
                                        const struct kube_config *config)
{
    struct kube_client *client = kube_client_new(program->loop, config, USER_AGENT);

    kube_client_measure(client, program->metrics);
    if (program->lease != NULL)
        kube_client_fence(client, kube_lease_fence, program->lease);
    return client;
}

/* From here to the end; the registry outlives all that count into it. */
static int live(struct program *program, const struct options *options,
                const struct kube_config *config, struct operator_options *operator_options)
{
    struct ps_err err = {0};
    struct kube_client *client = NULL, *reviewer = NULL;

    program->loop = loop_new();
    loop_measure(program->loop, program->metrics);
    int rc = start_lease(program, options, config, operator_options, &err);

    if (rc == 0) {
        operator_options->lease = program->lease;
        client = start_client(program, config);
        if (options->metrics_secure)
            reviewer = kube_client_new(program->loop, config, USER_AGENT);
        operator_options->reviewer = reviewer;
        rc = run(program, client, operator_options, &err);
    }
    if (rc != 0)
        ps_log(PS_LOG_ERROR, "start", "error", err.message, NULL);
    kube_client_free(client);
    kube_client_free(reviewer);
    kube_lease_free(program->lease);
    loop_free(program->loop);
    return rc != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static struct metrics *start_metrics(const struct options *options)
{
    struct metrics *metrics = options->metrics_address ? metrics_new() : NULL;

    if (metrics != NULL)
        metrics_process(metrics, PENSTOCK_VERSION, loop_wall_ms());
    return metrics;
}

static int start(struct options *options)
{
    struct kube_config config = {0};
    struct ps_err err = {0};
    struct program program = {0};

    if (load_config(options, &config, &err) != 0) {
        ps_log(PS_LOG_ERROR, "config", "error", err.message, NULL);
        return EXIT_CONFIG;
    }
    config.environment = options->environment;
    const char *namespace =
        options->namespace ? options->namespace : environment(options, "POD_NAMESPACE");
    const char *instance = environment(options, "POD_NAME");

    program.metrics = start_metrics(options);
    struct operator_options operator_options = {
        .namespace = namespace          ? namespace
                     : config.namespace ? config.namespace
                                        : NAMESPACE_DEFAULT,
        .installation = options->installation,
        .user_agent = USER_AGENT,
        .instance = instance ? instance : "penstock",
        .health_address = options->health_address,
        .metrics_address = options->metrics_address,
        .metrics_cert_dir = options->metrics_cert_dir,
        .debug_address = options->debug_address,
        .metrics = program.metrics,
        .account_vars = &options->account_vars,
        .may_skip_verify = options->allow_skip_verify,
    };
    const int rc = live(&program, options, &config, &operator_options);

    metrics_free(program.metrics);
    kube_config_fini(&config);
    return rc;
}

int main(int argc, char **argv, char **environment_list)
{
    struct options options = {.service_account_dir = KUBE_SERVICE_ACCOUNT_DIR,
                              .health_address = ":8081",
                              .environment = environment_list};
    const struct rlimit no_core = {0, 0};

    /* Credentials live in memory: no core file may hold them. */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_DUMPABLE, 0);
    ps_memory_init();
    ps_arena_init(&options.arena);
    ps_log_set_clock(loop_wall_ms);
    int rc = read_flags(&options, argc, argv);

    if (rc == 0 && options.metrics_cert_dir != NULL && !options.metrics_secure)
        rc = usage_error("--metrics-cert-path: without --metrics-secure it means nothing", NULL);

    if (rc == 0) {
        codec_init();
        http_global_init();
        rc = start(&options);
        http_global_fini();
    }
    ps_arena_fini(&options.arena);
    return rc < 0 ? EXIT_SUCCESS : rc;
}
