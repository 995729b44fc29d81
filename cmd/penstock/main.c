/* SPDX-License-Identifier: Apache-2.0 */
/* penstock: flags, wiring, exit codes. */
#include "operator/operator.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef PENSTOCK_VERSION
#define PENSTOCK_VERSION "dev"
#endif

#define EXIT_USAGE 64          /* sysexits.h: EX_USAGE */
#define EXIT_CONFIG 78         /* EX_CONFIG */
#define GRACE_MS 25000         /* below the pod's 30 s */
#define NAMESPACE_DEFAULT "penstock-system"

struct options {
    const char *kubeconfig, *context, *service_account_dir, *health_address, *installation, *namespace;
    struct ps_arena arena;
    struct model_properties account_vars;
};

static const char usage[] =
    "usage: penstock [flags]\n"
    "  --kubeconfig FILE                 default: $KUBECONFIG, then the pod's service account\n"
    "  --context NAME                    of the kubeconfig; default: its current-context\n"
    "  --namespace NAME                  the operator's own; default: $POD_NAMESPACE, then the service account's\n"
    "  --installation ID                 marks what this operator made; default: the uid of its namespace\n"
    "  --account-var NAME=VALUE          resolves ${NAME} in PlatformAccounts' properties; may be repeated\n"
    "  --health-probe-bind-address ADDR  /healthz and /readyz; default :8081, 0 = none\n"
    "  --service-account-dir DIR         default " KUBE_SERVICE_ACCOUNT_DIR "\n"
    "  --log-level LEVEL                 error, warn, info (default) or debug\n"
    "  --version, --help\n";

static int usage_error(const char *what, const char *value)
{
    (void)fprintf(stderr, "penstock: %s%s%s\n%s", what, value ? ": " : "", value ? value : "", usage);
    return EXIT_USAGE;
}

static int set_level(const char *text)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (size_t i = 0; i < PS_ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0) {
            ps_log_set_level((enum ps_log_level)i);
            return 0;
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

enum flag { KUBECONFIG = 256, CONTEXT, NAMESPACE, INSTALLATION, ACCOUNT_VAR, HEALTH, SA_DIR, LOG_LEVEL, VERSION, HELP };

static const struct option flags[] = {
    {"kubeconfig", required_argument, NULL, KUBECONFIG},
    {"context", required_argument, NULL, CONTEXT},
    {"namespace", required_argument, NULL, NAMESPACE},
    {"installation", required_argument, NULL, INSTALLATION},
    {"account-var", required_argument, NULL, ACCOUNT_VAR},
    {"health-probe-bind-address", required_argument, NULL, HEALTH},
    {"service-account-dir", required_argument, NULL, SA_DIR},
    {"log-level", required_argument, NULL, LOG_LEVEL},
    {"version", no_argument, NULL, VERSION},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

/* 0: go on; -1: done, exit 0; else an exit code. */
static int read_flag(struct options *options, int flag, const char *value)
{
    switch (flag) {
    case KUBECONFIG:
        options->kubeconfig = value;
        return 0;
    case CONTEXT:
        options->context = value;
        return 0;
    case NAMESPACE:
        options->namespace = value;
        return 0;
    case INSTALLATION:
        options->installation = value;
        return 0;
    case ACCOUNT_VAR:
        return add_variable(options, value);
    case HEALTH:
        options->health_address = strcmp(value, "0") == 0 ? NULL : value;
        return 0;
    case SA_DIR:
        options->service_account_dir = value;
        return 0;
    case LOG_LEVEL:
        return set_level(value);
    case VERSION:
        (void)puts("penstock " PENSTOCK_VERSION);
        return -1;
    case HELP:
        (void)fputs(usage, stdout);
        return -1;
    default:
        return usage_error("unknown flag", NULL);
    }
}

static int read_flags(struct options *options, int argc, char **argv)
{
    int flag, rc = 0;

    while (rc == 0 && (flag = getopt_long(argc, argv, "", flags, NULL)) != -1)
        rc = read_flag(options, flag, optarg);
    if (rc == 0 && optind < argc)
        rc = usage_error("unexpected argument", argv[optind]);
    return rc;
}

/* Environment is read here and nowhere else, before any thread exists. */
static const char *environment(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): main has one thread now */

    return value != NULL && *value != '\0' ? value : NULL;
}

static int load_config(const struct options *options, struct kube_config *config, struct ps_err *err)
{
    const char *path = options->kubeconfig ? options->kubeconfig : environment("KUBECONFIG");

    if (path != NULL)
        return kube_config_load(config, path, options->context, err);
    return kube_config_in_cluster(config, environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT"),
                                  options->service_account_dir, err);
}

struct program {
    struct loop *loop;
    struct operator *op;
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

static int run(struct program *program, struct kube_client *client, const struct operator_options *options, struct ps_err *err)
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
    const char *namespace = options->namespace ? options->namespace : environment("POD_NAMESPACE");
    const char *instance = environment("POD_NAME");
    const struct operator_options operator_options = {
        .namespace = namespace ? namespace : config.namespace ? config.namespace : NAMESPACE_DEFAULT,
        .installation = options->installation, .instance = instance ? instance : "penstock",
        .health_address = options->health_address, .account_vars = &options->account_vars,
    };

    program.loop = loop_new();
    struct kube_client *client = kube_client_new(program.loop, &config, "penstock/" PENSTOCK_VERSION " (linux)");
    const int rc = run(&program, client, &operator_options, &err);

    if (rc != 0)
        ps_log(PS_LOG_ERROR, "start", "error", err.message, NULL);
    kube_client_free(client);
    loop_free(program.loop);
    kube_config_fini(&config);
    return rc != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options = {.service_account_dir = KUBE_SERVICE_ACCOUNT_DIR, .health_address = ":8081"};
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
