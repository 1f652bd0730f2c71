/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/legacy_row.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/text.h"

enum {
    NUMBER_BYTES_MAX = 24,
    DECIMAL = 10,
    FRACTION_DIGITS = 6,
    US_PER_MS = 1000,
};
#define US_PER_SECOND INT64_C(1000000)

enum submission_column {
    COLUMN_ID,
    COLUMN_QUEUE,
    COLUMN_RETIRED,
    COLUMN_HEADER,
    COLUMN_BODY,
    COLUMN_FILE_URLS,
    COLUMN_ARRIVED,
    COLUMN_PULLED,
    COLUMN_KEY,
    COLUMN_GRADER,
    COLUMN_RETURNED,
    COLUMN_RESULT,
    COLUMN_FAILURES,
    COLUMN_ACKNOWLEDGED,
};
enum user_column { COLUMN_NAME, COLUMN_PASSWORD, COLUMN_ACTIVE };

static const struct {
    const char *name;
    const char *columns[LEGACY_NEEDED_MAX];
} tables[LEGACY_TABLE_COUNT] = {
    [LEGACY_SUBMISSIONS] = {"queue_submission",
                            {
                                [COLUMN_ID] = "id",
                                [COLUMN_QUEUE] = "queue_name",
                                [COLUMN_RETIRED] = "retired",
                                [COLUMN_HEADER] = "xqueue_header",
                                [COLUMN_BODY] = "xqueue_body",
                                [COLUMN_FILE_URLS] = "s3_urls",
                                [COLUMN_ARRIVED] = "arrival_time",
                                [COLUMN_PULLED] = "pull_time",
                                [COLUMN_KEY] = "pullkey",
                                [COLUMN_GRADER] = "grader_id",
                                [COLUMN_RETURNED] = "return_time",
                                [COLUMN_RESULT] = "grader_reply",
                                [COLUMN_FAILURES] = "num_failures",
                                [COLUMN_ACKNOWLEDGED] = "lms_ack",
                            }},
    [LEGACY_USERS] = {"auth_user", {[COLUMN_NAME] = "username", [COLUMN_PASSWORD] = "password", [COLUMN_ACTIVE] = "is_active"}},
};

const char *legacy_table_name(enum legacy_table table)
{
    assert((unsigned)table < LEGACY_TABLE_COUNT);
    return tables[table].name;
}

enum legacy_table legacy_table_from_name(const char *name)
{
    unsigned at = 0;
    while (at < LEGACY_TABLE_COUNT && strcasecmp(tables[at].name, name) != 0)
        at++;
    return (enum legacy_table)at;
}

void legacy_rows_init(struct legacy_rows *rows, const struct legacy_visitor *visitor)
{
    *rows = (struct legacy_rows){.visitor = *visitor};
}

void legacy_rows_note_id(struct legacy_rows *rows, int64_t id)
{
    if (id > rows->id_max)
        rows->id_max = id;
}

enum status legacy_rows_set_columns(struct legacy_rows *rows, enum legacy_table table, const char *const *names, size_t count,
                                    struct error *error)
{
    for (size_t needed = 0; needed < LEGACY_NEEDED_MAX && tables[table].columns[needed]; needed++) {
        size_t at = 0;
        while (at < count && strcasecmp(names[at], tables[table].columns[needed]) != 0)
            at++;
        if (at == count) {
            return error_set(error, STATUS_INVALID, "NOT_AN_ORIGINAL", "the table %s has no column %s: not an original's",
                             tables[table].name, tables[table].columns[needed]);
        }
        rows->position[table][needed] = (int)at;
    }
    rows->column_count[table] = count;
    rows->has_columns[table] = true;
    return STATUS_OK;
}

/* ---- times ---- */

/* count digits at text + at. */
static bool take_digits(struct span text, size_t *at, int count, int64_t *out_number)
{
    int64_t number = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (*at >= text.length || !ascii_is_digit(text.bytes[*at]))
            return false;
        number = number * DECIMAL + (text.bytes[*at] - '0');
    }
    *out_number = number;
    return true;
}

static bool take_one_of(struct span text, size_t *at, const char *characters)
{
    if (*at >= text.length || text.bytes[*at] == '\0' || !strchr(characters, text.bytes[*at]))
        return false;
    (*at)++;
    return true;
}

static bool take_fraction(struct span text, size_t *at, int64_t *out_us)
{
    *out_us = 0;
    if (!take_one_of(text, at, "."))
        return true;
    int digits = 0;
    for (; *at < text.length && ascii_is_digit(text.bytes[*at]); (*at)++, digits++) {
        if (digits < FRACTION_DIGITS)
            *out_us = *out_us * DECIMAL + (text.bytes[*at] - '0');
    }
    for (int i = digits; i < FRACTION_DIGITS; i++)
        *out_us *= DECIMAL;
    return digits > 0;
}

static bool is_utc(struct span rest)
{
    return rest.length == 0 || span_equal(rest, span_of("Z")) || span_equal(rest, span_of("+00:00"));
}

/* Days from 1970-01-01 in the Gregorian calendar; months count from March, so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    month += month <= 2 ? 9 : -3;
    int64_t day_of_year = (153 * month + 2) / 5 + day - 1;
    return 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

static bool is_date(int64_t year, int64_t month, int64_t day)
{
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] + (leap && month == 2);
}

enum status legacy_time_parse(struct span text, int64_t *out_us)
{
    int64_t year = 0;
    int64_t month = 0;
    int64_t day = 0;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t fraction_us = 0;
    size_t at = 0;
    bool is_well_formed = take_digits(text, &at, 4, &year) && take_one_of(text, &at, "-") &&
                          take_digits(text, &at, 2, &month) && take_one_of(text, &at, "-") && take_digits(text, &at, 2, &day) &&
                          take_one_of(text, &at, " T") && take_digits(text, &at, 2, &hour) && take_one_of(text, &at, ":") &&
                          take_digits(text, &at, 2, &minute) && take_one_of(text, &at, ":") &&
                          take_digits(text, &at, 2, &second) && take_fraction(text, &at, &fraction_us) &&
                          is_utc((struct span){text.bytes + at, text.length - at});
    if (!is_well_formed || !is_date(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return STATUS_INVALID;
    int64_t seconds = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    *out_us = seconds * US_PER_SECOND + fraction_us;
    return STATUS_OK;
}

/* ---- values ---- */

/* A row while its values are read: the first that is wrong is remembered, and the later ones do not matter. */
struct row {
    const struct legacy_rows *rows;
    enum legacy_table table;
    const struct legacy_value *values;
    enum status status;
    size_t wrong; /* the column, when status is not STATUS_OK */
};

static const struct legacy_value *value_of(const struct row *row, size_t column)
{
    return &row->values[row->rows->position[row->table][column]];
}

static void note_wrong(struct row *row, size_t column, enum status status)
{
    if (row->status != STATUS_OK)
        return;
    row->status = status;
    row->wrong = column;
}

static struct span take_text(struct row *row, size_t column)
{
    const struct legacy_value *value = value_of(row, column);
    if (value->is_cut)
        note_wrong(row, column, STATUS_FULL);
    else if (!value->is_null && !text_is_utf8(value->bytes, value->length))
        note_wrong(row, column, STATUS_INVALID);
    return value->is_null ? (struct span){.bytes = ""} : (struct span){value->bytes, value->length};
}

static int64_t take_number(struct row *row, size_t column, int64_t min, int64_t max)
{
    const struct legacy_value *value = value_of(row, column);
    char digits[NUMBER_BYTES_MAX];
    int64_t number = min;
    bool is_usable = !value->is_null && !value->is_cut && value->length < sizeof digits;
    if (is_usable) {
        memcpy(digits, value->bytes, value->length);
        digits[value->length] = '\0';
        is_usable = text_to_int64(digits, min, max, &number) == STATUS_OK;
    }
    if (!is_usable)
        note_wrong(row, column, STATUS_INVALID);
    return number;
}

/* Microseconds; 0: NULL. */
static int64_t take_time(struct row *row, size_t column)
{
    const struct legacy_value *value = value_of(row, column);
    int64_t time_us = 0;
    if (!value->is_null &&
        (value->is_cut || legacy_time_parse((struct span){value->bytes, value->length}, &time_us) != STATUS_OK))
        note_wrong(row, column, STATUS_INVALID);
    return time_us;
}

static enum status say_wrong(const struct row *row, struct span name, struct error *error)
{
    const char *column = tables[row->table].columns[row->wrong];
    if (row->status == STATUS_FULL)
        return error_set(error, STATUS_FULL, "VALUE_TOO_LONG", "%s of %.*s in %s is longer than can be read", column,
                         (int)name.length, name.bytes, tables[row->table].name);
    return error_set(error, row->status, "VALUE_INVALID", "%s of %.*s in %s is not what it can be", column, (int)name.length,
                     name.bytes, tables[row->table].name);
}

static enum status add_submission(struct legacy_rows *rows, struct row *row, struct error *error)
{
    struct legacy_submission submission = {
        .id = take_number(row, COLUMN_ID, 1, INT64_MAX),
        .is_retired = take_number(row, COLUMN_RETIRED, 0, 1) != 0,
        .queue = take_text(row, COLUMN_QUEUE),
    };
    if (!submission.is_retired) {
        submission.header = take_text(row, COLUMN_HEADER);
        submission.body = take_text(row, COLUMN_BODY);
        submission.file_urls = take_text(row, COLUMN_FILE_URLS);
        submission.arrived_at_us = take_time(row, COLUMN_ARRIVED);
        submission.pulled_at_ms = take_time(row, COLUMN_PULLED) / US_PER_MS;
        submission.key = take_text(row, COLUMN_KEY);
        submission.grader = take_text(row, COLUMN_GRADER);
        submission.returned_at_ms = take_time(row, COLUMN_RETURNED) / US_PER_MS;
        submission.result = take_text(row, COLUMN_RESULT);
        submission.failures = take_number(row, COLUMN_FAILURES, 0, INT32_MAX);
        submission.is_acknowledged = take_number(row, COLUMN_ACKNOWLEDGED, 0, 1) != 0;
        if (value_of(row, COLUMN_ARRIVED)->is_null)
            note_wrong(row, COLUMN_ARRIVED, STATUS_INVALID);
    }
    if (row->status != STATUS_OK) {
        const struct legacy_value *id = value_of(row, COLUMN_ID);
        size_t length = id->length < NUMBER_BYTES_MAX ? id->length : NUMBER_BYTES_MAX;
        return say_wrong(row, (struct span){id->bytes, id->is_null ? 0 : length}, error);
    }
    legacy_rows_note_id(rows, submission.id);
    return rows->visitor.on_submission(rows->visitor.context, &submission, error);
}

static enum status add_user(struct legacy_rows *rows, struct row *row, struct error *error)
{
    struct legacy_user user = {
        .name = take_text(row, COLUMN_NAME),
        .password_hash = take_text(row, COLUMN_PASSWORD),
        .is_active = take_number(row, COLUMN_ACTIVE, 0, 1) != 0,
    };
    if (row->status != STATUS_OK)
        return say_wrong(row, (struct span){user.name.bytes, user.name.length < 150 ? user.name.length : 150}, error);
    return rows->visitor.on_user(rows->visitor.context, &user, error);
}

enum status legacy_rows_add(struct legacy_rows *rows, enum legacy_table table, const struct legacy_value *values, size_t count,
                            struct error *error)
{
    assert(rows->has_columns[table]);
    if (count != rows->column_count[table]) {
        return error_set(error, STATUS_INVALID, "VALUE_INVALID", "a row of %s has %zu values for %zu columns",
                         tables[table].name, count, rows->column_count[table]);
    }
    struct row row = {.rows = rows, .table = table, .values = values};
    return table == LEGACY_SUBMISSIONS ? add_submission(rows, &row, error) : add_user(rows, &row, error);
}
