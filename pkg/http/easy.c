/* SPDX-License-Identifier: Apache-2.0 */
/* curl's easy handles, which are kept from one request to the next. */
#include "internal.h"

CURL *http__easy_take(struct http_client *client)
{
    CURL *easy = client->spare_count > 0 ? client->spares[--client->spare_count] : curl_easy_init();

    ps_assert(easy != NULL);
    return easy;
}

/* Nothing of the request that it served stays in it: neither what was set nor what came of it. */
void http__easy_give(struct http_client *client, CURL *easy)
{
    if (client->closing || client->spare_count == HTTP__SPARES_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    client->spares[client->spare_count++] = easy;
}

void http__easy_fini(struct http_client *client)
{
    while (client->spare_count > 0)
        curl_easy_cleanup(client->spares[--client->spare_count]);
}
