-- The store's tables. Times are timestamptz: of events exact to the microsecond, of the log to the millisecond, ticks whole
-- seconds. Text that is compared or sorted has collation C: the same order everywhere, whatever the database's locale.
--
-- The schema is the first of the search_path while this runs.

-- How far each partition of the log is in here; moved in the transaction that writes the rows.
CREATE TABLE positions (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    log_time timestamptz NOT NULL,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE positions IS 'How far each partition of the log is stored. Moved in the transaction that writes the rows.';
COMMENT ON COLUMN positions.topic IS 'Topic without prefix.';
COMMENT ON COLUMN positions.next_offset IS 'Everything below is stored, or was rightly skipped.';
COMMENT ON COLUMN positions.log_time IS 'Log time of the last record below next_offset: now() minus this is how old the newest stored record is.';

CREATE TABLE dimensions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    UNIQUE (service, environment, endpoint, method)
);
COMMENT ON TABLE dimensions IS 'Every tuple of service, environment, endpoint, method that occurred.';
COMMENT ON COLUMN dimensions.environment IS 'Empty where the event named none.';

-- Which days of log time hold how many raw events: what is counted without counting.
CREATE TABLE days (
    day date NOT NULL,
    partition integer NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (day, partition)
);
COMMENT ON TABLE days IS 'Raw events per day of log time (UTC) and partition of request-events.';

-- Which minutes of event time were written to since when: retention goes by log time, questions by event time.
CREATE TABLE minutes (
    minute timestamptz PRIMARY KEY,
    oldest_log timestamptz NOT NULL,
    newest_log timestamptz NOT NULL,
    raw_gone boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
COMMENT ON TABLE minutes IS 'Minutes of event time, and when the log brought their events.';
COMMENT ON COLUMN minutes.oldest_log IS 'Log time of the first event stored for this minute.';
COMMENT ON COLUMN minutes.newest_log IS 'Log time of the last one.';
COMMENT ON COLUMN minutes.raw_gone IS 'Retention removed raw events of this minute: only its rollups know all of it.';

-- Room on the page for the next version of a row: the current minute is updated again and again.
CREATE TABLE rollups (
    minute timestamptz NOT NULL,
    dimensions integer NOT NULL,
    status_class smallint NOT NULL,
    hits bigint NOT NULL,
    errors bigint NOT NULL,
    latency_count bigint NOT NULL,
    latency_sum double precision NOT NULL,
    latency_min double precision,
    latency_max double precision,
    sketch bigint[],
    PRIMARY KEY (minute, dimensions, status_class)
) WITH (fillfactor = 70);
COMMENT ON TABLE rollups IS 'What the events of a minute, a tuple of dimensions and a status class add up to. See the view http_requests_1m.';

CREATE TABLE series (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slo text COLLATE "C" NOT NULL,
    objective text COLLATE "C" NOT NULL,
    group_values text COLLATE "C" NOT NULL,
    group_name text COLLATE "C" NOT NULL,
    key bytea NOT NULL UNIQUE
);
COMMENT ON TABLE series IS 'Every series of burn rates: an objective of an SLO with the values of its groupBy.';
COMMENT ON COLUMN series.key IS 'SHA-256 of slo, objective and group values, each ended by FF: names may be longer than an index takes.';
COMMENT ON COLUMN series.group_values IS 'Values of groupBy in its order, as a JSON list.';
COMMENT ON COLUMN series.group_name IS 'The same for people: joined by comma and blank; empty when not grouped.';

CREATE TABLE burn_rates (
    "time" timestamptz NOT NULL,
    generation bigint NOT NULL,
    series integer NOT NULL,
    complete boolean NOT NULL,
    retired boolean NOT NULL,
    sli double precision,
    budget_total double precision NOT NULL,
    budget_remaining double precision NOT NULL,
    exhaustion_at timestamptz,
    covered_from timestamptz NOT NULL,
    good bigint NOT NULL,
    total bigint NOT NULL,
    unknown bigint NOT NULL,
    too_late bigint NOT NULL,
    window_seconds bigint[] NOT NULL,
    window_good bigint[] NOT NULL,
    window_total bigint[] NOT NULL,
    window_burn double precision[] NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (series, "time", generation)
);
COMMENT ON TABLE burn_rates IS 'History of burn rates. See the views slo_state, slo_history and burn_rate.';
COMMENT ON COLUMN burn_rates.body IS 'The whole record as it travels: Avro single-object encoding of BurnRates.';

CREATE TABLE alert_transitions (
    alert_id text COLLATE "C" NOT NULL,
    episode bigint NOT NULL,
    seq integer NOT NULL,
    "time" timestamptz NOT NULL,
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    slo text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    objective text COLLATE "C" NOT NULL,
    group_name text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    severity text COLLATE "C" NOT NULL,
    value double precision,
    pending_at timestamptz NOT NULL,
    fired_at timestamptz,
    body text NOT NULL,
    PRIMARY KEY (alert_id, episode, seq)
);
CREATE INDEX alert_transitions_by_time ON alert_transitions ("time");
COMMENT ON TABLE alert_transitions IS 'Every step of every alert. The view alerts has one row per episode.';
COMMENT ON COLUMN alert_transitions.alert_id IS 'Hash of SLO, objective, group and rule set: the same in all episodes.';
COMMENT ON COLUMN alert_transitions.episode IS 'Unix second of the tick of its pending: tells episodes of an alert apart.';
COMMENT ON COLUMN alert_transitions.seq IS '1 for pending, then counting.';
COMMENT ON COLUMN alert_transitions."time" IS 'When, in log time.';
COMMENT ON COLUMN alert_transitions.kind IS 'What happened: pending, inactive, firing, keeping, resumed, severity, resolved.';
COMMENT ON COLUMN alert_transitions.state IS 'The state after it: pending, inactive, firing, resolved.';
COMMENT ON COLUMN alert_transitions.group_name IS 'groupBy labels: name=value, joined by comma and blank; empty when not grouped.';
COMMENT ON COLUMN alert_transitions.rule IS 'The worst ripe rule.';
COMMENT ON COLUMN alert_transitions.severity IS 'Severity of the worst ripe rule; empty while pending.';
COMMENT ON COLUMN alert_transitions.value IS 'Burn rate in the long window of that rule.';
COMMENT ON COLUMN alert_transitions.pending_at IS 'When the episode began.';
COMMENT ON COLUMN alert_transitions.fired_at IS 'When it fired; null: not yet, or never.';
COMMENT ON COLUMN alert_transitions.body IS 'The whole record as JSON.';

CREATE TABLE notifications (
    alert_id text COLLATE "C" NOT NULL,
    episode bigint NOT NULL,
    seq integer NOT NULL,
    receiver text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    status integer,
    attempts integer NOT NULL,
    detail text NOT NULL,
    "at" timestamptz NOT NULL,
    PRIMARY KEY (alert_id, episode, seq, receiver)
);
COMMENT ON TABLE notifications IS 'What became of each transition at each receiver.';
COMMENT ON COLUMN notifications.outcome IS 'delivered, refused, not_due.';
COMMENT ON COLUMN notifications.status IS 'HTTP status, where there was an answer.';
COMMENT ON COLUMN notifications.detail IS 'What the receiver or the transport said.';
COMMENT ON COLUMN notifications."at" IS 'When it ended, by the clock of the notifier.';
