/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How our command lines call the states of the contract, and how they show what others wrote.
 *
 * Threading: pure.
 */
#ifndef BASE_CLIENT_SUBMISSION_WORDS_H
#define BASE_CLIENT_SUBMISSION_WORDS_H

#include "xqueue/v1/submissions.pb-c.h"

/* "READY", "NONE" ...; "UNKNOWN" for what this version does not know. Static storage. */
const char *submission_words_state(Xqueue__V1__SubmissionState state);
const char *submission_words_delivery(Xqueue__V1__DeliveryState state);

#endif
