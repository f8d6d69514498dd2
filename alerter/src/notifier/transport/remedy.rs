//! A receiver that repairs something: a webhook that is asked when an alert begins to fire, so many times within a while and no
//! more. What was asked, and what came of it, is a note among the markers of the service.
//!
//! A note is written before the request and again when its answer is there, under the same id: after a crash between the two the
//! request is sent again with the same idempotency key, and counts once against the limit. What the limit holds back is not
//! asked later. When a remedy does not help, a person has to look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use slipstream_log::{LogError, Outgoing, SharedLog};
use slipstream_role::markers::FollowedMarkers;
use slipstream_role::reading::ReadError;
use slipstream_runtime::config::Remediation;
use slipstream_runtime::event::Event;
use slipstream_schemas::records::{Marker, MarkerKind, NotificationReason};
use slipstream_schemas::{EventTime, Topic, codec};
use slipstream_slo::hash::fnv1a64;

use super::{Sender, Transport, key};
use crate::notifier::dispatch::{Answer, Delivery};
use crate::telemetry::OutcomeNotNoted;

/// Bytes of a marker's text at most.
const TEXT: usize = 1_000;
/// What ids of these markers begin with.
const ID: &str = "remediation-";
/// What texts of requests begin with; those of the limit and of dry runs do not count.
const ASKED: &str = "asked ";
/// Notes that are remembered.
const NOTED: usize = 256;
/// Why it does not hear of what comes after.
const ONLY_BEGINNINGS: &str = "only asked when an alert begins to fire";

/// Where what was done is written down: the markers of a log, or nowhere.
#[derive(Default)]
pub struct Journal(Option<(SharedLog, FollowedMarkers)>);

impl Journal {
    /// The markers of a log, which others may follow, too.
    pub fn of(log: &SharedLog, markers: &FollowedMarkers) -> Journal {
        Journal(Some((log.clone(), markers.clone())))
    }

    /// When the receiver was asked since `from`, by id: by this process or by another, which was the owner before.
    async fn asked(&self, receiver: &str, from: Timestamp) -> Result<BTreeMap<String, Timestamp>, ReadError> {
        let Some((log, markers)) = &self.0 else { return Ok(BTreeMap::new()) };
        let found = markers.touching(&**log, micros(from), EventTime::MAX).await?;
        let ours = found.into_iter().filter(|m| m.author == author(receiver) && m.text.starts_with(ASKED));
        Ok(ours.filter_map(|m| Some((m.id, Timestamp::from_microsecond(m.time.0).ok()?))).collect())
    }

    async fn write(&self, marker: &Marker) -> Result<(), LogError> {
        let Some((log, _)) = &self.0 else { return Ok(()) };
        log.publish(vec![outgoing(marker)]).await.map(drop)
    }
}

/// Stands before a webhook.
pub struct Remedy {
    sender: Arc<Sender>,
    receiver: String,
    settings: Remediation,
    journal: Journal,
    /// Requests within the limit's time: when, by id.
    asked: Mutex<BTreeMap<String, Timestamp>>,
    /// What each note says, so that a receiver that fails for hours does not fill the topic.
    noted: Mutex<BTreeMap<String, String>>,
}

/// Whether to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Ask,
    /// Only say it.
    DryRun,
    /// It was asked too often.
    HeldBack,
}

impl Remedy {
    /// Before `sender`, for the receiver of that name.
    pub fn new(sender: Arc<Sender>, settings: &Remediation, receiver: &str, journal: Journal) -> Remedy {
        Remedy {
            sender,
            receiver: receiver.to_owned(),
            settings: settings.clone(),
            journal,
            asked: Mutex::default(),
            noted: Mutex::default(),
        }
    }

    async fn repair(&self, delivery: &Delivery) -> (Answer, String) {
        if !begins(delivery) {
            return withheld(NotificationReason::Unwanted, ONLY_BEGINNINGS.to_owned());
        }
        let id = format!("{ID}{:016x}", fnv1a64([self.receiver.as_str(), key(delivery).as_str()]));
        let now = Timestamp::now();
        let verdict = match self.verdict(&id, now).await {
            Ok(verdict) => verdict,
            Err(error) => return not_asked(&format!("the markers cannot be read: {error}")),
        };
        match verdict {
            Verdict::Ask => self.ask_and_note(delivery, id, now).await,
            Verdict::DryRun => {
                let said = format!("dry run: would ask {}: {}", self.sender.host(), self.sender.shown(delivery));
                self.told(delivery, id, now, NotificationReason::DryRun, said).await
            }
            Verdict::HeldBack => {
                let Remediation { count, per, .. } = self.settings;
                let said = format!("not asked: the limit of {count} within {per:?} is reached; a person has to look");
                self.told(delivery, id, now, NotificationReason::RateLimited, said).await
            }
        }
    }

    async fn verdict(&self, id: &str, now: Timestamp) -> Result<Verdict, ReadError> {
        let from = now.checked_sub(self.settings.per).unwrap_or(Timestamp::MIN);
        let of_all = self.journal.asked(&self.receiver, from).await?;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, at) in of_all {
            asked.entry(id).or_insert(at);
        }
        Ok(decide(&mut asked, id, now, &self.settings))
    }

    /// Nothing was sent; that is final as soon as it is noted.
    async fn told(
        &self,
        delivery: &Delivery,
        id: String,
        now: Timestamp,
        reason: NotificationReason,
        said: String,
    ) -> (Answer, String) {
        match self.note(delivery, &id, now, &said).await {
            Ok(()) => withheld(reason, said),
            Err(error) => not_asked(&format!("it could not be recorded: {error}")),
        }
    }

    async fn ask_and_note(&self, delivery: &Delivery, id: String, now: Timestamp) -> (Answer, String) {
        if !self.noted(|noted| noted.contains_key(&id)) {
            let begin = format!("{ASKED}{}: {}", self.sender.host(), self.sender.shown(delivery));
            if let Err(error) = self.note(delivery, &id, now, &begin).await {
                return not_asked(&format!("it could not be recorded: {error}"));
            }
        }
        let (answer, said) = self.sender.ask(delivery).await;
        let outcome = match &answer {
            Answer::Delivered { status } => format!("it answered {status}"),
            Answer::NotAsked { .. } => "nothing was asked".to_owned(),
            Answer::Refused { status, .. } => format!("it refused with {status}"),
            Answer::Failed { status: Some(status), .. } => format!("it failed with {status}, and is asked again"),
            Answer::Failed { status: None, .. } => "there was no answer, and it is asked again".to_owned(),
        };
        let text = format!("{ASKED}{}, {outcome}: {said}\n{}", self.sender.host(), self.sender.shown(delivery));
        // Its outcome matters more than the note of it: what was repaired is not repaired again for want of a note.
        if let Err(error) = self.note(delivery, &id, now, &text).await {
            OutcomeNotNoted { receiver: &self.receiver, error: &error }.emit();
        }
        (answer, said)
    }

    async fn note(&self, delivery: &Delivery, id: &str, now: Timestamp, text: &str) -> Result<(), LogError> {
        let text = shortened(text);
        if self.noted(|noted| noted.get(id) == Some(&text)) {
            return Ok(());
        }
        self.journal.write(&self.marker(delivery, id, now, &text)).await?;
        self.noted(|noted| {
            if noted.len() >= NOTED {
                // Of the oldest nothing is expected any more; who is asked again after all is noted again.
                noted.clear();
            }
            noted.insert(id.to_owned(), text);
        });
        Ok(())
    }

    fn noted<T>(&self, look: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> T {
        look(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn marker(&self, delivery: &Delivery, id: &str, now: Timestamp, text: &str) -> Marker {
        let mut services = delivery.parts.iter().map(|part| part.transition.service.as_str());
        let service = services.next().filter(|first| services.all(|other| other == *first)).unwrap_or_default();
        let link = delivery.message.alerts.iter().map(|alert| alert.generator_url.as_str());
        let link = link.filter(|link| link.starts_with("http")).find(|link| !link.contains(char::is_whitespace));
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        Marker {
            id: id.to_owned(),
            kind: MarkerKind::Note,
            service: service.to_owned(),
            environment: String::new(),
            time: micros(asked.unwrap_or(now)),
            until: None,
            version: None,
            text: text.to_owned(),
            link: link.map(str::to_owned),
            author: author(&self.receiver),
        }
    }
}

#[async_trait]
impl Transport for Remedy {
    fn host(&self) -> &str {
        self.sender.host()
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        self.repair(delivery).await.0
    }

    async fn ask(&self, delivery: &Delivery) -> (Answer, String) {
        self.repair(delivery).await
    }
}

/// It is not asked, now or later. What is kept is bounded: what a dry run says holds a whole body, and is noted of each alert.
fn withheld(reason: NotificationReason, said: String) -> (Answer, String) {
    (Answer::NotAsked { reason, detail: shortened(&said) }, said)
}

/// It is tried again.
fn not_asked(why: &str) -> (Answer, String) {
    let detail = format!("nothing was asked, because {why}");
    let said = detail.clone();
    (Answer::Failed { status: None, detail, retry_after: None, doubt: false }, said)
}

/// Whether an alert begins to fire for this receiver. That one becomes worse, or is over, asks for nothing.
fn begins(delivery: &Delivery) -> bool {
    delivery.parts.iter().any(|part| part.begins)
}

/// Whether the request of that id is within the limit; then it counts, once however often it is tried.
fn decide(asked: &mut BTreeMap<String, Timestamp>, id: &str, now: Timestamp, settings: &Remediation) -> Verdict {
    if settings.dry_run {
        return Verdict::DryRun;
    }
    let from = now.checked_sub(settings.per).unwrap_or(Timestamp::MIN);
    asked.retain(|known, at| *at > from || known == id);
    if asked.contains_key(id) {
        return Verdict::Ask;
    }
    if asked.len() >= settings.count {
        return Verdict::HeldBack;
    }
    asked.insert(id.to_owned(), now);
    Verdict::Ask
}

fn author(receiver: &str) -> String {
    format!("slipstream/{receiver}")
}

fn micros(time: Timestamp) -> EventTime {
    EventTime(time.as_microsecond())
}

/// As much as a marker's text may have, without control characters.
fn shortened(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    if clean.len() <= TEXT {
        return clean;
    }
    let end = (0..=TEXT - '…'.len_utf8()).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or_default();
    format!("{}…", &clean[..end])
}

/// The record of a marker, keyed by its id: it replaces one of the same.
fn outgoing(marker: &Marker) -> Outgoing {
    Outgoing {
        topic: Topic::Markers,
        partition: None,
        key: Some(Bytes::copy_from_slice(marker.id.as_bytes())),
        value: Some(Bytes::from(codec::encode(marker))),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use slipstream_runtime::config::Body;

    use super::*;

    fn settings(count: usize, dry_run: bool) -> Remediation {
        let body = Body { template: "{}".to_owned(), content_type: "application/json".to_owned() };
        Remediation { body, count, per: Duration::from_secs(3_600), dry_run }
    }

    #[test]
    fn so_many_within_any_hour_and_no_more() {
        let mut asked = BTreeMap::new();
        let story = [
            (0, "a", Verdict::Ask),
            (1, "b", Verdict::Ask),
            (2, "c", Verdict::HeldBack),
            (3, "a", Verdict::Ask),
            (3_599, "c", Verdict::HeldBack),
            (3_600, "c", Verdict::Ask),
            (3_600, "d", Verdict::HeldBack),
            (3_601, "d", Verdict::Ask),
        ];
        for (second, id, want) in story {
            let now = Timestamp::from_second(1_000_000 + second).unwrap();
            assert_eq!(decide(&mut asked, id, now, &settings(2, false)), want, "{id} at {second}");
        }
        assert_eq!(decide(&mut asked, "a", Timestamp::MAX, &settings(2, true)), Verdict::DryRun);
    }

    #[test]
    fn a_text_fits_into_a_marker() {
        assert_eq!(shortened("a\tb\nc\u{7}"), "ab\nc");
        let long = shortened(&"é".repeat(900));
        assert!(long.len() <= TEXT && long.ends_with("é…"), "{} {long}", long.len());
    }

    #[test]
    fn what_is_noted_of_each_alert_holds_no_whole_body_and_who_tries_it_sees_all() {
        let body = "x".repeat(1_500_000);
        let (answer, said) = withheld(NotificationReason::DryRun, body.clone());
        let Answer::NotAsked { detail, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((detail.len(), said), (TEXT, body));
    }
}
