/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core for tests of the legacy endpoints: a real gRPC server in the test's process, whose answers the test scripts and whose
 * requests it can look at. By default every method answers an empty message; Login knows two users; every other method wants
 * one of their tokens. It is no part of the product: it aborts the process on its own failures.
 *
 * Threading: scripts and looks from the test's thread, while no request is under way that they concern.
 */
#ifndef TESTS_SUPPORT_SCRIPTED_CORE_H
#define TESTS_SUPPORT_SCRIPTED_CORE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/status.h"

#define SCRIPTED_CORE_USER         "lms"
#define SCRIPTED_CORE_PASSWORD     "right"
#define SCRIPTED_CORE_TOKEN        "tokenoftheuser000000000000000000"
#define SCRIPTED_CORE_OWN_USER     "courier"
#define SCRIPTED_CORE_OWN_PASSWORD "own"
#define SCRIPTED_CORE_OWN_TOKEN    "tokenoftheadapter000000000000000"

enum { SCRIPTED_CORE_ADDRESS_MAX = 64 };

struct scripted_core;

/* port 0: any free one. */
struct scripted_core *scripted_core_start(int port);
void scripted_core_destroy(struct scripted_core *core); /* NULL is fine */
int scripted_core_port(const struct scripted_core *core);

/* From now on the method ("Submit") answers reply (borrowed); NULL: as by default. */
void scripted_core_answer(struct scripted_core *core, const char *method, const ProtobufCMessage *reply);

/* From now on the method fails. reason may be "". */
void scripted_core_refuse(struct scripted_core *core, const char *method, enum status status, const char *reason);

/* From now on the method never answers, until it is told otherwise. */
void scripted_core_hang(struct scripted_core *core, const char *method);

/* The last request of the method, or NULL; valid until the next one. */
const void *scripted_core_last(struct scripted_core *core, const char *method);
size_t scripted_core_count(struct scripted_core *core, const char *method);

/* The tokens are not known any more. */
void scripted_core_end_sessions(struct scripted_core *core);

#endif
