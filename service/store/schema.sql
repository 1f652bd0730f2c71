-- SPDX-License-Identifier: Apache-2.0
-- Version 1 of the database: what the first migration creates.
--
-- Nothing is ever NULL: 0, '' and x'' mean "none". Times are milliseconds since 1970. States stand as the names of
-- service/rules/; only the two move statements of the store write them. Every index ends with the row's id by itself, which is
-- how ties are broken. The indexes of a state or of live rows are partial, so finished rows cost nothing but their space.
-- States are compared with OR, not IN: for a list of three or more SQLite builds a temporary table in every statement, which
-- cost a fifth of the processor time of a life cycle.

-- One row: what this database is.
CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    bytes BLOB NOT NULL CHECK (length(bytes) = 16)
) STRICT;
INSERT INTO identity (one, bytes) VALUES (1, randomblob(16));

CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE CHECK (name <> '')
) STRICT;

-- The hot row: everything that a rule looks at, and nothing else. AUTOINCREMENT: an id is never given twice, also when the
-- newest rows have been deleted.
CREATE TABLE submission (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id INTEGER NOT NULL REFERENCES queue (id),
    state TEXT NOT NULL
        CHECK (state = 'READY' OR state = 'LEASED' OR state = 'DELAYED' OR state = 'GRADED' OR state = 'DEAD'
            OR state = 'CANCELED' OR state = 'SUPERSEDED' OR state = 'UNGRADABLE'),
    rank INTEGER NOT NULL,
    virtual_ms INTEGER NOT NULL,
    submitted_at_ms INTEGER NOT NULL,
    state_at_ms INTEGER NOT NULL,
    ready_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL CHECK (attempt >= 0),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    lease_key TEXT NOT NULL CHECK (state <> 'LEASED' OR lease_key <> ''),
    grader TEXT NOT NULL,
    leased_at_ms INTEGER NOT NULL,
    lease_expires_at_ms INTEGER NOT NULL,
    lease_hard_limit_at_ms INTEGER NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 0),
    superseded_by_id INTEGER NOT NULL,
    has_destination INTEGER NOT NULL CHECK (has_destination IN (0, 1)),
    replace_key BLOB NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX submission_ready ON submission (queue_id, rank, virtual_ms) WHERE state = 'READY';
CREATE INDEX submission_leased ON submission (queue_id) WHERE state = 'LEASED';
CREATE INDEX submission_delayed ON submission (ready_at_ms, queue_id) WHERE state = 'DELAYED';
CREATE INDEX submission_expiring ON submission (expires_at_ms)
    WHERE expires_at_ms > 0 AND (state = 'READY' OR state = 'LEASED' OR state = 'DELAYED');
CREATE INDEX submission_replaceable ON submission (replace_key)
    WHERE replace_key <> x'' AND (state = 'READY' OR state = 'LEASED' OR state = 'DELAYED');

-- What was handed in. The large columns stand last, so that reading the small ones never walks overflow pages.
CREATE TABLE content (
    submission_id INTEGER PRIMARY KEY REFERENCES submission (id) ON DELETE CASCADE,
    submitter TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    fairness_key TEXT NOT NULL,
    cost INTEGER NOT NULL,
    file_count INTEGER NOT NULL,
    label_count INTEGER NOT NULL,
    results_channel TEXT NOT NULL,
    trace_parent TEXT NOT NULL,
    trace_state TEXT NOT NULL,
    callback_url TEXT NOT NULL,
    header BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX content_request ON content (submitter, request_id) WHERE request_id <> '';

-- Rows 0 to content.file_count - 1.
CREATE TABLE file (
    submission_id INTEGER NOT NULL REFERENCES submission (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    file_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) IN (0, 32)),
    PRIMARY KEY (submission_id, position)
) STRICT, WITHOUT ROWID;

-- Rows 0 to content.label_count - 1.
CREATE TABLE label (
    submission_id INTEGER NOT NULL REFERENCES submission (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (submission_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE result (
    submission_id INTEGER PRIMARY KEY REFERENCES submission (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    completed_at_ms INTEGER NOT NULL,
    grader TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    body BLOB NOT NULL
) STRICT;

CREATE TABLE delivery (
    submission_id INTEGER PRIMARY KEY REFERENCES submission (id) ON DELETE CASCADE,
    queue_id INTEGER NOT NULL REFERENCES queue (id),
    state TEXT NOT NULL
        CHECK (state = 'PENDING' OR state = 'IN_FLIGHT' OR state = 'DELIVERED' OR state = 'UNDELIVERABLE'),
    outcome TEXT NOT NULL CHECK (outcome = 'RESULT' OR outcome = 'DEAD' OR outcome = 'UNGRADABLE'),
    generation INTEGER NOT NULL CHECK (generation >= 0),
    attempt INTEGER NOT NULL CHECK (attempt >= 0),
    due_at_ms INTEGER NOT NULL,
    state_at_ms INTEGER NOT NULL,
    lease_key TEXT NOT NULL CHECK (state <> 'IN_FLIGHT' OR lease_key <> ''),
    lease_expires_at_ms INTEGER NOT NULL,
    channel TEXT NOT NULL,
    courier TEXT NOT NULL,
    instance TEXT NOT NULL,
    replace_key BLOB NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_pending ON delivery (channel, due_at_ms) WHERE state = 'PENDING';
CREATE INDEX delivery_due ON delivery (due_at_ms) WHERE state = 'PENDING';
CREATE INDEX delivery_in_flight ON delivery (lease_expires_at_ms) WHERE state = 'IN_FLIGHT';
CREATE INDEX delivery_courier ON delivery (courier, instance) WHERE state = 'IN_FLIGHT';
-- Who must wait for an older one of the same replace key.
CREATE INDEX delivery_order ON delivery (replace_key)
    WHERE replace_key <> x'' AND (state = 'PENDING' OR state = 'IN_FLIGHT');

-- Named so because "session" alone would be taken for a grader's.
CREATE TABLE login_session (
    token_digest BLOB PRIMARY KEY CHECK (length(token_digest) = 32),
    credential_digest BLOB NOT NULL CHECK (length(credential_digest) = 32),
    user TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_session_expiry ON login_session (expires_at_ms);
