/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/report.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    CAPACITY_FIRST = 16,
    GAP = 2, /* blanks between columns */
    MS_PER_SECOND = 1000,
    SECONDS_PER_MINUTE = 60,
    SECONDS_PER_HOUR = 3600,
    SECONDS_PER_DAY = 86400,
};

struct report_table {
    const char *const *titles; /* borrowed */
    size_t columns;
    char **cells; /* owned, row by row */
    size_t count, capacity;
};

struct report_table *report_table_create(const char *const *titles)
{
    struct report_table *table = MEMORY_NEW(struct report_table);
    table->titles = titles;
    while (titles[table->columns])
        table->columns++;
    assert(table->columns > 0 && table->columns <= REPORT_COLUMNS_MAX);
    return table;
}

void report_table_add(struct report_table *table, const char *const *texts)
{
    if (table->count + table->columns > table->capacity) {
        table->capacity = table->capacity > 0 ? table->capacity * 2 : (size_t)CAPACITY_FIRST * table->columns;
        table->cells = memory_resize(table->cells, table->capacity * sizeof *table->cells);
    }
    for (size_t at = 0; at < table->columns; at++) {
        char *cell = memory_copy_text(texts[at]);
        text_make_printable(cell);
        table->cells[table->count++] = cell;
    }
}

/* How wide a terminal shows it, near enough: one place for each character. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0U) != 0x80U; // not a byte that continues a character
    return width;
}

static void print_row(const struct report_table *table, const char *const *texts, const size_t *widths, FILE *stream)
{
    for (size_t at = 0; at < table->columns; at++) {
        bool is_last = at + 1 == table->columns;
        size_t width = width_of(texts[at]);
        (void)fputs(texts[at], stream);
        if (!is_last)
            (void)fprintf(stream, "%*s", (int)(widths[at] - width + GAP), "");
    }
    (void)fputc('\n', stream);
}

void report_table_print(struct report_table *table, FILE *stream)
{
    size_t widths[REPORT_COLUMNS_MAX] = {0};
    for (size_t at = 0; at < table->columns; at++)
        widths[at] = width_of(table->titles[at]);
    for (size_t at = 0, column = 0; at < table->count; at++) {
        size_t width = width_of(table->cells[at]);
        widths[column] = width > widths[column] ? width : widths[column];
        column = column + 1 < table->columns ? column + 1 : 0;
    }
    if (table->count > 0)
        print_row(table, table->titles, widths, stream);
    for (size_t at = 0; at < table->count; at += table->columns)
        print_row(table, (const char *const *)table->cells + at, widths, stream);
    for (size_t at = 0; at < table->count; at++)
        memory_free(table->cells[at]);
    memory_free(table->cells);
    memory_free(table);
}

void report_json(json_t *document)
{
    // The packing functions give NULL for what cannot be packed: our own bug.
    assert(document);
    (void)json_dumpf(document, stdout, JSON_INDENT(2));
    (void)fputc('\n', stdout);
    json_decref(document);
}

void report_json_line(json_t *document)
{
    assert(document);
    (void)json_dumpf(document, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
    json_decref(document);
}

json_t *report_json_text(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_null();
}

const char *report_time(int64_t at_ms, char out[REPORT_STAMP_MAX])
{
    char stamp[CLOCK_STAMP_MAX];
    (void)snprintf(out, REPORT_STAMP_MAX, "-");
    if (at_ms > 0)
        (void)snprintf(out, REPORT_STAMP_MAX, "%.10s %.8s", clock_stamp(at_ms, stamp), stamp + strlen("2026-01-31T"));
    return out;
}

const char *report_age(int64_t age_ms, char out[REPORT_AGE_MAX])
{
    int64_t seconds = age_ms / MS_PER_SECOND;
    if (age_ms <= 0)
        (void)snprintf(out, REPORT_AGE_MAX, "-");
    else if (seconds < INT64_C(2) * SECONDS_PER_MINUTE)
        (void)snprintf(out, REPORT_AGE_MAX, "%" PRId64 " s", seconds);
    else if (seconds < INT64_C(2) * SECONDS_PER_HOUR)
        (void)snprintf(out, REPORT_AGE_MAX, "%" PRId64 " min", seconds / SECONDS_PER_MINUTE);
    else if (seconds < INT64_C(2) * SECONDS_PER_DAY)
        (void)snprintf(out, REPORT_AGE_MAX, "%.1f h", (double)seconds / SECONDS_PER_HOUR);
    else
        (void)snprintf(out, REPORT_AGE_MAX, "%" PRId64 " d", seconds / SECONDS_PER_DAY);
    return out;
}
