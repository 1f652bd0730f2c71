/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table between our statuses and gRPC's, and the trailers that carry the rest of a struct error:
 * "xqueue-reason" (token) and "xqueue-retry-after-ms" (decimal).
 *
 * Threading: pure.
 */
#ifndef BASE_RPC_RPC_STATUS_H
#define BASE_RPC_RPC_STATUS_H

#include "base/status.h"

#define RPC_TRAILER_REASON      "xqueue-reason"
#define RPC_TRAILER_RETRY_AFTER "xqueue-retry-after-ms"

/* gRPC's numbers (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), 0 to 16. */
int rpc_status_to_code(enum status status);
enum status rpc_status_from_code(int code);

#endif
