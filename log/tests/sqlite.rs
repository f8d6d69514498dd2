//! L1 to L7 of the log in SQLite.

use slipstream_log::conformance::InSqlite;

slipstream_log::conformance!(InSqlite);
