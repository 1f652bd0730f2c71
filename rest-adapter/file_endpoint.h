/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a submission came with, for graders: GET and HEAD of a signed link. No session is asked for: the link is the
 * right, as in the original.
 *
 * Threading: as the request.
 */
#ifndef REST_ADAPTER_FILE_ENDPOINT_H
#define REST_ADAPTER_FILE_ENDPOINT_H

#include "rest-adapter/endpoint.h"

/*
 * 302 to a presigned URL for a file in a bucket. Else 200, or 206 and 416 for a Range (byte_range.h) that If-Range does not
 * void; the ETag is the file's key, as files never change. 403 without a good signature, whether there is such a file or not;
 * 404 for other paths and methods, and for what is gone; 503 when it cannot be read.
 */
void file_serve(struct endpoint *endpoint);

#endif
