/* SPDX-License-Identifier: Apache-2.0 */
/* Counts exchanges with the API server under client-go's name. No URL and no name of an object is
 * ever a label. */
#include "internal.h"

#include <string.h>

#define SEEN_MAX 32 /* answers that need no look-up; servers give a dozen */

static const struct metrics_desc requests_desc = {
    .name = "rest_client_requests_total",
    .help = "Number of HTTP requests, partitioned by status code, method, and host.",
    .type = METRICS_COUNTER,
    .labels = {"code", "host", "method"},
};

struct kube__tally {
    struct metrics *metrics;
    char *host; /* with its port */
    size_t seen_count;

    struct {
        const char *method; /* of verbs: static */
        int status;
        struct metrics_value *value;
    } seen[SEEN_MAX];
};

static struct metrics_value *series_of(const struct kube__tally *tally, const char *method,
                                       int status)
{
    PS_AUTO_BUF(code, 16);

    if (status > 0) {
        ps_buf_printf(&code, "%d", status);
    } else {
        ps_buf_str(&code, "<error>"); /* client-go's word */
    }
    return metrics_value(tally->metrics, &requests_desc,
                         (const char *[]){ps_buf_text(&code), tally->host, method});
}

struct kube__tally *kube__tally_new(struct metrics *metrics, const char *server)
{
    static const char *const methods[] = {"GET", "POST", "PATCH", "DELETE"};
    struct ps_str host = ps_str(server);
    const ptrdiff_t scheme = ps_str_find(host, "://");

    if (metrics == NULL)
        return NULL;
    struct kube__tally *tally = ps_xcalloc(1, sizeof(*tally));

    if (scheme >= 0)
        host = ps_str_skip(host, (size_t)scheme + 3);
    struct ps_str name;

    (void)ps_str_split(&host, '/', &name);
    tally->metrics = metrics;
    tally->host = ps_xstrndup(name.p, name.n);
    for (size_t i = 0; i < PS_ARRAY_LEN(methods); i++)
        (void)series_of(tally, methods[i], 0);
    return tally;
}

void kube__tally_free(struct kube__tally *tally)
{
    if (tally == NULL)
        return;
    ps_free(tally->host);
    ps_free(tally);
}

void kube__tally_add(struct kube__tally *tally, const char *method, int status)
{
    size_t i = 0;

    if (tally == NULL)
        return;
    while (i < tally->seen_count &&
           (tally->seen[i].status != status || strcmp(tally->seen[i].method, method) != 0))
        i++;
    if (i < tally->seen_count) {
        metrics_add(tally->seen[i].value, 1);
        return;
    }
    struct metrics_value *value = series_of(tally, method, status);

    metrics_add(value, 1);
    if (i == SEEN_MAX)
        return;
    tally->seen[i].method = method;
    tally->seen[i].status = status;
    tally->seen[i].value = value;
    tally->seen_count++;
}
