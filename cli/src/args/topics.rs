//! `slipstream topics`

use clap::Subcommand;
use slipstream_schemas::Topic;
use slipstream_schemas::topics::TOPICS;

use super::place::Place;
use super::values::whole;

/// `slipstream topics ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream topics ensure --log kafka://127.0.0.1:9092\n  \
    slipstream topics list --log kafka://127.0.0.1:9092")]
pub enum Topics {
    /// Create missing topics, write the installation's settings, and report differences
    #[command(after_help = "Examples:\n  slipstream topics ensure --log kafka://127.0.0.1:9092\n  \
        slipstream topics ensure --log kafka://127.0.0.1:9092 \\\n      --partitions request-events=12 --replication 3\n\n\
        Run again, it changes nothing. Differences from the table are reported, not changed.\n\
        Exit code 1 if a difference breaks a guarantee.")]
    Ensure {
        /// Partitions of topics to be created, TOPIC=N, separated by commas
        #[arg(long, value_delimiter = ',', value_name = "TOPIC=N", value_parser = partitions_of)]
        partitions: Vec<(Topic, u32)>,
        /// Replicas of topics to be created; from 3 on, two must have a record before it is acknowledged
        /// (min.insync.replicas) [default: the brokers' settings]
        #[arg(long, value_name = "N", value_parser = replicas)]
        replication: Option<i32>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where the installation is
        #[command(flatten)]
        place: Place,
    },
    /// List topics with their settings and differences from the table
    #[command(after_help = "Example:\n  slipstream topics list --log kafka://127.0.0.1:9092 --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where the installation is
        #[command(flatten)]
        place: Place,
    },
}

fn replicas(text: &str) -> Result<i32, String> {
    whole(text, 1, 32)
}

/// A topic and how many partitions it is to have.
fn partitions_of(text: &str) -> Result<(Topic, u32), String> {
    let (name, n) = text.split_once('=').ok_or("write it as request-events=12")?;
    let names = || TOPICS.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ");
    let topic = Topic::from_name(name).ok_or_else(|| format!("unknown topic; known topics: {}", names()))?;
    let n = whole(n, 1, 10_000)?;
    match topic {
        Topic::SloDefinitions if n != 1 => Err("definitions need a total order, so exactly one partition".to_owned()),
        topic => Ok((topic, n)),
    }
}
