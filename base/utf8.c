/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <assert.h>

// What a lead byte promises: how many bytes follow, and the range of the first of them (it alone excludes overlong forms,
// surrogates and what is beyond U+10FFFF).
struct lead {
    size_t follow;
    unsigned char low;
    unsigned char high;
    uint32_t bits;
};

static struct lead lead_of(unsigned char byte, bool surrogates)
{
    if (byte >= 0xC2 && byte <= 0xDF)
        return (struct lead){1, 0x80, 0xBF, byte & 0x1Fu};
    if (byte == 0xE0)
        return (struct lead){2, 0xA0, 0xBF, 0};
    if (byte == 0xED && !surrogates)
        return (struct lead){2, 0x80, 0x9F, 0x0D};
    if (byte >= 0xE1 && byte <= 0xEF)
        return (struct lead){2, 0x80, 0xBF, byte & 0x0Fu};
    if (byte == 0xF0)
        return (struct lead){3, 0x90, 0xBF, 0};
    if (byte >= 0xF1 && byte <= 0xF3)
        return (struct lead){3, 0x80, 0xBF, byte & 0x07u};
    if (byte == 0xF4)
        return (struct lead){3, 0x80, 0x8F, 4};
    return (struct lead){0};
}

static size_t next(const char *bytes, size_t length, bool surrogates, uint32_t *out_code)
{
    const unsigned char *at = (const unsigned char *)bytes;
    assert(length >= 1);
    if (at[0] < 0x80) {
        *out_code = at[0];
        return 1;
    }

    struct lead lead = lead_of(at[0], surrogates);
    uint32_t code = lead.bits;
    size_t taken = 1;
    while (taken <= lead.follow && taken < length && at[taken] >= lead.low && at[taken] <= lead.high) {
        code = code << 6 | (at[taken++] & 0x3Fu);
        lead.low = 0x80;
        lead.high = 0xBF;
    }
    *out_code = lead.follow > 0 && taken > lead.follow ? code : UTF8_BAD;
    return taken;
}

size_t utf8_next(const char *bytes, size_t length, uint32_t *out_code)
{
    return next(bytes, length, false, out_code);
}

size_t utf8_next_or_surrogate(const char *bytes, size_t length, uint32_t *out_code)
{
    size_t taken = next(bytes, length, true, out_code);
    // A cut surrogate is not one: then the bytes are bad one by one, as without surrogates.
    return *out_code == UTF8_BAD ? next(bytes, length, false, out_code) : taken;
}

void utf8_append(struct text *out, uint32_t code)
{
    char bytes[4];
    size_t length = 0;
    assert(code <= 0x10FFFF);
    if (code < 0x80) {
        bytes[length++] = (char)code;
    } else if (code < 0x800) {
        bytes[length++] = (char)(0xC0 | code >> 6);
    } else if (code < 0x10000) {
        bytes[length++] = (char)(0xE0 | code >> 12);
        bytes[length++] = (char)(0x80 | (code >> 6 & 0x3F));
    } else {
        bytes[length++] = (char)(0xF0 | code >> 18);
        bytes[length++] = (char)(0x80 | (code >> 12 & 0x3F));
        bytes[length++] = (char)(0x80 | (code >> 6 & 0x3F));
    }
    if (code >= 0x80)
        bytes[length++] = (char)(0x80 | (code & 0x3F));
    text_append(out, bytes, length);
}

// General categories Cc, Cf, Cs, Co, Zl, Zp and Zs but the blank, of Unicode 14.
static const struct {
    uint32_t first;
    uint32_t last;
} unprintable[] = {{0x0000, 0x001F},   {0x007F, 0x00A0},   {0x00AD, 0x00AD},    {0x0600, 0x0605},   {0x061C, 0x061C},
                   {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},    {0x08E2, 0x08E2},   {0x1680, 0x1680},
                   {0x180E, 0x180E},   {0x2000, 0x200F},   {0x2028, 0x202F},    {0x205F, 0x2064},   {0x2066, 0x206F},
                   {0x3000, 0x3000},   {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},    {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD},
                   {0x110CD, 0x110CD}, {0x13430, 0x13438}, {0x1BCA0, 0x1BCA3},  {0x1D173, 0x1D17A}, {0xE0001, 0xE0001},
                   {0xE0020, 0xE007F}, {0xF0000, 0xFFFFD}, {0x100000, 0x10FFFD}};

bool utf8_is_printable(uint32_t code)
{
    for (size_t i = 0; i < sizeof unprintable / sizeof unprintable[0] && code >= unprintable[i].first; i++) {
        if (code <= unprintable[i].last)
            return false;
    }
    return true;
}
