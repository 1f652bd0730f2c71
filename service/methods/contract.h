/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the messages of the contract and what the queue works with.
 *
 * Threading: pure.
 */
#ifndef SERVICE_METHODS_CONTRACT_H
#define SERVICE_METHODS_CONTRACT_H

#include "service/bulk.h"
#include "service/delivering.h"
#include "service/grader_link.h"
#include "service/work_session.h"
#include "xqueue/v1/deliveries.pb-c.h"
#include "xqueue/v1/graders.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

/* A Submission message that borrows everything from content; free with contract_submission_destroy. */
Xqueue__V1__Submission *contract_submission(const struct store_content *content);
void contract_submission_destroy(Xqueue__V1__Submission *submission); /* NULL is fine */

/* A Grant message that borrows from grant; free with contract_grant_destroy. */
Xqueue__V1__Grant *contract_grant(const struct grant *grant);
void contract_grant_destroy(Xqueue__V1__Grant *grant); /* NULL is fine */

/* Reads a LeaseRef. False: it is absent, its id is 0 or too large, or its key has not LEASE_KEY_LENGTH characters. */
bool contract_lease_name(const Xqueue__V1__LeaseRef *lease, struct lease_name *out_name);

/* Reads a progress note; percent and the lengths are bounded, line breaks are fine. STATUS_INVALID PROGRESS_INVALID. */
enum status contract_progress(const Xqueue__V1__Progress *message, struct progress *out_progress,
                              struct error *error) STATUS_CHECKED;

/*
 * The labels of a message: entries is its array of pointers to entries of a map of texts. They are appended to labels, whose
 * array has room for count_max; the texts stay the message's. False: there are more, or a name or value breaks its bounds, or a
 * name comes twice.
 */
bool contract_take_labels(struct labels *labels, size_t count_max, const void *entries, size_t count);

/* What there is to say of a submission, but its queue's name; borrows from row and delivery (NULL: none). */
void contract_fill_view(Xqueue__V1__GetResponse *view, const struct store_submission *row,
                        const struct store_delivery *delivery, int64_t now_ms);

/* A page of submissions that borrows from items and token; free with contract_list_destroy. */
Xqueue__V1__ListResponse *contract_list(const struct bulk_item *items, size_t count, const char *next_page_token,
                                        int64_t now_ms);
void contract_list_destroy(Xqueue__V1__ListResponse *list);

/* Reads what Fail says of a delivery; borrows from request. STATUS_INVALID FAIL_INVALID: it breaks its bounds. */
enum status contract_read_delivery_failure(const Xqueue__V1__FailDeliveryRequest *request, struct delivery_failure *out_failure,
                                           struct error *error) STATUS_CHECKED;

/* An id of the store; 0, which nothing has, for what can be none. */
int64_t contract_id(uint64_t id);

/* A Delivery message that borrows from lease. */
void contract_fill_delivery(Xqueue__V1__Delivery *delivery, const struct delivery_lease *lease, int64_t lease_ms);

/* The states as bits 1 << enum submission_state; none: all. False: one is none of those that there are. */
bool contract_states(const Xqueue__V1__SubmissionState *states, size_t count, unsigned *out_states);

/* Borrowed text as protobuf-c wants it; generated structs are not const-correct, nothing is written through it. */
char *contract_text(const char *text);
ProtobufCBinaryData contract_bytes(const void *data, size_t length);

#endif
