/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From nodes of the file to the fields of a section's struct, by the rows of config_schema.h.
 *
 * Threading: pure.
 */
#ifndef BASE_CONFIG_VALUE_H
#define BASE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config_schema.h"
#include "base/config_tree.h"
#include "base/status.h"

/* What all reading needs. Borrowed. */
struct config_reader {
    const char *name;   /* of the file, for error texts */
    const char *folder; /* for relative paths */
    struct error *error;
    bool is_client; /* reads for a client of xqueued: passwords of others may be out of its reach */
};

/*
 * Fills the section's struct at target (zeroed before) with defaults and then with what node says; node NULL or null: defaults
 * alone. where: how the section is called in error texts ("queues.cs101"). Whether it succeeds or not, target is to be freed
 * with config_section_finish. STATUS_INVALID with file and line in the reader's error.
 */
enum status config_section_read(const struct config_reader *reader, const struct config_node *node,
                                const struct config_section *section, const char *where, void *target) STATUS_CHECKED;

/* Frees what the rows of the section own. Zeroed and half-read structs are fine. */
void config_section_finish(const struct config_section *section, void *target);

/* The closest of several words to one that is wrong, if one is close. */
struct config_guess {
    const char *wrong;
    const char *best; /* NULL: none */
    size_t distance;
};
void config_guess_offer(struct config_guess *guess, const char *candidate);

/* Fails with "unknown key" and the guess. */
enum status config_fail_unknown(const struct config_reader *reader, size_t line, const char *where,
                                const struct config_guess *guess) STATUS_CHECKED;

#endif
