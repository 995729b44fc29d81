/* SPDX-License-Identifier: Apache-2.0 */
/* The error record and its list of codes. */
#include "base/base.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
    enum ps_class class;
} codes[] = {{"PS_OK", "no error", PS_CLASS_RETRY},

#define X(name, class, text) {#name, text, class},
             PS_ERRORS(X)
#undef X
};

static size_t index_of(int code)
{
    const size_t i = code <= 0 ? (size_t)(-code) : PS_ARRAY_LEN(codes);

    ps_assert(i < PS_ARRAY_LEN(codes));
    return i;
}

const char *ps_code_name(int code)
{
    return codes[index_of(code)].name;
}

const char *ps_code_text(int code)
{
    return codes[index_of(code)].text;
}

enum ps_class ps_code_class(int code)
{
    return codes[index_of(code)].class;
}

#define WAIT_MAX_MS 300000 /* a human waits, too */

int64_t ps_err_wait_ms(const struct ps_err *err)
{
    static const int64_t least_ms[] = {
        [PS_CLASS_RETRY] = 500, /* a server in trouble is not asked again at once */
        [PS_CLASS_CONFLICT] = 0, [PS_CLASS_THROTTLED] = 1000, /* what API servers ask for when they
                                                                 say so */
        [PS_CLASS_AUTH] = 1000, /* permissions are not granted within milliseconds */
        [PS_CLASS_INVALID] = 0,  [PS_CLASS_GONE] = 0,         [PS_CLASS_FOREIGN] = 0,
    };
    const int64_t least = err->code != 0 ? least_ms[ps_code_class(err->code)] : 0;
    const int64_t asked = err->retry_after_ms < WAIT_MAX_MS ? err->retry_after_ms : WAIT_MAX_MS;

    return asked > least ? asked : least;
}

/* A cut text must not end in the middle of a UTF-8 sequence: JSON writers refuse it. */
static void cut_at_character(char *text, size_t size)
{
    size_t n = strlen(text);

    if (n + 1 < size)
        return;
    while (n > 0 && ((unsigned char)text[n - 1] & 0xC0U) == 0x80U)
        n--;
    if (n > 0 && (unsigned char)text[n - 1] >= 0xC0U)
        n--;
    text[n] = '\0';
}

int ps_fail(struct ps_err *err, int code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    struct ps_err filled = {.code = code}; /* the arguments may point into *err */
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(filled.message, sizeof(filled.message), fmt, ap);
    va_end(ap);
    cut_at_character(filled.message, sizeof(filled.message));
    *err = filled;
    return code;
}

int ps_fail_prefix(struct ps_err *err, const char *fmt, ...)
{
    ps_assert(err != NULL);
    char old[PS_ERR_MESSAGE_MAX];
    va_list ap;

    memcpy(old, err->message, sizeof(old));
    va_start(ap, fmt);
    (void)vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    const size_t n = strlen(err->message);

    (void)snprintf(err->message + n, sizeof(err->message) - n, ": %s", old);
    cut_at_character(err->message, sizeof(err->message));
    return err->code;
}

void ps_err_clear(struct ps_err *err)
{
    *err = (struct ps_err){0};
}
