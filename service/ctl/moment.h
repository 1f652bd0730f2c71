/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points in time as people write them on a command line.
 *
 * Threading: pure.
 */
#ifndef SERVICE_CTL_MOMENT_H
#define SERVICE_CTL_MOMENT_H

#include <stdint.h>

#include "base/status.h"

/*
 * Reads "2026-01-31", optionally with a 'T' or a blank and "12:00" or "12:00:00" or "12:00:00.123456", and then "Z" or
 * "+02:00" or "+0200"; without that it is UTC. *out_at_ms: since 1970-01-01 UTC, at least 1. STATUS_INVALID: no such text, or
 * no such day.
 */
enum status moment_parse(const char *text, int64_t *out_at_ms) STATUS_CHECKED;

#endif
