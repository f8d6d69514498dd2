-- A row per outcome: what is held back first and sent later has both. Tables without rowid keep their key, so it is made anew.
CREATE TABLE outcomes (
    alert_id TEXT NOT NULL,
    episode INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    -- Why it was not sent; `none` of what was, and of rows of a former version.
    reason TEXT NOT NULL,
    -- Id of the silence or of the inhibiting alert, or name of the time interval, that holds it back.
    by TEXT NOT NULL,
    -- What happened: firing, severity or resolved; it and what follows are empty in rows of a former version.
    kind TEXT NOT NULL,
    slo TEXT NOT NULL,
    severity TEXT NOT NULL,
    -- HTTP status, where there was an answer.
    status INTEGER,
    attempts INTEGER NOT NULL,
    -- How long the last attempt took.
    latency_ms INTEGER,
    -- Whether the receiver had it already, and was reminded.
    repeated INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (alert_id, episode, seq, receiver, at, outcome)
) STRICT, WITHOUT ROWID;

INSERT INTO outcomes
SELECT alert_id, episode, seq, receiver, at, outcome, 'none', '', '', '', '', status, attempts, NULL, 0, detail
FROM notifications;

DROP TABLE notifications;
ALTER TABLE outcomes RENAME TO notifications;
CREATE INDEX notifications_by_time ON notifications (at);
