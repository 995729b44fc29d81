/* SPDX-License-Identifier: Apache-2.0 */
/* Where an app's bits are and which version they have. */
#include "model/registry.h"

#define LATEST  "latest"
/* The longest image tag: github.com/opencontainers/distribution-spec, "Pulling manifests". */
#define TAG_MAX ((size_t)128)

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9');
}

/* No blanks, control characters or quotes: such a URI can be put anywhere. */
static bool is_printable(struct ps_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7F || text.p[i] == '"')
            return false;
    }
    return true;
}

static struct ps_str without_slashes(struct ps_str text)
{
    while (text.n > 0 && text.p[0] == '/')
        text = ps_str_skip(text, 1);
    return text;
}

/* Index of the last c, or -1. */
static ptrdiff_t last_of(struct ps_str text, char c)
{
    for (size_t i = text.n; i-- > 0;) {
        if (text.p[i] == c)
            return (ptrdiff_t)i;
    }
    return -1;
}

static bool is_tag(struct ps_str tag)
{
    if (tag.n == 0 || tag.n > TAG_MAX || tag.p[0] == '.' || tag.p[0] == '-')
        return false;
    for (size_t i = 0; i < tag.n; i++) {
        if (!is_alnum(tag.p[i]) && tag.p[i] != '.' && tag.p[i] != '-' && tag.p[i] != '_')
            return false;
    }
    return true;
}

/* sha256:… with hexadecimal digits; *hex is what follows the colon. */
static bool is_digest(struct ps_str digest, struct ps_str *hex)
{
    const ptrdiff_t colon = ps_str_index(digest, ':');

    if (colon <= 0)
        return false;
    *hex = ps_str_skip(digest, (size_t)colon + 1);
    for (size_t i = 0; i < hex->n; i++) {
        if (!is_hex(hex->p[i]))
            return false;
    }
    return hex->n >= 32; /* the shortest that the registry specification allows */
}

static bool is_repository(struct ps_str repo)
{
    struct ps_str rest = repo, part;

    if (repo.n == 0)
        return false;
    while (ps_str_split(&rest, '/', &part)) {
        if (part.n == 0)
            return false;
    }
    return true;
}

/* [host[:port]/]path[:tag] or …@digest. A colon before the last slash belongs to a port. */
static int parse_docker(struct ps_str image, struct model_app_uri *parts, struct ps_err *err)
{
    const ptrdiff_t at = ps_str_index(image, '@');
    struct ps_str repo = at >= 0 ? ps_str_head(image, (size_t)at) : image;
    const ptrdiff_t slash = last_of(repo, '/'), colon = last_of(repo, ':');
    const bool tagged = colon > slash;

    parts->image = image;
    parts->version = PS_STR(LATEST);
    if (tagged) {
        parts->version = ps_str_skip(repo, (size_t)colon + 1);
        repo = ps_str_head(repo, (size_t)colon);
    }
    if (at >= 0 && tagged)
        return ps_fail(err, PS_EINVAL, "an image has a tag or a digest, not both");
    if (at >= 0 && !is_digest(ps_str_skip(image, (size_t)at + 1), &parts->version))
        return ps_fail(err, PS_EINVAL, "expected a digest like sha256:… after the @ of the image");
    if (at < 0 && !is_tag(parts->version)) {
        return ps_fail(err, PS_EINVAL,
                       "expected an image tag of letters, digits and _ . - after the colon");
    }
    if (!is_repository(repo))
        return ps_fail(err, PS_EINVAL, "expected docker:[host[:port]/][path/]name[:tag]");
    return 0;
}

/* group:artifact[:extension[:classifier]]:version */
static int parse_maven(struct ps_str coordinates, struct model_app_uri *parts, struct ps_err *err)
{
    struct ps_str rest = coordinates, part = {NULL, 0};
    size_t count = 0;
    bool empty = false;

    while (ps_str_split(&rest, ':', &part)) {
        empty = empty || part.n == 0;
        count++;
    }
    if (count < 3 || count > 5 || empty) {
        return ps_fail(err, PS_EINVAL,
                       "expected maven://group:artifact[:extension[:classifier]]:version");
    }
    parts->version = part;
    return 0;
}

/* The version of …/name-1.2.3.jar: from the last dash before a digit to the extension. */
static int parse_http(struct ps_str location, struct model_app_uri *parts, struct ps_err *err)
{
    struct ps_str name = location;
    size_t start = 0;

    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '?' || name.p[i] == '#')
            name = ps_str_head(name, i);
    }
    name = ps_str_skip(name, (size_t)(last_of(name, '/') + 1));
    const ptrdiff_t dot = last_of(name, '.');

    name = dot >= 0 ? ps_str_head(name, (size_t)dot) : name;
    if (ps_str_ends(name, "-metadata"))
        name = ps_str_head(name, name.n - (sizeof("-metadata") - 1));
    for (size_t i = 0; i + 1 < name.n; i++) {
        if (name.p[i] == '-' && name.p[i + 1] >= '0' && name.p[i + 1] <= '9')
            start = i + 1;
    }
    if (start < 2)
        return ps_fail(err, PS_EINVAL, "expected a file name with a version, like name-1.2.3.jar");
    parts->version = ps_str_skip(name, start);
    return 0;
}

int model_app_uri_parse(struct ps_str uri, struct model_app_uri *parts, struct ps_err *err)
{
    const ptrdiff_t colon = ps_str_index(uri, ':');
    const struct ps_str scheme = colon > 0 ? ps_str_head(uri, (size_t)colon) : PS_STR("");

    *parts = (struct model_app_uri){0};
    if (!is_printable(uri))
        return ps_fail(err, PS_EINVAL, "a URI holds no blanks, quotes or control characters");
    const struct ps_str rest = without_slashes(ps_str_skip(uri, (size_t)(colon + 1)));

    if (ps_str_ieq(scheme, PS_STR("docker")))
        return parse_docker(rest, parts, err);
    if (ps_str_ieq(scheme, PS_STR("maven")))
        return parse_maven(rest, parts, err);
    if (ps_str_ieq(scheme, PS_STR("http")) || ps_str_ieq(scheme, PS_STR("https")))
        return parse_http(rest, parts, err);
    return ps_fail(err, PS_EINVAL,
                   "expected a URI that starts with docker:, maven:, http: or https:");
}
