//! The watchdog: a message that comes all the time while alerting works, to somebody outside who misses it when it does not.

use std::time::Duration;

use super::receiver::{Receiver, ReceiverFormat};
use super::routing::Route;
use super::section::{Problems, Section, complain, plain};
use super::tree::Node;
use super::units;

/// Who is told all the time that alerting works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    /// Name of the receiver: a dead man's switch.
    pub receiver: String,
    /// How often it is told.
    pub interval: Duration,
    /// How far behind alerting may be and still be said to work.
    pub max_delay: Duration,
}

/// An interval; and a delay: alerting that works is some seconds late, and what is late for a day does not.
const WITHIN_A_DAY: &str = "a duration from 10s to 1d, like `1m`";
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(86_400);
/// After the crash of a role its successor is at work within half of it.
const MAX_DELAY: Duration = Duration::from_secs(60);
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

/// The watchdog of a configuration; `None` if there is none.
pub(super) fn watchdog(
    top: &Section<'_>,
    root: Option<&Route>,
    receivers: &[Receiver],
    problems: &Problems,
) -> Option<Watchdog> {
    let node = top.get("watchdog")?;
    let section = Section::of(node, "watchdog", problems);
    let name = section.value("receiver", "the name of a receiver", plain);
    let interval = section.value("interval", WITHIN_A_DAY, within_a_day).unwrap_or(DEFAULT_INTERVAL);
    let max_delay = section.value("max_delay", WITHIN_A_DAY, within_a_day).unwrap_or(MAX_DELAY);
    let place = section.get("receiver").unwrap_or(node);
    section.finish();
    let Some(receiver) = name else {
        let message = "`watchdog`: set `receiver`: the dead man's switch that is told while alerting works";
        complain(problems, &node.place, message.into());
        return None;
    };
    let watchdog = Watchdog { receiver, interval, max_delay };
    let mistake = match receivers.iter().find(|other| other.name == watchdog.receiver) {
        None => Some(format!("`watchdog.receiver`: there is no receiver `{}`", watchdog.receiver)),
        Some(receiver) => unfit(receiver, &watchdog).or_else(|| nobody_else(root, receivers)),
    };
    complain_at(mistake, place, problems);
    Some(watchdog)
}

fn complain_at(mistake: Option<String>, node: &Node, problems: &Problems) {
    if let Some(message) = mistake {
        complain(problems, &node.place, message);
    }
}

fn within_a_day(text: &str) -> Option<Duration> {
    units::duration(text).filter(|interval| (SHORTEST..=LONGEST).contains(interval))
}

/// Why a receiver is no dead man's switch.
fn unfit(receiver: &Receiver, watchdog: &Watchdog) -> Option<String> {
    let why = match &receiver.format {
        ReceiverFormat::Slack => "in a chat nobody misses a message",
        ReceiverFormat::PagerDuty { .. } => "it would open an incident, and keep it open",
        ReceiverFormat::Remediation(_) => "it would repair something all the time",
        format => {
            let most = format.resend().filter(|most| watchdog.interval > *most)?;
            let most = most.as_secs();
            return Some(format!(
                "`watchdog.interval`: {most}s at most for `format: {}`, which takes for over what it is not told again",
                format.name()
            ));
        }
    };
    let format = receiver.format.name();
    Some(format!(
        "`watchdog.receiver`: `format: {format}` cannot be used: {why}; use webhook, alertmanager-webhook, alertmanager-api or email"
    ))
}

/// Without routes everybody gets every alert but the dead man's switch.
fn nobody_else(root: Option<&Route>, receivers: &[Receiver]) -> Option<String> {
    (root.is_none() && receivers.len() == 1).then(|| {
        "`watchdog.receiver`: nobody would be told of alerts; set `route` if this receiver gets them, too, or add another one"
            .to_owned()
    })
}
