/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An installation that stays: says how to submit, watch and stop, plays the LMS that callbacks go to and prints each, until it
 * is told to stop.
 *
 * Threading: one thread, with signals SIGINT and SIGTERM blocked.
 */
#ifndef TESTS_DEMO_SERVE_H
#define TESTS_DEMO_SERVE_H

#include "base/status.h"
#include "tests/demo/installation.h"
#include "tests/demo/paint.h"

/*
 * Serves until stop_descriptor is readable: STATUS_CANCELED, as nothing else ends it but a program that does. lms_port: of the
 * LMS that callbacks go to. STATUS_UNAVAILABLE: a program has ended, or the port is taken; text in error.
 */
enum status serve(struct installation *installation, const struct paint *paint, int lms_port, int stop_descriptor,
                  struct error *error) STATUS_CHECKED;

#endif
