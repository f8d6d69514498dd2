//! Stories of a way to a receiver with sources that are quick, slow or broken, in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};

use slipstream_query::history::{BadRequest, Breakdown, ValueCounts};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{AlertTransition, TransitionKind};

use super::*;
use crate::notifier::dispatch::{GroupKey, Ticket};
use crate::notifier::evidence::{EvidenceError, Shared};
use crate::notifier::identity;
use crate::notifier::links::Links;
use crate::notifier::payload::{Alert, Labels, Message};
use crate::notifier::words::tests::transition;
use crate::notifier::words::{End, Speaker};

/// What a source does for the alert of an id.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Answers,
    /// At the last moment.
    Thorough,
    Dawdles,
    Fails,
}

struct Source {
    does: fn(&str) -> Does,
    asked: AtomicUsize,
    at_a_time: (AtomicUsize, AtomicUsize),
}

impl Source {
    fn new(does: fn(&str) -> Does) -> Arc<Source> {
        Arc::new(Source { does, asked: AtomicUsize::new(0), at_a_time: Default::default() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl EvidenceSource for Source {
    async fn evidence(&self, alert: &AlertTransition, by: Instant) -> Result<Evidence, EvidenceError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let now = self.at_a_time.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_a_time.1.fetch_max(now, Ordering::SeqCst);
        assert!(by > Instant::now() && by < Instant::now() + PATIENCE, "it has a deadline");
        match (self.does)(&alert.alert_id) {
            Does::Answers => tokio::time::sleep(Duration::from_millis(20)).await,
            Does::Thorough => tokio::time::sleep_until(by).await,
            Does::Dawdles => tokio::time::sleep(Duration::from_secs(3_600)).await,
            Does::Fails => return Err(EvidenceError::NotOpen),
        }
        self.at_a_time.0.fetch_sub(1, Ordering::SeqCst);
        let request =
            BadRequest { event_id: format!("request-{number}"), trace_id: None, time: EventTime(0), told: None };
        let bad = vec![ValueCounts { value: "bank".to_owned(), bad: 9, total: 9 }];
        let upstream = Breakdown {
            dimension: "attributes.upstream".to_owned(),
            sampled: true,
            bad: 9,
            total: 99,
            values: bad,
            of: 2,
        };
        let service = vec![ValueCounts { value: alert.service.clone(), bad: 9, total: 99 }];
        let service =
            Breakdown { dimension: "service".to_owned(), sampled: true, bad: 9, total: 99, values: service, of: 1 };
        Ok(Evidence { requests: vec![request], breakdowns: vec![upstream, service], ..Evidence::default() })
    }
}

/// A receiver that keeps what it got.
#[derive(Default)]
struct Desk(Mutex<Vec<Delivery>>);

#[async_trait]
impl Transport for Desk {
    fn host(&self) -> &str {
        "desk"
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        self.0.lock().unwrap().push(delivery.clone());
        Answer::Delivered { status: 200 }
    }
}

impl Desk {
    fn last(&self) -> Message {
        self.0.lock().unwrap().last().unwrap().message.clone()
    }
}

fn way(source: &Arc<Source>) -> (Arc<Desk>, Explained) {
    let desk = Arc::new(Desk::default());
    let source: Arc<dyn EvidenceSource> = source.clone();
    let way = Explained::new(desk.clone(), Some(source), "ops", "");
    (desk, way)
}

fn speak<T>(say: impl FnOnce(Speaker<'_>) -> T) -> T {
    let (links, severities) = (Links::default(), Labels::new());
    say(Speaker { receiver: "ops", links: &links, severities: &severities })
}

fn alert(id: &str, severity: &str) -> AlertTransition {
    let service = id.split('-').next().unwrap().to_owned();
    AlertTransition { alert_id: id.to_owned(), severity: severity.to_owned(), service, ..transition() }
}

fn delivery(news: &[AlertTransition]) -> Delivery {
    let part = |t: &AlertTransition| Part {
        alert_id: t.alert_id.clone(),
        ticket: Ticket { partition: 0, offset: 0 },
        key: identity::idempotency_key(t, "ops"),
        transition: t.clone(),
        begins: true,
    };
    let alerts: Vec<Alert> = news
        .iter()
        .map(|t| speak(|s| if t.kind == TransitionKind::Resolved { s.resolved(t, End::Over(t)) } else { s.firing(t) }))
        .collect();
    let message = Message::compose("ops", "", &Labels::new(), alerts, 0);
    let group = GroupKey { route: "{}".to_owned(), labels: Labels::new() };
    Delivery { group, parts: news.iter().map(part).collect(), message, again: false, reminder: None }
}

/// Which alerts of a message name a request that the source knows.
fn explained(message: &Message) -> usize {
    let knows = |alert: &&Alert| alert.annotations.get("bad_requests").is_some_and(|said| said.contains("request-"));
    message.alerts.iter().filter(knows).count()
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_says_the_same_and_transitions_stay() {
    let source = Source::new(|_| Does::Answers);
    let (desk, way) = way(&source);
    let firing = delivery(&[alert("pay-1", "page")]);
    way.attempt(&firing).await;
    let first = desk.last();
    way.attempt(&firing).await;
    assert_eq!((explained(&first), source.asked()), (1, 1));
    assert_eq!(desk.last().to_bytes(), first.to_bytes());
    assert_eq!(desk.0.lock().unwrap()[0].parts, firing.parts, "evidence is in the notification only");
    // It is news no more: another alert of the group is.
    let both = delivery(&[alert("pay-1", "page"), alert("pay-2", "page")]);
    way.attempt(&both).await;
    assert_eq!((explained(&desk.last()), source.asked()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn an_end_is_not_explained() {
    let source = Source::new(|_| Does::Answers);
    let (desk, way) = way(&source);
    let over = delivery(&[AlertTransition { kind: TransitionKind::Resolved, ..alert("pay-1", "page") }]);
    way.attempt(&over).await;
    assert_eq!((desk.last(), source.asked()), (over.message, 0));
}

#[tokio::test(start_paused = true)]
async fn a_severity_that_goes_out_as_an_end_is_not_explained_and_one_that_fires_is() {
    let source = Source::new(|_| Does::Answers);
    let (desk, way) = way(&source);
    let (ticket, page) = (alert("pay-1", "ticket"), alert("pay-1", "page"));
    let page = AlertTransition { kind: TransitionKind::Severity, seq: 3, ..page };
    // The page is another receiver's: this one hears that the ticket is over.
    let end = speak(|s| s.resolved(&ticket, End::Replaced(&page)));
    let of = |alerts| Message::compose("ops", "", &Labels::new(), alerts, 0);
    let gone = Delivery { message: of(vec![end.clone()]), ..delivery(std::slice::from_ref(&page)) };
    way.attempt(&gone).await;
    assert_eq!((desk.last(), source.asked()), (gone.message, 0));
    let both = Delivery { message: of(vec![end, speak(|s| s.firing(&page))]), ..delivery(&[page]) };
    way.attempt(&both).await;
    assert_eq!((explained(&desk.last()), source.asked()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_dawdles_costs_a_moment_and_one_that_fails_none() {
    for (does, want) in [
        ((|_| Does::Answers) as fn(&str) -> Does, Duration::from_millis(20)),
        (|_| Does::Dawdles, PATIENCE),
        (|_| Does::Fails, Duration::ZERO),
    ] {
        let source = Source::new(does);
        let (desk, way) = way(&source);
        let begun = Instant::now();
        let firing = delivery(&[alert("pay-1", "page")]);
        way.attempt(&firing).await;
        // A timer of the runtime has a resolution of a millisecond.
        let took = begun.elapsed();
        assert!(took >= want && took <= want + Duration::from_millis(2), "{took:?}");
        let answers = does("") == Does::Answers;
        assert_eq!(explained(&desk.last()), usize::from(answers));
        let labels: Vec<Labels> = desk.last().alerts.into_iter().map(|alert| alert.labels).collect();
        assert_eq!(labels, firing.message.alerts.iter().map(|alert| alert.labels.clone()).collect::<Vec<_>>());
        // Decided: a second attempt neither waits nor says something else.
        let first = desk.last();
        way.attempt(&firing).await;
        assert_eq!((desk.last(), begun.elapsed()), (first, took));
    }
}

#[tokio::test(start_paused = true)]
async fn all_alerts_together_wait_no_longer_and_the_worst_are_looked_into() {
    // Half of them have no answer: they must not hold up the others.
    let source = Source::new(|id| if id.ends_with("slow") { Does::Dawdles } else { Does::Answers });
    let (desk, way) = way(&source);
    let tickets = (0..20).map(|i| alert(&format!("pay-{i}"), "ticket"));
    let pages = (0..3).map(|i| alert(&format!("pay-page-{i}"), "page"));
    let news: Vec<AlertTransition> = tickets.chain(pages).chain([alert("pay-slow", "page")]).collect();
    let begun = Instant::now();
    way.attempt(&delivery(&news)).await;
    assert!(begun.elapsed() <= PATIENCE + Duration::from_millis(2));
    assert_eq!(source.asked(), MOST_ALERTS);
    assert_eq!(source.at_a_time.1.load(Ordering::SeqCst), AT_A_TIME);
    assert_eq!(explained(&desk.last()), MOST_ALERTS - 1);
    let pages = desk.last().alerts.into_iter().filter(|alert| alert.labels["severity"] == "page");
    let said = |alert: &Alert| alert.annotations.get("bad_requests").is_some_and(|said| said.contains("request-"));
    assert_eq!(pages.filter(said).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_uses_its_time_leaves_some_for_all() {
    let source = Source::new(|_| Does::Thorough);
    let (desk, way) = way(&source);
    let begun = Instant::now();
    way.attempt(&delivery(&(0..8).map(|i| alert(&format!("pay-{i}"), "page")).collect::<Vec<_>>())).await;
    assert_eq!(explained(&desk.last()), 8);
    assert!(begun.elapsed() <= PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn services_that_fail_together_are_told_what_they_share() {
    let source = Source::new(|_| Does::Answers);
    let (desk, way) = way(&source);
    way.attempt(&delivery(&[alert("pay-1", "page"), alert("cart-1", "page")])).await;
    for alert in desk.last().alerts {
        let evidence = &alert.annotations["evidence"];
        assert!(
            evidence.starts_with("Everything downstream of bank: cart and pay fail where upstream is"),
            "{evidence}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn receivers_share_an_answer() {
    let source = Source::new(|_| Does::Answers);
    struct Of(Arc<Source>);
    #[async_trait]
    impl EvidenceSource for Of {
        async fn evidence(&self, alert: &AlertTransition, by: Instant) -> Result<Evidence, EvidenceError> {
            self.0.evidence(alert, by).await
        }
    }
    let shared = Shared::new(Of(source.clone()));
    let by = || Instant::now() + Duration::from_millis(100);
    let (firing, severity) = (alert("pay-1", "page"), AlertTransition { seq: 3, ..alert("pay-1", "ticket") });
    let (one, other) = tokio::join!(shared.evidence(&firing, by()), shared.evidence(&firing, by()));
    assert_eq!((one.unwrap(), source.asked()), (other.unwrap(), 1));
    shared.evidence(&severity, by()).await.unwrap();
    assert_eq!(source.asked(), 2, "of another transition");
}

#[tokio::test(start_paused = true)]
async fn without_a_store_an_alert_says_what_it_knows_itself() {
    let desk = Arc::new(Desk::default());
    let way = Explained::new(desk.clone(), None, "ops", "");
    way.attempt(&delivery(&[alert("pay-1", "page")])).await;
    let annotations = desk.last().alerts.remove(0).annotations;
    assert_eq!(annotations["replay"], "slipstream replay --alert pay-1/1769940000 --around 30m");
    assert!(annotations["evidence"].starts_with("The condition holds since"), "{annotations:?}");
    assert_eq!(way.host(), "desk");
}
