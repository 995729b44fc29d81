/* SPDX-License-Identifier: Apache-2.0 */
/* Small files read whole: kubeconfigs, certificates, tokens. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(struct ps_buf *out, int fd, const char *path, struct ps_err *err)
{
    char piece[4096];
    struct stat info;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ps_fail(err, PS_EINVAL, "%s: not a regular file", path);
    for (;;) {
        const ssize_t n = read(fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ps_fail(err, PS_EIO, "%s: %s", path, strerrordesc_np(errno));
        if (n == 0)
            break;
        ps_buf_add(out, piece, (size_t)n);
    }
    ps_wipe(piece, sizeof(piece));
    if (ps_buf_failed(out))
        return ps_fail(err, PS_ELIMIT, "%s: larger than %zu bytes", path, out->max);
    if (out->n > 0 && memchr(out->p, '\0', out->n) != NULL)
        return ps_fail(err, PS_EINVAL, "%s: holds a NUL byte", path);
    return 0;
}

int kube__read_file(struct ps_buf *out, const char *path, struct ps_err *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        return ps_fail(err, errno == ENOENT ? PS_ENOENT : PS_EIO, "%s: %s", path,
                       strerrordesc_np(errno));
    }
    const int code = read_all(out, fd, path, err);

    (void)close(fd);
    return code;
}

int kube_read_file(struct ps_buf *out, const char *path, struct ps_err *err)
{
    return kube__read_file(out, path, err);
}

char *kube__read_token(const char *path, struct ps_err *err)
{
    char *token = NULL;
    PS_AUTO_BUF(text, KUBE__TOKEN_MAX);

    if (kube__read_file(&text, path, err) == 0) {
        const struct ps_str trimmed = ps_str_trim(ps_buf_get(&text));

        if (trimmed.n > 0) {
            token = ps_xstrndup(trimmed.p, trimmed.n);
        } else {
            (void)ps_fail(err, PS_EINVAL, "%s: no token in it", path);
        }
    }
    ps_wipe(text.p, text.n);
    return token;
}

void kube__wipe_text(char *secret)
{
    if (secret == NULL)
        return;
    ps_wipe(secret, strlen(secret));
    ps_free(secret);
}
