//! Stories about a receiver that refuses, and is sent the alert again.

use super::*;

/// Answers what is due until nothing is left, or `most` deliveries were sent; what `refuses` says of a body is refused.
fn go_on(story: &mut Story, most: usize, refuses: impl Fn(&Message) -> bool) -> Vec<Message> {
    let mut sent = Vec::new();
    while sent.len() < most && story.dispatcher.wake_at().is_some() {
        story.wait();
        for delivery in story.next() {
            let message = delivery.message.clone();
            let answer = if refuses(&message) { refused() } else { OK };
            story.answer(&delivery, &answer);
            sent.push(message);
        }
    }
    sent
}

fn names(message: &Message) -> Vec<&str> {
    alerts(message).into_iter().map(|(name, _, _)| name).collect()
}

/// Which alerts, and under which keys; of when the figures are is said as time goes by.
fn said(messages: &[Message]) -> Vec<(String, Status)> {
    let all = messages.iter().flat_map(|message| &message.alerts);
    all.map(|alert| (alert.annotations["idempotency_key"].clone(), alert.status)).collect()
}

#[test]
fn a3_what_was_refused_is_told_again_with_its_key_while_it_fires() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    let first = story.flush(&refused()).remove(0);
    assert_eq!(story.noted(), [("a", 2, Refused)], "recorded at once: nothing waits for it");
    assert_eq!((story.dispatcher.pending(), story.dispatcher.refused()), (0, 1));
    let mut waits = Vec::new();
    for _ in 0..8 {
        let before = story.now;
        story.wait();
        waits.push(story.now - before);
        assert_eq!(said(&story.flush(&refused())), said(std::slice::from_ref(&first)));
    }
    assert!(waits[0] <= 5_000 && waits[7] >= 30_000 && waits.iter().all(|w| *w <= 60_000), "{waits:?}");
    story.wait();
    assert_eq!(said(&story.flush(&OK)), said(&[first]));
    assert_eq!(story.noted(), [("a", 2, Refused), ("a", 2, Delivered)]);
    assert_eq!((story.dispatcher.refused(), story.dispatcher.wake_at()), (0, None));
    story.happens("a", 3, RESOLVED);
    story.wait();
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "page", Status::Resolved)]);
}

#[test]
fn a2_what_is_over_before_the_receiver_took_it_is_not_told_again() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&refused());
    story.happens("a", 3, RESOLVED);
    assert!(go_on(&mut story, 10, |_| false).is_empty());
    assert_eq!(story.noted(), [("a", 2, Refused), ("a", 3, NotDue)]);
    assert_eq!(story.dispatcher.refused(), 0);
}

#[test]
fn a2_what_is_over_while_the_notifier_was_behind_is_not_told_again() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&refused());
    story.now += 1_000;
    story.happens_late(BEHIND_MS + 10_000, "a", "checkout", 100, 3, RESOLVED);
    assert!(go_on(&mut story, 10, |_| false).is_empty());
    assert_eq!(story.dispatcher.refused(), 0);
}

#[test]
fn news_does_not_wait_for_what_was_refused() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&refused());
    story.happens("b", 2, FIRING);
    story.now += 5_000;
    let sent = story.flush(&OK);
    assert_eq!(names(&sent[0]), ["b"], "news travels alone");
    assert_eq!(story.dispatcher.failures(), 0, "a refusal is an answer: the receiver is well");
}

#[test]
fn one_alert_that_is_never_taken_keeps_no_other_out() {
    let mut story = Story::new(|_| ());
    let ids: Vec<String> = (0..16).map(|i| format!("a{i:02}")).collect();
    ids.iter().for_each(|id| story.happens(id, 2, FIRING));
    let poison = |message: &Message| names(message).contains(&"a05");
    let sent = go_on(&mut story, 20, poison);
    let taken = |id: &str| story.outcomes.iter().any(|o| o.0 == id && o.3 == Delivered);
    assert!(ids.iter().filter(|id| *id != "a05").all(|id| taken(id)), "{sent:#?}");
    assert!(!taken("a05") && story.dispatcher.refused() == 1);
    assert_eq!(story.outcomes.iter().filter(|o| o.3 == Delivered).count(), 15, "nothing twice");
}

#[test]
fn a_severity_that_was_refused_is_told_again_with_the_end_of_the_old_one() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&OK);
    story.happens("a", 3, SEVERITY);
    story.wait();
    story.flush(&refused());
    story.wait();
    let again = story.flush(&OK);
    assert_eq!(alerts(&again[0]), [("a", "page", Status::Resolved), ("a", "ticket", Status::Firing)]);
    story.happens("a", 4, RESOLVED);
    story.wait();
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "ticket", Status::Resolved)]);
}

#[test]
fn an_end_that_was_refused_is_told_again_for_a_quarter_of_an_hour() {
    for (well_after, told) in [(10, 1), (1_000_000, 0)] {
        let mut story = Story::new(|_| ());
        story.happens("a", 2, FIRING);
        story.flush(&OK);
        story.happens("a", 3, RESOLVED);
        story.wait();
        story.flush(&refused());
        let mut tries = 0;
        while story.dispatcher.wake_at().is_some() && tries < well_after {
            story.wait();
            tries += story.flush(&refused()).len();
        }
        assert_eq!(go_on(&mut story, 10, |_| false).len(), told, "after {tries} refusals");
        assert_eq!((story.dispatcher.firing(), story.dispatcher.refused()), (0, 0));
        assert!(tries < 60, "{tries}");
    }
}

#[test]
fn an_end_that_was_refused_is_not_repeated_as_firing() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&OK);
    story.happens("a", 3, RESOLVED);
    story.wait();
    story.flush(&refused());
    story.happens("b", 2, FIRING);
    story.now += 5_000;
    assert_eq!(names(&story.flush(&OK)[0]), ["b"]);
    story.happens_late(0, "a", "checkout", 200, 2, FIRING);
    story.now += 5_000;
    assert_eq!(names(&story.flush(&OK)[0]), ["a", "b"], "fires again, the old end is no news any more");
    assert_eq!(story.dispatcher.refused(), 0);
}

#[test]
fn a3_a_second_attempt_that_fails_is_sent_again_as_it_was() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&refused());
    story.wait();
    let again = story.next();
    story.answer(&again[0], &failed(true));
    story.wait();
    assert_eq!(story.next(), again);
    story.answer(&again[0], &failed(true));
    story.happens("a", 3, RESOLVED);
    let sent = go_on(&mut story, 10, |_| false);
    assert_eq!(alerts(&sent[0]), [("a", "page", Status::Resolved)], "it may have the firing: it hears of the end");
    assert_eq!(story.noted(), [("a", 2, Refused), ("a", 3, Delivered)]);
}

#[test]
fn a_partition_that_is_lost_takes_along_what_was_refused() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&refused());
    story.wait();
    let in_flight = story.next();
    story.dispatcher.drop_partition(0);
    story.answer(&in_flight[0], &OK);
    assert_eq!((story.dispatcher.refused(), story.dispatcher.wake_at()), (0, None));
    assert_eq!(story.noted(), [("a", 2, Refused)]);
}

#[test]
fn what_was_refused_before_a_restart_is_told_again() {
    let mut story = Story::new(|_| ());
    let t = AlertTransition { alert_id: "old".to_owned(), ..transition() };
    let pending = Pending {
        ticket: Ticket { partition: 0, offset: 7 },
        transition: t.clone(),
        since: 0,
        attempts: 3,
        route: None,
    };
    story.dispatcher.restore_refused(super::super::Refused::new(pending, story.now), &t, story.now);
    assert!(story.next().is_empty(), "what came since is read first");
    story.wait();
    let again = story.next();
    let settled = story.dispatcher.finished(&again[0], &OK, story.now);
    assert_eq!((settled[0].notification.outcome, settled[0].notification.attempts), (Delivered, 4));
    assert_eq!((story.dispatcher.firing(), story.dispatcher.refused()), (1, 0));
}

#[test]
fn an_end_that_is_sent_again_closes_no_incident_that_goes_on() {
    for (most, shown) in [(0, 2), (1, 1)] {
        let mut story = Story::new(|c| c.max_alerts = most);
        ["a", "b"].iter().for_each(|id| story.happens(id, 2, FIRING));
        go_on(&mut story, 2, |_| false);
        story.happens("a", 3, RESOLVED);
        story.wait();
        story.flush(&refused());
        story.wait();
        let again = story.flush(&OK).remove(0);
        assert_eq!(again.status, Status::Firing, "b fires");
        assert_eq!(again.common_labels["severity"], "page");
        assert_eq!((again.alerts.len(), again.truncated_alerts), (shown, 2 - shown as u64));
        assert_eq!(alerts(&again)[0], ("a", "page", Status::Resolved));
        assert_eq!(story.noted().last(), Some(&("a", 3, Delivered)));
    }
}

#[test]
fn an_alert_that_comes_and_goes_keeps_no_other_out() {
    let mut story = Story::new(|_| ());
    story.happens("good", 2, FIRING);
    story.flush(&refused());
    let poison = |message: &Message| names(message).contains(&"poison");
    let taken = |story: &Story| story.outcomes.iter().any(|o| o.0 == "good" && o.3 == Delivered);
    let mut episode = 200;
    while !taken(&story) && episode < 220 {
        story.happens_late(0, "poison", "checkout", episode, 2, FIRING);
        go_on(&mut story, 1, poison);
        story.happens_late(0, "poison", "checkout", episode, 3, RESOLVED);
        episode += 1;
    }
    assert!(taken(&story), "{:?}", story.outcomes);
    assert!(story.now <= 15_000, "after {} ms", story.now);
}

#[test]
fn news_comes_at_once_after_the_retry_that_went_before_it() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&refused());
    story.now = 5_000;
    for (id, want) in [("b", "b"), ("c", "a")] {
        story.happens(id, 2, FIRING);
        story.wait();
        let sent = story.next();
        let message = sent[0].message.clone();
        assert!(names(&message).contains(&want), "{message:?}");
        story.answer(&sent[0], &refused());
    }
    let before = story.now;
    story.wait();
    assert_eq!((names(&story.flush(&OK)[0]), story.now), (vec!["c"], before));
}

#[test]
fn a_page_does_not_wait_behind_tickets_nor_tickets_behind_a_page() {
    for (taken, refuses) in [("z", "ticket"), ("t0", "page")] {
        let mut story = Story::new(|_| ());
        ["t0", "t1", "t2"].iter().for_each(|id| story.happens(id, 3, SEVERITY));
        story.happens("z", 2, FIRING);
        story.flush(&refused());
        let of = |message: &Message, severity: &str| alerts(message).iter().any(|(_, s, _)| *s == severity);
        let sent = go_on(&mut story, 2, |message| of(message, refuses));
        assert_eq!(names(&sent[0]), ["z"], "the worst first, by itself");
        assert!(story.noted().contains(&(taken, if taken == "z" { 2 } else { 3 }, Delivered)), "{:?}", story.noted());
    }
}

#[test]
fn news_does_not_wait_for_a_retry_that_gets_no_answer() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&refused());
    story.wait();
    let again = story.next();
    story.happens("b", 2, FIRING);
    story.answer(&again[0], &failed(false));
    story.wait();
    assert_eq!(names(&story.flush(&OK)[0]), ["b"]);
}

#[test]
fn an_end_that_is_too_old_is_not_sent_again_however_attempts_end() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&OK);
    story.happens("a", 3, RESOLVED);
    story.wait();
    story.flush(&refused());
    let since = story.now;
    while story.dispatcher.wake_at().is_some() {
        story.wait();
        story.flush(&failed(false));
        assert!(story.now - since <= RESOLVED_FOR_MS + 60_000, "it goes on for ever");
    }
    assert_eq!((story.dispatcher.refused(), story.dispatcher.firing()), (0, 0));
}

#[test]
fn a_receiver_that_takes_something_gets_at_once_what_it_refused() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    go_on(&mut story, 8, |_| true);
    story.happens("b", 2, FIRING);
    story.wait();
    assert_eq!(names(&story.flush(&OK)[0]), ["b"]);
    let taken = story.now;
    story.wait();
    assert!(story.now - taken <= 5_000, "not the backoff of a receiver that takes nothing: {}", story.now - taken);
    assert_eq!(names(&story.flush(&OK)[0]), ["a", "b"]);
}

#[test]
fn what_was_learned_of_a_receiver_goes_with_the_last_alert_that_it_refused() {
    let mut story = Story::new(|_| ());
    // One that it took, so that the group stays.
    story.happens("z", 2, FIRING);
    story.flush(&OK);
    ["a", "b", "c", "d"].iter().for_each(|id| story.happens(id, 2, FIRING));
    go_on(&mut story, 12, |_| true);
    ["a", "b", "c", "d"].iter().for_each(|id| story.happens(id, 3, RESOLVED));
    go_on(&mut story, 1, |_| true);
    assert_eq!(story.dispatcher.refused(), 0);
    for id in ["a", "b", "c", "d"] {
        story.happens_late(0, id, "checkout", 200, 2, FIRING);
    }
    story.wait();
    assert_eq!(story.flush(&refused()).len(), 1);
    let before = story.now;
    let again = go_on(&mut story, 1, |_| true);
    assert!(story.now - before <= 10_000, "not the backoff of the ones before: {} ms", story.now - before);
    assert_eq!(names(&again[0]), ["a", "b", "z"], "nor one by one");
}

#[test]
fn a_receiver_that_refuses_everything_is_not_sent_everything() {
    let mut story = Story::new(|_| ());
    for i in 0..300 {
        story.happens_late(0, &format!("a{i}"), &format!("slo{i}"), 100, 2, FIRING);
    }
    let news = go_on(&mut story, 300, |_| true);
    assert_eq!((news.len(), story.dispatcher.pending()), (300, 0), "news is told in any case");
    let begin = story.now;
    let mut sent = 0;
    while story.now < begin + 600_000 {
        sent += go_on(&mut story, 1, |_| true).len();
    }
    assert!((60..150).contains(&sent), "{sent} attempts in ten minutes");
    let well = story.now;
    go_on(&mut story, 250, |_| false);
    assert!(story.now - well <= 10_000, "what is overdue goes as soon as one was taken: {} ms", story.now - well);
    go_on(&mut story, 50, |_| false);
    assert_eq!(story.dispatcher.refused(), 0);
    assert!(story.now - well <= 60_000, "{} ms until all was told", story.now - well);
}

#[test]
fn a_page_is_told_soon_where_hundreds_of_tickets_are_refused() {
    let mut story = Story::new(|_| ());
    for i in 0..300 {
        story.happens_late(0, &format!("t{i}"), &format!("slo{i}"), 100, 3, SEVERITY);
    }
    story.happens_late(0, "z", "zoo", 100, 2, FIRING);
    go_on(&mut story, 301, |_| true);
    let sent = go_on(&mut story, 4, |message| !names(message).contains(&"z"));
    assert!(sent.iter().any(|message| names(message) == ["z"]), "{sent:?}");
}

#[test]
fn what_begins_still_begins_after_doubt_and_refusals() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, TransitionKind::Firing);
    for answer in [failed(true), refused(), refused()] {
        story.wait();
        let sent = story.next();
        assert!(sent[0].parts[0].begins, "the receiver has not taken it");
        story.answer(&sent[0], &answer);
    }
    story.wait();
    story.flush(&OK);
    story.now += 10_000;
    story.happens("a", 3, TransitionKind::Severity);
    assert!(!story.next()[0].parts[0].begins);
}
