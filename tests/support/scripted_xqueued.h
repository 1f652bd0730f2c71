/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An xqueued that does what the test says: a real RPC server in this process with Sessions.Login, Graders.Work, whose grader
 * streams the test answers by hand, and Files.Fetch, for which it has a script (scripted_files.h).
 *
 *     scripted_xqueued_await(core, XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO);
 *     scripted_xqueued_welcome(core, NULL);
 *     scripted_xqueued_grant(core, 7, "print(1)");
 *     const Xqueue__V1__GraderMessage *message = scripted_xqueued_await(core, XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE);
 *     scripted_xqueued_ack(core, 7, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE, XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
 *
 * Sending goes to the latest stream; to none it is nothing.
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_SCRIPTED_XQUEUED_H
#define TESTS_SUPPORT_SCRIPTED_XQUEUED_H

#include <xqueue/v1/graders.pb-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tests/support/scripted_files.h"

struct scripted_xqueued;

enum {
    SCRIPTED_XQUEUED_PATIENCE_MS = 20000, /* for everything that is awaited */
    SCRIPTED_XQUEUED_KEY_MAX = 33,
};

/* listener: "127.0.0.1:0", "unix:/path". NULL when it cannot be bound. */
struct scripted_xqueued *scripted_xqueued_start(const char *listener);
/* Ends streams as a service does that is killed. NULL is fine. */
void scripted_xqueued_stop(struct scripted_xqueued *core);
const char *scripted_xqueued_address(const struct scripted_xqueued *core);

/* What Files.Fetch brings. */
struct scripted_files *scripted_xqueued_files(struct scripted_xqueued *core);

/* From now on Work and Fetch need a login with these; each login gives another token and makes the earlier ones invalid. */
void scripted_xqueued_require_login(struct scripted_xqueued *core, const char *user, const char *password);
void scripted_xqueued_expire_tokens(struct scripted_xqueued *core);
/* Every login answers this instead. STATUS_OK: no longer. */
void scripted_xqueued_refuse_logins(struct scripted_xqueued *core, enum status status);
int scripted_xqueued_login_count(struct scripted_xqueued *core);

/* The next message of this kind on any stream; others before it are dropped. Valid until the next await. NULL: none came. */
const Xqueue__V1__GraderMessage *scripted_xqueued_await(struct scripted_xqueued *core,
                                                        Xqueue__V1__GraderMessage__KindCase kind);
/* How many messages of a kind have come and were neither awaited nor dropped. */
size_t scripted_xqueued_count(struct scripted_xqueued *core, Xqueue__V1__GraderMessage__KindCase kind);
/* Waits until so many streams have been opened, or have been closed, since the start. */
bool scripted_xqueued_await_opened(struct scripted_xqueued *core, int count);
bool scripted_xqueued_await_closed(struct scripted_xqueued *core, int count);

void scripted_xqueued_send(struct scripted_xqueued *core, const Xqueue__V1__ServerMessage *message);
/* Welcome with all of the latest Hello's leases kept, but for those named in lost (a zero id ends them; NULL: none). */
void scripted_xqueued_welcome(struct scripted_xqueued *core, const Xqueue__V1__LeaseLost *lost);
/* The same with other periods; 0: default (ping 20 s, lease 60 s). */
void scripted_xqueued_welcome_with(struct scripted_xqueued *core, int64_t ping_period_ms, int64_t lease_ms);
void scripted_xqueued_grant(struct scripted_xqueued *core, uint64_t id, const char *body);
/* The same with this file in place of its usual one. */
void scripted_xqueued_grant_file(struct scripted_xqueued *core, uint64_t id, const char *body, const Xqueue__V1__File *file);
void scripted_xqueued_ack(struct scripted_xqueued *core, uint64_t id, Xqueue__V1__AckItem item, Xqueue__V1__AckOutcome outcome);
void scripted_xqueued_lose(struct scripted_xqueued *core, uint64_t id, Xqueue__V1__LostReason reason);
/* Ends the latest stream. reason may be NULL. */
void scripted_xqueued_end(struct scripted_xqueued *core, enum status status, const char *reason);

/* The lease key of every grant of this submission. */
const char *scripted_xqueued_key(uint64_t id, char out[SCRIPTED_XQUEUED_KEY_MAX]);

#endif
