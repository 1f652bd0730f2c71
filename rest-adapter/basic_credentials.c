/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/basic_credentials.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/utf8.h"

#define SCHEME "Basic"

/* Of the decoded bytes; latin-1 doubles at most. */
enum { BYTES_MAX = BASIC_USER_BYTES_MAX + 1 + SECRET_PASSWORD_BYTES_MAX };

static int base64_value(char letter)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
    return found ? (int)(found - letters) : -1;
}

/* false: not base64 with its padding, or more than out holds. */
static bool base64_decode(struct span in, char out[BYTES_MAX], size_t *out_length)
{
    size_t padding = 0;
    size_t length = 0;
    uint32_t bits = 0;
    while (padding < 2 && in.length > padding && in.bytes[in.length - 1 - padding] == '=')
        padding++;
    if (in.length % 4 != 0 || in.length / 4 * 3 - padding > BYTES_MAX)
        return false;
    for (size_t at = 0; at < in.length - padding; at++) {
        int value = base64_value(in.bytes[at]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (at % 4 != 0)
            out[length++] = (char)(bits >> (2 * (3 - at % 4)) & 0xff);
    }
    *out_length = length;
    return true;
}

/* The text of bytes, in UTF-8, if it fits and has no NUL. */
static bool take(struct span bytes, bool is_utf8, char *out, size_t capacity)
{
    size_t length = 0;
    if (memchr(bytes.bytes, '\0', bytes.length) != NULL)
        return false;
    for (size_t at = 0; at < bytes.length; at++) {
        unsigned char byte = (unsigned char)bytes.bytes[at];
        bool takes_two = !is_utf8 && byte >= 0x80;
        if (length + takes_two + 1 >= capacity)
            return false;
        if (takes_two) {
            out[length++] = (char)(0xc0 | byte >> 6);
            byte = 0x80 | (byte & 0x3f);
        }
        out[length++] = (char)byte;
    }
    out[length] = '\0';
    return true;
}

static bool split(struct span decoded, struct basic_credentials *out)
{
    const char *colon = memchr(decoded.bytes, ':', decoded.length);
    if (!colon)
        return false;
    bool is_utf8 = text_is_utf8(decoded.bytes, decoded.length);
    size_t user_length = (size_t)(colon - decoded.bytes);
    struct span user = {decoded.bytes, user_length};
    struct span password = {colon + 1, decoded.length - user_length - 1};
    return take(user, is_utf8, out->user, sizeof(out->user)) && take(password, is_utf8, out->password, sizeof(out->password)) &&
           text_is_name(out->user, BASIC_USER_BYTES_MAX);
}

static bool read_credentials(struct span header, struct basic_credentials *out)
{
    char decoded[BYTES_MAX] = {0};
    size_t length = 0;
    size_t scheme_length = strlen(SCHEME);
    header = span_trim(header);
    if (header.length <= scheme_length || strncasecmp(header.bytes, SCHEME, scheme_length) != 0 ||
        header.bytes[scheme_length] != ' ')
        return false;
    struct span encoded = span_trim((struct span){header.bytes + scheme_length, header.length - scheme_length});
    bool is_read = base64_decode(encoded, decoded, &length) && split((struct span){decoded, length}, out);
    memory_wipe(decoded, sizeof(decoded));
    return is_read;
}

bool basic_credentials_read(struct span header, struct basic_credentials *out)
{
    bool is_read = read_credentials(header, out);
    if (!is_read)
        memory_wipe(out, sizeof(*out));
    return is_read;
}
