/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in a bucket of any S3-compatible server: PREFIX/SHELF/KEY. keep answers when the server has answered 200 for each, and
 * the local parts are gone. Nobody reads through us: URLs are presigned and lead to the server.
 *
 * Threading: any thread; keep and remove block for the request.
 */
#ifndef REST_ADAPTER_S3_STORE_H
#define REST_ADAPTER_S3_STORE_H

#include "base/config.h"
#include "rest-adapter/file_store.h"

enum { S3_STORE_PARALLEL_MAX = 64 }; /* requests at the same time; more wait within their timeout */

/*
 * config: with an endpoint; callbacks: of it ca_file and insecure_origins count. Both borrowed for the store's life.
 * STATUS_INVALID, STATUS_NO_MEMORY: as http_client_create, text in error. The server is not asked.
 */
enum status s3_store_create(const struct config_s3 *config, const struct config_callbacks *callbacks,
                            struct file_store **out_store, struct error *error) STATUS_CHECKED;

#endif
