-- Which topics the positions were places in: a topic that is deleted and recreated has other records at the same offsets.
CREATE TABLE topics (
    topic text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, id),
    UNIQUE (topic, epoch)
);
COMMENT ON TABLE topics IS 'Which topics were stored from, by the ids that the cluster gave them. Positions are places in the one with the greatest epoch; the others never come back.';
COMMENT ON COLUMN topics.topic IS 'Topic without prefix.';
COMMENT ON COLUMN topics.id IS 'Its id, as kafka-topics.sh --describe shows it.';
COMMENT ON COLUMN topics.epoch IS 'How many topics of the name there were before it.';
COMMENT ON COLUMN topics.since IS 'When a sink first stored from it.';
