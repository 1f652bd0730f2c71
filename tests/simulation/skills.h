/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What submissions ask of their graders and what graders can do, as bits of a number; and the labels that say so to the
 * service. The first graders can do everything, so that nothing has to wait for ever.
 *
 * Threading: pure.
 */
#ifndef TESTS_SIMULATION_SKILLS_H
#define TESTS_SIMULATION_SKILLS_H

#include "service/rules/labels.h"

enum { SKILLS_COUNT = 2, SKILLS_ALL = (1 << SKILLS_COUNT) - 1, SKILLS_ABLE_GRADERS = 2 };

/* Of a grader, by its number. */
unsigned skills_of(int grader);

/* Fills items; the result borrows them, and static texts. */
struct labels skills_labels(unsigned skills, struct label items[SKILLS_COUNT]);

#endif
