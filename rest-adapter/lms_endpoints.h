/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the LMS uses: submit/, and the files that it sent along, which graders fetch.
 *
 * Threading: as the request.
 */
#ifndef REST_ADAPTER_LMS_ENDPOINTS_H
#define REST_ADAPTER_LMS_ENDPOINTS_H

#include "rest-adapter/endpoint.h"

/*
 * Files are on disk before the core hears of the submission. When it refuses, they are removed; when nobody knows whether it
 * took the submission (it vanished in between), they stay.
 */
void submit_serve(struct endpoint *endpoint);

/* A file by its URL, which nobody can guess: no session is asked for, as in the original. GET and HEAD. */
void file_serve(struct endpoint *endpoint);

#endif
