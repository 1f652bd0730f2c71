/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One submission of the original becomes rows of ours.
 *
 * Threading: one thread at a time, as the store's.
 */
#ifndef SERVICE_IMPORT_IMPORT_WRITE_H
#define SERVICE_IMPORT_IMPORT_WRITE_H

#include "service/import/import_plan.h"

/*
 * Writes submission as entry says (its fate is one that is taken), inside a transaction: the row under its id, content, result,
 * delivery; a live one of ours that it replaces gives way. Answers what the store answers; STATUS_EXISTS: the id is taken.
 */
enum status import_write(struct store *store, const struct legacy_submission *submission,
                         const struct import_judgement *judgement, const struct import_entry *entry,
                         int64_t now_ms) STATUS_CHECKED;

#endif
