/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* Any bytes as a callback URL: what is taken has an origin that is its own origin. */
#include <stdint.h>
#include <stdlib.h>

#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check(struct span url)
{
    char origin[URL_ORIGIN_MAX];
    char again[URL_ORIGIN_MAX];
    char host[URL_HOST_BYTES_MAX + 1];
    struct error error = {0};
    if (url_check(url, &error) != STATUS_OK) {
        require(error.text[0] != '\0');
        return;
    }
    require(url_origin(url, origin, &error) == STATUS_OK && url_host(url, host, &error) == STATUS_OK);
    require(url_origin(span_of(origin), again, &error) == STATUS_OK && strcmp(origin, again) == 0);
    require(strstr(origin, host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {.bytes = (const char *)data, .length = size};
    check(input);

    struct text text;
    text_init(&text, size * 9 + 100); // a redirect encodes twice: "%25C3" out of one byte
    url_append_ascii(&text, input);
    url_append_form_quoted(&text, input);
    text_clear(&text);
    url_append_login_redirect(&text, "/xqueue/login/", input, input);
    text_finish(&text);
    return 0;
}
