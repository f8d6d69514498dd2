-- Which topic the positions are places in: a topic that is deleted and made anew has other records at the same offsets.
CREATE TABLE topics (
    topic text COLLATE "C" PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE topics IS 'Which topic the positions are places in, by the id that the cluster gave it.';
COMMENT ON COLUMN topics.topic IS 'Topic without prefix.';
COMMENT ON COLUMN topics.id IS 'Its id, as kafka-topics.sh --describe shows it.';
COMMENT ON COLUMN topics.since IS 'When a sink first stored from it.';
