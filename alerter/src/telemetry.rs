//! What alerter and notifiers say of themselves: log lines and metrics at once.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};
use slipstream_log::{LogError, TopicPartition};
use slipstream_runtime::event::Event;
use slipstream_runtime::metrics;
use slipstream_schemas::records::{AlertTransition, Notification};
use slipstream_schemas::visible::visible;
use slipstream_slo::alerts::SilenceError;

use crate::notifier::dispatch::{Answer, shortened};

static EVALUATED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter("slipstream_alerter_evaluations_total", "Burn-rate records that were evaluated.", &[])
});
static TRANSITIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter("slipstream_alerter_transitions_total", "Changes of alert machines, committed.", &["kind"])
});
static OPEN: LazyLock<IntGaugeVec> =
    LazyLock::new(|| metrics::gauge("slipstream_alerter_open_alerts", "Alerts whose episode is not over.", &[]));
static LOST: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter("slipstream_alerter_partitions_lost_total", "Partitions lost to another owner.", &["role"])
});
static TRIMMED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Records that retention removed before they were read.";
    metrics::counter("slipstream_alerter_records_trimmed_total", help, &["role"])
});
static NOTIFICATIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Outcomes of transitions at a receiver: delivered, refused, not_due, held_back, failed. What was refused is sent again while the \
                alert fires and counts a second time, as delivered, if it is taken.";
    metrics::counter("slipstream_notifications_total", help, &["receiver", "outcome"])
});
static ATTEMPTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Requests to receivers: delivered, refused, failed.";
    metrics::counter("slipstream_notification_attempts_total", help, &["receiver", "result"])
});
static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let buckets = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
    metrics::histogram("slipstream_notification_seconds", "Time of a request to a receiver.", &["receiver"], &buckets)
});
static EVIDENCE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Alerts that evidence was looked for: gathered, timed_out, failed.";
    metrics::counter("slipstream_evidence_total", help, &["receiver", "result"])
});
static EVIDENCE_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5];
    let help = "How long a notification waited for evidence.";
    metrics::histogram("slipstream_evidence_seconds", help, &["receiver"], &buckets)
});
static WATCHDOG: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help =
        "Messages of the watchdog: delivered, refused, failed, withheld (alerting does not work from end to end).";
    metrics::counter("slipstream_watchdog_messages_total", help, &["receiver", "result"])
});
static WATCHDOG_AT: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "When the receiver last took a message of the watchdog, Unix time.";
    metrics::gauge("slipstream_watchdog_delivered_timestamp_seconds", help, &["receiver"])
});
static PENDING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge("slipstream_notifier_pending", "Transitions that wait for a receiver.", &["receiver"])
});
static HELD: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Alerts of which a receiver is not told for now: silenced, inhibited, or at a mute time.";
    metrics::gauge("slipstream_notifier_held_back", help, &["receiver"])
});
static FIRING: LazyLock<IntGaugeVec> =
    LazyLock::new(|| metrics::gauge("slipstream_notifier_firing", "Alerts that fire at a receiver.", &["receiver"]));

/// Burn-rate records were evaluated and the step is committed.
#[derive(Debug)]
pub struct Evaluated<'a> {
    /// Records of burn-rates.
    pub records: usize,
    /// What changed.
    pub transitions: &'a [AlertTransition],
    /// Alerts whose episode is not over.
    pub open: usize,
}

impl Event for Evaluated<'_> {
    fn emit(self) {
        EVALUATED.with_label_values::<&str>(&[]).inc_by(self.records as u64);
        OPEN.with_label_values::<&str>(&[]).set(self.open as i64);
        for t in self.transitions {
            TRANSITIONS.with_label_values(&[t.kind.name()]).inc();
            tracing::info!(
                alert = %t.alert_id, slo = %t.slo, objective = %t.objective, group = group(t), severity = %t.severity, rule = %t.rule, kind = t.kind.name(), tick = t.tick, complete = t.complete, "alert changed"
            );
        }
    }
}

/// `service=payment, method=GET`. The values are a client's, and the line may be shown on a terminal.
fn group(t: &AlertTransition) -> String {
    let group: Vec<String> = t.group.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
    visible(&group.join(", ")).into_owned()
}

/// Partitions belong to someone else now.
#[derive(Debug)]
pub struct PartitionsLost<'a> {
    /// Who lost them.
    pub role: &'a str,
    /// Which.
    pub partitions: &'a [TopicPartition],
}

impl Event for PartitionsLost<'_> {
    fn emit(self) {
        LOST.with_label_values(&[self.role]).inc_by(self.partitions.len() as u64);
        tracing::info!(role = self.role, partitions = ?self.partitions, "partitions lost; dropping their state");
    }
}

/// Retention removed records before they were read.
#[derive(Debug)]
pub struct Trimmed<'a> {
    /// The reader.
    pub role: &'a str,
    /// Where.
    pub partition: TopicPartition,
    /// First offset that is missing.
    pub from: i64,
    /// First offset there is.
    pub first: i64,
}

impl Event for Trimmed<'_> {
    fn emit(self) {
        let Trimmed { role, partition, from, first } = self;
        TRIMMED.with_label_values(&[role]).inc_by(u64::try_from(first - from).unwrap_or_default());
        tracing::error!(role, %partition, from, first, "records were deleted by retention before they were read");
    }
}

/// A request to a receiver ended.
#[derive(Debug)]
pub struct Attempted<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// Its host.
    pub host: &'a str,
    /// Transitions it told of.
    pub alerts: usize,
    /// HTTP status, if there was a response.
    pub status: Option<u16>,
    /// What became of it.
    pub result: AttemptResult<'a>,
    /// How long it took.
    pub took: Duration,
}

/// What became of a request.
#[derive(Debug)]
pub enum AttemptResult<'a> {
    /// The receiver took it.
    Delivered,
    /// The receiver refused it.
    Refused {
        /// What it said.
        said: &'a str,
        /// Whether that is an error to log: not what was said before.
        aloud: bool,
    },
    /// A remediation was not to be asked: there was no request.
    NotAsked(&'a str),
    /// It will be tried again.
    Failed(&'a str),
}

impl Event for Attempted<'_> {
    fn emit(self) {
        let Attempted { receiver, host, alerts, status, result, took } = self;
        if let AttemptResult::NotAsked(why) = result {
            tracing::info!(receiver, host, alerts, why = &*shortened(why), "remediation not asked");
            return;
        }
        SECONDS.with_label_values(&[receiver]).observe(took.as_secs_f64());
        let count = |label: &str| ATTEMPTS.with_label_values(&[receiver, label]).inc();
        match result {
            AttemptResult::Delivered => {
                count("delivered");
                tracing::info!(receiver, host, alerts, status, ?took, "notification delivered");
            }
            AttemptResult::Refused { said, aloud } => {
                count("refused");
                let message = format!(
                    "notification refused (answer {}); will retry. Check the receiver's URL, credentials and severities",
                    status.unwrap_or_default()
                );
                if aloud {
                    tracing::error!(receiver, host, alerts, said = &*shortened(said), "{message}");
                } else {
                    tracing::debug!(receiver, host, alerts, said = &*shortened(said), "{message}");
                }
            }
            AttemptResult::NotAsked(_) => {}
            AttemptResult::Failed(said) => {
                count("failed");
                let said = &*shortened(said);
                tracing::warn!(receiver, host, alerts, status, said, "notification failed; will retry");
            }
        }
    }
}

/// A notification is about to be sent, with the evidence there is.
#[derive(Debug)]
pub struct EvidenceGathered<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// Alerts with evidence.
    pub gathered: usize,
    /// Alerts whose evidence was not there in time.
    pub late: usize,
    /// Of each alert without evidence for another reason, why.
    pub failed: &'a [&'a str],
    /// How long the notification waited for it.
    pub took: Duration,
}

impl Event for EvidenceGathered<'_> {
    fn emit(self) {
        let EvidenceGathered { receiver, gathered, late, failed, took } = self;
        EVIDENCE_SECONDS.with_label_values(&[receiver]).observe(took.as_secs_f64());
        let count = |label: &str, alerts: usize| EVIDENCE.with_label_values(&[receiver, label]).inc_by(alerts as u64);
        count("gathered", gathered);
        count("timed_out", late);
        count("failed", failed.len());
        match failed.first() {
            Some(error) => tracing::warn!(receiver, gathered, late, ?took, error, "alerts go without evidence"),
            None if late > 0 => tracing::info!(receiver, gathered, late, ?took, "evidence was not there in time"),
            None => tracing::debug!(receiver, gathered, ?took, "evidence gathered"),
        }
    }
}

/// Outcomes of transitions are committed.
#[derive(Debug)]
pub struct Recorded<'a> {
    /// The outcomes.
    pub outcomes: &'a [Notification],
}

impl Event for Recorded<'_> {
    fn emit(self) {
        for n in self.outcomes {
            NOTIFICATIONS.with_label_values(&[n.receiver.as_str(), n.outcome.name()]).inc();
            tracing::debug!(
                receiver = %n.receiver, alert = %n.alert_id, episode = n.episode, seq = n.seq,
                outcome = n.outcome.name(), detail = %n.detail, "notification settled"
            );
        }
    }
}

/// Second outcomes were not recorded before the process ended: the alerts are told once more when it is back.
#[derive(Debug)]
pub struct NotRecorded<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// How many.
    pub outcomes: usize,
    /// Why.
    pub error: &'a LogError,
}

impl Event for NotRecorded<'_> {
    fn emit(self) {
        let NotRecorded { receiver, outcomes, error } = self;
        tracing::warn!(receiver, outcomes, %error, "stopping with outcomes not recorded; these alerts will be sent again");
    }
}

/// What a remediation came to was not recorded; its note says only that it was asked.
#[derive(Debug)]
pub struct OutcomeNotNoted<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// Why.
    pub error: &'a LogError,
}

impl Event for OutcomeNotNoted<'_> {
    fn emit(self) {
        let OutcomeNotNoted { receiver, error } = self;
        tracing::warn!(receiver, %error, "the outcome of a remediation was not recorded");
    }
}

/// Where a notifier stands; metrics only.
#[derive(Debug)]
pub struct Standing<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// Transitions that wait or are under way.
    pub pending: usize,
    /// Alerts that fire at the receiver.
    pub firing: usize,
    /// Alerts of which it is not told for now.
    pub held: usize,
}

impl Event for Standing<'_> {
    fn emit(self) {
        HELD.with_label_values(&[self.receiver]).set(self.held as i64);
        PENDING.with_label_values(&[self.receiver]).set(self.pending as i64);
        FIRING.with_label_values(&[self.receiver]).set(self.firing as i64);
    }
}

/// A silence in the log that this version cannot work with.
#[derive(Debug)]
pub struct UnusableSilence<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// Id of the silence.
    pub id: &'a str,
    /// What is wrong with it.
    pub error: &'a SilenceError,
}

impl Event for UnusableSilence<'_> {
    fn emit(self) {
        let UnusableSilence { receiver, id, error } = self;
        tracing::error!(receiver, silence = %visible(id), %error, "a silence holds nothing back; expire it and add it again");
    }
}

/// A receiver's memory was rebuilt for a partition.
#[derive(Debug)]
pub struct Restored<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// The partition of `alerts`.
    pub partition: TopicPartition,
    /// Alerts that fire at the receiver.
    pub firing: usize,
}

impl Event for Restored<'_> {
    fn emit(self) {
        let Restored { receiver, partition, firing } = self;
        tracing::info!(receiver, %partition, firing, "notifier took over a partition");
    }
}

/// An attempt to deliver a message of the watchdog ended.
#[derive(Debug)]
pub struct WatchdogAnswered<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// Its host.
    pub host: &'a str,
    /// What it answered, if it did.
    pub answer: &'a Answer,
    /// When, milliseconds since the epoch.
    pub at: i64,
}

impl Event for WatchdogAnswered<'_> {
    fn emit(self) {
        let WatchdogAnswered { receiver, host, answer, at } = self;
        let count = |result: &str| WATCHDOG.with_label_values(&[receiver, result]).inc();
        match answer {
            Answer::Delivered { status } => {
                count("delivered");
                WATCHDOG_AT.with_label_values(&[receiver]).set(at.div_euclid(1_000));
                tracing::debug!(receiver, host, status, "the watchdog was heard");
            }
            Answer::Refused { status, detail } => {
                count("refused");
                tracing::error!(receiver, host, status, said = %detail, "the watchdog was refused; the next message comes with the interval");
            }
            Answer::Failed { status, detail, .. } => {
                count("failed");
                tracing::warn!(receiver, host, status, said = %detail, "the watchdog was not heard");
            }
            // No configuration makes a remediation a watchdog.
            Answer::NotAsked { detail, .. } => {
                count("refused");
                tracing::error!(receiver, host, said = %detail, "the watchdog was not sent");
            }
        }
    }
}

/// The watchdog is silent, because alerting does not work from end to end.
#[derive(Debug)]
pub struct WatchdogWithheld<'a> {
    /// Receiver name.
    pub receiver: &'a str,
    /// What does not work.
    pub why: &'a str,
    /// Whether it spoke before.
    pub news: bool,
}

impl Event for WatchdogWithheld<'_> {
    fn emit(self) {
        let WatchdogWithheld { receiver, why, news } = self;
        WATCHDOG.with_label_values(&[receiver, "withheld"]).inc();
        if news {
            tracing::warn!(receiver, why, "alerting does not work: the watchdog is silent");
        } else {
            tracing::debug!(receiver, why, "the watchdog is still silent");
        }
    }
}
