/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How submissions are named on the command line, and how they are shown.
 *
 * Threading: any thread.
 */
#ifndef SERVICE_CTL_SUBMISSION_REPORT_H
#define SERVICE_CTL_SUBMISSION_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "service/ctl/report.h"
#include "xqueue/v1/submissions.pb-c.h"

/* A submission's id. false: text is none, which has been said on standard error. */
bool submission_report_id(const char *text, uint64_t *out_id);

/* Prints what others wrote, without letting it steer the terminal. */
void submission_report_put(const char *text);
/* {"id", "queue", "state", ...}: the caller's. */
json_t *submission_report_json(const Xqueue__V1__GetResponse *submission);
/* Lines "name: value" on standard output; what is not set is left out. */
void submission_report_print(const Xqueue__V1__GetResponse *submission);

#endif
