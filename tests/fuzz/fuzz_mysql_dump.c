/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_import */
/*
 * Any bytes as a dump: limits hold, what is seen does not depend on the pieces that it comes in, and a refused dump says why.
 * The first byte says how large the pieces are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "service/import/mysql_dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    const uint8_t *bytes;
    size_t length;
    size_t piece;
    struct secret_digest_stream *seen;
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static int64_t read_piece(void *context, char *out, size_t capacity)
{
    struct reading *reading = context;
    size_t length = reading->length < reading->piece ? reading->length : reading->piece;
    length = length < capacity ? length : capacity;
    memcpy(out, reading->bytes, length);
    reading->bytes += length;
    reading->length -= length;
    return (int64_t)length;
}

static void see(struct reading *reading, struct span span)
{
    require(span.length <= MYSQL_VALUE_BYTES_MAX);
    secret_digest_stream_add(reading->seen, &span.length, sizeof span.length);
    secret_digest_stream_add(reading->seen, span.bytes, span.length);
}

static enum status see_submission(void *context, const struct legacy_submission *submission, struct error *error)
{
    (void)error;
    require(submission->id >= 1);
    see(context, submission->queue);
    if (!submission->is_retired) {
        require(submission->failures >= 0 && submission->arrived_at_us >= 0 && submission->pulled_at_ms >= 0);
        see(context, submission->header);
        see(context, submission->body);
        see(context, submission->file_urls);
        see(context, submission->key);
        see(context, submission->grader);
        see(context, submission->result);
    }
    return STATUS_OK;
}

static enum status see_user(void *context, const struct legacy_user *user, struct error *error)
{
    (void)error;
    see(context, user->name);
    see(context, user->password_hash);
    return STATUS_OK;
}

static enum status read_dump(const uint8_t *data, size_t size, size_t piece, uint8_t out_digest[SECRET_DIGEST_BYTES])
{
    struct reading reading = {.bytes = data, .length = size, .piece = piece, .seen = secret_digest_stream_create()};
    const struct legacy_visitor visitor = {.on_submission = see_submission, .on_user = see_user, .context = &reading};
    const struct mysql_input input = {.read = read_piece, .context = &reading};
    struct legacy_rows rows;
    struct error error = {0};
    legacy_rows_init(&rows, &visitor);
    enum status status = mysql_dump_read(&input, NULL, &rows, &error);
    require(status == STATUS_OK || ((status == STATUS_INVALID || status == STATUS_FULL) && error.text[0] != '\0'));
    require(status != STATUS_OK || rows.has_columns[LEGACY_SUBMISSIONS]);
    secret_digest_stream_finish(reading.seen, out_digest);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t whole[SECRET_DIGEST_BYTES];
    uint8_t pieces[SECRET_DIGEST_BYTES];
    if (size == 0)
        return 0;
    size_t piece = (size_t)data[0] + 1;
    enum status status = read_dump(data + 1, size - 1, SIZE_MAX, whole);
    require(read_dump(data + 1, size - 1, piece, pieces) == status);
    require(memcmp(whole, pieces, sizeof whole) == 0);
    return 0;
}
