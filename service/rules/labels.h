/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels: what a submission asks of its grader, and what a grader offers. A grader can take a submission when it has every
 * label that the submission asks for, under the same name and with the same value, byte for byte. Further labels of the grader
 * do not matter, and a submission that asks for none can be taken by every grader.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_LABELS_H
#define SERVICE_RULES_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

enum {
    LABELS_ASKED_MAX = 16,   /* of a submission */
    LABELS_OFFERED_MAX = 32, /* of a grader */
    LABEL_BYTES_MAX = 64,    /* of a name, and of a value */
};

struct label {
    char *name;
    char *value;
};

/* In any order; no name twice. Whoever makes it says who owns what. */
struct labels {
    struct label *items;
    size_t count;
};

/* Does a grader that offers these have all that is asked for? */
bool labels_cover(const struct labels *offered, const struct labels *asked);
bool labels_are_equal(const struct labels *a, const struct labels *b);
/* Is a name there twice? */
bool labels_repeat_a_name(const struct labels *labels);

/* A copy that owns its array and texts; frees what such a copy holds (zeroed is fine). */
struct labels labels_copy(const struct labels *labels);
void labels_finish(struct labels *labels);

/*
 * The number of a set of labels: 0 for none, else positive. Equal sets have equal numbers, whatever their order; different ones
 * have different numbers for all practical purposes, and nobody who does not know the salt can make two that have the same.
 */
int64_t labels_set_id(const struct labels *labels, const uint8_t salt[16]);

#endif
