//! `slipstream alert`

use clap::Subcommand;

use super::place::Place;
use super::silence::Said;

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
    /// Say who looks after an alert: nobody is reminded of it any more
    #[command(after_help = "Examples:\n  slipstream alert ack 3f9c0a1b2c3d4e5f --reason \"rolling back\"\n  \
        slipstream alert ack 3f9c0a1b2c3d4e5f/1769851800 --owner ada --gateway http://gateway:8480\n  \
        slipstream alert ack 3f9c0a1b2c3d4e5f/1769851800 --withdraw\n\n\
        It holds for this episode: when the alert fires again, everybody is told and reminded. A worse severity and the end are told\n\
        in any case. `query alerts` and the API show who looks after what.")]
    Ack {
        /// The alert: its id, or ID/EPISODE [default episode: the one that is open; with --withdraw the newest somebody looks after]
        #[arg(value_name = "ID[/EPISODE]")]
        alert: String,
        /// Who looks after it [default: $USER]
        #[arg(long)]
        owner: Option<String>,
        /// What there is to say
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// Nobody looks after it any more
        #[arg(long, conflicts_with_all = ["owner", "reason"])]
        withdraw: bool,
        /// Print JSON: {alert_id, episode, owner, reason}
        #[arg(long)]
        json: bool,
        /// Through what
        #[command(flatten)]
        through: Said,
    },
}
