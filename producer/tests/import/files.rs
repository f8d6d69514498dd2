//! Files to import, and what a log has of them afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use slipstream_log::memory::MemoryLog;
use slipstream_log::{Fetch, Log, TopicPartition};
use slipstream_producer::import::{Format, ImportError, Options, Summary, Target, import_file};
use slipstream_runtime::Shutdown;
use slipstream_schemas::records::ImportPosition;
use slipstream_schemas::{RequestEvent, Topic, codec};
use std::sync::Arc;
use tempfile::TempDir;

/// A file that changes.
pub struct TestFile {
    _dir: TempDir,
    pub path: PathBuf,
}

impl TestFile {
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("requests.log");
        fs::write(&path, bytes).unwrap();
        TestFile { _dir: dir, path }
    }

    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        fs::write(&self.path, bytes).unwrap();
    }
}

pub fn options(format: Format) -> Options {
    let (service, environment) = (Some("web".to_owned()), String::new());
    Options { format, service, environment, shift_to: None, latency: None }
}

pub async fn import(log: &Arc<MemoryLog>, file: &TestFile, format: Format) -> Result<Summary, ImportError> {
    import_with(log, file, &options(format)).await
}

pub async fn import_with(log: &Arc<MemoryLog>, file: &TestFile, options: &Options) -> Result<Summary, ImportError> {
    import_file(&Target::Log(log.clone()), &file.path, options, &mut |_| {}, &Shutdown::new()).await
}

/// A JSON line without an identity; its endpoint names it.
pub fn json(n: usize) -> String {
    let time = 1_769_851_800_000_000 + n as i64 * 1_000;
    format!(r#"{{"time":{time},"endpoint":"/{n}","method":"GET","status_code":200}}"#)
}

/// So many JSON lines.
pub fn json_lines(n: usize) -> String {
    (0..n).map(|n| json(n) + "\n").collect()
}

/// A dead letter.
#[derive(Debug, PartialEq, Eq)]
pub struct Dead {
    pub line: String,
    pub number: String,
    pub class: String,
    pub file: String,
    pub message: String,
}

/// What a log has.
pub struct Kept {
    pub events: Vec<RequestEvent>,
    pub dead: Vec<Dead>,
    pub positions: Vec<ImportPosition>,
}

impl Kept {
    pub async fn of(log: &Arc<MemoryLog>) -> Self {
        let events = values(log, Topic::RequestEvents).await;
        let events: Vec<RequestEvent> = events
            .iter()
            .map(|(key, value, _)| {
                let event: RequestEvent = codec::decode(value).unwrap();
                assert_eq!(event.event_id.as_bytes(), key.as_deref().unwrap(), "keyed by event_id");
                event
            })
            .collect();
        let dead = values(log, Topic::DeadLetters).await.into_iter().map(dead).collect();
        let positions =
            values(log, Topic::ImportPositions).await.into_iter().map(|(_, value, _)| codec::decode(&value).unwrap());
        Kept { events, dead, positions: positions.collect() }
    }

    pub fn last(&self) -> &ImportPosition {
        self.positions.last().unwrap()
    }

    pub fn endpoints(&self) -> Vec<&str> {
        self.events.iter().map(|e| e.endpoint.as_str()).collect()
    }
}

type Record = (Option<Vec<u8>>, Vec<u8>, BTreeMap<String, String>);

fn dead((key, value, headers): Record) -> Dead {
    assert_eq!(key, None);
    let header = |name: &str| headers[name].clone();
    Dead {
        line: String::from_utf8_lossy(&value).into_owned(),
        number: header("slipstream-line"),
        class: header("slipstream-error"),
        file: header("slipstream-file"),
        message: header("slipstream-message"),
    }
}

async fn values(log: &Arc<MemoryLog>, topic: Topic) -> Vec<Record> {
    let mut records = Vec::new();
    for partition in 0..log.partitions(topic).await.unwrap() {
        let partition = TopicPartition { topic, partition };
        let (first, end) = log.bounds(partition).await.unwrap();
        let fetch = Fetch { records: usize::MAX, bytes: usize::MAX };
        for record in log.read(partition, first, end, fetch).await.unwrap().iter() {
            let text = |v: &[u8]| String::from_utf8(v.to_vec()).unwrap();
            let headers = record.headers().map(|(n, v)| (n.to_owned(), text(v.unwrap()))).collect();
            records.push((record.key().map(<[u8]>::to_vec), record.value().unwrap().to_vec(), headers));
        }
    }
    records
}
