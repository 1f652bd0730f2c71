/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libxqueue-grader: write a grader for XQueue.
 *
 * A grader is a program that takes submissions from queues of an XQueue service (xqueued), grades them, and answers. This
 * library keeps one stream open to the service, over which submissions arrive as soon as there are any. You give it a handler:
 *
 *     static void grade(struct xqueue_submission *submission, void *context)
 *     {
 *         size_t length;
 *         const void *body = xqueue_submission_body(submission, &length);
 *         ... look at it ...
 *         xqueue_submission_complete(submission, "{\"correct\": true, \"score\": 1, \"msg\": \"\"}", 40);
 *     }
 *
 *     struct xqueue_grader_options options;
 *     struct xqueue_grader *grader;
 *     struct xqueue_error error;
 *     const char *queues[] = {"cs101"};
 *     xqueue_grader_options_init(&options);
 *     options.handler = grade;
 *     options.queues = queues;
 *     options.queue_count = 1;
 *     if (xqueue_grader_create(&options, &grader, &error) == XQUEUE_STATUS_OK) {
 *         xqueue_grader_run(grader, &error);      // until xqueue_grader_stop
 *         xqueue_grader_destroy(grader);
 *     }
 *
 * A program that owns its loop (poll, epoll, libev, a GUI's) gives no handler and takes submissions itself, see
 * xqueue_grader_next; the rest is the same.
 *
 * What the library does for you
 *   - Up to `slots` submissions are graded at one time, each by your handler on a thread of the library, or as you like.
 *   - A submission is yours on a lease. The library renews it while your handler works, or until you answer, whatever your
 *     program does meanwhile, up to the queue's hard limit.
 *   - When the connection breaks it connects again, with growing, jittered pauses, for as long as it takes, and goes on with
 *     what it held. Answers are kept, and sent again, until the service has confirmed that they are on disk.
 *   - When a lease is lost (the student handed in again, the hard limit passed, ...) you can see it and stop early.
 *   - xqueue_grader_stop drains: nothing new is taken, what is running is finished, its answers are confirmed, then
 *     xqueue_grader_run returns, or xqueue_grader_next tells the end.
 *
 * What it never does
 *   It never prints, never exits or aborts your process, installs no signal handler, changes no signal mask of your threads,
 *   and calls no setenv. It logs through your callback, one line when a state changes. (The log lines of gRPC, on which it
 *   stands, are silenced for the whole process.) Without memory it answers XQUEUE_STATUS_NO_MEMORY. The library's threads have
 *   signals blocked (but for faults), so your signal handlers run on your threads.
 *
 * Fork policy
 *   Do not call fork() in a process that has a grader, unless the child does nothing but call exec (or _exit) at once: the
 *   child has none of the library's threads, and its locks may be held for ever. Start programs with posix_spawn, as
 *   examples/course_run.c does; what must be set up between fork and exec (limits, a sandbox) is done by a small program
 *   that posix_spawn starts first. Programs inherit the signal mask of the thread that starts them: reset it with
 *   posix_spawnattr_setsigmask. All file descriptors of the library are close-on-exec. Fork before xqueue_grader_create if
 *   you want several processes; each then makes a grader of its own.
 *
 * Threads
 *   Every function may be called from any thread, except where it says otherwise. Several graders in one process do not
 *   disturb each other. A struct xqueue_submission belongs to the handler call that got it, or to the program that took it
 *   until it closes it; its answer functions and _progress may be called from several threads, _close from one.
 *
 * Compatibility
 *   Structs that you see whole either never change, or begin with struct_size and only grow at their end, or are only ever
 *   made by the library. Enums may get further values. A program built against version 0.N runs with every later 0.x library
 *   of the same soname.
 *
 * This header is C11 and C++11.
 */
#ifndef XQUEUE_GRADER_H
#define XQUEUE_GRADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XQUEUE_API __attribute__((visibility("default")))

/* ---- version ---- */

/* Of this header. As one number: 10000 * major + 100 * minor + patch. */
#define XQUEUE_VERSION_MAJOR  0
#define XQUEUE_VERSION_MINOR  1
#define XQUEUE_VERSION_PATCH  0
#define XQUEUE_VERSION_NUMBER (10000 * XQUEUE_VERSION_MAJOR + 100 * XQUEUE_VERSION_MINOR + XQUEUE_VERSION_PATCH)

/* Of the library that runs: "0.1.0", static storage; and as one number. */
XQUEUE_API const char *xqueue_version(void);
XQUEUE_API int xqueue_version_number(void);

/* Can the library that runs do all that this header promises? Compile-time version in, so call it as it stands:
 *     if (!xqueue_is_compatible(XQUEUE_VERSION_NUMBER)) ... */
XQUEUE_API bool xqueue_is_compatible(int header_version_number);

/* ---- errors ---- */

/* What every function that can fail answers. Numbers never change; later versions may add some. */
enum xqueue_status {
    XQUEUE_STATUS_OK = 0,
    XQUEUE_STATUS_INVALID = 1,         /* an argument or option is wrong, or the service says so */
    XQUEUE_STATUS_UNAUTHENTICATED = 2, /* user or password is wrong, or missing */
    XQUEUE_STATUS_DENIED = 3,          /* this user may not grade (these queues) */
    XQUEUE_STATUS_NOT_FOUND = 4,       /* the service has no such queue */
    XQUEUE_STATUS_WRONG_STATE = 5,     /* answered already, run already, ... */
    XQUEUE_STATUS_LOST = 6,            /* the lease is lost: the answer would not count */
    XQUEUE_STATUS_FULL = 7,            /* over a limit: the result is too large */
    XQUEUE_STATUS_UNAVAILABLE = 8,     /* the service cannot be reached, or not now */
    XQUEUE_STATUS_UNIMPLEMENTED = 9,   /* this library or that service does not do it */
    XQUEUE_STATUS_TIMEOUT = 10,        /* the time was up */
    XQUEUE_STATUS_CANCELED = 11,       /* stopped before everything was finished */
    XQUEUE_STATUS_REPLACED = 12,       /* another program with the same grader id took over */
    XQUEUE_STATUS_NO_MEMORY = 13,
    XQUEUE_STATUS_SYSTEM = 14,    /* the system refused threads, descriptors or randomness */
    XQUEUE_STATUS_INTERNAL = 15,  /* a bug of the library or the service */
    XQUEUE_STATUS_DATA_LOSS = 16, /* a file is not what it should be, or the service cannot read it any more */
};

/* The name of a status in lower case with underscores: "not_found"; "unknown" for others. Static storage. */
XQUEUE_API const char *xqueue_status_name(enum xqueue_status status);

enum {
    XQUEUE_ERROR_TEXT_MAX = 256,  /* bytes including the final NUL */
    XQUEUE_ERROR_REASON_MAX = 32, /* likewise */
};

/*
 * More about a failure. Yours; filled by the function that fails, untouched otherwise. Every parameter of this type may be
 * NULL. This struct never changes its size.
 */
struct xqueue_error {
    enum xqueue_status status;
    bool retriable;                       /* the same again may succeed later, without any change by you */
    bool fatal;                           /* this grader is at its end: destroy it. Create another one if retriable */
    char text[XQUEUE_ERROR_TEXT_MAX];     /* for a person, UTF-8, one line */
    char reason[XQUEUE_ERROR_REASON_MAX]; /* the service's token for programs, "QUEUE_NOT_FOUND"; or "" */
    char reserved[64];                    /* zeros */
};

/* ---- options ---- */

struct xqueue_grader;
struct xqueue_submission;

/*
 * Grades one submission: yours to write. Runs on one of `slots` threads of the library; may take as long as the queue's hard
 * limit. Answer with exactly one of xqueue_submission_complete, _fail and _release before returning; returning without an
 * answer counts as xqueue_submission_fail(XQUEUE_FAIL_TRANSIENT). After the answer, return soon: the next submission may be
 * waiting for the thread. The submission and all that its functions returned are gone
 * when the handler returns. Do not leave by pthread_exit, a C++ exception or longjmp.
 */
typedef void xqueue_handler(struct xqueue_submission *submission, void *context);

enum xqueue_log_level {
    XQUEUE_LOG_DEBUG = 0,
    XQUEUE_LOG_INFO = 1,  /* connected, draining, stopped */
    XQUEUE_LOG_WARN = 2,  /* the service is away; a lease was lost; an answer was dropped */
    XQUEUE_LOG_ERROR = 3, /* this needs a person */
};

/*
 * Takes a line of log: text is UTF-8 without line end, borrowed. Called on threads of the library, or on yours within a
 * function that fetches, maybe on several at one time. Must not block for long; must not call xqueue_grader_destroy.
 */
typedef void xqueue_on_log(void *context, enum xqueue_log_level level, const char *text);

/* A lease is lost while its handler runs, or while you hold the submission, see xqueue_submission_is_lost. Called once for it,
 * on a thread of the library, whatever yours do at the same time; must not block, and must neither answer nor close. The
 * submission lives at least until this returns. */
typedef void xqueue_on_lost(struct xqueue_submission *submission, void *context);

/* What a grader can do ("language" = "python"), or what a submission asks for. Never changes its layout. */
struct xqueue_label {
    const char *key;   /* up to 64 bytes */
    const char *value; /* up to 64 bytes */
};

enum {
    XQUEUE_QUEUES_MAX = 100,
    XQUEUE_SLOTS_MAX = 1000,
    XQUEUE_LABELS_MAX = 32,
    XQUEUE_NAME_BYTES_MAX = 128,     /* of a grader id or a queue's name, without NUL */
    XQUEUE_USER_BYTES_MAX = 150,     /* likewise */
    XQUEUE_PASSWORD_BYTES_MAX = 1024 /* likewise */
};

/*
 * What a grader is to do. Begin with xqueue_grader_options_init, then set what you need. Whatever is left zero comes from the
 * environment variable that stands beside it, if that is set and not empty, else from the default. Everything is copied by
 * xqueue_grader_create. Later versions add members at the end.
 */
struct xqueue_grader_options {
    size_t struct_size; /* set by xqueue_grader_options_init */

    xqueue_handler *handler; /* for xqueue_grader_run; NULL: you take submissions yourself, with xqueue_grader_next */
    void *context;           /* for handler, log and on_lost */

    /* XQUEUE_ADDRESS. Of xqueued: "host:port", "[::1]:port" or "unix:/path"; with TLS
     * "tls://host:port". Default "127.0.0.1:8041". */
    const char *address;
    /*
     * XQUEUE_GRADER. The name of this grader, 1 to 128 bytes, unique among all graders of the service: a second program with
     * the same name takes over from the first. Give one that lasts, so that the service's lists make sense to people.
     * Default "host:queue:process id".
     */
    const char *grader;
    /* XQUEUE_QUEUES (names separated by commas). From which queues to take, 1 to 100. Required. */
    const char *const *queues;
    size_t queue_count;
    /* XQUEUE_SLOTS. How many submissions to grade at one time, 1 to 1000. Without a handler: how many may be held at one time,
     * those that wait for xqueue_grader_next included. Default 1. */
    unsigned slots;
    /* XQUEUE_USER. Whom to log in as. Default: nobody; then the service must let anybody grade. */
    const char *user;
    /* XQUEUE_PASSWORD. Wiped from the library's memory by xqueue_grader_destroy. */
    const char *password;
    /* XQUEUE_PASSWORD_FILE. A file whose first line is the password; read at each login, so it may be rotated. Only one of
     * password and password_file may be set; an option beats both variables. */
    const char *password_file;
    /* XQUEUE_LABELS (KEY=VALUE, separated by commas). What this grader can do; submissions that ask for more are not given to
     * it. */
    const struct xqueue_label *labels;
    size_t label_count; /* up to 32 */
    /* XQUEUE_DRAIN_TIMEOUT_MS. How long xqueue_grader_stop waits for answers and confirmations before it cancels, in
     * milliseconds. 0: no bound. */
    int64_t drain_timeout_ms;
    /* Where log lines go; NULL: nowhere. */
    xqueue_on_log *log;
    /* Lines below this level are not made. Zero is XQUEUE_LOG_DEBUG; xqueue_grader_options_init sets XQUEUE_LOG_INFO. */
    enum xqueue_log_level log_level;
    /* May be NULL. */
    xqueue_on_lost *on_lost;
    /* XQUEUE_TOKEN. A token of the service, in place of user and password. Wiped as the password. */
    const char *token;
    /* XQUEUE_TOKEN_FILE. A file whose first line is the token; read whenever the grader connects, so it may be rotated. Only
     * one of token and token_file, and no user with either; an option beats both variables. */
    const char *token_file;
    /* XQUEUE_CA_FILE. For an address with TLS: the authorities to trust, in PEM. Default: those of the system. */
    const char *ca_file;
    /* XQUEUE_CERTIFICATE_FILE, XQUEUE_KEY_FILE. For an address with TLS: a certificate to show and its key, in PEM. Others than
     * owner and group must not be able to read the key. The service may take the certificate in place of user and password. */
    const char *certificate_file;
    const char *key_file;
    /* XQUEUE_SERVER_NAME. The name that the service's certificate must have. Default: the address's host. */
    const char *server_name;
    /* Without a handler only: xqueue_grader_next, and so its descriptor, tells also which leases of submissions that you hold
     * are lost. */
    bool report_lost;
};

/* Empties options and sets what must be set. */
static inline void xqueue_grader_options_init(struct xqueue_grader_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->log_level = XQUEUE_LOG_INFO;
}

/* ---- the grader ---- */

/*
 * Makes a grader; does not connect yet and starts no thread. *out_grader is yours: free it with xqueue_grader_destroy.
 * XQUEUE_STATUS_INVALID (error says which option), _NO_MEMORY, _SYSTEM.
 */
XQUEUE_API enum xqueue_status xqueue_grader_create(const struct xqueue_grader_options *options,
                                                   struct xqueue_grader **out_grader, struct xqueue_error *error);

/*
 * Connects and grades; returns when the grader has stopped and every handler has returned. Once per grader.
 * A service that is away, or goes away, is no reason to return: the library tries again, for ever.
 *   XQUEUE_STATUS_OK              stopped by xqueue_grader_stop, everything was answered and confirmed
 *   XQUEUE_STATUS_CANCELED        stopped by a second xqueue_grader_stop or drain_timeout_ms: some were handed back unfinished
 *   XQUEUE_STATUS_UNAUTHENTICATED, _DENIED, _NOT_FOUND, _INVALID, _UNIMPLEMENTED
 *                                 the service refused this grader before it was ever welcome. (Once it was, it tries again,
 *                                 however the service refuses it, for the service may just be changing its configuration.)
 *   XQUEUE_STATUS_REPLACED        another program with the same grader id took over
 *   XQUEUE_STATUS_WRONG_STATE     it ran already, or has no handler
 *   XQUEUE_STATUS_NO_MEMORY, _SYSTEM   the start failed
 */
XQUEUE_API enum xqueue_status xqueue_grader_run(struct xqueue_grader *grader, struct xqueue_error *error);

/*
 * Asks the grader to stop, and returns at once: it takes nothing more, hands back what nobody has begun with, finishes what is
 * begun, and xqueue_grader_run returns, or xqueue_grader_next tells the end. The second call cancels, as drain_timeout_ms does:
 * leases without an answer are handed back to the service and seen as lost (XQUEUE_LOST_STOPPED), and xqueue_grader_run returns
 * as soon as the handlers do; xqueue_grader_next tells the end within a few seconds, whatever is held. Further calls do
 * nothing. Before the start: the end comes at once then. Safe to call from a signal handler (async-signal-safe), as long as the
 * grader is not destroyed meanwhile. NULL is fine.
 */
XQUEUE_API void xqueue_grader_stop(struct xqueue_grader *grader);

/*
 * Frees a grader. NULL is fine. With a handler: one that does not run, that is, never did, or xqueue_grader_run has returned.
 * Without: at any time, but in none of its functions may a thread be, nor in one of a submission of it; its descriptor is
 * closed. One that has not told its end is stopped as by a second xqueue_grader_stop first, which takes a few seconds at most,
 * and in which answers that were given are still sent. What you hold is closed: those pointers are gone.
 */
XQUEUE_API void xqueue_grader_destroy(struct xqueue_grader *grader);

/* ---- the grader: without a handler ----
 *
 * For programs that own their loop. The library keeps one connection, and a lease renewed for each submission that you hold, on
 * threads of its own; it calls nothing of yours but log and on_lost.
 *
 *     options.handler = NULL;
 *     options.slots = 4;
 *     ... xqueue_grader_create, xqueue_grader_start ...
 *     struct pollfd wait = {.fd = xqueue_grader_descriptor(grader), .events = POLLIN};    // and yours beside it
 *     for (;;) {
 *         poll(&wait, 1, -1);
 *         enum xqueue_status status = xqueue_grader_next(grader, 0, &submission, &error);
 *         if (status == XQUEUE_STATUS_TIMEOUT)
 *             continue;                               // nothing (more) now
 *         if (!submission)
 *             break;                                  // the end: status says how
 *         ... begin to grade; some time later, in any order and on any thread: ...
 *         xqueue_submission_complete(submission, result, length);
 *         xqueue_submission_close(submission);
 *     }
 *     xqueue_grader_destroy(grader);
 *
 * The service gives as many as `slots` allows at once, and their leases run (and are renewed) from then on, also while they
 * wait for xqueue_grader_next: ask for no more slots than you will take soon.
 *
 * When the program dies, the service gives what it held to others as soon as the leases have run out.
 */

/*
 * Starts a grader without handler, and returns at once: it connects in the background, again and again, for as long as it
 * takes. Once per grader.
 *   XQUEUE_STATUS_OK                   xqueue_grader_next tells all that follows, also that the service refuses this grader
 *   XQUEUE_STATUS_WRONG_STATE          it was started already, or has a handler
 *   XQUEUE_STATUS_INVALID, _NO_MEMORY, _SYSTEM   as xqueue_grader_run has it; destroy it
 */
XQUEUE_API enum xqueue_status xqueue_grader_start(struct xqueue_grader *grader, struct xqueue_error *error);

/*
 * The next submission, or what else there is to know. timeout_ms: how long to wait when there is nothing, in milliseconds; 0:
 * not at all; negative: for ever. *out_submission is always written, and NULL but where it says otherwise. From several threads
 * at once each gets another submission. error (may be NULL) is filled unless XQUEUE_STATUS_OK.
 *   XQUEUE_STATUS_OK, a submission    it is yours until xqueue_submission_close
 *   XQUEUE_STATUS_OK, NULL            the end: stopped by xqueue_grader_stop, everything was answered and confirmed
 *   XQUEUE_STATUS_TIMEOUT             nothing has come within timeout_ms; call again
 *   XQUEUE_STATUS_LOST, a submission  only with options.report_lost: the lease of this one, which you hold already, is lost.
 *                                     Told once, unless you have closed it before; close it, and call again. (If another
 *                                     thread might close it meanwhile, do not touch it; use on_lost, or ask
 *                                     xqueue_submission_is_lost.)
 *   XQUEUE_STATUS_CANCELED            the end: stopped by a second xqueue_grader_stop or drain_timeout_ms: some were handed
 *                                     back unfinished
 *   XQUEUE_STATUS_UNAUTHENTICATED, _DENIED, _NOT_FOUND, _INVALID, _UNIMPLEMENTED, _REPLACED
 *                                     the end, as xqueue_grader_run has it
 *   XQUEUE_STATUS_NO_MEMORY, _SYSTEM  the end: the start had failed
 *   XQUEUE_STATUS_WRONG_STATE         it was never started, or has a handler
 *   XQUEUE_STATUS_INVALID             grader or out_submission is NULL (error.fatal is false)
 * After xqueue_grader_stop no submission comes any more, and the end when what you hold is answered and the answers are
 * confirmed. The end is told again and again, to every thread. What you hold then is lost; it stays readable until it is
 * closed.
 */
XQUEUE_API enum xqueue_status xqueue_grader_next(struct xqueue_grader *grader, int64_t timeout_ms,
                                                 struct xqueue_submission **out_submission, struct xqueue_error *error);

/*
 * A file descriptor to wait with: readable (POLLIN) as long as xqueue_grader_next would return something at once, that is, a
 * submission, a lost lease (with options.report_lost), or the end. Level-triggered; edge-triggered (EPOLLET) it works if you
 * call xqueue_grader_next until XQUEUE_STATUS_TIMEOUT. Where several threads wait for it all wake up, and one gets what there
 * is. The same one for the grader's life, close-on-exec, nonblocking; the library's: only poll it. -1: the grader has a
 * handler.
 */
XQUEUE_API int xqueue_grader_descriptor(const struct xqueue_grader *grader);

/*
 * Gives back what xqueue_grader_next gave, in any order, from any thread: the submission and all that its functions returned
 * are gone. Without an answer before it counts as xqueue_submission_fail(XQUEUE_FAIL_TRANSIENT). An answer that was given goes
 * its way. Until then the submission fills a slot. NULL is fine; in a handler it does nothing.
 */
XQUEUE_API void xqueue_submission_close(struct xqueue_submission *submission);

/* ---- a submission: what is in it ----
 *
 * Pointers are borrowed, and valid until the handler returns, or xqueue_submission_close. Text is UTF-8, never NULL.
 */

/* The service's number of the submission, from 1, never used twice. */
XQUEUE_API uint64_t xqueue_submission_id(const struct xqueue_submission *submission);
/* The queue that it came from. */
XQUEUE_API const char *xqueue_submission_queue(const struct xqueue_submission *submission);
/* The how-many-th time that it is given to a grader, from 1. */
XQUEUE_API uint32_t xqueue_submission_attempt(const struct xqueue_submission *submission);
/* What the submitter wrote for itself; opaque bytes, up to 65,536. *out_length (may be NULL): their number. */
XQUEUE_API const void *xqueue_submission_header(const struct xqueue_submission *submission, size_t *out_length);
/* What the student handed in, as the LMS wrapped it; opaque bytes, up to 3,145,728. */
XQUEUE_API const void *xqueue_submission_body(const struct xqueue_submission *submission, size_t *out_length);
/* The value of a label that the submission asks for, or NULL when it has none of that key. */
XQUEUE_API const char *xqueue_submission_label(const struct xqueue_submission *submission, const char *key);
/* The W3C trace context of the submit call, to be continued by the grader; "" when there is none. */
XQUEUE_API const char *xqueue_submission_trace_parent(const struct xqueue_submission *submission);
XQUEUE_API const char *xqueue_submission_trace_state(const struct xqueue_submission *submission);
/* When it was handed in: milliseconds since 1970-01-01 UTC by the service's clock. */
XQUEUE_API int64_t xqueue_submission_submitted_at_ms(const struct xqueue_submission *submission);

/* A file that came with a submission. Only made by the library: later versions may add members at the end. */
struct xqueue_file {
    const char *name;      /* the form field that it came under */
    const char *url;       /* where it can be fetched over HTTP; "" when it cannot */
    const char *file_id;   /* the service's name of it; "" when it has none */
    const char *filename;  /* the name that the student's file had; may be "". Never use it as a path */
    uint64_t size_bytes;   /* 0 when empty or unknown */
    const uint8_t *sha256; /* 32 bytes, or NULL when unknown */
};

XQUEUE_API size_t xqueue_submission_file_count(const struct xqueue_submission *submission);
/* File index, from 0; NULL when there is none of that index. */
XQUEUE_API const struct xqueue_file *xqueue_submission_file(const struct xqueue_submission *submission, size_t index);

/* ---- a submission: its files ----
 *
 * Files with a file_id are fetched from the service, over the grader's own connection and with its own credentials. A file that
 * has only a url (it came over the REST interface) is yours to fetch with an HTTP client of your choice: this library has none.
 *
 *     void *bytes;
 *     size_t length;
 *     struct xqueue_error error;
 *     if (xqueue_submission_fetch_memory(submission, 0, NULL, &bytes, &length, &error) == XQUEUE_STATUS_OK) {
 *         ... look at them ...
 *         xqueue_memory_free(bytes);
 *     }
 *
 * What holds for all three functions
 *   - They return when the file is whole, or when it is clear that it will not be. When the connection breaks they go on from
 *     where they were, with growing, jittered pauses, until the lease is lost, or the time of the options is up.
 *   - Size and SHA-256 are checked always, against the submission's entry, where it has them, and what the service says.
 *   - Whatever the size of the file, the library keeps two chunks of it in memory (262,144 bytes each), and what gRPC holds
 *     back for one call.
 *   - Each may be called from any thread while the handler runs, or until xqueue_submission_close; for several files at the
 *     same time, and more than once for one file. All must have returned by then. Do not call them in xqueue_on_lost,
 *     xqueue_on_log or signal handlers.
 *   - index: of the file, from 0. options: NULL for the defaults; borrowed during the call. error may be NULL.
 *   XQUEUE_STATUS_OK             all of the file is there, and checked
 *   XQUEUE_STATUS_INVALID        there is no such file, an argument is wrong, or the descriptor or path cannot be written to
 *   XQUEUE_STATUS_UNIMPLEMENTED  it has no file_id: fetch file->url. Or the service keeps no files
 *   XQUEUE_STATUS_NOT_FOUND      the service does not have it (any more)
 *   XQUEUE_STATUS_FULL           it has more bytes than options->bytes_max. Nothing was fetched
 *   XQUEUE_STATUS_DATA_LOSS      size or SHA-256 are not what they must be, or the service cannot read its file
 *   XQUEUE_STATUS_LOST           the lease is lost (see xqueue_submission_lost_reason; a second xqueue_grader_stop, too)
 *   XQUEUE_STATUS_WRONG_STATE    the submission was answered already
 *   XQUEUE_STATUS_TIMEOUT        options->timeout_ms were up
 *   XQUEUE_STATUS_UNAUTHENTICATED, _DENIED   the service refuses the credentials, or this user may not fetch files
 *   XQUEUE_STATUS_SYSTEM         writing failed: error says how, "No space left on device"
 *   XQUEUE_STATUS_NO_MEMORY, _INTERNAL
 * After a failure nothing is kept, but for what was written to a descriptor.
 */

#define XQUEUE_FETCH_BYTES_DEFAULT UINT64_C(104857600)

/* How to fetch. Begin with xqueue_fetch_options_init. Later versions add members at the end. */
struct xqueue_fetch_options {
    size_t struct_size; /* set by xqueue_fetch_options_init */
    uint64_t bytes_max; /* larger files are not fetched, 1 to UINT64_MAX; 0: XQUEUE_FETCH_BYTES_DEFAULT, 100 MiB */
    int64_t timeout_ms; /* for all of it, in milliseconds from the call; 0: as long as the lease lasts. A login that the service
                           asks for meanwhile, or a descriptor that blocks, may make it longer */
};

/* Empties options and sets what must be set. */
static inline void xqueue_fetch_options_init(struct xqueue_fetch_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
}

/* Into memory. *out_bytes is yours, *out_length bytes: free it with xqueue_memory_free. A file without bytes gives a pointer,
 * too. Both stay untouched after a failure. */
XQUEUE_API enum xqueue_status xqueue_submission_fetch_memory(struct xqueue_submission *submission, size_t index,
                                                             const struct xqueue_fetch_options *options, void **out_bytes,
                                                             size_t *out_length, struct xqueue_error *error);

/* Frees what xqueue_submission_fetch_memory gave. NULL is fine. */
XQUEUE_API void xqueue_memory_free(void *bytes);

/*
 * To a file descriptor, as by write from its current position on. It stays yours, and open; do not use it meanwhile. After a
 * failure a part of the file may have been written: what is there is not checked. The descriptor must block (not be
 * O_NONBLOCK). One that blocks for long holds up all of this: a fetch does not see the loss of the lease within a write.
 * A pipe without a reader raises SIGPIPE, as always; on the library's threads it is blocked, and the answer is
 * XQUEUE_STATUS_SYSTEM.
 */
XQUEUE_API enum xqueue_status xqueue_submission_fetch_descriptor(struct xqueue_submission *submission, size_t index,
                                                                 const struct xqueue_fetch_options *options, int descriptor,
                                                                 struct xqueue_error *error);

/*
 * To path, with mode 0600 (less the umask): first into a new file beside it (".xqueue-" and 32 hex digits, which only a killed
 * process leaves behind), which takes the path when it is whole and checked, in one step. What was at the path before stays
 * until then, and is then replaced; a symbolic link is replaced itself, not what it leads to. The folder must exist. There is
 * no fsync: after a power failure the file may be gone or damaged.
 */
XQUEUE_API enum xqueue_status xqueue_submission_fetch_path(struct xqueue_submission *submission, size_t index,
                                                           const struct xqueue_fetch_options *options, const char *path,
                                                           struct xqueue_error *error);

/* ---- a submission: while grading ---- */

/*
 * Milliseconds until the queue's hard limit ends the lease, whatever is renewed; 0 when it has passed. INT64_MAX: no limit.
 */
XQUEUE_API int64_t xqueue_submission_time_left_ms(const struct xqueue_submission *submission);

/* Why a lease is lost. */
enum xqueue_lost {
    XQUEUE_LOST_NOT = 0,          /* it is not */
    XQUEUE_LOST_EXPIRED = 1,      /* the connection was away for too long. An answer may still be taken */
    XQUEUE_LOST_STALE = 2,        /* somebody else has it now, or it is finished */
    XQUEUE_LOST_SUPERSEDED = 3,   /* the student handed in again */
    XQUEUE_LOST_CANCELED = 4,     /* the submitter took it back */
    XQUEUE_LOST_HARD_LIMIT = 5,   /* it took longer than the queue allows. An answer may still be taken */
    XQUEUE_LOST_NOT_ACCEPTED = 6, /* the connection was too slow at the very start */
    XQUEUE_LOST_ADMIN = 7,        /* an administrator took it */
    XQUEUE_LOST_STOPPED = 8,      /* xqueue_grader_stop was called twice, or the grader came to its end */
};

/* Is the lease lost? Then stop working and return, or close it: nobody waits for the answer (see enum xqueue_lost for
 * exceptions). Cheap: ask it in your loop. Once lost, a lease stays lost. */
XQUEUE_API bool xqueue_submission_is_lost(const struct xqueue_submission *submission);
XQUEUE_API enum xqueue_lost xqueue_submission_lost_reason(const struct xqueue_submission *submission);

/*
 * Tells those who watch how far the grading is. phase: up to 64 bytes, "running tests"; percent: 0 to 100; note: up to 512
 * bytes. NULL is ""; longer text is cut. Cheap; notes that follow quickly replace one another.
 * XQUEUE_STATUS_INVALID: percent, or text that is not UTF-8.
 */
XQUEUE_API enum xqueue_status xqueue_submission_progress(struct xqueue_submission *submission, const char *phase,
                                                         unsigned percent, const char *note);

/* ---- a submission: the answer ----
 *
 * One answer per submission. XQUEUE_STATUS_OK means that the library has it, and sends it until the service has confirmed it.
 * In the rare case that the service does not take it (the submission was given to somebody else, ...), that is logged.
 * XQUEUE_STATUS_WRONG_STATE: there is an answer already. XQUEUE_STATUS_LOST: the answer would not count; just return, or close.
 * XQUEUE_STATUS_INVALID: a bad argument; _NO_MEMORY. After a failure there is no answer yet.
 */

/*
 * The result: opaque bytes, copied; what Open edX expects is JSON {"correct": bool, "score": number, "msg": HTML}. A wrong
 * solution is a result too. XQUEUE_STATUS_FULL: longer than the service takes (3,145,728 bytes by default).
 */
XQUEUE_API enum xqueue_status xqueue_submission_complete(struct xqueue_submission *submission, const void *result,
                                                         size_t length);

enum xqueue_fail {
    /* This try failed (a machine was out of memory, a service did not answer): counted, tried again later, by any grader. */
    XQUEUE_FAIL_TRANSIENT = 1,
    /* No grader can grade this (no such problem, not the right kind of file): final, the student is told. */
    XQUEUE_FAIL_UNGRADABLE = 2,
};

/*
 * It could not be graded. message: for people (operators; with XQUEUE_FAIL_UNGRADABLE also the student), UTF-8, up to 1,024
 * bytes, longer is cut; NULL is "". retry_after_ms: with XQUEUE_FAIL_TRANSIENT not tried again before; 0 to 86,400,000.
 */
XQUEUE_API enum xqueue_status xqueue_submission_fail(struct xqueue_submission *submission, enum xqueue_fail kind,
                                                     const char *message, int64_t retry_after_ms);

/* Hands it back as if nobody had taken it; not counted as a try. delay_ms: kept from all graders for so long; 0 to 3,600,000.
 */
XQUEUE_API enum xqueue_status xqueue_submission_release(struct xqueue_submission *submission, int64_t delay_ms);

#ifdef __cplusplus
}
#endif

#endif
