/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secret that links to files are signed with: FOLDER/.key, 64 hex digits and a newline, mode 0600. The first adapter that
 * starts makes it; all adapters on one folder share it. Whoever removes it and restarts the adapters ends all links.
 *
 * Threading: start of the program.
 */
#ifndef REST_ADAPTER_LINK_SECRET_H
#define REST_ADAPTER_LINK_SECRET_H

#include "base/status.h"
#include "rest-adapter/file_link.h"

/*
 * Reads the secret, or makes it: complete, synced, and only if nobody else was first. folder, incoming: descriptors, borrowed;
 * incoming: where a file may lie that is not complete yet, on the same file system. STATUS_UNAVAILABLE: it can neither be read
 * nor made; STATUS_INVALID: the file holds something else. Text in error.
 */
enum status link_secret_load(int folder, int incoming, struct file_link_secret *out_secret, struct error *error) STATUS_CHECKED;

#endif
