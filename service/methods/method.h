/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the methods of all services of the contract share: what they work with, and the way of a unary call through the engine.
 *
 * Threading: see each function.
 */
#ifndef SERVICE_METHODS_METHOD_H
#define SERVICE_METHODS_METHOD_H

#include <stdatomic.h>

#include "base/rpc/rpc_server_call.h"
#include "service/access.h"
#include "service/caller_limits.h"
#include "service/engine.h"
#include "service/login_guard.h"
#include "service/password_checker.h"
#include "service/queue.h"

struct backup_maker;
struct file_folder;
struct file_worker;
struct health;
struct reflection;

/* The program's parts as methods see them: the context of the RPC server. Immutable after start, but for the count. */
struct service {
    const struct config *config;
    struct clock *clock;
    struct engine *engine;
    struct access *access;
    struct caller_limits *limits;
    struct login_guard *guard;
    struct password_checker *passwords;
    struct backup_maker *backups;
    uint8_t login_key[SECRET_DIGEST_BYTES]; /* random; for digests of guesses */
    struct health *health;
    struct reflection *reflection;    /* NULL: turned off */
    const struct rpc_method *methods; /* all that are served */
    struct file_folder *files;
    struct file_worker *file_worker;
    atomic_int file_streams; /* open uploads and fetches */
    size_t message_bytes_max;
};

/*
 * Values of rpc_method.role: any of these roles of enum config_role will do, for all queues; 0: no credentials needed.
 * With METHOD_PER_QUEUE the role for one queue will do to be let in: such a method itself calls method_check_queue or
 * method_check_submission for each queue that it touches, in every request and every message of a stream.
 */
enum {
    METHOD_OPEN = 0,
    METHOD_SUBMIT = CONFIG_ROLE_SUBMIT,
    METHOD_SUBMIT_OR_ADMIN = CONFIG_ROLE_SUBMIT | CONFIG_ROLE_ADMIN,
    METHOD_GRADE = CONFIG_ROLE_GRADE,
    METHOD_DELIVER = CONFIG_ROLE_DELIVER,
    METHOD_ADMIN = CONFIG_ROLE_ADMIN,
    METHOD_SUBMIT_OR_GRADE = CONFIG_ROLE_SUBMIT | CONFIG_ROLE_GRADE,
    METHOD_PER_QUEUE = 1 << 8,
    METHOD_ANYBODY =
        CONFIG_ROLE_SUBMIT | CONFIG_ROLE_GRADE | CONFIG_ROLE_DELIVER | CONFIG_ROLE_ADMIN | METHOD_PER_QUEUE, /* any role */
};

/* The rpc_server_options.authorise hook: context is the struct service. */
enum status method_authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error);

/* For each message of a stream: may its caller still go on? False: the call has been ended, UNAUTHENTICATED SESSION_OVER or
 * PERMISSION_DENIED ROLE_MISSING (the role is gone altogether; for single queues see method_check_queue). */
bool method_goes_on(struct rpc_server_call *call);

/*
 * Has the caller, as things stand now, one of roles for queue ("": for all queues)? STATUS_DENIED ROLE_MISSING. Any thread; to
 * be asked before anything tells whether the queue exists.
 */
enum status method_check_queue(struct rpc_server_call *call, unsigned roles, const char *queue,
                               struct error *error) STATUS_CHECKED;
/* The same for all queues, without words. */
bool method_has_role_everywhere(struct rpc_server_call *call, unsigned roles);
/* The same for the queue of a submission. STATUS_OK when there is none: what follows says so. Engine thread. */
enum status method_check_submission(struct rpc_server_call *call, struct queues *queues, unsigned roles, int64_t submission_id,
                                    struct error *error) STATUS_CHECKED;

/* For whom a submission may be there: its queue's administrators, and its own submitter, if he may still submit there. Engine
 * thread. */
enum status method_check_viewer(struct rpc_server_call *call, struct queues *queues, int64_t submission_id, bool *out_is_admin,
                                struct error *error) STATUS_CHECKED;

struct service *method_service(const struct rpc_server_call *call);
/* Who calls; never NULL in methods that need a role. (Methods without: rpc_server_call_identity may be NULL, when no token
 * came, and has no roles when one came that is no session.) */
const struct identity *method_identity(const struct rpc_server_call *call);

/*
 * A unary call on its way through the engine. A method embeds it as the first member of a struct with its outcome.
 * perform: engine thread, in the transaction; may park the command (queues_park) and is called again then.
 * reply: engine thread, after the commit, when perform answered STATUS_OK: calls rpc_server_call_reply.
 * finish: frees the outcome; may be NULL.
 */
struct method_command {
    struct engine_command command;
    struct rpc_server_call *call; /* counted */
    struct rpc_message *message;  /* owned */
    enum status status;           /* what perform answered */
    struct error error;
    const struct method_steps *steps;
};

struct method_steps {
    size_t size; /* of the struct that embeds the command */
    enum status (*perform)(struct method_command *method, struct queues *queues);
    void (*reply)(struct method_command *method);
    void (*finish)(struct method_command *method);
};

/* What is to go the way, zeroed but for the base, so that it can be filled first. message is taken. End it with method_submit
 * or method_fail, in any thread. */
struct method_command *method_create(struct rpc_server_call *call, struct rpc_message *message,
                                     const struct method_steps *steps);
/*
 * rpc_method.on_close of methods that may park: when the client has given the call up, by deadline, by canceling or by dying,
 * the command leaves its park and is run once more, and has to find that rpc_server_call_is_over. Such methods have no other
 * data.
 */
void method_on_close(struct rpc_server_call *call);
/* Starts the way. When the engine is full the call is answered UNAVAILABLE ENGINE_BUSY. */
void method_submit(struct method_command *method);
/* Answers with an error instead, and frees. */
void method_fail(struct method_command *method, enum status status, const struct error *error);

/* The same, when the request itself is to blame: INVALID_ARGUMENT with reason and text. */
void method_fail_invalid(struct method_command *method, const char *reason, const char *text);

/* Both at once: method_create and method_submit. */
void method_start(struct rpc_server_call *call, struct rpc_message *message, const struct method_steps *steps);

/* Ends the call with an error that the request itself is to blame for: INVALID_ARGUMENT with reason and text. Frees message. */
void method_refuse(struct rpc_server_call *call, struct rpc_message *message, const char *reason, const char *text);

/*
 * Sends one message on a stream. False: the peer does not read and the bounded queue is full; this is logged, and the call has
 * been ended, RESOURCE_EXHAUSTED SLOW_READER. To a call that is over nothing is sent. Any thread.
 */
bool method_send(struct rpc_server_call *call, const ProtobufCMessage *message);
/* The same end, for a peer that has not read for too long. */
void method_end_slow_reader(struct rpc_server_call *call);

/* Text of at most bytes_max bytes without control characters; may be empty. */
bool method_text_fits(const char *text, size_t bytes_max);

#endif
