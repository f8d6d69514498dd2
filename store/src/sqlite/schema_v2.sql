-- Which topic the positions are places in: the id tells it from another of the same name that was deleted before.
CREATE TABLE topics (
    topic TEXT PRIMARY KEY,
    id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
