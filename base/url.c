/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

#include "base/ascii.h"

struct url_parts {
    bool https;
    bool numeric; // an IPv6 address; host is without its brackets
    struct span host;
    unsigned port; // 0: none given
};

enum { PORT_DIGITS_MAX = 5, PORT_MAX = 65535, PORT_HTTP = 80, PORT_HTTPS = 443 };

static enum status invalid(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID, "URL_INVALID", "%s", what);
}

static bool is_one_of(char byte, const char *set)
{
    return byte != '\0' && strchr(set, byte);
}

// Takes "http://" or "https://" off url, whatever its case.
static bool take_scheme(struct span *url, bool *out_https)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if (url->length >= length && strncasecmp(url->bytes, schemes[i], length) == 0) {
            url->bytes += length;
            url->length -= length;
            *out_https = i == 1;
            return true;
        }
    }
    return false;
}

static bool has_control(struct span url)
{
    for (size_t i = 0; i < url.length; i++) {
        unsigned char byte = (unsigned char)url.bytes[i];
        if (byte < ' ' || byte == 0x7F)
            return true;
    }
    return false;
}

static bool parse_port(struct span digits, unsigned *out_port)
{
    unsigned port = 0;
    if (digits.length > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (!ascii_is_digit(digits.bytes[i]))
            return false;
        port = port * 10 + (unsigned)(digits.bytes[i] - '0');
    }
    // "host:" without digits means the default port.
    if (digits.length > 0 && (port == 0 || port > PORT_MAX))
        return false;
    *out_port = port;
    return true;
}

static bool is_host_name(struct span host)
{
    for (size_t i = 0; i < host.length; i++) {
        if (!ascii_is_alphanumeric(host.bytes[i]) && !is_one_of(host.bytes[i], ".-_"))
            return false;
    }
    return host.length > 0 && host.length <= URL_HOST_BYTES_MAX && host.bytes[0] != '.';
}

static bool ipv6_address(struct span host, struct in6_addr *out_address)
{
    char text[INET6_ADDRSTRLEN];
    if (host.length >= sizeof text)
        return false;
    memcpy(text, host.bytes, host.length);
    text[host.length] = '\0';
    return inet_pton(AF_INET6, text, out_address) == 1;
}

static enum status parse_host(struct span authority, struct url_parts *parts, struct error *error)
{
    struct in6_addr address;
    struct span port = {0};
    parts->numeric = authority.length > 0 && authority.bytes[0] == '[';
    const char *end = memchr(authority.bytes, parts->numeric ? ']' : ':', authority.length);
    if (parts->numeric) {
        size_t length = end ? (size_t)(end - authority.bytes) : 0;
        parts->host = (struct span){authority.bytes + 1, length ? length - 1 : 0};
        if (!end || !ipv6_address(parts->host, &address))
            return invalid(error, "the URL's IPv6 address is not valid");
        port = (struct span){end + 1, authority.length - length - 1};
        if (port.length > 0 && port.bytes[0] != ':')
            return invalid(error, "the URL has something between its host and its path");
    } else {
        size_t length = end ? (size_t)(end - authority.bytes) : authority.length;
        parts->host = (struct span){authority.bytes, length};
        if (!is_host_name(parts->host))
            return invalid(error, length ? "the URL's host is not valid" : "the URL has no host");
        port = (struct span){authority.bytes + length, authority.length - length};
    }
    if (port.length > 0 && !parse_port((struct span){port.bytes + 1, port.length - 1}, &parts->port))
        return invalid(error, "the URL's port is not a number from 1 to 65535");
    return STATUS_OK;
}

static enum status parse(struct span url, struct url_parts *out_parts, struct error *error)
{
    struct url_parts parts = {0};
    if (url.length == 0 || url.length > URL_BYTES_MAX)
        return invalid(error, url.length ? "the URL is longer than 8192 bytes" : "the URL is empty");
    if (!text_is_utf8(url.bytes, url.length) || has_control(url))
        return invalid(error, "the URL has control characters or bytes that are not UTF-8");
    struct span rest = url;
    if (!take_scheme(&rest, &parts.https))
        return invalid(error, "the URL does not begin with http:// or https://");

    size_t length = 0;
    while (length < rest.length && !is_one_of(rest.bytes[length], "/?#"))
        length++;
    struct span authority = {rest.bytes, length};
    if (memchr(authority.bytes, ' ', length))
        return invalid(error, "the URL has a blank before its path");
    // Programs disagree about backslashes and a second '@', and so about which host is meant.
    const char *at = memchr(authority.bytes, '@', length);
    if (memchr(authority.bytes, '\\', length) || (at && memchr(at + 1, '@', (size_t)(authority.bytes + length - at - 1))))
        return invalid(error, "the URL has a backslash or more than one '@' before its path");
    if (at) {
        authority.length -= (size_t)(at + 1 - authority.bytes);
        authority.bytes = at + 1;
    }
    enum status status = parse_host(authority, &parts, error);
    if (status == STATUS_OK)
        *out_parts = parts;
    return status;
}

enum status url_check(struct span url, struct error *error)
{
    struct url_parts parts;
    return parse(url, &parts, error);
}

// The one spelling of a host: lower case, IPv6 as inet_ntop writes it.
static void write_host(const struct url_parts *parts, char out[URL_HOST_BYTES_MAX + 1])
{
    struct in6_addr address;
    if (parts->numeric && ipv6_address(parts->host, &address)) {
        const char *written = inet_ntop(AF_INET6, &address, out, URL_HOST_BYTES_MAX + 1);
        assert(written);
        return;
    }
    for (size_t i = 0; i < parts->host.length; i++) {
        char byte = parts->host.bytes[i];
        out[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    out[parts->host.length] = '\0';
}

enum status url_origin(struct span url, char out[URL_ORIGIN_MAX], struct error *error)
{
    struct url_parts parts = {0};
    enum status status = parse(url, &parts, error);
    if (status != STATUS_OK)
        return status;

    char host[URL_HOST_BYTES_MAX + 1];
    char port[PORT_DIGITS_MAX + 2] = "";
    write_host(&parts, host);
    if (parts.port != 0 && parts.port != (parts.https ? PORT_HTTPS : PORT_HTTP))
        (void)snprintf(port, sizeof port, ":%u", parts.port % (PORT_MAX + 1));
    (void)snprintf(out, URL_ORIGIN_MAX, "%s://%s%s%s%s", parts.https ? "https" : "http", parts.numeric ? "[" : "", host,
                   parts.numeric ? "]" : "", port);
    return STATUS_OK;
}

enum status url_host(struct span url, char out[URL_HOST_BYTES_MAX + 1], struct error *error)
{
    struct url_parts parts = {0};
    enum status status = parse(url, &parts, error);
    if (status == STATUS_OK)
        write_host(&parts, out);
    return status;
}

// Appends bytes, percent-encoding all but letters, digits, "_.-~" and those in safe.
static void append_encoded(struct text *out, struct span bytes, const char *safe)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.bytes[i];
        if (ascii_is_alphanumeric((char)byte) || is_one_of((char)byte, "_.-~") || is_one_of((char)byte, safe)) {
            text_append_char(out, (char)byte);
        } else {
            const char escape[] = {'%', hex[byte >> 4], hex[byte & 15]};
            text_append(out, escape, sizeof escape);
        }
    }
}

void url_append_ascii(struct text *out, struct span url)
{
    append_encoded(out, url, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}");
}

void url_append_quoted(struct text *out, struct span bytes)
{
    append_encoded(out, bytes, "/");
}

void url_append_path_quoted(struct text *out, struct span bytes)
{
    append_encoded(out, bytes, "/!*'()");
}

void url_append_form_quoted(struct text *out, struct span bytes)
{
    if (bytes.length == 0)
        return;
    const char *end = bytes.bytes + bytes.length;
    for (const char *at = bytes.bytes; at < end;) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        append_encoded(out, (struct span){at, (size_t)((blank ? blank : end) - at)}, "");
        if (blank)
            text_append_char(out, '+');
        at = blank ? blank + 1 : end;
    }
}

void url_append_login_redirect(struct text *out, const char *login_path, struct span path, struct span query)
{
    // What no URL may hold is encoded first, as Django's iri_to_uri does; then all of it once more, as a value.
    static const char uri_safe[] = "/#%[]=:;$&()+,!?*@'~";
    struct text whole;
    text_init(&whole, (path.length + query.length) * 3 + 1);
    append_encoded(&whole, path, uri_safe);
    if (query.length > 0) {
        text_append_char(&whole, '?');
        append_encoded(&whole, query, uri_safe);
    }
    text_append_string(out, login_path);
    text_append_string(out, "?next=");
    url_append_quoted(out, (struct span){whole.bytes, whole.length});
    text_finish(&whole);
}
