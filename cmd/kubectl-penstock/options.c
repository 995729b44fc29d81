/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: flags stand anywhere, as kubectl's own do, and end at "--". */
#include "plugin.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *short_name; /* short_name may be NULL */
    bool has_value;
} flags[] = {
    [PLUGIN_FILE] = {"--filename", "-f", true},
    [PLUGIN_KIND] = {"--kind", NULL, true},
    [PLUGIN_NAME] = {"--name", NULL, true},
    [PLUGIN_JSONL] = {"--jsonl", NULL, false},
    [PLUGIN_KUBECONFIG] = {"--kubeconfig", NULL, true},
    [PLUGIN_CONTEXT] = {"--context", NULL, true},
    [PLUGIN_NAMESPACE] = {"--namespace", "-n", true},
    [PLUGIN_ALL_NAMESPACES] = {"--all-namespaces", "-A", false},
    [PLUGIN_YES] = {"--yes", NULL, false},
    [PLUGIN_HELP] = {"--help", "-h", false},
};

_Static_assert(PS_ARRAY_LEN(flags) == PLUGIN_FLAG_COUNT, "one row for each flag");

int plugin_usage_error(const char *what, const char *value)
{
    (void)fprintf(stderr, "kubectl penstock: %s%s%s\nSee 'kubectl penstock help'.\n", what,
                  value ? ": " : "", value ? value : "");
    return PLUGIN_USAGE;
}

int plugin_fail(const char *what, const struct ps_err *err)
{
    (void)fprintf(stderr, "kubectl penstock: %s: %s\n", what, err->message);
    return PLUGIN_FINDINGS;
}

bool plugin_has(const struct plugin_options *options, enum plugin_flag flag)
{
    return (options->given & PLUGIN_BIT(flag)) != 0;
}

const char *plugin_environment(const struct plugin_options *options, const char *name)
{
    const size_t n = strlen(name);

    for (char **variable = options->environment; *variable != NULL; variable++) {
        if (strncmp(*variable, name, n) == 0 && (*variable)[n] == '=')
            return (*variable)[n + 1] != '\0' ? *variable + n + 1 : NULL;
    }
    return NULL;
}

/* The flag of "--name", "--name=value", "-n" or "-n=value"; -1 when there is none. */
static int find_flag(const char *text)
{
    const struct ps_str whole = ps_str(text);
    const ptrdiff_t equals = ps_str_index(whole, '=');
    const struct ps_str name = equals < 0 ? whole : ps_str_head(whole, (size_t)equals);

    for (size_t i = 0; i < PS_ARRAY_LEN(flags); i++) {
        if (ps_str_is(name, flags[i].name) ||
            (flags[i].short_name != NULL && ps_str_is(name, flags[i].short_name)))
            return (int)i;
    }
    return -1;
}

/* `next` is the argument behind it, or NULL; *used says whether that was its value. */
static int read_flag(struct plugin_options *options, const char *text, const char *next, bool *used)
{
    const int flag = find_flag(text);
    const char *equals = strchr(text, '=');

    *used = false;
    if (flag < 0)
        return plugin_usage_error("unknown flag", text);
    options->given |= PLUGIN_BIT(flag);
    if (!flags[flag].has_value)
        return equals == NULL ? 0 : plugin_usage_error("this flag takes no value", text);
    if (equals == NULL && next == NULL)
        return plugin_usage_error("a value is missing", text);
    *used = equals == NULL;
    options->values[flag] = equals != NULL ? equals + 1 : next;
    if (flag == PLUGIN_FILE)
        options->files[options->file_count++] = options->values[flag];
    return 0;
}

int plugin_options_read(struct plugin_options *options, int argc, char **argv)
{
    bool flags_end = false, used;

    options->files = ps_arena_array(&options->arena, (size_t)argc, sizeof(*options->files));
    options->words = ps_arena_array(&options->arena, (size_t)argc, sizeof(*options->words));
    for (int i = 1; i < argc; i++) {
        if (!flags_end && strcmp(argv[i], "--") == 0) {
            flags_end = true;
            continue;
        }
        if (flags_end || argv[i][0] != '-' || argv[i][1] == '\0') {
            options->words[options->word_count++] = argv[i];
            continue;
        }
        const int rc = read_flag(options, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used);

        if (rc != 0)
            return rc;
        i += used ? 1 : 0;
    }
    return 0;
}

int plugin_options_check(const struct plugin_options *options, unsigned int allowed)
{
    for (size_t i = 0; i < PS_ARRAY_LEN(flags); i++) {
        if ((options->given & PLUGIN_BIT(i) & ~allowed) != 0)
            return plugin_usage_error("this command has no such flag", flags[i].name);
    }
    return 0;
}
