/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints of the legacy pollers: get_queuelen/, get_submission/ and put_result/. The client has a session cookie; the
 * core says whether it holds.
 *
 * Threading: as the request.
 */
#ifndef REST_ADAPTER_GRADER_ENDPOINTS_H
#define REST_ADAPTER_GRADER_ENDPOINTS_H

#include "rest-adapter/endpoint.h"

void get_queuelen_serve(struct endpoint *endpoint);

/* A lease of one submission. HEAD and OPTIONS never take one, other than in the original: they only learn that the path is. */
void get_submission_serve(struct endpoint *endpoint);

/* Success is said only after the core has the result on disk. The LMS hears of it later, from the courier. */
void put_result_serve(struct endpoint *endpoint);

#endif
