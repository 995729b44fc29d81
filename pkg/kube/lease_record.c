/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a Lease, read and written. Pure: the wall clock comes as an argument, and is
 * written for people only; nobody decides by it. */
#include "internal.h"

#include <string.h>

#define RECORD_SECONDS_MAX ((int64_t)INT32_MAX) /* the API's type */

const char *kube__lease_holder(const struct json_t *lease)
{
    const char *identity = js_path_str(lease, "spec.holderIdentity");

    return identity ? identity : "";
}

int64_t kube__lease_duration_ms(const struct json_t *lease)
{
    const int64_t seconds = js_path_int(lease, "spec.leaseDurationSeconds", 0);

    if (seconds < 0)
        return 0;
    return (seconds < RECORD_SECONDS_MAX ? seconds : RECORD_SECONDS_MAX) * 1000;
}

bool kube__lease_is_readable(const struct json_t *lease)
{
    const char *rv = js_path_str(lease, "metadata.resourceVersion");

    return rv != NULL && rv[0] != '\0';
}

/* Microseconds in UTC, Kubernetes' MicroTime. */
static void set_time(struct json_t *spec, const char *key, int64_t wall_ms)
{
    char time[PS_TIME_TEXT_SIZE];
    PS_AUTO_BUF(text, 64);

    ps_time_text(wall_ms, time);
    ps_buf_printf(&text, "%.19s.%06dZ", time, (int)(wall_ms % 1000) * 1000);
    js_set_str(spec, key, ps_buf_text(&text));
}

struct json_t *kube__lease_make(const struct json_t *seen, const struct kube__lease_terms *terms,
                                int64_t wall_ms)
{
    const bool keep = seen != NULL && strcmp(kube__lease_holder(seen), terms->identity) == 0;
    const int64_t before = seen != NULL ? js_path_int(seen, "spec.leaseTransitions", 0) : -1;
    struct json_t *object = seen != NULL ? js_copy(seen) : js_object();
    struct json_t *metadata = js_child(object, "metadata"), *spec = js_child(object, "spec");

    js_set_str(object, "apiVersion", "coordination.k8s.io/v1");
    js_set_str(object, "kind", "Lease");
    js_set_str(metadata, "namespace", terms->namespace);
    js_set_str(metadata, "name", terms->name);
    js_set_str(spec, "holderIdentity", terms->identity);
    js_set_int(spec, "leaseDurationSeconds", (terms->duration_ms + 999) / 1000);
    set_time(spec, "renewTime", wall_ms);
    if (!keep || js_get(spec, "acquireTime") == NULL)
        set_time(spec, "acquireTime", wall_ms);
    js_set_int(spec, "leaseTransitions", keep ? before : before + 1);
    return object;
}

struct json_t *kube__lease_make_free(const struct json_t *seen, int64_t wall_ms)
{
    struct json_t *object = js_copy(seen), *spec = js_child(object, "spec");

    js_set_str(spec, "holderIdentity", "");
    js_set_int(spec, "leaseDurationSeconds", 1);
    set_time(spec, "renewTime", wall_ms);
    set_time(spec, "acquireTime", wall_ms);
    return object;
}
