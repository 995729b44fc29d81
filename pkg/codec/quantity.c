/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes quantities, in whole numbers only. */
#include "codec/codec.h"

#include <stdint.h>

#define WHOLE_DIGITS_MAX 19  /* as many as INT64_MAX has */
#define EXPONENT_MAX     400 /* beyond it every value overflows, or is rounded up to a thousandth */
#define QUANTITY_MAX     512 /* bytes of text */

/* 1000 × 2^60 needs 70 bits. */
typedef unsigned __int128 wide;

/* sign, digits with the place of the point in them, and the unit: 10^exponent × 2^shift. */
struct number {
    bool negative;
    struct ps_str whole, fraction;
    int64_t exponent;
    int shift;
};

static struct ps_str take_digits(struct ps_str *rest)
{
    size_t n = 0;

    while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
        n++;
    const struct ps_str digits = ps_str_head(*rest, n);

    *rest = ps_str_skip(*rest, n);
    return digits;
}

static bool take_sign(struct ps_str *rest, bool *negative)
{
    if (rest->n == 0 || (rest->p[0] != '+' && rest->p[0] != '-'))
        return false;
    *negative = rest->p[0] == '-';
    *rest = ps_str_skip(*rest, 1);
    return true;
}

static bool find_unit(struct ps_str suffix, struct number *number)
{
    static const struct {
        const char *name;
        int exponent, shift;
    } units[] = {
        {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
        {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
        {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
    };

    for (size_t i = 0; i < PS_ARRAY_LEN(units); i++) {
        if (ps_str_is(suffix, units[i].name)) {
            number->exponent = units[i].exponent;
            number->shift = units[i].shift;
            return true;
        }
    }
    return false;
}

/* "e3", "E-2"; "E" alone is the unit of 10^18 and was found before. */
static bool read_exponent(struct ps_str suffix, struct number *number)
{
    bool negative = false;

    if (suffix.p[0] != 'e' && suffix.p[0] != 'E')
        return false;
    suffix = ps_str_skip(suffix, 1);
    (void)take_sign(&suffix, &negative);
    if (!ps_str_to_i64(suffix, &number->exponent) || number->exponent > EXPONENT_MAX)
        return false;
    if (negative)
        number->exponent = -number->exponent;
    return true;
}

static bool read_number(struct ps_str text, struct number *number)
{
    *number = (struct number){0};
    (void)take_sign(&text, &number->negative);
    number->whole = take_digits(&text);
    if (text.n > 0 && text.p[0] == '.') {
        text = ps_str_skip(text, 1);
        number->fraction = take_digits(&text);
    }
    if (number->whole.n + number->fraction.n == 0)
        return false;
    return find_unit(text, number) || read_exponent(text, number);
}

/* The digit at a place counted from the first one of `whole`; zero in front of it and behind all.
 */
static unsigned int digit_at(const struct number *number, int64_t place)
{
    const int64_t whole = (int64_t)number->whole.n, all = whole + (int64_t)number->fraction.n;

    if (place < 0 || place >= all)
        return 0;
    return (unsigned int)(place < whole ? number->whole.p[place]
                                        : number->fraction.p[place - whole]) -
           '0';
}

/* Digits in front of `point`, the places where the exponent has moved the point to. */
static bool sum_whole(const struct number *number, int64_t point, wide *sum)
{
    int64_t place = 0;

    *sum = 0;
    while (place < point && digit_at(number, place) == 0)
        place++;
    if (point - place > WHOLE_DIGITS_MAX)
        return false;
    for (; place < point; place++)
        *sum = *sum * 10 + digit_at(number, place);
    return true;
}

/* Digits behind the point, times scale, rounded up. From the last digit to the first: what a
 * division leaves over can only make the whole product a fraction, never change its whole part. */
static wide scale_fraction(const struct number *number, int64_t point, wide scale)
{
    const int64_t all = (int64_t)(number->whole.n + number->fraction.n);
    bool rest = false;
    wide sum = 0;

    for (int64_t place = all - 1; place >= point; place--) {
        sum += digit_at(number, place) * scale;
        rest = rest || sum % 10 != 0;
        sum /= 10;
    }
    return sum + rest;
}

bool codec_quantity(struct ps_str text, int64_t *milli)
{
    struct number number;
    wide whole;

    if (text.n > QUANTITY_MAX || !read_number(text, &number))
        return false;
    const wide scale = (wide)1000 << number.shift;
    const int64_t point = (int64_t)number.whole.n + number.exponent;

    if (!sum_whole(&number, point, &whole) || whole > (wide)INT64_MAX / scale)
        return false;
    const wide sum = whole * scale + scale_fraction(&number, point, scale);

    if (sum > (wide)INT64_MAX)
        return false;
    *milli = number.negative ? -(int64_t)sum : (int64_t)sum;
    return true;
}
