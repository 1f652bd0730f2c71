/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/file_link.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/url.h"
#include "rest-adapter/form.h"

/* Signed together with what the signature is for, so that nothing else that this secret may ever sign passes for a link. */
#define PURPOSE "xqueue file link 1\n"

enum {
    KEY_LENGTH = SECRET_KEY_TEXT_MAX - 1,
    SIGNATURE_MAX = 2 * SECRET_DIGEST_BYTES + 1,
    SIGNED_MAX = sizeof(PURPOSE) + FILE_PLACE_MAX + 32, /* and a number */
    QUERY_FIELDS_MAX = 16,
};

#define EXPIRES_S_MAX INT64_C(253402300799) /* the end of the year 9999 */

void file_shelf_of(struct span queue, char out[FILE_SHELF_MAX])
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    char hex[2 * SECRET_DIGEST_BYTES + 1];
    struct text shelf;

    assert(queue.length > 0);
    text_init(&shelf, FILE_SHELF_MAX - 1);
    for (size_t i = 0; i < queue.length; i++) {
        char byte = queue.bytes[i];

        if (byte == '/' || byte == '%' || byte == '\0' || (byte == '.' && i == 0)) {
            text_append_format(&shelf, "%%%02X", (unsigned)byte);
        } else {
            text_append_char(&shelf, byte);
        }
    }
    if (text_status(&shelf) != STATUS_OK) {
        secret_digest(queue.bytes, queue.length, digest);
        text_hex(hex, digest, sizeof(digest));
        text_clear(&shelf);
        text_append_format(&shelf, "%%sha256-%s", hex); // no encoded name looks like it
    }
    memcpy(out, shelf.bytes, shelf.length + 1);
    text_finish(&shelf);
}

void file_place_of(const char *shelf, const char *key, char out[FILE_PLACE_MAX])
{
    assert(strlen(key) == KEY_LENGTH);
    (void)snprintf(out, FILE_PLACE_MAX, "%s/%s", shelf, key);
}

bool file_key_is_valid(const char *key)
{
    return strlen(key) == KEY_LENGTH && strspn(key, "0123456789abcdef") == KEY_LENGTH;
}

bool file_place_is_valid(const char *place)
{
    const char *slash = strchr(place, '/');

    return slash != NULL && slash > place && slash - place < FILE_SHELF_MAX && place[0] != '.' && file_key_is_valid(slash + 1);
}

const char *file_place_key(const char *place)
{
    assert(file_place_is_valid(place));
    return strchr(place, '/') + 1;
}

void file_place_append_quoted(struct text *out, const char *place)
{
    url_append_path_quoted(out, span_of(place));
}

static void sign(const struct file_link_secret *secret, const char *place, int64_t expires_s, char out[SIGNATURE_MAX])
{
    char bytes[SIGNED_MAX];
    uint8_t signature[SECRET_DIGEST_BYTES];
    int length = snprintf(bytes, sizeof(bytes), PURPOSE "%s\n%lld", place, (long long)expires_s);

    assert(length > 0 && (size_t)length < sizeof(bytes));
    secret_sign(secret->bytes, sizeof(secret->bytes), bytes, (size_t)length, signature);
    text_hex(out, signature, sizeof(signature));
}

void file_link_append(struct text *out, const struct file_link_secret *secret, const char *place, int64_t expires_s)
{
    char signature[SIGNATURE_MAX];

    assert(file_place_is_valid(place));
    sign(secret, place, expires_s, signature);
    text_append_string(out, FILE_LINK_PATH);
    file_place_append_quoted(out, place);
    text_append_format(out, "?expires=%lld&signature=%s", (long long)expires_s, signature);
}

static bool is_signed(const struct file_link_secret *secret, const char *place, const struct form *query, int64_t now_s)
{
    char expected[SIGNATURE_MAX];
    struct span expires = form_get(query, "expires");
    struct span signature = form_get(query, "signature");
    int64_t expires_s = 0;

    if (expires.bytes == NULL || signature.bytes == NULL || strlen(expires.bytes) != expires.length ||
        text_to_int64(expires.bytes, 0, EXPIRES_S_MAX, &expires_s) != STATUS_OK) {
        return false;
    }
    sign(secret, place, expires_s, expected);
    return text_equal_secret(expected, strlen(expected), signature.bytes, signature.length) && now_s < expires_s;
}

enum status file_link_check(const struct file_link_secret *secret, const char *path, const char *query, int64_t now_s,
                            char out_place[FILE_PLACE_MAX])
{
    const struct form_limits limits = {.fields_max = QUERY_FIELDS_MAX, .bytes_max = FILE_LINK_QUERY_BYTES_MAX};
    const char *place = path + strlen(FILE_LINK_PATH);
    enum status status = STATUS_DENIED;
    struct error error;
    struct form form;

    if (strncmp(path, FILE_LINK_PATH, strlen(FILE_LINK_PATH)) != 0 || !file_place_is_valid(place)) {
        return STATUS_NOT_FOUND;
    }
    form_init(&form, &limits);
    if (query != NULL && form_parse_urlencoded(&form, span_of(query), &error) == STATUS_OK &&
        is_signed(secret, place, &form, now_s)) {
        memcpy(out_place, place, strlen(place) + 1);
        status = STATUS_OK;
    }
    form_finish(&form);
    return status;
}
