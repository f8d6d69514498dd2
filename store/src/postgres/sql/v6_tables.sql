-- A row per outcome: what is held back first and sent later has both.
ALTER TABLE notifications
    ADD COLUMN reason text COLLATE "C" NOT NULL DEFAULT 'none',
    ADD COLUMN "by" text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN slo text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN severity text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN latency_ms bigint,
    ADD COLUMN repeated boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT notifications_pkey,
    ADD PRIMARY KEY (alert_id, episode, seq, receiver, "at", outcome);
COMMENT ON TABLE notifications IS 'What became of each transition at each receiver: a row per outcome.';
COMMENT ON COLUMN notifications.alert_id IS 'The alert, as in alert_transitions.';
COMMENT ON COLUMN notifications.episode IS 'Its episode.';
COMMENT ON COLUMN notifications.seq IS 'The transition within it.';
COMMENT ON COLUMN notifications.receiver IS 'Name of the receiver.';
COMMENT ON COLUMN notifications.outcome IS 'delivered; refused by the receiver; failed: tried, and tried again; not_due: never sent, reason says why; held_back: not sent for now, another row says what came of it.';
COMMENT ON COLUMN notifications.attempts IS 'Attempts made.';
COMMENT ON COLUMN notifications.detail IS 'What the receiver or the transport said, or why it was not sent.';
COMMENT ON COLUMN notifications.reason IS 'Why it was not sent: silenced, inhibited, muted, no_route, untold, unwanted, superseded, missed, acknowledged, dry_run, rate_limited; of failed in_doubt; none: it was, or a former version stored it.';
COMMENT ON COLUMN notifications."by" IS 'What holds it back: id of the silence or of the inhibiting alert, name of the time interval, or who acknowledged it.';
COMMENT ON COLUMN notifications.kind IS 'What happened: firing, severity, resolved; empty: a former version stored it. Likewise slo and severity.';
COMMENT ON COLUMN notifications.slo IS 'The SLO.';
COMMENT ON COLUMN notifications.severity IS 'Severity at the transition.';
COMMENT ON COLUMN notifications.latency_ms IS 'How long the last attempt took, milliseconds; null without one.';
COMMENT ON COLUMN notifications.repeated IS 'Whether the receiver had it already: it was reminded, or would have been.';
