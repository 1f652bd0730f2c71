/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/charset.h"

#include <assert.h>
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "rest-adapter/header_value.h"

enum {
    NAME_BYTES_MAX = 40,  /* of a charset parameter: longer ones are unknown */
    PIECE_BYTES = 1024,   /* converted at once */
    SINGLE_BYTES_MAX = 4, /* of one character of any of the sets */
};

struct charset {
    const char *name;  // as clients spell it, but lower-case and without '-', '_', ':', '.' and blanks
    const char *iconv; // as the C library spells it
};

static const struct charset charsets[] = {
    {"latin1", "ISO-8859-1"},     {"l1", "ISO-8859-1"},
    {"iso88591", "ISO-8859-1"},   {"88591", "ISO-8859-1"},
    {"cp819", "ISO-8859-1"},      {"latin2", "ISO-8859-2"},
    {"iso88592", "ISO-8859-2"},   {"iso88593", "ISO-8859-3"},
    {"iso88594", "ISO-8859-4"},   {"cyrillic", "ISO-8859-5"},
    {"iso88595", "ISO-8859-5"},   {"iso88596", "ISO-8859-6"},
    {"greek", "ISO-8859-7"},      {"iso88597", "ISO-8859-7"},
    {"iso88598", "ISO-8859-8"},   {"latin5", "ISO-8859-9"},
    {"iso88599", "ISO-8859-9"},   {"iso885910", "ISO-8859-10"},
    {"iso885911", "ISO-8859-11"}, {"iso885913", "ISO-8859-13"},
    {"iso885914", "ISO-8859-14"}, {"latin9", "ISO-8859-15"},
    {"iso885915", "ISO-8859-15"}, {"iso885916", "ISO-8859-16"},
    {"ascii", "ASCII"},           {"usascii", "ASCII"},
    {"cp1250", "CP1250"},         {"windows1250", "CP1250"},
    {"cp1251", "CP1251"},         {"windows1251", "CP1251"},
    {"cp1252", "CP1252"},         {"windows1252", "CP1252"},
    {"cp1253", "CP1253"},         {"windows1253", "CP1253"},
    {"cp1254", "CP1254"},         {"windows1254", "CP1254"},
    {"cp1255", "CP1255"},         {"windows1255", "CP1255"},
    {"cp1256", "CP1256"},         {"windows1256", "CP1256"},
    {"cp1257", "CP1257"},         {"windows1257", "CP1257"},
    {"cp1258", "CP1258"},         {"windows1258", "CP1258"},
    {"koi8r", "KOI8-R"},          {"koi8u", "KOI8-U"},
    {"gb2312", "GB2312"},         {"gbk", "GBK"},
    {"gb18030", "GB18030"},       {"big5", "BIG5"},
    {"shiftjis", "SHIFT_JIS"},    {"sjis", "SHIFT_JIS"},
    {"eucjp", "EUC-JP"},          {"euckr", "EUC-KR"},
};

const struct charset *charset_of(struct span content_type)
{
    struct text given;
    char name[NAME_BYTES_MAX + 1] = "";
    size_t length = 0;

    text_init(&given, NAME_BYTES_MAX);
    if (!header_value_parameter(content_type, "charset", &given) || given.failed) {
        given.length = 0;
    }
    for (size_t i = 0; i < given.length; i++) {
        char byte = given.bytes[i];
        if (ascii_is_alphanumeric(byte)) {
            name[length++] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
        } else if (strchr("-_:. ", byte) == NULL || byte == '\0') {
            name[length++] = '?'; // no name holds it
        }
    }
    text_finish(&given);
    for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
        if (strcmp(name, charsets[i].name) == 0) {
            return &charsets[i];
        }
    }
    return NULL;
}

static void append_replaced(struct text *out, struct span bytes)
{
    size_t good_from = 0;
    size_t at = 0;
    while (at < bytes.length) {
        uint32_t code = 0;
        size_t taken = utf8_next(bytes.bytes + at, bytes.length - at, &code);
        if (code == UTF8_BAD) {
            text_append(out, bytes.bytes + good_from, at - good_from);
            utf8_append(out, UTF8_REPLACEMENT);
            good_from = at + taken;
        }
        at += taken;
    }
    if (at > good_from)
        text_append(out, bytes.bytes + good_from, at - good_from);
}

static void append_converted(iconv_t converter, struct text *out, struct span bytes)
{
    char *at = (char *)(uintptr_t)bytes.bytes; // iconv's type is older than const; it does not write there
    size_t left = bytes.length;
    while (left > 0) {
        char piece[PIECE_BYTES + SINGLE_BYTES_MAX];
        char *end = piece;
        size_t room = sizeof piece;
        size_t outcome = iconv(converter, &at, &left, &end, &room);
        text_append(out, piece, sizeof piece - room);
        if (outcome == (size_t)-1 && errno != E2BIG) { // ill-formed, or cut off at the end
            utf8_append(out, UTF8_REPLACEMENT);
            at++;
            left--;
        }
    }
}

void charset_append_utf8(const struct charset *charset, struct text *out, struct span bytes)
{
    if (!charset) {
        append_replaced(out, bytes);
        return;
    }
    iconv_t converter = iconv_open("UTF-8", charset->iconv);
    if (converter == (iconv_t)-1) { // this system lacks it: as any unknown one
        append_replaced(out, bytes);
        return;
    }
    append_converted(converter, out, bytes);
    int outcome = iconv_close(converter);
    assert(outcome == 0);
}
