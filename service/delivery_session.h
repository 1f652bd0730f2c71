/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One courier that takes the deliveries of a results channel as they come: the queue's side of a Deliveries.Stream. What it
 * has been sent and has not answered yet, its pings, and that it is the only one of its name on the channel.
 *
 * A lost stream changes nothing in the store: what was on its way stays in flight until its lease runs out, or until the
 * courier comes again, and then says what of it it has.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_DELIVERY_SESSION_H
#define SERVICE_DELIVERY_SESSION_H

#include "service/delivering.h"

enum {
    DELIVERY_SESSION_CREDIT_MAX = 1000,
    DELIVERY_SESSION_HELD_MAX = 1000, /* of an earlier stream */
    DELIVERY_SESSION_PINGS_LOST_MAX = 3,
    DELIVERY_SESSION_LEASES_MAX = 16, /* taken at one time */
    DELIVERY_SESSION_BYTES = 1024 * 1024,
};

/* One that was sent and is not answered. */
struct delivery_name {
    int64_t submission_id;
    char key[LEASE_KEY_LENGTH + 1];
};

/* Everything borrowed during the call. */
struct delivery_greeting {
    const char *courier;
    const char *instance;
    const char *channel; /* not "" */
    size_t credit;       /* 1 to DELIVERY_SESSION_CREDIT_MAX */
    const struct delivery_name *held;
    size_t held_count; /* up to DELIVERY_SESSION_HELD_MAX */
};

struct delivery_session {
    struct list_node node;          /* in queues->delivery_sessions while open */
    struct engine_command *command; /* borrowed: unparked when the session is to look again */
    char courier[STORE_NAME_MAX];
    char instance[LEASE_INSTANCE_MAX];
    char channel[STORE_NAME_MAX];
    size_t credit;
    const struct rights *rights; /* for a lease: whose role deliver says which queues; NULL: all. Borrowed */
    struct delivery_name *held;  /* owned; up to credit, and what came from an earlier stream */
    size_t held_count;
    bool replaced; /* the courier has come again on another stream */
    int64_t ping_at_ms;
    uint64_t ping_number;
    int pings_lost;
};

/*
 * Opens session (zeroed but for command). What an earlier stream of the same instance had been sent stays with it where held
 * says so, and is due again at once otherwise; an older session of the courier on the channel is replaced. STATUS_UNAVAILABLE
 * DRAINING. After an error it is not open.
 */
enum status delivery_session_open(struct queues *queues, struct delivery_session *session,
                                  const struct delivery_greeting *greeting, struct error *error) STATUS_CHECKED;
/* The stream is gone; leases stay. Frees what it holds; one that is not open is fine. */
void delivery_session_close(struct queues *queues, struct delivery_session *session);

/* Leases what is due, as far as credit and size go. out_leases: DELIVERY_SESSION_LEASES_MAX. */
enum status delivery_session_lease(struct queues *queues, struct delivery_session *session, struct delivery_lease *out_leases,
                                   size_t *out_count) STATUS_CHECKED;
/* After the commit: it is on its way. */
void delivery_session_sent(struct delivery_session *session, const struct store_delivery *row);

/* The courier has answered this one, whatever came of it: there is room for another. */
void delivery_session_answered(struct queues *queues, struct delivery_session *session, int64_t submission_id, const char *key);
/* The courier says nothing more: what it has not answered is due again at once. */
enum status delivery_session_give_back(struct queues *queues, struct delivery_session *session) STATUS_CHECKED;

/* Anything came: it lives. */
void delivery_session_heard(struct queues *queues, struct delivery_session *session);
/* Is a ping due? Then counts it. */
bool delivery_session_pings(struct queues *queues, struct delivery_session *session);
bool delivery_session_is_silent(const struct delivery_session *session); /* too many pings were not answered */

#endif
