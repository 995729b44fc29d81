/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that take long, and what for. */
#include "exec/internal.h"

#define CALLS_TOLD_MAX 3
#define WORDS_MAX      ((size_t)2048)

void exec__job_print(const struct exec__job *job, struct ps_buf *out)
{
    size_t told = 0;

    for (const struct exec__call *call = job->calls; call != NULL && told < CALLS_TOLD_MAX;
         call = call->next) {
        if (told++ > 0)
            ps_buf_str(out, ", ");
        kube_call_print(call->call, out);
    }
    if (job->pending > told)
        ps_buf_printf(out, " and %zu more", job->pending - told);
}

size_t exec_tell_slow(struct exec *exec, int64_t slow_ms)
{
    const int64_t now = loop_now_ms();
    size_t count = 0, at = 0;
    const char *key;
    void *value;

    while (ps_map_next(&exec->jobs, &at, &key, &value)) {
        struct exec__job *job = value;
        PS_AUTO_BUF(words, WORDS_MAX);
        PS_AUTO_BUF(seconds, 32);

        if (job->told_slow || now - job->started_ms < slow_ms)
            continue;
        job->told_slow = true;
        count++;
        exec__job_print(job, &words);
        ps_buf_printf(&seconds, "%lld", (long long)((now - job->started_ms) / 1000));
        ps_log(PS_LOG_WARN, "job_slow", "key", key, "seconds", ps_buf_text(&seconds), "waits_for",
               ps_buf_text(&words), NULL);
    }
    return count;
}
