/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table between our statuses and gRPC's, and the trailers that carry the rest of a struct error:
 * "xqueue-reason" (token) and "xqueue-retry-after-ms" (decimal), which our own clients read; and the same once more as
 * "grpc-status-details-bin", which public gRPC libraries know: a google.rpc.Status with an ErrorInfo and, where there is
 * advice, a RetryInfo (https://google.aip.dev/193).
 *
 * Threading: pure.
 */
#ifndef BASE_RPC_RPC_STATUS_H
#define BASE_RPC_RPC_STATUS_H

#include "base/status.h"

#define RPC_TRAILER_REASON      "xqueue-reason"
#define RPC_TRAILER_RETRY_AFTER "xqueue-retry-after-ms"
#define RPC_TRAILER_DETAILS     "grpc-status-details-bin"
#define RPC_DETAILS_DOMAIN      "xqueue.v1" /* of ErrorInfo: whose reasons these are */

/* Of the details, before the transport makes text of them: all trailers together stay far below the 8 KiB that end a
 * connection. */
enum { RPC_DETAILS_BYTES_MAX = 1024 };

/* gRPC's numbers (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), 0 to 16. */
int rpc_status_to_code(enum status status);
enum status rpc_status_from_code(int code);

#endif
