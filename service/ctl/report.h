/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands print for people and for scripts: tables with aligned columns, and JSON documents.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_REPORT_H
#define SERVICE_CTL_REPORT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum { REPORT_COLUMNS_MAX = 10, REPORT_STAMP_MAX = 32, REPORT_AGE_MAX = 24 };

struct report_table;

/* titles: of the columns, NULL last; borrowed for the table's life. */
struct report_table *report_table_create(const char *const *titles);
/* One row: as many texts as there are columns, copied. Control characters become '?'. */
void report_table_add(struct report_table *table, const char *const *texts);
/* Prints titles and rows, or nothing when there are no rows, and frees. */
void report_table_print(struct report_table *table, FILE *stream);

/* Prints one document and a line end on standard output, and frees it. */
void report_json(json_t *document);

/* The same on one line, written out at once: for documents that come one after the other. */
void report_json_line(json_t *document);

/* Text that came from outside, as a JSON string; what is no UTF-8 becomes null. */
json_t *report_json_text(const char *text);

/* "2026-01-31 12:00:00" (UTC), or "-" for 0. Returns out. */
const char *report_time(int64_t at_ms, char out[REPORT_STAMP_MAX]);

/* "42 s", "5 min", "3.2 h", "12 d", or "-" for 0. Returns out. */
const char *report_age(int64_t age_ms, char out[REPORT_AGE_MAX]);

#endif
