/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journey of the three solutions: handed in by an LMS over REST, granted to the grader, graded, brought back to the LMS;
 * and whether each came back as it should.
 *
 * Threading: one thread, with signals SIGINT and SIGTERM blocked.
 */
#ifndef TESTS_DEMO_JOURNEY_H
#define TESTS_DEMO_JOURNEY_H

#include <stdbool.h>

#include "base/status.h"
#include "tests/demo/installation.h"
#include "tests/demo/paint.h"

enum {
    JOURNEY_DEADLINE_MS = 120000, /* for all three; sanitizers are slow */
    JOURNEY_LOOK_MS = 4,          /* between two looks at how they stand */
};

/*
 * Makes the journey and prints it on standard output. *out_as_expected: did all three come back as they should?
 * STATUS_CANCELED: stop_descriptor became readable; STATUS_TIMEOUT; STATUS_UNAVAILABLE: a program is gone; text in error.
 */
enum status journey_make(struct installation *installation, const struct paint *paint, int stop_descriptor,
                         bool *out_as_expected, struct error *error) STATUS_CHECKED;

#endif
