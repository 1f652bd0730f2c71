/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the LMS uses: submit/, with the files that it sends along.
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

#endif
