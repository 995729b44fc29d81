/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was told of whom lately: an event that is told again within six minutes is counted in the
 * one that is there, and no object is told of more often than its tokens allow. The numbers are
 * client-go's (tools/events, tools/record). No I/O and no clock in here.
 */
#include "exec/internal.h"

#include <string.h>

#define SERIES_MS   ((int64_t)6 * 60 * 1000) /* silent for that long, a series is over */
#define TOKENS_MAX  25                       /* at once, of one object … */
#define TOKEN_MS    ((int64_t)5 * 60 * 1000) /* … and then one in that time */
#define TOKENS_KEPT 10                       /* for news: repetitions don't take the last ones */
#define VOICES_MAX  ((size_t)4096)           /* objects; those that were told of last are kept */

/* Of one object. */
struct exec__voice {
    struct exec__voice *newer, *older; /* by last use */
    char *about;
    int64_t tokens, refilled_ms;
    struct exec__series *series;
};

void exec__voices_init(struct exec__voices *voices)
{
    *voices = (struct exec__voices){0};
    ps_map_init(&voices->by_object);
}

static void free_series(struct exec__series *series)
{
    ps_free(series->name);
    ps_free(series);
}

static void unlink_voice(struct exec__voices *voices, struct exec__voice *voice)
{
    *(voice->newer ? &voice->newer->older : &voices->newest) = voice->older;
    *(voice->older ? &voice->older->newer : &voices->oldest) = voice->newer;
    voice->newer = voice->older = NULL;
}

static void put_first(struct exec__voices *voices, struct exec__voice *voice)
{
    voice->older = voices->newest;
    *(voices->newest ? &voices->newest->newer : &voices->oldest) = voice;
    voices->newest = voice;
}

static void free_voice(struct exec__voices *voices, struct exec__voice *voice)
{
    unlink_voice(voices, voice);
    (void)ps_map_remove(&voices->by_object, voice->about);
    while (voice->series != NULL) {
        struct exec__series *series = voice->series;

        voice->series = series->next;
        free_series(series);
    }
    ps_free(voice->about);
    ps_free(voice);
}

void exec__voices_fini(struct exec__voices *voices)
{
    while (voices->newest != NULL)
        free_voice(voices, voices->newest);
    ps_map_fini(&voices->by_object);
}

static bool is_busy(const struct exec__voice *voice)
{
    const struct exec__series *series = voice->series;

    while (series != NULL && !series->busy)
        series = series->next;
    return series != NULL;
}

/* Calls under way are fewer than voices, so there is one without. */
static void make_room(struct exec__voices *voices)
{
    struct exec__voice *voice = voices->oldest;

    if (voices->by_object.count < VOICES_MAX)
        return;
    while (is_busy(voice))
        voice = voice->newer;
    free_voice(voices, voice);
}

static struct exec__voice *voice_of(struct exec__voices *voices, const char *about, int64_t now_ms)
{
    struct exec__voice *voice = ps_map_get(&voices->by_object, about);

    if (voice == NULL) {
        make_room(voices);
        voice = ps_xcalloc(1, sizeof(*voice));
        voice->about = ps_xstrdup(about);
        voice->tokens = TOKENS_MAX;
        voice->refilled_ms = now_ms;
        (void)ps_map_put(&voices->by_object, about, voice);
    } else {
        unlink_voice(voices, voice);
    }
    put_first(voices, voice);
    return voice;
}

static bool take_token(struct exec__voice *voice, int64_t kept, int64_t now_ms)
{
    const int64_t more = (now_ms - voice->refilled_ms) / TOKEN_MS;

    voice->refilled_ms += more * TOKEN_MS;
    voice->tokens += more;
    if (voice->tokens >= TOKENS_MAX) {
        voice->tokens = TOKENS_MAX;
        voice->refilled_ms = now_ms;
    }
    if (voice->tokens <= kept)
        return false;
    voice->tokens--;
    return true;
}

/* The series of that event, or NULL; those that are over are taken out on the way. */
static struct exec__series *find(struct exec__voice *voice, uint64_t what, int64_t now_ms)
{
    struct exec__series **at = &voice->series, *found = NULL;

    while (*at != NULL) {
        struct exec__series *series = *at;

        if (!series->busy && now_ms - series->last_ms >= SERIES_MS) {
            *at = series->next;
            free_series(series);
            continue;
        }
        if (series->what == what)
            found = series;
        at = &series->next;
    }
    return found;
}

struct exec__series *exec__voices_say(struct exec__voices *voices, const char *about, uint64_t what,
                                      int64_t now_ms, bool *tell)
{
    struct exec__voice *voice = voice_of(voices, about, now_ms);
    struct exec__series *series = find(voice, what, now_ms);

    if (series != NULL) {
        series->count++;
        series->last_ms = now_ms;
        *tell = !series->busy && take_token(voice, TOKENS_KEPT, now_ms);
        return series;
    }
    *tell = take_token(voice, 0, now_ms);
    if (!*tell)
        return NULL;
    series = ps_xcalloc(1, sizeof(*series));
    series->voice = voice;
    series->what = what;
    series->last_ms = now_ms;
    series->count = 1;
    series->next = voice->series;
    voice->series = series;
    return series;
}

void exec__series_drop(struct exec__series *series)
{
    struct exec__series **at = &series->voice->series;

    while (*at != series)
        at = &(*at)->next;
    *at = series->next;
    free_series(series);
}
