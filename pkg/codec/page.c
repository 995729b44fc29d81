/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a list's page apart while its bytes come: nothing but the part that has begun is kept. */
#include "codec/internal.h"

#include <endian.h>
#include <string.h>

#define EACH_BYTE(b) (0x0101010101010101ULL * (b))
/* Memory that stays for the next part; one very large object must not cost its size for ever. */
#define PART_KEEP    ((size_t)64 * 1024)

/* What is expected next. */
enum state {
    START,       /* '{' */
    NAME,        /* a member's name, or '}' before the first */
    IN_NAME,     /* a part has begun … */
    COLON,       /* ':' */
    VALUE,       /* a member's value; that of "items" is walked */
    IN_VALUE,    /* … */
    AFTER_VALUE, /* ',' or '}' */
    ITEM,        /* an item, or ']' before the first */
    IN_ITEM,     /* … */
    AFTER_ITEM,  /* ',' or ']' */
    END,         /* nothing */
};

/* ---- frames ---------------------------------------------------------------------------------- */

/* The first quote or backslash. */
static const unsigned char *string_stop(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        word = le64toh(word);
        const uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');
        const uint64_t found =
            (((quote - EACH_BYTE(1U)) & ~quote) | ((slash - EACH_BYTE(1U)) & ~slash)) &
            EACH_BYTE(0x80U);

        if (found != 0)
            return p + (__builtin_ctzll(found) >> 3);
        p += sizeof(word);
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Inside a string, up to behind its end. */
static const unsigned char *string_rest(struct codec_frame *frame, const unsigned char *p,
                                        const unsigned char *end)
{
    while (p < end && frame->in_string) {
        if (frame->escaped) {
            frame->escaped = false;
            p++;
            continue;
        }
        p = string_stop(p, end);
        if (p == end)
            break;
        frame->escaped = *p == '\\';
        frame->in_string = frame->escaped;
        p++;
    }
    return p;
}

size_t codec_frame(struct codec_frame *frame, struct ps_str piece)
{
    const unsigned char *start = (const unsigned char *)piece.p, *p = start, *end = p + piece.n;

    while (p < end && !frame->done) {
        if (frame->in_string) {
            p = string_rest(frame, p, end);
            frame->done = !frame->in_string && frame->depth == 0;
            continue;
        }
        const unsigned char c = *p++;

        if (c == '"') {
            frame->in_string = true;
        } else if (c == '{' || c == '[') {
            frame->depth++;
        } else if ((c == '}' || c == ']') && frame->depth-- <= 1) {
            frame->depth = 0;
            frame->done = true;
        }
    }
    return (size_t)(p - start);
}

/* ---- pages ----------------------------------------------------------------------------------- */

void codec_list_init(struct codec_list *list, size_t item_max, codec_item_fn *on_item, void *self)
{
    *list = (struct codec_list){.on_item = on_item, .self = self, .state = START, .remaining = -1};
    ps_buf_init(&list->part, item_max);
}

void codec_list_fini(struct codec_list *list)
{
    ps_buf_fini(&list->part);
    ps_free(list->rv);
    ps_free(list->next);
    list->rv = list->next = NULL;
}

/* NULL unless it is a string of 1 to max - 1 bytes. */
static char *copy_text(struct ps_str view, size_t max)
{
    struct ps_arena arena;

    ps_arena_init(&arena);
    const struct ps_str text = codec_view_str(&arena, view);
    char *copy = text.n > 0 && text.n < max ? ps_xstrndup(text.p, text.n) : NULL;

    ps_arena_fini(&arena);
    return copy;
}

static int take_metadata(struct codec_list *list, struct ps_str text, struct ps_err *err)
{
    static const char *const wanted[] = {"resourceVersion", "continue", "remainingItemCount"};
    struct codec_paths paths;
    struct ps_str values[PS_ARRAY_LEN(wanted)];

    codec_paths_init(&paths, wanted, PS_ARRAY_LEN(wanted));
    if (codec_pick(&paths, text, values, err) != 0) {
        (void)ps_fail_prefix(err, "list: metadata");
        return PS_EPROTO;
    }
    ps_free(list->rv);
    ps_free(list->next);
    list->rv = copy_text(values[0], CODEC_LIST_VERSION_MAX);
    list->next = copy_text(values[1], CODEC_LIST_CONTINUE_MAX);
    list->remaining = codec_view_int(values[2], -1);
    list->has_metadata = true;
    if (codec_view_type(values[1]) == JS_STRING && values[1].n > CODEC_LIST_CONTINUE_MAX) {
        return ps_fail(err, PS_EPROTO, "list: continue of %zu bytes: at most %zu are kept",
                       values[1].n, CODEC_LIST_CONTINUE_MAX);
    }
    return 0;
}

static int take_value(struct codec_list *list, struct ps_str text, struct ps_err *err)
{
    static const struct codec_paths none = {.count = 1,
                                            .nodes = {{.path = -1, .child = -1, .next = -1}}};

    list->state = AFTER_VALUE;
    if (list->is_metadata)
        return take_metadata(list, text, err);
    if (list->is_items && !ps_str_is(text, "null"))
        return ps_fail(err, PS_EPROTO, "list: items is no list");
    if (codec_pick(&none, text, NULL, err) == 0)
        return 0;
    (void)ps_fail_prefix(err, "list");
    return PS_EPROTO;
}

/* A part is whole. */
static int take_part(struct codec_list *list, struct ps_str text, struct ps_err *err)
{
    if (list->state == IN_VALUE)
        return take_value(list, text, err);
    if (list->state == IN_ITEM) {
        list->state = AFTER_ITEM;
        return list->on_item(list->self, text) ? 0 : ps_fail(err, PS_ECANCELED, "list: given up");
    }
    const bool again = list->has_items;

    list->is_items = ps_str_is(text, "\"items\"");
    list->is_metadata = ps_str_is(text, "\"metadata\"");
    list->has_items |= list->is_items;
    list->state = COLON;
    if (again && list->is_items)
        return ps_fail(err, PS_EPROTO, "list: items stands there twice");
    return 0;
}

static bool ends_scalar(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Bytes of the piece that belong to the part; numbers and words end before the byte that ends them.
 */
static size_t part_length(struct codec_list *list, struct ps_str piece)
{
    const struct ps_str from = list->part.n > 0 ? ps_buf_get(&list->part) : piece;
    const char begin = from.p[0];
    size_t n = 0;

    if (begin == '"' || begin == '{' || begin == '[')
        return codec_frame(&list->frame, piece);
    while (n < piece.n && !ends_scalar(piece.p[n]))
        n++;
    list->frame.done = n < piece.n;
    return n;
}

static int feed_part(struct codec_list *list, struct ps_str *piece, struct ps_err *err)
{
    const size_t n = part_length(list, *piece);
    struct ps_str text = ps_str_head(*piece, n);

    *piece = ps_str_skip(*piece, n);
    if (!list->frame.done || list->part.n > 0) {
        ps_buf_view(&list->part, text);
        text = ps_buf_get(&list->part);
    }
    if (ps_buf_failed(&list->part) || text.n > list->part.max)
        return ps_fail(err, PS_ELIMIT, "list: a part of more than %zu bytes", list->part.max);
    if (!list->frame.done)
        return 0;
    list->frame = (struct codec_frame){0};
    const int code = take_part(list, text, err);

    if (list->part.cap > PART_KEEP) {
        const size_t max = list->part.max;

        ps_buf_fini(&list->part);
        ps_buf_init(&list->part, max);
    }
    ps_buf_clear(&list->part);
    return code;
}

/* One character between the parts, or the start of one; then the piece stays where it is. */
static bool step(struct codec_list *list, char c, bool *taken)
{
    const bool first = list->first;

    list->first = false;
    *taken = true;
    switch ((enum state)list->state) {
    case START:
        list->first = true;
        list->state = NAME;
        return c == '{';
    case NAME:
        *taken = c == '}' && first;
        list->state = *taken ? END : IN_NAME;
        return *taken || c == '"';
    case COLON:
        list->state = VALUE;
        return c == ':';
    case VALUE:
        *taken = list->is_items && c == '[';
        list->first = *taken;
        list->state = *taken ? ITEM : IN_VALUE;
        return *taken || !(ends_scalar(c) || c == ':');
    case AFTER_VALUE:
        list->state = c == ',' ? NAME : END;
        return c == ',' || c == '}';
    case ITEM:
        *taken = c == ']' && first;
        list->state = *taken ? AFTER_VALUE : IN_ITEM;
        return *taken || !(ends_scalar(c) || c == ':');
    case AFTER_ITEM:
        list->state = c == ',' ? ITEM : AFTER_VALUE;
        return c == ',' || c == ']';
    case END:
        return false;
    case IN_NAME:
    case IN_VALUE:
    case IN_ITEM:
        break;
    }
    ps_unreachable();
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int codec_list_feed(struct codec_list *list, struct ps_str piece, struct ps_err *err)
{
    int code = 0;

    while (piece.n > 0 && code == 0) {
        bool taken = true;

        if (list->state == IN_NAME || list->state == IN_VALUE || list->state == IN_ITEM) {
            code = feed_part(list, &piece, err);
            continue;
        }
        if (!is_gap(piece.p[0]) && !step(list, piece.p[0], &taken))
            code = ps_fail(err, PS_EPROTO, "list: not JSON, or no object");
        if (taken)
            piece = ps_str_skip(piece, 1);
    }
    return code;
}

int codec_list_end(struct codec_list *list, struct ps_err *err)
{
    if (list->state != END)
        return ps_fail(err, PS_EPROTO, "list: cut off");
    if (!list->has_items || !list->has_metadata)
        return ps_fail(err, PS_EPROTO, "list: no %s", list->has_items ? "metadata" : "items");
    if (list->rv == NULL) {
        return ps_fail(err, PS_EPROTO, "list: no resourceVersion of 1 to %zu bytes",
                       CODEC_LIST_VERSION_MAX - 1);
    }
    return 0;
}
