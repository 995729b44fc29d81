/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl-penstock: the commands, their flags, exit codes. */
#include "plugin.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define CLUSTER_FLAGS (PLUGIN_BIT(PLUGIN_KUBECONFIG) | PLUGIN_BIT(PLUGIN_CONTEXT))

static const char usage[] =
    "usage: kubectl penstock COMMAND\n"
    "\n"
    "  lint [--kind stream|task] [--name NAME] DEFINITION…   check definitions, without a cluster\n"
    "  lint -f FILE…          check the documents of Penstock's kinds; - is standard input\n"
    "  lint --jsonl [-f FILE] check JSON lines {\"kind\",\"name\",\"text\"}, an answer for each\n"
    "  stream platform-list   the accounts that streams can be deployed to\n"
    "  task platform-list     the accounts that tasks can be launched on\n"
    "  release [-A | -n NAMESPACE] [--yes] [NAME…]\n"
    "                         take Penstock's finalizers off for good, before it is uninstalled\n"
    "  version                the version of this program\n"
    "  help                   this text\n"
    "\n"
    "  --kubeconfig FILE, --context NAME   the cluster, as kubectl has them\n"
    "\n"
    "Exit codes: 0 all is well, 1 something was found or failed, 64 wrong usage, 78 no usable\n"
    "kubeconfig.\n";

static int run_help(const struct plugin_options *options)
{
    (void)options;
    (void)fputs(usage, stdout);
    return 0;
}

static int run_version(const struct plugin_options *options)
{
    (void)options;
    (void)puts("kubectl-penstock " PENSTOCK_VERSION);
    return 0;
}

static const struct command {
    const char *words[2]; /* the second may be NULL */
    unsigned int flags;
    bool has_arguments;
    int (*run)(const struct plugin_options *options);
} commands[] = {
    {{"lint", NULL},
     PLUGIN_BIT(PLUGIN_FILE) | PLUGIN_BIT(PLUGIN_KIND) | PLUGIN_BIT(PLUGIN_NAME) |
         PLUGIN_BIT(PLUGIN_JSONL),
     true,
     plugin_lint},
    {{"stream", "platform-list"}, CLUSTER_FLAGS, false, plugin_stream_platforms},
    {{"task", "platform-list"}, CLUSTER_FLAGS, false, plugin_task_platforms},
    {{"release", NULL},
     CLUSTER_FLAGS | PLUGIN_BIT(PLUGIN_NAMESPACE) | PLUGIN_BIT(PLUGIN_ALL_NAMESPACES) |
         PLUGIN_BIT(PLUGIN_YES),
     true,
     plugin_release},
    {{"version", NULL}, 0, false, run_version},
    {{"help", NULL}, 0, false, run_help},
};

static const struct command *find_command(const struct plugin_options *options, size_t *words)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(commands); i++) {
        const struct command *command = &commands[i];

        *words = command->words[1] != NULL ? 2 : 1;
        if (options->word_count >= *words && ps_streq(options->words[0], command->words[0]) &&
            (*words == 1 || ps_streq(options->words[1], command->words[1])))
            return command;
    }
    return NULL;
}

static int run(struct plugin_options *options)
{
    size_t words;

    if (plugin_has(options, PLUGIN_HELP))
        return run_help(options);
    if (options->word_count == 0)
        return plugin_usage_error("a command is missing", NULL);
    const struct command *command = find_command(options, &words);

    if (command == NULL) {
        return plugin_usage_error(
            "unknown command",
            options->word_count == 1
                ? options->words[0]
                : ps_arena_printf(&options->arena, "%s %s", options->words[0], options->words[1]));
    }
    if (plugin_options_check(options, command->flags) != 0)
        return PLUGIN_USAGE;
    options->words += words;
    options->word_count -= words;
    if (!command->has_arguments && options->word_count > 0)
        return plugin_usage_error("this command takes no argument", options->words[0]);
    return command->run(options);
}

int main(int argc, char **argv, char **environment)
{
    struct plugin_options options = {.environment = environment};
    const struct rlimit no_core = {0, 0};

    /* Credentials live in memory: no core file may hold them. */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_DUMPABLE, 0);
    ps_log_set_level(PS_LOG_ERROR);
    codec_init();
    ps_arena_init(&options.arena);
    int rc = plugin_options_read(&options, argc, argv);

    if (rc == 0)
        rc = run(&options);
    ps_arena_fini(&options.arena);
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc == 0) {
        (void)fputs("kubectl penstock: standard output can't be written\n", stderr);
        rc = PLUGIN_FINDINGS;
    }
    return rc;
}
