//! Stories about a receiver that refuses, and is told again.

use super::*;

/// Answers what is due until nothing is left, or `most` deliveries were sent; what `refuses` says of a body is refused.
fn go_on(story: &mut Story, most: usize, refuses: impl Fn(&Message) -> bool) -> Vec<Message> {
    let mut sent = Vec::new();
    while sent.len() < most && story.dispatcher.wake_at().is_some() {
        story.wait();
        for delivery in story.next() {
            let message: Message = serde_json::from_slice(&delivery.body).unwrap();
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
        assert_eq!(story.flush(&refused()), [first.clone()]);
    }
    assert!(waits[0] <= 5_000 && waits[7] >= 30_000 && waits.iter().all(|w| *w <= 60_000), "{waits:?}");
    story.wait();
    assert_eq!(story.flush(&OK), [first]);
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
fn a_receiver_that_refuses_hears_of_other_alerts_at_once() {
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
    assert!(sent.iter().filter(|m| !poison(m)).flat_map(names).count() == 15, "nothing twice");
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
    let pending = Pending { ticket: Ticket { partition: 0, offset: 7 }, transition: t.clone(), since: 0, attempts: 3 };
    story.dispatcher.restore_refused(pending, &t, story.now);
    assert!(story.next().is_empty(), "what came since is read first");
    story.wait();
    let again = story.next();
    let settled = story.dispatcher.finished(&again[0], &OK, story.now);
    assert_eq!((settled[0].notification.outcome, settled[0].notification.attempts), (Delivered, 4));
    assert_eq!((story.dispatcher.firing(), story.dispatcher.refused()), (1, 0));
}
