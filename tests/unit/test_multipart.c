/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest-adapter/form_reader.h"
#include "rest-adapter/multipart.h"

// What the parser said, written down as "name|filename|type|data;" per part.
struct record {
    struct text text;
    enum status answer; // of on_data
};

static enum status on_part(void *context, const struct multipart_part *part, struct error *error)
{
    struct record *record = context;
    (void)error;
    text_append(&record->text, part->name.bytes, part->name.length);
    text_append_char(&record->text, '|');
    text_append_string(&record->text, part->filename.bytes ? "" : "-");
    text_append(&record->text, part->filename.bytes, part->filename.length);
    text_append_char(&record->text, '|');
    text_append(&record->text, part->content_type.bytes, part->content_type.length);
    text_append_char(&record->text, '|');
    return STATUS_OK;
}

static enum status on_data(void *context, const char *bytes, size_t length, struct error *error)
{
    struct record *record = context;
    text_append(&record->text, bytes, length);
    return record->answer == STATUS_OK ? STATUS_OK : error_set(error, record->answer, "SINK", "no more room");
}

static enum status on_part_end(void *context, struct error *error)
{
    struct record *record = context;
    (void)error;
    text_append_char(&record->text, ';');
    return STATUS_OK;
}

#define TYPE             "multipart/form-data; boundary=B"
#define FIELD(name_)     "Content-Disposition: form-data; name=\"" name_ "\"\r\n\r\n"
#define FILE_PART(rest_) "Content-Disposition: form-data; name=\"f\"; " rest_ "\r\nContent-Type: text/x-python\r\n\r\n"

// Feeds body in two pieces, cut at split, or byte by byte when each_byte.
static void parse(const char *type, struct span body, size_t split, bool each_byte, struct text *out)
{
    struct record record = {0};
    struct multipart *parser = NULL;
    text_init(&record.text, 1 << 20);
    const struct multipart_events events = {on_part, on_data, on_part_end, &record};
    assert_int_equal(multipart_create(span_of(type), &events, &parser, NULL), STATUS_OK);
    if (each_byte) {
        for (size_t i = 0; i < body.length; i++)
            assert_int_equal(multipart_feed(parser, body.bytes + i, 1, NULL), STATUS_OK);
    } else {
        assert_int_equal(multipart_feed(parser, body.bytes, split, NULL), STATUS_OK);
        assert_int_equal(multipart_feed(parser, body.bytes + split, body.length - split, NULL), STATUS_OK);
    }
    assert_int_equal(multipart_finish(parser, NULL), STATUS_OK);
    multipart_destroy(parser);
    *out = record.text;
}

static void assert_parts_of_type(const char *type, struct span body, struct span expected)
{
    for (size_t split = 0; split <= body.length + 1; split++) {
        struct text text;
        bool each_byte = split > body.length;
        parse(type, body, split, each_byte, &text);
        if (text.length != expected.length || memcmp(text.bytes, expected.bytes, expected.length) != 0)
            fail_msg("split at %zu: '%s'", split, text.bytes);
        text_finish(&text);
    }
}

#define ASSERT_PARTS(body_, expected_) \
    assert_parts_of_type(TYPE, (struct span){(body_), sizeof(body_) - 1}, (struct span){(expected_), sizeof(expected_) - 1})

static void fields_and_files_come_out_however_the_body_is_cut(void **state)
{
    (void)state;
    ASSERT_PARTS(
        "--B\r\n" FIELD("a") "1\r\n--B\r\n" FIELD("b") "\r\n--B\r\n" FILE_PART("filename=\"x.py\"") "print(1)\r\n\r\n--B--\r\n",
        "a|-||1;b|-||;f|x.py|text/x-python|print(1)\r\n;");
}

static void data_may_look_almost_like_a_boundary(void **state)
{
    (void)state;
    ASSERT_PARTS(
        "--B\r\n" FIELD("a") "--B\r\r\n--\r\n--C\r\n--BB\r\n--B-\r\n--B x\r\r\n-\r\n\r\n--B \t\r\n" FIELD("b") "\0\r\n--B--",
        "a|-||--B\r\r\n--\r\n--C\r\n--BB\r\n--B-\r\n--B x\r\r\n-\r\n;b|-||\0;");
}

static void preamble_and_epilogue_are_ignored(void **state)
{
    (void)state;
    ASSERT_PARTS("hello\r\n--BX\r\nthere\r\n--B\r\n" FIELD("a") "1\r\n--B--\r\n--B\r\n" FIELD("b") "2\r\n--B--", "a|-||1;");
}

static void a_missing_closing_boundary_is_accepted(void **state)
{
    (void)state;
    ASSERT_PARTS("--B\r\n" FIELD("a") "1\r\n", "a|-||1\r\n;");
    ASSERT_PARTS("--B\r\n" FIELD("a") "1\r\n--B", "a|-||1;");
    ASSERT_PARTS("--B\r\n" FIELD("a") "", "a|-||;");
    ASSERT_PARTS("--B\r\nContent-Disposition: form-data; name=a\r\n", "");
}

static void a_boundary_that_is_never_found_is_an_empty_form(void **state)
{
    (void)state;
    ASSERT_PARTS("", "");
    ASSERT_PARTS("--C\r\n" FIELD("a") "1\r\n--C--\r\n", "");
    ASSERT_PARTS("--B--", "");
}

static void an_empty_part_needs_no_line_end_of_its_own(void **state)
{
    (void)state;
    ASSERT_PARTS("--B\r\n" FIELD("a") "--B\r\n" FIELD("b") "--B--", "a|-||;b|-||;");
}

static void parts_without_name_or_with_empty_filename_are_skipped(void **state)
{
    (void)state;
    ASSERT_PARTS("--B\r\n\r\nraw\r\n--B\r\nContent-Type: text/plain\r\n\r\nraw\r\n--B\r\n" FILE_PART(
                     "filename=\"\"") "gone\r\n--B\r\n" FIELD("") "gone\r\n--B\r\n" FIELD("a") "1\r\n--B--",
                 "a|-||1;");
}

static void parameters_are_unquoted_and_extended_ones_decoded(void **state)
{
    (void)state;
    ASSERT_PARTS("--B\r\n" FILE_PART("filename=\"a\\\"b;\\\\c\\d.py\"") "1\r\n--B--", "f|a\"b;\\c\\d.py|text/x-python|1;");
    ASSERT_PARTS("--B\r\n" FILE_PART("filename=plain.py") "1\r\n--B--", "f|plain.py|text/x-python|1;");
    ASSERT_PARTS("--B\r\n" FILE_PART("filename=\"e.py\"; filename*=UTF-8''%C3%A9%zz.py") "1\r\n--B--",
                 "f|\xC3\xA9%zz.py|text/x-python|1;");
    ASSERT_PARTS("--B\r\n" FILE_PART("filename=\"e.py\"; filename*=broken") "1\r\n--B--", "f|e.py|text/x-python|1;");
    ASSERT_PARTS("--B\r\ncontent-disposition:FORM-DATA;NAME=a\r\n\r\n1\r\n--B--", "a|-||1;");
}

static void a_transfer_encoding_is_passed_through(void **state)
{
    (void)state;
    ASSERT_PARTS("--B\r\nContent-Transfer-Encoding: base64\r\n" FIELD("a") "MQ==\r\n--B--", "a|-||MQ==;");
}

static void the_boundary_may_be_quoted_and_the_type_in_any_case(void **state)
{
    (void)state;
    static const char body[] = "--a ;b\r\n" FIELD("a") "1\r\n--a ;b--";
    assert_parts_of_type("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a ;b\"", (struct span){body, sizeof body - 1},
                         span_of("a|-||1;"));
}

static void without_a_usable_boundary_there_is_a_clear_error(void **state)
{
    (void)state;
    static const char *const types[] = {"multipart/form-data",
                                        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"",
                                        "multipart/form-data; boundary=a\xFF", "multipart/form-data; boundary=\"a \""};
    const struct multipart_events events = {on_part, on_data, on_part_end, NULL};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct multipart *parser = NULL;
        struct error error = {0};
        assert_int_equal(multipart_create(span_of(types[i]), &events, &parser, &error), STATUS_INVALID);
        assert_string_equal(error.reason, "FORM_MALFORMED");
        assert_null(parser);
    }
}

static struct multipart *begin(struct record *record)
{
    struct multipart *parser = NULL;
    text_init(&record->text, 1 << 20);
    const struct multipart_events events = {on_part, on_data, on_part_end, record};
    assert_int_equal(multipart_create(span_of(TYPE), &events, &parser, NULL), STATUS_OK);
    assert_int_equal(multipart_feed(parser, "--B\r\n", 5, NULL), STATUS_OK);
    return parser;
}

static void headers_of_a_part_are_bounded(void **state)
{
    (void)state;
    static char headers[MULTIPART_HEADERS_BYTES_MAX + 1];
    struct record record = {0};
    struct error error = {0};
    memset(headers, 'x', sizeof headers);
    struct multipart *parser = begin(&record);

    assert_int_equal(multipart_feed(parser, headers, sizeof headers - 1, &error), STATUS_OK);
    assert_int_equal(multipart_feed(parser, "x", 1, &error), STATUS_INVALID);
    assert_string_equal(error.reason, "FORM_MALFORMED");
    assert_int_equal(multipart_feed(parser, "x", 1, NULL), STATUS_INVALID);
    assert_int_equal(multipart_finish(parser, NULL), STATUS_INVALID);
    multipart_destroy(parser);
    text_finish(&record.text);
}

static void the_number_of_parts_is_bounded(void **state)
{
    (void)state;
    static const char part[] = FIELD("a") "1\r\n--B\r\n";
    struct record record = {0};
    struct error error = {0};
    struct multipart *parser = begin(&record);

    for (int i = 1; i < MULTIPART_PARTS_MAX; i++)
        assert_int_equal(multipart_feed(parser, part, sizeof part - 1, &error), STATUS_OK);
    assert_int_equal(multipart_feed(parser, part, sizeof part - 1, &error), STATUS_FULL);
    assert_string_equal(error.reason, "FORM_TOO_MANY_FIELDS");
    multipart_destroy(parser);
    text_finish(&record.text);
}

static void what_a_callback_answers_stops_the_parser(void **state)
{
    (void)state;
    static const char body[] = FIELD("a") "12345\r\n--B\r\n" FIELD("b") "6\r\n--B--";
    struct record record = {.answer = STATUS_FULL};
    struct error error = {0};
    struct multipart *parser = begin(&record);

    assert_int_equal(multipart_feed(parser, body, sizeof body - 1, &error), STATUS_FULL);
    assert_string_equal(error.reason, "SINK");
    assert_int_equal(multipart_finish(parser, &error), STATUS_FULL);
    assert_string_equal(record.text.bytes, "a|-||1"); // the first byte stood where a boundary could have begun
    multipart_destroy(parser);
    text_finish(&record.text);
}

// ---- the form reader, which stands on the parser ----

struct sink {
    struct text bytes;
    int begun;
    int ended;
};

static enum status sink_begin(void *context, struct form_file *file, struct error *error)
{
    struct sink *sink = context;
    (void)error;
    sink->begun++;
    file->stored = memory_copy_text("somewhere");
    return STATUS_OK;
}

static enum status sink_data(void *context, struct form_file *file, const char *bytes, size_t length, struct error *error)
{
    struct sink *sink = context;
    (void)file;
    (void)error;
    text_append(&sink->bytes, bytes, length);
    return STATUS_OK;
}

static enum status sink_end(void *context, struct form_file *file, struct error *error)
{
    struct sink *sink = context;
    (void)error;
    sink->ended++;
    text_append_format(&sink->bytes, "(%zu)", (size_t)file->size_bytes);
    return STATUS_OK;
}

// Reads body byte by byte.
static enum status read_form(const char *type, const char *body, struct form *form, struct sink *sink, struct error *error)
{
    const struct form_file_sink events = {sink_begin, sink_data, sink_end, sink};
    struct form_reader *reader = NULL;
    text_init(&sink->bytes, 1 << 20);
    enum status status = form_reader_create(span_of(type), form, &events, &reader, error);
    for (size_t i = 0; status == STATUS_OK && body[i] != '\0'; i++)
        status = form_reader_feed(reader, body + i, 1, error);
    if (status == STATUS_OK)
        status = form_reader_finish(reader, error);
    form_reader_destroy(reader);
    return status;
}

static const struct form_limits limits = {.fields_max = 3, .bytes_max = 20, .files_max = 2};

static void a_multipart_form_is_read_with_its_files(void **state)
{
    (void)state;
    struct form form;
    struct sink sink = {0};
    form_init(&form, &limits);

    assert_int_equal(read_form(TYPE,
                               "--B\r\n" FIELD("a") "1\r\n--B\r\n" FILE_PART("filename=\"../x.py\"") "one\r\n--B\r\n" FILE_PART(
                                   "filename=y.py") "second\r\n--B\r\n" FIELD("a") "2",
                               &form, &sink, NULL),
                     STATUS_OK);

    assert_string_equal(form_get(&form, "a").bytes, "2");
    assert_null(form_get(&form, "f").bytes);
    assert_int_equal(form.file_count, 2);
    assert_string_equal(form_file_at(&form, 0)->filename.bytes, "x.py");
    assert_string_equal(form_file_at(&form, 1)->content_type.bytes, "text/x-python");
    assert_int_equal(form_file_at(&form, 1)->size_bytes, 6);
    assert_string_equal(sink.bytes.bytes, "one(3)second(6)");
    assert_int_equal(sink.begun, 2);
    text_finish(&sink.bytes);
    form_finish(&form);
}

static void limits_hold_for_multipart_fields_but_not_for_files(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *reason;
    } cases[] = {
        {"--B\r\n" FIELD("a") "12345678901234567\r\n--B--", ""},
        {"--B\r\n" FIELD("a") "123456789012345678\r\n--B--", "FORM_TOO_LARGE"},
        {"--B\r\n" FIELD("a") "1234567\r\n--B\r\n" FIELD("b") "12345678\r\n--B--", "FORM_TOO_LARGE"},
        {"--B\r\n" FIELD("a") "\r\n--B\r\n" FIELD("a") "\r\n--B\r\n" FIELD("a") "\r\n--B\r\n" FIELD("a") "\r\n--B--",
         "FORM_TOO_MANY_FIELDS"},
        {"--B\r\n" FILE_PART("filename=x") "123456789012345678901234567890\r\n--B--", ""},
        {"--B\r\n" FILE_PART("filename=x") "\r\n--B\r\n" FILE_PART("filename=x") "\r\n--B\r\n" FILE_PART(
             "filename=x") "\r\n--B--",
         "FORM_TOO_MANY_FILES"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct form form;
        struct sink sink = {0};
        struct error error = {0};
        form_init(&form, &limits);
        enum status status = read_form(TYPE, cases[i].body, &form, &sink, &error);
        assert_string_equal(error.reason, cases[i].reason);
        assert_int_equal(status, cases[i].reason[0] ? STATUS_FULL : STATUS_OK);
        text_finish(&sink.bytes);
        form_finish(&form);
    }
}

static void an_urlencoded_body_is_read_whatever_the_case_of_its_type(void **state)
{
    (void)state;
    struct form form;
    struct sink sink = {0};
    form_init(&form, &limits);

    assert_int_equal(read_form("Application/X-WWW-Form-URLencoded ; charset=UTF-8", "a=1&b=%41", &form, &sink, NULL),
                     STATUS_OK);

    assert_string_equal(form_get(&form, "b").bytes, "A");
    text_finish(&sink.bytes);
    form_finish(&form);
}

static void an_urlencoded_body_over_the_limit_is_refused_while_it_comes(void **state)
{
    (void)state;
    struct form form;
    struct sink sink = {0};
    struct error error = {0};
    form_init(&form, &limits);

    assert_int_equal(read_form("application/x-www-form-urlencoded", "a=1234567890123456789", &form, &sink, &error),
                     STATUS_FULL);

    assert_string_equal(error.reason, "FORM_TOO_LARGE");
    text_finish(&sink.bytes);
    form_finish(&form);
}

static void a_body_of_another_type_is_an_empty_form(void **state)
{
    (void)state;
    static const char *const types[] = {NULL, "", "application/json", "multipart/mixed; boundary=B", "text/plain"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct form form;
        struct form_reader *reader = NULL;
        form_init(&form, &limits);
        assert_int_equal(form_reader_create(span_of(types[i]), &form, NULL, &reader, NULL), STATUS_OK);
        assert_false(form_reader_wants_body(reader));
        assert_int_equal(form_reader_feed(reader, "a=1&b=12345678901234567890", 26, NULL), STATUS_OK);
        assert_int_equal(form_reader_finish(reader, NULL), STATUS_OK);
        assert_int_equal(form.field_count, 0);
        form_reader_destroy(reader);
        form_finish(&form);
    }
}

static void multipart_without_boundary_is_refused_by_the_reader(void **state)
{
    (void)state;
    struct form form;
    struct sink sink = {0};
    struct error error = {0};
    form_init(&form, &limits);

    assert_int_equal(read_form("multipart/form-data", "x", &form, &sink, &error), STATUS_INVALID);

    assert_string_equal(error.reason, "FORM_MALFORMED");
    text_finish(&sink.bytes);
    form_finish(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_files_come_out_however_the_body_is_cut),
        cmocka_unit_test(data_may_look_almost_like_a_boundary),
        cmocka_unit_test(preamble_and_epilogue_are_ignored),
        cmocka_unit_test(a_missing_closing_boundary_is_accepted),
        cmocka_unit_test(a_boundary_that_is_never_found_is_an_empty_form),
        cmocka_unit_test(an_empty_part_needs_no_line_end_of_its_own),
        cmocka_unit_test(parts_without_name_or_with_empty_filename_are_skipped),
        cmocka_unit_test(parameters_are_unquoted_and_extended_ones_decoded),
        cmocka_unit_test(a_transfer_encoding_is_passed_through),
        cmocka_unit_test(the_boundary_may_be_quoted_and_the_type_in_any_case),
        cmocka_unit_test(without_a_usable_boundary_there_is_a_clear_error),
        cmocka_unit_test(headers_of_a_part_are_bounded),
        cmocka_unit_test(the_number_of_parts_is_bounded),
        cmocka_unit_test(what_a_callback_answers_stops_the_parser),
        cmocka_unit_test(a_multipart_form_is_read_with_its_files),
        cmocka_unit_test(limits_hold_for_multipart_fields_but_not_for_files),
        cmocka_unit_test(an_urlencoded_body_is_read_whatever_the_case_of_its_type),
        cmocka_unit_test(an_urlencoded_body_over_the_limit_is_refused_while_it_comes),
        cmocka_unit_test(a_body_of_another_type_is_an_empty_form),
        cmocka_unit_test(multipart_without_boundary_is_refused_by_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
