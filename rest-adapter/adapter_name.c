/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/adapter_name.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/text.h"

enum {
    WHOLE_MAX = HOST_NAME_MAX + 512,                   /* no listener is longer than that leaves */
    DIGEST_HEX = 32,                                   /* of the digest's 64 digits: enough to tell queues apart */
    BEGINNING_MAX = ADAPTER_NAME_MAX - DIGEST_HEX - 2, /* a blank and a NUL */
};

static void write_whole(const struct config_rest *config, const char *queue, char out[WHOLE_MAX])
{
    char host[HOST_NAME_MAX + 1] = "";
    const char *listener = config->listen.count > 0 ? config->listen.items[0] : "";
    if (gethostname(host, sizeof(host) - 1) != 0 || !text_is_name(host, HOST_NAME_MAX))
        (void)text_copy(host, sizeof(host), "localhost");
    (void)snprintf(out, WHOLE_MAX, "xqueue-rest@%s %s%s%s", host, listener, *queue ? " " : "", queue);
}

void adapter_name(const struct config_rest *config, char out[ADAPTER_NAME_MAX])
{
    char whole[WHOLE_MAX];
    write_whole(config, "", whole);
    (void)text_copy(out, ADAPTER_NAME_MAX, whole);
}

void adapter_name_for_queue(const struct config_rest *config, const char *queue, char out[ADAPTER_NAME_MAX])
{
    char whole[WHOLE_MAX];
    uint8_t digest[SECRET_DIGEST_BYTES];
    char hex[2 * SECRET_DIGEST_BYTES + 1];
    write_whole(config, queue, whole);
    if (text_copy(out, ADAPTER_NAME_MAX, whole))
        return;
    secret_digest(whole, strlen(whole), digest);
    text_hex(hex, digest, sizeof(digest));
    int beginning = (int)text_utf8_cut(whole, strlen(whole), BEGINNING_MAX);
    (void)snprintf(out, ADAPTER_NAME_MAX, "%.*s %.*s", beginning, whole, DIGEST_HEX, hex);
}
