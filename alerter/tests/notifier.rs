//! Stories of a notifier, a log in memory and a real HTTP receiver.
#![allow(clippy::unwrap_used)] // In a test that is how to fail.

mod support;

use std::time::Duration;

use slipstream_alerter::notifier::payload::Status;
use slipstream_log::Log;
use slipstream_log::faults::CommitFault;
use slipstream_runtime::config::Secret;
use slipstream_runtime::health::State;
use slipstream_schemas::Topic;
use slipstream_schemas::records::Outcome::{self, Delivered, NotDue, Refused};
use slipstream_schemas::records::TransitionKind::{Firing, Inactive, Pending, Resolved, Severity};
use slipstream_schemas::records::{AlertTransition, Notification, TransitionKind};
use support::{Hook, Mode, Running, all, config, eventually, happens, log, outcomes, publish, recorded};

const PAGE: (&str, Status) = ("page", Status::Firing);
const OVER: (&str, Status) = ("page", Status::Resolved);

fn told(alerts: &[(&str, (&str, Status))]) -> Vec<(String, String, Status)> {
    alerts.iter().map(|(id, (severity, status))| ((*id).to_owned(), (*severity).to_owned(), *status)).collect()
}

fn noted(list: &[(&str, i32, Outcome)]) -> Vec<(String, i32, Outcome)> {
    list.iter().map(|(id, seq, outcome)| ((*id).to_owned(), *seq, *outcome)).collect()
}

#[tokio::test]
async fn a3_every_transition_arrives_in_order_with_its_key() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    let mut config = config("ops", &hook.url());
    config.headers.push(("Authorization".to_owned(), Secret::new("Bearer t0ken")));
    let notifier = Running::notifier(&log, config);
    let course: [(i32, TransitionKind); 6] = [
        (1, Pending),
        (2, Firing),
        (3, Severity),
        (4, TransitionKind::Keeping),
        (5, TransitionKind::Resumed),
        (6, Resolved),
    ];
    for (seq, kind) in course {
        for id in ["a", "b", "c"] {
            happens(&log, id, 100, seq, kind).await;
        }
    }
    happens(&log, "d", 100, 1, Pending).await;
    happens(&log, "d", 100, 2, Inactive).await;
    recorded(&log, "ops", 9).await;
    notifier.stop().await;

    let got = hook.got();
    for id in ["a", "b", "c"] {
        let keys: Vec<&str> = got
            .iter()
            .flat_map(|g| g.headers["idempotency-key"].to_str().unwrap().split(", "))
            .filter(|key| key.starts_with(&format!("{id}/")))
            .collect();
        assert_eq!(keys, [format!("{id}/100/2/ops"), format!("{id}/100/3/ops"), format!("{id}/100/6/ops")]);
        assert!(outcomes(&log, "ops").await.contains(&(id.to_owned(), 6, Delivered)));
    }
    assert!(!got.iter().any(|g| g.message.alerts.iter().any(|a| a.labels["endpoint"] == "d")));
    let first = &got[0];
    assert_eq!(first.headers["content-type"], "application/json");
    assert_eq!(first.headers["user-agent"], concat!("slipstream/", env!("CARGO_PKG_VERSION")));
    assert_eq!(first.headers["authorization"], "Bearer t0ken");
    let alert = &first.message.alerts[0];
    assert_eq!(
        (first.message.receiver.as_str(), alert.annotations["idempotency_key"].as_str()),
        ("ops", "a/100/2/ops")
    );
    assert!(first.body.ends_with(b"\"truncatedAlerts\":0}\n"));
}

#[tokio::test]
async fn a3_what_fails_is_sent_again_with_the_same_body_and_key() {
    let (log, _) = log();
    let hook = Hook::open([Mode::Status(503), Mode::Status(500), Mode::Slow]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    assert_eq!(recorded(&log, "ops", 1).await, noted(&[("a", 2, Delivered)]));
    notifier.stop().await;
    let got = hook.got();
    assert_eq!(got.len(), 4, "refused for now, broken, too slow, taken");
    assert!(got.iter().all(|g| g.body == got[0].body && g.headers["idempotency-key"] == "a/100/2/ops"));
    let notes: Vec<Notification> = all(&log, Topic::Notifications).await;
    let told: Vec<(Outcome, i32, Option<i32>)> = notes.iter().map(|n| (n.outcome, n.attempts, n.status)).collect();
    let failed = [(Outcome::Failed, 1, Some(503)), (Outcome::Failed, 2, Some(500))];
    assert_eq!(told[..2], failed, "that it fails is seen at once, and that it may have it");
    assert_eq!(told[2..], [(Delivered, 4, Some(200))]);
}

#[tokio::test]
async fn a2_what_a_receiver_refused_is_not_told_when_it_is_over() {
    let (log, _) = log();
    let hook = Hook::open([Mode::Status(400), Mode::Status(302)]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    for id in ["a", "b", "c"] {
        happens(&log, id, 100, 2, Firing).await;
        eventually("an answer", async || (!outcomes(&log, "ops").await.is_empty()).then_some(())).await;
        happens(&log, id, 100, 3, Resolved).await;
        eventually("its end", async || outcomes(&log, "ops").await.iter().any(|o| o.0 == id && o.1 == 3).then_some(()))
            .await;
    }
    notifier.stop().await;
    let want = [
        ("a", 2, Refused),
        ("a", 3, NotDue),
        ("b", 2, Refused),
        ("b", 3, NotDue),
        ("c", 2, Delivered),
        ("c", 3, Delivered),
    ];
    assert_eq!(outcomes(&log, "ops").await, noted(&want));
    let notes: Vec<Notification> = all(&log, Topic::Notifications).await;
    assert_eq!((notes[0].status, notes[0].detail.as_str()), (Some(400), "said the receiver"));
    assert!(notes.iter().all(|n| !n.detail.contains("s3cr3t")));
}

/// A receiver that is not set up yet, or no more: it gives this answer until someone has repaired it.
async fn repaired(status: u16) {
    let (log, _) = log();
    let hook = Hook::open([Mode::Status(status), Mode::Status(status)]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    let soon = matches!(status, 408 | 429 | 500..);
    if !soon {
        recorded(&log, "ops", 1).await;
        let state = || notifier.health.snapshot().get("notifier-ops").cloned();
        let why = format!("the receiver refuses notifications of 1 alert (last answer: {status}); retrying");
        eventually("its state says so", async || (state() == Some(State::Waiting(why.clone()))).then_some(())).await;
        assert!(notifier.health.ready(), "and the process is ready: others are told");
    }
    let got = hook.received(3).await;
    eventually("the alert to be told", async || {
        outcomes(&log, "ops").await.contains(&("a".to_owned(), 2, Delivered)).then_some(())
    })
    .await;
    happens(&log, "a", 100, 3, Resolved).await;
    eventually("its end", async || outcomes(&log, "ops").await.contains(&("a".to_owned(), 3, Delivered)).then_some(()))
        .await;
    notifier.stop().await;
    assert!(got.iter().all(|g| g.headers["idempotency-key"] == "a/100/2/ops"), "{status}");
    assert_eq!(hook.took(), [told(&[("a", PAGE)]), told(&[("a", OVER)])], "{status}");
    let first = if soon { vec![] } else { vec![("a", 2, Refused)] };
    let want = [first, vec![("a", 2, Delivered), ("a", 3, Delivered)]].concat();
    assert_eq!(outcomes(&log, "ops").await, noted(&want), "{status}");
}

#[tokio::test]
async fn a3_a_receiver_that_is_repaired_is_told_while_the_alert_fires() {
    let (local, mut receivers) = (tokio::task::LocalSet::new(), tokio::task::JoinSet::new());
    for status in [307, 400, 401, 404, 408, 410, 413, 429] {
        receivers.spawn_local_on(repaired(status), &local);
    }
    local.run_until(receivers.join_all()).await;
}

#[tokio::test]
async fn a3_what_was_refused_is_told_again_by_the_next_process() {
    let (log, _) = log();
    let hook = Hook::open([Mode::Status(404)]).await;
    let first = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    recorded(&log, "ops", 1).await;
    first.stop().await;
    let second = Running::notifier(&log, config("ops", &hook.url()));
    assert_eq!(recorded(&log, "ops", 2).await, noted(&[("a", 2, Refused), ("a", 2, Delivered)]));
    happens(&log, "a", 100, 3, Resolved).await;
    recorded(&log, "ops", 3).await;
    second.stop().await;
    assert_eq!(hook.took(), [told(&[("a", PAGE)]), told(&[("a", OVER)])]);
    let notes: Vec<Notification> = all(&log, Topic::Notifications).await;
    assert_eq!(notes.iter().map(|n| n.attempts).collect::<Vec<_>>(), [1, 2, 1]);
}

#[tokio::test]
async fn a3_an_end_that_was_refused_is_told_again_by_the_next_process() {
    let (log, _) = log();
    let hook = Hook::open([Mode::Status(200), Mode::Status(401)]).await;
    let first = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    recorded(&log, "ops", 1).await;
    happens(&log, "a", 100, 3, Resolved).await;
    recorded(&log, "ops", 2).await;
    first.stop().await;
    let second = Running::notifier(&log, config("ops", &hook.url()));
    let want = noted(&[("a", 2, Delivered), ("a", 3, Refused), ("a", 3, Delivered)]);
    assert_eq!(recorded(&log, "ops", 3).await, want);
    second.stop().await;
    assert_eq!(hook.took(), [told(&[("a", PAGE)]), told(&[("a", OVER)])]);
}

#[tokio::test]
async fn a_second_outcome_that_cannot_be_recorded_holds_no_shutdown_up() {
    let (log, _) = log();
    let hook = Hook::open([Mode::Status(404)]).await;
    let notifier = Running::with_deaf_log(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    hook.received(2).await;
    notifier.stop().await;
    assert_eq!(outcomes(&log, "ops").await, noted(&[("a", 2, Refused)]), "the first is recorded with its position");
}

#[tokio::test]
async fn an_alert_has_a_link_only_where_one_was_asked_for() {
    for external in ["http://grafana.test", ""] {
        let (log, _) = log();
        let hook = Hook::open([]).await;
        let notifier = Running::with_links(&log, config("ops", &hook.url()), external);
        happens(&log, "a", 100, 2, Firing).await;
        let message = hook.received(1).await.remove(0).message;
        notifier.stop().await;
        let alert = &message.alerts[0];
        assert_eq!((message.external_url.as_str(), alert.generator_url.as_str()), (external, external));
        assert_eq!(alert.labels["instance"], "checkout/availability/a");
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let (log, _) = log();
    let hook = Hook::open([Mode::RetryAfter(429, 1)]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    let got = hook.received(2).await;
    assert!(got[1].at - got[0].at >= Duration::from_secs(1), "{:?}", got[1].at - got[0].at);
    notifier.stop().await;
}

#[tokio::test]
async fn a_dead_receiver_delays_only_itself_and_gets_everything_when_it_returns() {
    let (log, _) = log();
    let (well, mut dead) = (Hook::open([]).await, Hook::open([]).await);
    dead.close().await;
    let notifiers =
        [Running::notifier(&log, config("well", &well.url())), Running::notifier(&log, config("dead", &dead.url()))];
    for (seq, kind) in [(2, Firing), (3, Resolved)] {
        happens(&log, "a", 100, seq, kind).await;
    }
    recorded(&log, "well", 2).await;
    let waits = || notifiers[1].health.snapshot().get("notifier-dead").cloned();
    eventually("the dead one says so", async || matches!(waits(), Some(State::Waiting(_))).then_some(())).await;
    assert!(outcomes(&log, "dead").await.is_empty());
    dead.serve().await;
    assert_eq!(recorded(&log, "dead", 2).await, noted(&[("a", 2, Delivered), ("a", 3, Delivered)]));
    assert_eq!(dead.took(), [told(&[("a", PAGE)]), told(&[("a", OVER)])]);
    eventually("it is well", async || (waits() == Some(State::Ready)).then_some(())).await;
    for notifier in notifiers {
        notifier.stop().await;
    }
}

#[tokio::test]
async fn a3_a_notifier_killed_in_the_middle_sends_again_with_the_same_key_and_goes_on() {
    let (log, _) = log();
    let hook = Hook::open([Mode::Status(200), Mode::Slow]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    recorded(&log, "ops", 1).await;
    happens(&log, "b", 100, 2, Firing).await;
    hook.received(2).await;
    notifier.kill().await;

    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    recorded(&log, "ops", 2).await;
    happens(&log, "a", 100, 3, Resolved).await;
    recorded(&log, "ops", 3).await;
    notifier.stop().await;
    let keys: Vec<String> =
        hook.got().iter().map(|g| g.headers["idempotency-key"].to_str().unwrap().to_owned()).collect();
    assert_eq!(keys, ["a/100/2/ops", "b/100/2/ops", "b/100/2/ops", "a/100/3/ops"]);
    let both = told(&[("a", PAGE), ("b", PAGE)]);
    assert_eq!(
        hook.took(),
        [told(&[("a", PAGE)]), both, told(&[("a", OVER), ("b", PAGE)])],
        "what fires is remembered"
    );
}

#[tokio::test]
async fn who_was_away_for_long_gets_the_present_state() {
    let (log, clock) = log();
    for (id, episode, seq, kind) in [
        ("gone", 100, 2, Firing),
        ("gone", 100, 3, Resolved),
        ("still", 100, 2, Firing),
        ("still", 100, 3, Severity),
        ("again", 100, 2, Firing),
        ("again", 100, 3, Resolved),
        ("again", 200, 2, Firing),
    ] {
        happens(&log, id, episode, seq, kind).await;
    }
    clock.advance(61_000);
    let hook = Hook::open([]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    let found = recorded(&log, "ops", 7).await;
    assert_eq!(found.iter().filter(|o| o.2 == Delivered).count(), 2, "{found:?}");
    assert_eq!(hook.took(), [told(&[("again", PAGE), ("still", ("ticket", Status::Firing))])]);
    happens(&log, "still", 100, 4, Resolved).await;
    recorded(&log, "ops", 8).await;
    notifier.stop().await;
    assert_eq!(hook.took()[1], told(&[("still", ("ticket", Status::Resolved)), ("again", PAGE)]));
}

#[tokio::test]
async fn a3_commits_that_fail_or_are_in_doubt_record_each_outcome_once() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    let faults = [CommitFault::Aborted, CommitFault::InDoubtNot, CommitFault::InDoubtDone, CommitFault::Aborted];
    log.faults().fail_commits("notifier-ops", faults);
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    for n in 0..4 {
        let id = format!("a{n}");
        happens(&log, &id, 100, 2, Firing).await;
        happens(&log, &id, 100, 3, Resolved).await;
    }
    let found = recorded(&log, "ops", 8).await;
    notifier.stop().await;
    assert!(found.iter().all(|o| o.2 == Delivered), "{found:?}");
    assert_eq!(outcomes(&log, "ops").await.len(), 8);
}

#[tokio::test]
async fn a3_a_partition_lost_and_gained_again_is_told_from_its_committed_position() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    for n in 0..20 {
        happens(&log, &format!("a{n:02}"), 100, 2, Firing).await;
        if n % 5 == 0 {
            log.expel("notifier-ops");
        }
    }
    let found = recorded(&log, "ops", 20).await;
    log.expel("notifier-ops");
    for n in 0..20 {
        happens(&log, &format!("a{n:02}"), 100, 3, Resolved).await;
    }
    recorded(&log, "ops", 40).await;
    notifier.stop().await;
    assert!(found.iter().all(|o| o.2 == Delivered), "{found:?}");
    let after = outcomes(&log, "ops").await;
    assert_eq!((after.len(), after.iter().filter(|o| o.2 == Delivered).count()), (40, 40));
}

#[tokio::test]
async fn stopping_records_what_was_under_way() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    hook.received(1).await;
    notifier.stop().await;
    assert_eq!(outcomes(&log, "ops").await, noted(&[("a", 2, Delivered)]));
}

#[tokio::test]
async fn alerts_that_come_together_are_told_together() {
    let (log, _) = log();
    let records: Vec<slipstream_log::Outgoing> = (0..50)
        .map(|n| {
            let id = format!("a{n:02}");
            slipstream_log::Outgoing {
                topic: Topic::Alerts,
                partition: None,
                key: Some(id.clone().into()),
                value: Some(slipstream_schemas::codec::encode(&support::transition(&id, 100, 2, Firing)).into()),
                headers: Vec::new(),
            }
        })
        .collect();
    log.publish(records).await.unwrap();
    let hook = Hook::open([]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    recorded(&log, "ops", 50).await;
    notifier.stop().await;
    assert_eq!(hook.took().len(), 1);
    assert_eq!(hook.got()[0].message.alerts.len(), 50);
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let (log, _) = log();
    for (url, said) in [("not a url", "url:"), ("ftp://example.test/s3cr3t", "scheme `ftp`")] {
        let error = Running::notifier(&log, config("ops", url)).ended().await.unwrap_err().to_string();
        assert!(error.starts_with("receiver ops: ") && error.contains(said), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}

#[tokio::test]
async fn a_record_of_a_newer_version_stops_the_notifier() {
    let (log, _) = log();
    let unknown = slipstream_log::Outgoing {
        topic: Topic::Alerts,
        partition: Some(1),
        key: None,
        value: Some(vec![0xC3, 1, 1, 2, 3, 4, 5, 6, 7, 8].into()),
        headers: Vec::new(),
    };
    log.publish(vec![unknown]).await.unwrap();
    let hook = Hook::open([]).await;
    let error = Running::notifier(&log, config("ops", &hook.url())).ended().await.unwrap_err().to_string();
    assert!(error.starts_with("alerts/1: the record at offset 0"), "{error}");
}

#[tokio::test]
async fn an_alert_leaves_within_100_ms() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    eventually("ready", async || notifier.health.ready().then_some(())).await;
    let t: AlertTransition = support::transition("a", 100, 2, Firing);
    let begun = std::time::Instant::now();
    publish(&log, Topic::Alerts, "a", &t).await;
    let got = hook.received(1).await;
    let took = got[0].at - begun;
    notifier.stop().await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test]
async fn a3_killed_at_any_moment_it_tells_everything_at_least_once_and_in_order() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    let ids: Vec<String> = (0..12).map(|n| format!("a{n:02}")).collect();
    for (round, id) in ids.iter().enumerate() {
        let notifier = Running::notifier(&log, config("ops", &hook.url()));
        happens(&log, id, 100, 2, Firing).await;
        happens(&log, id, 100, 3, Resolved).await;
        // Somewhere between joining, reading, sending, answering and committing.
        tokio::time::sleep(Duration::from_micros(700 * round as u64)).await;
        notifier.kill().await;
    }
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    let found = recorded(&log, "ops", 24).await;
    notifier.stop().await;
    let want: Vec<_> = ids.iter().flat_map(|id| [(id.clone(), 2, Delivered), (id.clone(), 3, Delivered)]).collect();
    assert_eq!(found, want, "each outcome once");
    let keys: Vec<String> = hook
        .got()
        .iter()
        .flat_map(|g| g.headers["idempotency-key"].to_str().unwrap().split(", ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for id in &ids {
        let first = |seq: i32| keys.iter().position(|key| *key == format!("{id}/100/{seq}/ops"));
        assert!(first(2).is_some() && first(2) < first(3), "{id}: {keys:?}");
    }
}
