-- SPDX-License-Identifier: Apache-2.0
-- Version 9: graders are found by labels, what is ready is ordered by what students have handed in already, and queues bound rates.

-- The set of labels that a submission asks for: 0 is none; the same number means the same labels, though the same labels may have
-- two numbers, because those of earlier versions have others than new ones.
ALTER TABLE submission ADD COLUMN label_set_id INTEGER NOT NULL DEFAULT 0;

CREATE TEMP TABLE old_labels AS
    SELECT submission_id, group_concat(json_array(name, value)) AS labels
    FROM (SELECT submission_id, name, value FROM label ORDER BY submission_id, name)
    GROUP BY submission_id;
CREATE TEMP TABLE old_label_set AS SELECT labels, min(submission_id) AS first_id FROM old_labels GROUP BY labels;
CREATE INDEX temp.old_label_set_labels ON old_label_set (labels);
UPDATE submission SET label_set_id = -old_label_set.first_id
    FROM old_labels JOIN old_label_set ON old_label_set.labels = old_labels.labels
    WHERE submission.id = old_labels.submission_id;
DROP TABLE temp.old_label_set;
DROP TABLE temp.old_labels;

-- One ready order for each set: a grader looks at the first of each set that it can take, and never walks over the others.
DROP INDEX submission_ready;
CREATE INDEX submission_ready ON submission (queue_id, label_set_id, rank, virtual_ms) WHERE state = 'READY';
CREATE INDEX submission_labeled ON submission (queue_id, label_set_id)
    WHERE label_set_id <> 0 AND (state = 'READY' OR state = 'LEASED' OR state = 'DELAYED');

-- Until when the fair order counts what was handed in under a key; rows that are over may be missing.
CREATE TABLE fairness (
    queue_id INTEGER NOT NULL REFERENCES queue (id),
    key TEXT NOT NULL CHECK (key <> ''),
    free_at_ms INTEGER NOT NULL,
    PRIMARY KEY (queue_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX fairness_free ON fairness (free_at_ms);

-- 0 = no bound.
ALTER TABLE queue_settings ADD COLUMN submits_per_minute_max INTEGER NOT NULL DEFAULT 0;
