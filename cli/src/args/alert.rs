//! `slipstream alert`

use clap::Subcommand;

use super::place::Place;

/// `slipstream alert ...`
#[derive(Debug, Subcommand)]
pub enum Alert {
    /// Send a sample alert, and its end, to a receiver, and show what it answers
    #[command(after_help = "Examples:\n  slipstream alert test --config slipstream.yaml\n  \
        slipstream alert test on-call --config slipstream.yaml --severity page\n  \
        slipstream alert test --webhook http://127.0.0.1:9099/alerts\n\n\
        The alert is called SlipstreamTest. It is sent once, by this command itself.\n\
        Exit code: 0 if the receiver took all of it, else 1.")]
    Test {
        /// A receiver of the configuration [default: the only one]
        receiver: Option<String>,
        /// Another one, which is not in the configuration
        #[arg(long, value_name = "URL", conflicts_with = "receiver")]
        webhook: Option<String>,
        /// Severity of the sample: what routes by it may wake somebody
        #[arg(long, value_name = "NAME", default_value = "info")]
        severity: String,
        /// Print JSON: {receiver, accepted, answers: [{what, accepted, status, said, latency_ms}]}
        #[arg(long)]
        json: bool,
        /// Where the receivers are configured
        #[command(flatten)]
        place: Place,
    },
}
