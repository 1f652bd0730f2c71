/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of the service Files: file_upload.c and file_fetch.c; their table is in file_stream.c.
 *
 * Threading: loop thread.
 */
#ifndef SERVICE_METHODS_FILES_H
#define SERVICE_METHODS_FILES_H

#include "base/rpc/rpc_server_call.h"

void file_upload_on_open(struct rpc_server_call *call);
void file_upload_on_message(struct rpc_server_call *call, struct rpc_message *message);
void file_upload_on_half_close(struct rpc_server_call *call);

void file_fetch_on_message(struct rpc_server_call *call, struct rpc_message *message);
void file_fetch_on_drained(struct rpc_server_call *call);

#endif
