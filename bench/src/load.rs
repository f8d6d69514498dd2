//! Loading and validating definitions, against a YAML parser that reads the same files into plain values.

use anyhow::ensure;
use serde::Deserialize;
use serde_yaml_ng::Value;
use slipstream_definitions::openslo;

use crate::definitions;
use crate::table::{Row, median, shown, timed};

const DEFINITIONS: usize = 10_000;
const RUNS: usize = 3;

/// 10,000 definitions in 100 files.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let files = definitions::files(DEFINITIONS, 100);
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..RUNS {
        let (time, loaded) = timed(|| openslo::load(&files));
        ensure!(loaded.slos.len() == DEFINITIONS, "{:?}", loaded.diagnostics.first());
        ours.push(time);
        let (time, parsed) = timed(|| files.iter().map(|file| documents_in(&file.text)).sum::<usize>());
        ensure!(parsed == DEFINITIONS, "the reference read {parsed} documents");
        theirs.push(time);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let what = "10,000 definitions in 100 files: parse, resolve, validate, compile 20,000 filters";
    let reference = format!("serde_yaml_ng parses them: {}", shown(theirs));
    Ok(vec![Row::new(what, shown(ours), "2 s").against(reference, ours.as_secs_f64() / theirs.as_secs_f64())])
}

fn documents_in(text: &str) -> usize {
    serde_yaml_ng::Deserializer::from_str(text).map(Value::deserialize).filter(Result::is_ok).count()
}
