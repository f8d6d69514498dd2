-- Log time of the oldest raw event of a minute: a window of log time is looked for only in minutes that can have some of it.
-- Null: no raw event is left. -1: unknown, written by a former version; retention finds it out, some minutes at a time.
ALTER TABLE minutes ADD COLUMN oldest_log INTEGER;
UPDATE minutes SET oldest_log = -1 WHERE NOT raw_gone;

CREATE INDEX minutes_by_log ON minutes (newest_log, oldest_log) WHERE oldest_log IS NOT NULL;

-- From which log time on no raw event was removed; no row: none ever was.
CREATE TABLE kept (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    raw_from INTEGER NOT NULL
) STRICT;

-- Minutes that lost theirs before: what they got since is as if it were lost, too.
INSERT INTO kept SELECT 1, max(newest_log) + 1 FROM minutes WHERE raw_gone HAVING count(*) > 0;
