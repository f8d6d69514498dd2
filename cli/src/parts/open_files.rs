//! How many files a process may have open: connections are files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a process has open in addition to its clients' connections: the log, the store, connections to Kafka.
const BESIDE: u64 = 512;

/// Raises the soft limit, which is often 1,024, to what this many connections need, those of all servers of this process; warns
/// if the hard limit is lower. Call it before any of them begins.
pub fn allow_for(connections: usize) {
    if connections == 0 {
        return;
    }
    let needed = connections as u64 + BESIDE;
    let limit = getrlimit(Resource::Nofile);
    // `None` means no limit.
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let possible = limit.maximum.map_or(needed, |most| most.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum: limit.maximum });
    if raised.is_err() || possible < needed {
        tracing::warn!(
            limit = possible,
            connections,
            "open files are limited to less than the connections of this process need: raise the limit (ulimit -n), or lower \
             gateway.max_connections"
        );
    }
}
