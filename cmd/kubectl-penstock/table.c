/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as Data Flow's shell draws them: heads in the middle, cells to the left, each column as
 * wide as its longest text. */
#include "plugin.h"

/* Characters, not bytes: every one counts as one column wide. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0U) != 0x80U;
    return n;
}

static void add_times(struct ps_buf *out, const char *what, size_t times)
{
    while (times-- > 0)
        ps_buf_str(out, what);
}

struct rule {
    const char *left, *line, *cross, *right;
};

static void add_rule(struct ps_buf *out, const struct rule *rule, const size_t *widths)
{
    for (size_t i = 0; i < TABLE_COLUMNS; i++) {
        ps_buf_str(out, i == 0 ? rule->left : rule->cross);
        add_times(out, rule->line, widths[i]);
    }
    ps_buf_str(out, rule->right);
    ps_buf_char(out, '\n');
}

static void add_row(struct ps_buf *out, const char *const *cells, const size_t *widths,
                    bool centred)
{
    for (size_t i = 0; i < TABLE_COLUMNS; i++) {
        const size_t space = widths[i] - width_of(cells[i]);
        const size_t left = centred ? space / 2 : 0;

        ps_buf_str(out, i == 0 ? "║" : "│");
        add_times(out, " ", left);
        ps_buf_str(out, cells[i]);
        add_times(out, " ", space - left);
    }
    ps_buf_str(out, "║\n");
}

void table_draw(struct ps_buf *out, const char *const heads[TABLE_COLUMNS],
                const char *const *cells, size_t rows)
{
    static const struct rule top = {"╔", "═", "╤", "╗"}, middle = {"╠", "═", "╪", "╣"},
                             bottom = {"╚", "═", "╧", "╝"};
    size_t widths[TABLE_COLUMNS];

    for (size_t i = 0; i < TABLE_COLUMNS; i++) {
        widths[i] = width_of(heads[i]);
        for (size_t row = 0; row < rows; row++) {
            const size_t width = width_of(cells[row * TABLE_COLUMNS + i]);

            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    add_rule(out, &top, widths);
    add_row(out, heads, widths, true);
    add_rule(out, &middle, widths);
    for (size_t row = 0; row < rows; row++)
        add_row(out, cells + row * TABLE_COLUMNS, widths, false);
    add_rule(out, &bottom, widths);
}
