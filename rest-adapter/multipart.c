/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/multipart.h"

#include <assert.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/header_value.h"

enum multipart_state { MULTIPART_PREAMBLE, MULTIPART_HEADERS, MULTIPART_DATA, MULTIPART_EPILOGUE };

enum {
    DELIMITER_BYTES_MAX = 4 + MULTIPART_BOUNDARY_BYTES_MAX,                     // CR LF - - boundary
    HELD_BYTES_MAX = DELIMITER_BYTES_MAX + MULTIPART_PADDING_BYTES_MAX + 2 + 1, // blanks CR LF, and the byte that spoils it
    LINE_END_BYTES = 2,
};

struct multipart {
    struct multipart_events events;
    enum multipart_state state;
    enum status failed; // what stopped the parser, or STATUS_OK
    struct error error; // its text
    size_t parts;
    bool wanted; // the open part has been told to on_part
    char delimiter[DELIMITER_BYTES_MAX];
    size_t delimiter_length;
    // What may turn out to be a delimiter line. The first `unsent` bytes are not part of the data: the line end that the blank
    // line after the headers, or the start of the body, stands for.
    char held[HELD_BYTES_MAX];
    size_t held_length;
    size_t unsent;
    struct text headers; // of the part that begins
};

static bool is_boundary(struct span boundary)
{
    if (boundary.length == 0 || boundary.length > MULTIPART_BOUNDARY_BYTES_MAX || boundary.bytes[boundary.length - 1] == ' ')
        return false;
    for (size_t i = 0; i < boundary.length; i++) {
        if (boundary.bytes[i] < ' ' || boundary.bytes[i] > '~')
            return false;
    }
    return true;
}

// A delimiter begins with a line end; the start of the body and the end of the headers count as one.
static void expect_delimiter(struct multipart *parser)
{
    memcpy(parser->held, parser->delimiter, LINE_END_BYTES);
    parser->held_length = LINE_END_BYTES;
    parser->unsent = LINE_END_BYTES;
}

enum status multipart_create(struct span content_type, const struct multipart_events *events, struct multipart **out_parser,
                             struct error *error)
{
    struct text boundary;
    text_init(&boundary, MULTIPART_BOUNDARY_BYTES_MAX + 1);
    bool found = header_value_parameter(content_type, "boundary", &boundary);
    if (!found || boundary.failed || !is_boundary((struct span){boundary.bytes, boundary.length})) {
        text_finish(&boundary);
        return error_set(error, STATUS_INVALID, "FORM_MALFORMED", "multipart/form-data without a usable boundary");
    }

    struct multipart *parser = MEMORY_NEW(struct multipart);
    parser->events = *events;
    parser->state = MULTIPART_PREAMBLE;
    memcpy(parser->delimiter, "\r\n--", 4);
    memcpy(parser->delimiter + 4, boundary.bytes, boundary.length);
    parser->delimiter_length = 4 + boundary.length;
    text_init(&parser->headers, MULTIPART_HEADERS_BYTES_MAX);
    expect_delimiter(parser);
    text_finish(&boundary);
    *out_parser = parser;
    return STATUS_OK;
}

void multipart_destroy(struct multipart *parser)
{
    if (!parser)
        return;
    text_finish(&parser->headers);
    memory_free(parser);
}

static enum status send_data(struct multipart *parser, const char *bytes, size_t length)
{
    if (parser->state != MULTIPART_DATA || !parser->wanted || length == 0)
        return STATUS_OK;
    return parser->events.on_data(parser->events.context, bytes, length, &parser->error);
}

static enum status end_part(struct multipart *parser)
{
    bool open = parser->state == MULTIPART_DATA && parser->wanted;
    parser->wanted = false;
    return open ? parser->events.on_part_end(parser->events.context, &parser->error) : STATUS_OK;
}

// Finds the value of the header with this name among the collected lines.
static struct span find_header(struct span lines, const char *name)
{
    size_t name_length = strlen(name);
    struct span found = {0};
    while (lines.length > 0) {
        const char *end = memmem(lines.bytes, lines.length, "\r\n", LINE_END_BYTES);
        size_t length = end ? (size_t)(end - lines.bytes) : lines.length;
        if (length > name_length && lines.bytes[name_length] == ':' && strncasecmp(lines.bytes, name, name_length) == 0)
            found = (struct span){lines.bytes + name_length + 1, length - name_length - 1};
        size_t cut = end ? length + LINE_END_BYTES : length;
        lines.bytes += cut;
        lines.length -= cut;
    }
    return found;
}

// Reads the collected headers and announces the part, unless it is one to skip.
static enum status begin_part(struct multipart *parser)
{
    struct span lines = {parser->headers.bytes, parser->headers.length};
    struct span disposition = find_header(lines, "Content-Disposition");
    struct text name;
    struct text filename;
    text_init(&name, MULTIPART_HEADERS_BYTES_MAX);
    text_init(&filename, MULTIPART_HEADERS_BYTES_MAX);
    bool named = header_value_parameter(disposition, "name", &name);
    bool file = header_value_parameter(disposition, "filename*", &filename) ||
                header_value_parameter(disposition, "filename", &filename);

    struct multipart_part part = {
        .name = span_trim((struct span){name.bytes, name.length}),
        .filename = file ? (struct span){filename.bytes, filename.length} : (struct span){0},
        .content_type = span_trim(find_header(lines, "Content-Type")),
    };
    parser->wanted = named && part.name.length > 0 && (!file || part.filename.length > 0);
    parser->state = MULTIPART_DATA;
    expect_delimiter(parser);
    enum status status = parser->wanted ? parser->events.on_part(parser->events.context, &part, &parser->error) : STATUS_OK;
    text_clear(&parser->headers);
    text_finish(&name);
    text_finish(&filename);
    return status;
}

static enum status begin_headers(struct multipart *parser)
{
    enum status status = end_part(parser);
    if (status != STATUS_OK)
        return status;
    if (++parser->parts > MULTIPART_PARTS_MAX)
        return error_set(&parser->error, STATUS_FULL, "FORM_TOO_MANY_FIELDS", "The form has more than %d parts",
                         MULTIPART_PARTS_MAX);
    parser->state = MULTIPART_HEADERS;
    return STATUS_OK;
}

static bool headers_are_complete(const struct text *headers)
{
    size_t length = headers->length;
    if (length == LINE_END_BYTES)
        return memcmp(headers->bytes, "\r\n", LINE_END_BYTES) == 0;
    return length >= 4 && memcmp(headers->bytes + length - 4, "\r\n\r\n", 4) == 0;
}

// Takes header bytes up to the blank line. *out_used: how many.
static enum status take_headers(struct multipart *parser, const char *bytes, size_t length, size_t *out_used)
{
    size_t used = 0;
    while (used < length) {
        text_append_char(&parser->headers, bytes[used++]);
        if (parser->headers.failed)
            return error_set(&parser->error, STATUS_INVALID, "FORM_MALFORMED",
                             "The headers of a part of the form are longer than %d bytes", MULTIPART_HEADERS_BYTES_MAX);
        if (headers_are_complete(&parser->headers)) {
            *out_used = used;
            return begin_part(parser);
        }
    }
    *out_used = used;
    return STATUS_OK;
}

enum line { LINE_NO, LINE_MAYBE, LINE_PART, LINE_END };

// Is held a delimiter line, or can it still become one?
static enum line held_line(const struct multipart *parser)
{
    size_t common = parser->held_length < parser->delimiter_length ? parser->held_length : parser->delimiter_length;
    if (memcmp(parser->held, parser->delimiter, common) != 0)
        return LINE_NO;
    struct span rest = {parser->held + common, parser->held_length - common};
    if (rest.length == 0)
        return LINE_MAYBE;
    if (rest.bytes[0] == '-') {
        if (rest.length == 1)
            return LINE_MAYBE;
        return rest.bytes[1] == '-' ? LINE_END : LINE_NO;
    }
    size_t blanks = 0;
    while (blanks < rest.length && (rest.bytes[blanks] == ' ' || rest.bytes[blanks] == '\t'))
        blanks++;
    if (blanks > MULTIPART_PADDING_BYTES_MAX)
        return LINE_NO;
    if (blanks == rest.length)
        return LINE_MAYBE;
    if (rest.bytes[blanks] != '\r')
        return LINE_NO;
    if (blanks + 1 == rest.length)
        return LINE_MAYBE;
    return rest.bytes[blanks + 1] == '\n' ? LINE_PART : LINE_NO;
}

// Held turned out to be data: sends it but for what may begin a delimiter after all.
static enum status release_held(struct multipart *parser)
{
    // Past its first byte a CR can only be one of the last two: boundaries have none.
    const char *next = memchr(parser->held + 1, '\r', parser->held_length - 1);
    size_t length = next ? (size_t)(next - parser->held) : parser->held_length;
    size_t skip = parser->unsent < length ? parser->unsent : length;
    parser->unsent = 0;
    enum status status = send_data(parser, parser->held + skip, length - skip);
    parser->held_length -= length;
    memmove(parser->held, parser->held + length, parser->held_length);
    return status;
}

static enum status hold(struct multipart *parser, char byte)
{
    assert(parser->held_length < HELD_BYTES_MAX);
    parser->held[parser->held_length++] = byte;
    enum status status = STATUS_OK;
    while (parser->held_length > 0 && status == STATUS_OK) {
        enum line line = held_line(parser);
        if (line == LINE_MAYBE)
            return STATUS_OK;
        if (line == LINE_NO) {
            status = release_held(parser);
            continue;
        }
        parser->held_length = 0;
        parser->unsent = 0;
        if (line == LINE_PART)
            return begin_headers(parser);
        status = end_part(parser);
        parser->state = MULTIPART_EPILOGUE;
    }
    return status;
}

// How many bytes there are before what may be, or become, a delimiter.
static size_t plain_run(const struct multipart *parser, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        const char *next = memchr(bytes + at, '\r', length - at);
        if (!next)
            return length;
        at = (size_t)(next - bytes);
        size_t left = length - at;
        if (memcmp(next, parser->delimiter, left < parser->delimiter_length ? left : parser->delimiter_length) == 0)
            return at;
        at++;
    }
    return length;
}

// Takes bytes of the preamble or of a part's data, up to where the state changes. *out_used: how many.
static enum status take_data(struct multipart *parser, const char *bytes, size_t length, size_t *out_used)
{
    enum multipart_state state = parser->state;
    size_t used = 0;
    enum status status = STATUS_OK;
    while (used < length && status == STATUS_OK && parser->state == state) {
        size_t run = parser->held_length > 0 ? 0 : plain_run(parser, bytes + used, length - used);
        if (run > 0) {
            status = send_data(parser, bytes + used, run);
            used += run;
        } else {
            size_t before = parser->held_length;
            status = hold(parser, bytes[used++]);
            // Something was released, and what is left came with these bytes: look at it there again, runs are faster than
            // bytes.
            if (parser->held_length <= before && parser->held_length <= used && parser->state == state) {
                used -= parser->held_length;
                parser->held_length = 0;
            }
        }
    }
    *out_used = used;
    return status;
}

static enum status stop(struct multipart *parser, enum status status, struct error *error)
{
    parser->failed = status;
    if (error)
        *error = parser->error;
    return status;
}

enum status multipart_feed(struct multipart *parser, const void *bytes, size_t length, struct error *error)
{
    const char *at = bytes;
    enum status status = parser->failed;
    while (length > 0 && status == STATUS_OK && parser->state != MULTIPART_EPILOGUE) {
        size_t used = 0;
        if (parser->state == MULTIPART_HEADERS)
            status = take_headers(parser, at, length, &used);
        else
            status = take_data(parser, at, length, &used);
        at += used;
        length -= used;
    }
    return status == STATUS_OK ? STATUS_OK : stop(parser, status, error);
}

enum status multipart_finish(struct multipart *parser, struct error *error)
{
    enum status status = parser->failed;
    if (status == STATUS_OK && parser->state == MULTIPART_DATA) {
        // A boundary at the very end is one, though its line is not complete.
        if (parser->held_length < parser->delimiter_length)
            status = send_data(parser, parser->held + parser->unsent, parser->held_length - parser->unsent);
        if (status == STATUS_OK)
            status = end_part(parser);
        parser->state = MULTIPART_EPILOGUE;
    }
    return status == STATUS_OK ? STATUS_OK : stop(parser, status, error);
}
