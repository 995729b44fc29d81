/* SPDX-License-Identifier: Apache-2.0 */
/* penstock: flags, wiring, exit codes. */
#include "operator/operator.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef PENSTOCK_VERSION
#    define PENSTOCK_VERSION "dev"
#endif

#define EXIT_USAGE        64    /* sysexits.h: EX_USAGE */
#define EXIT_CONFIG       78    /* EX_CONFIG */
#define GRACE_MS          25000 /* below the pod's 30 s */
#define NAMESPACE_DEFAULT "penstock-system"

struct options {
    const char *kubeconfig, *context, *service_account_dir, *health_address, *installation,
        *namespace;
    char **environment;
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
    "  --health-probe-bind-address ADDR  /healthz and /readyz; default :8081, 0 = none\n"
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
    FLAG_HEALTH,
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
    [FLAG_HEALTH] = "--health-probe-bind-address",
    [FLAG_SERVICE_ACCOUNT_DIR] = "--service-account-dir",
    [FLAG_LOG_LEVEL] = "--log-level",
    [FLAG_VERSION] = "--version",
    [FLAG_HELP] = "--help",
};

/* 0: go on; -1: done, exit 0; else an exit code. */
static int read_flag(struct options *options, enum flag flag, const char *value)
{
    switch (flag) {
    case FLAG_KUBECONFIG:
        options->kubeconfig = value;
        return 0;
    case FLAG_CONTEXT:
        options->context = value;
        return 0;
    case FLAG_NAMESPACE:
        options->namespace = value;
        return 0;
    case FLAG_INSTALLATION:
        options->installation = value;
        return 0;
    case FLAG_ACCOUNT_VAR:
        return add_variable(options, value);
    case FLAG_HEALTH:
        options->health_address = strcmp(value, "0") == 0 ? NULL : value;
        return 0;
    case FLAG_SERVICE_ACCOUNT_DIR:
        options->service_account_dir = value;
        return 0;
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
        const bool alone = flag == FLAG_VERSION || flag == FLAG_HELP;

        if (flag < 0 || (alone && equals != NULL))
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
    struct controller *op;
    bool stopping;
};

static void on_stopped(void *self)
{
    struct program *program = self;

    loop_stop(program->loop);
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
    loop_run(program->loop);
    operator_free(program->op);
    loop_signal_free(term);
    loop_signal_free(interrupt);
    ps_log(PS_LOG_INFO, "stopped", NULL);
    return 0;
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
    const struct operator_options operator_options = {
        .namespace = namespace          ? namespace
                     : config.namespace ? config.namespace
                                        : NAMESPACE_DEFAULT,
        .installation = options->installation,
        .instance = instance ? instance : "penstock",
        .health_address = options->health_address,
        .account_vars = &options->account_vars,
    };

    program.loop = loop_new();
    struct kube_client *client =
        kube_client_new(program.loop, &config, "penstock/" PENSTOCK_VERSION " (linux)");
    const int rc = run(&program, client, &operator_options, &err);

    if (rc != 0)
        ps_log(PS_LOG_ERROR, "start", "error", err.message, NULL);
    kube_client_free(client);
    loop_free(program.loop);
    kube_config_fini(&config);
    return rc != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
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
    ps_arena_init(&options.arena);
    ps_log_set_clock(loop_wall_ms);
    int rc = read_flags(&options, argc, argv);

    if (rc == 0) {
        codec_init();
        http_global_init();
        rc = start(&options);
        http_global_fini();
    }
    ps_arena_fini(&options.arena);
    return rc < 0 ? EXIT_SUCCESS : rc;
}
