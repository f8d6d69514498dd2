//! Stories about attempts that failed: each new one says how things stand by then.

use slipstream_definitions::matchers::Matchers;
use slipstream_runtime::config::Inhibition;
use slipstream_schemas::records::NotificationReason::{self, Inhibited, Missed, Muted, None as Sent, Silenced};
use slipstream_schemas::records::Outcome::{Failed, HeldBack};

use super::holding::{firing, quiet};
use super::*;

impl Story {
    /// Until the groups may speak again.
    fn wait_for_interval(&mut self) {
        self.now += 5_000;
    }

    /// What became of an alert, failures left out.
    pub(super) fn became(&self, id: &str) -> Vec<(i32, Outcome, NotificationReason)> {
        let of = self.notes.iter().filter(|n| n.alert_id == id && n.outcome != Failed);
        of.map(|n| (n.seq, n.outcome, n.reason)).collect()
    }
}

/// Something begins to hold back, or no longer does.
type Happening<'a> = &'a dyn Fn(&mut Story, bool);

fn keys(delivery: &Delivery) -> Vec<&str> {
    delivery.parts.iter().map(|part| part.key.as_str()).collect()
}

#[test]
fn a3_what_is_held_back_before_the_next_attempt_is_told_when_that_ends() {
    let mut nights = slipstream_definitions::time_interval::TimeInterval::default();
    nights.time("00:17", "00:30").unwrap();
    let page_of_ticket = Inhibition {
        source: Matchers::parse("severity=page").unwrap(),
        target: Matchers::parse("severity=ticket").unwrap(),
        equal: vec!["slo".to_owned()],
        dependants: false,
    };
    let silenced = |story: &mut Story, on: bool| {
        let to = if on { None } else { Some(story.now) };
        story.silence(&[("s", "endpoint=a", story.now - 1, to)]);
    };
    let inhibited = |story: &mut Story, on: bool| {
        let (seq, kind) = if on { (2, FIRING) } else { (3, RESOLVED) };
        story.alert("page", "page", seq, kind);
    };
    let muted = |story: &mut Story, on: bool| story.now = if on { 17 * 60_000 } else { 30 * 60_000 };
    let cases: [(NotificationReason, Happening<'_>); 3] =
        [(Silenced, &silenced), (Inhibited, &inhibited), (Muted, &muted)];
    for (why, hold) in cases {
        let mut story = Story::new(|config| {
            let root = Some(Route { mute: vec!["nights".to_owned()], ..quiet() });
            let intervals = [("nights".to_owned(), vec![nights.clone()])].into();
            let inhibitions = vec![page_of_ticket.clone()];
            config.routing = Arc::new(Routing { root, intervals, inhibitions, ..Routing::default() });
            config.group_interval = Duration::from_secs(1);
        });
        story.now = if why == Muted { 17 * 60_000 - 1_000 } else { 60_000 };
        story.alert("a", "ticket", 2, FIRING);
        assert_eq!(firing(&story.flush(&failed(false))), [["a ticket"]]);
        hold(&mut story, true);
        let told = story.until(story.now + 20_000);
        assert!(!firing(&told).concat().contains(&"a ticket".to_owned()), "{why:?}: {told:?}");
        hold(&mut story, false);
        let told = story.until(story.now + 20_000);
        assert!(firing(&told).concat().contains(&"a ticket".to_owned()), "{why:?}");
        assert_eq!(story.became("a"), [(2, HeldBack, why), (2, Delivered, Sent)]);
    }
}

#[test]
fn a3_what_went_on_while_the_receiver_was_away_is_told_in_order_and_at_once() {
    let mut story = Story::new(|_| ());
    for id in ["known", "over", "worse"] {
        story.happens(id, 2, FIRING);
        if id == "known" {
            story.flush(&OK);
            story.wait_for_interval();
        }
    }
    assert_eq!(story.flush(&failed(false))[0].alerts.len(), 3);
    story.happens("known", 3, RESOLVED);
    story.happens("over", 3, RESOLVED);
    story.happens("worse", 3, SEVERITY);
    story.happens("new", 2, FIRING);
    story.wait();
    let first = story.flush(&OK).remove(0);
    let page = |id: &'static str, status| (id, "page", status);
    let fires = ["new", "over", "worse"].map(|id| page(id, Status::Firing));
    let over = page("known", Status::Resolved);
    assert_eq!(alerts(&first), [vec![over], fires.to_vec()].concat(), "what is over is not repeated as if it fired");
    let second = story.flush(&OK).remove(0);
    let ended = ["over", "worse"].map(|id| page(id, Status::Resolved));
    let fires = [page("new", Status::Firing), ("worse", "ticket", Status::Firing)];
    assert_eq!(alerts(&second), [ended, fires].concat(), "without the group's interval");
    for id in ["over", "worse"] {
        assert_eq!(story.became(id), [(2, Delivered, Sent), (3, Delivered, Sent)]);
    }
}

#[test]
fn a3_what_the_receiver_may_have_taken_goes_out_again_with_its_keys_and_the_rest_follows() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.happens("b", 2, FIRING);
    let first = story.next();
    story.answer(&first[0], &failed(true));
    story.happens("c", 2, FIRING);
    story.wait();
    let again = story.next();
    assert_eq!(keys(&again[0]), keys(&first[0]), "whoever goes by keys knows it again");
    story.answer(&again[0], &OK);
    assert_eq!(keys(&story.next()[0]), ["c/100/2/ops"], "at once");

    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.happens("b", 2, FIRING);
    story.flush(&failed(true));
    story.happens("c", 2, FIRING);
    story.silence(&[("s", "endpoint=b", story.now - 1, None)]);
    story.wait();
    let told = story.flush(&OK);
    let want = [("a", "page", Status::Firing), ("c", "page", Status::Firing)];
    assert_eq!(alerts(&told[0]), want, "where not all of it is still to be told, it is told as it stands");
    assert_eq!(story.became("b"), [(2, HeldBack, Silenced)]);
}

#[test]
fn a3_what_is_in_doubt_stays_so_whatever_fails_next() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    let first = story.next();
    story.answer(&first[0], &failed(true));
    story.happens("b", 2, FIRING);
    for _ in 0..2 {
        story.wait();
        let again = story.next();
        assert_eq!(keys(&again[0]), keys(&first[0]), "a connection that is refused ends no doubt");
        story.answer(&again[0], &failed(false));
    }
    story.wait();
    story.flush(&OK);
    assert_eq!(keys(&story.next()[0]), ["b/100/2/ops"]);
}

#[test]
fn what_the_receiver_has_for_sure_is_repeated_while_news_of_it_is_held_back_and_what_it_may_have_is_not() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, SEVERITY);
    story.flush(&OK);
    story.wait_for_interval();
    story.happens("a", 3, FIRING);
    story.happens("b", 2, FIRING);
    story.flush(&failed(true));
    story.silence(&[("s", "severity=page", story.now - 1, None)]);
    story.happens("c", 2, SEVERITY);
    story.wait();
    let ticket = |id| (id, "ticket", Status::Firing);
    assert_eq!(alerts(&story.flush(&OK)[0]), [ticket("a"), ticket("c")]);
    for id in ["a", "b"] {
        assert_eq!(story.became(id).last().map(|last| (last.1, last.2)), Some((HeldBack, Silenced)), "{id}");
    }
    // The end of an alert ends all that the receiver may have.
    story.wait_for_interval();
    story.happens("a", 4, RESOLVED);
    story.happens("b", 3, RESOLVED);
    let over = |id, severity| (id, severity, Status::Resolved);
    let want = [over("a", "page"), over("a", "ticket"), over("b", "page"), ticket("c")];
    assert_eq!(alerts(&story.flush(&OK)[0]), want);
}

#[test]
fn a3_each_doubt_of_a_former_owner_is_known_so_that_the_end_is_told_however_late() {
    let mut story = Story::new(|_| ());
    let tried = |seq, doubt| ("a".to_owned(), Tried { of: (100, seq), attempts: 9, doubt });
    story.dispatcher.restore_tried([tried(2, true), tried(3, false)]);
    let late = BEHIND_MS + 1;
    story.happens_late(late, "a", "checkout", 100, 2, FIRING);
    story.happens_late(late, "a", "checkout", 100, 3, RESOLVED);
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "page", Status::Resolved)]);
    assert_eq!(story.became("a"), [(2, NotDue, NotificationReason::Superseded), (3, Delivered, Sent)]);
}

#[test]
fn what_a_former_owner_attempted_is_forgotten_when_all_of_it_was_read_again() {
    let mut story = Story::new(|_| ());
    let tried = Tried { of: (100, 2), attempts: 9, doubt: true };
    story.dispatcher.restore_tried([("a".to_owned(), tried.clone())]);
    story.dispatcher.restore_tried([("b".to_owned(), tried)]);
    assert_eq!(story.dispatcher.tried.keys().collect::<Vec<_>>(), ["b"], "the notes were read anew");
    story.dispatcher.read_again();
    assert!(story.dispatcher.tried.is_empty());
}

#[test]
fn what_is_noted_of_an_answer_is_bounded() {
    let long = "é".repeat(1_000_000);
    let detail = || long.clone();
    let answers = [
        Answer::NotAsked { reason: NotificationReason::DryRun, detail: detail() },
        Answer::Refused { status: 400, detail: detail() },
        Answer::Failed { status: None, detail: detail(), retry_after: None, doubt: true },
    ];
    for answer in answers {
        let mut story = Story::new(|_| ());
        story.happens("a", 2, FIRING);
        story.flush(&answer);
        let [note] = &story.notes[..] else { panic!("{:?}", story.notes.len()) };
        assert!(note.detail.len() <= 1_000 && note.detail.ends_with("é…"), "{}", note.detail.len());
    }
}

#[test]
fn a2_the_end_of_what_the_receiver_may_have_is_told_although_it_was_held_back_since() {
    let mut story = Story::with(quiet(), Vec::new());
    story.alert("a", "page", 2, FIRING);
    story.flush(&failed(true));
    story.silence(&[("s", "slo=checkout", story.now, None)]);
    assert!(story.until(1_030_000).is_empty());
    story.alert("a", "page", 3, RESOLVED);
    let told = story.until(1_040_000);
    assert_eq!(alerts(&told[0]), [("a", "page", Status::Resolved)]);
    assert_eq!(story.became("a"), [(2, HeldBack, Silenced), (3, Delivered, Sent)]);
}

#[test]
fn a_receiver_that_was_away_for_ten_minutes_gets_the_present_state_and_of_when_it_is() {
    let mut story = Story::with(quiet(), Vec::new());
    story.alert("over", "page", 2, FIRING);
    story.alert("silenced", "page", 2, FIRING);
    story.alert("still", "page", 2, FIRING);
    story.silence(&[("s", "endpoint=silenced", 1_001_000, None)]);
    let end = story.now + 600_000;
    while story.now < end {
        story.flush(&failed(false));
        story.wait();
        if story.now > end - 100_000 && story.became("over").is_empty() {
            story.alert("over", "page", 3, RESOLVED);
        }
    }
    let told = story.flush(&OK);
    assert_eq!(firing(&told), [["still page"]]);
    let said = &told[0].alerts[0].annotations;
    assert!(said["summary"].ends_with("too fast (as of 00:16:40 UTC)"), "{said:?}");
    assert!(said["description"].ends_with(" Figures as of 00:16:40 UTC."), "{said:?}");
    assert_eq!(story.became("over"), [(2, NotDue, Missed), (3, NotDue, Missed)]);
    assert_eq!(story.became("silenced"), [(2, HeldBack, Silenced)]);
}

#[test]
fn a2_who_takes_over_knows_what_was_attempted() {
    let mut story = Story::with(quiet(), Vec::new());
    let tried = |doubt| Tried { of: (100, 2), attempts: 9, doubt };
    story.dispatcher.restore_tried([("a".to_owned(), tried(true)), ("b".to_owned(), tried(false))]);
    story.silence(&[("s", "slo=checkout", story.now, None)]);
    // By its tick the silence does not apply, but an attempt was made before it.
    story.now += 1;
    story.alert("a", "page", 2, FIRING);
    story.alert("b", "page", 2, FIRING);
    assert!(story.flush(&OK).is_empty());
    story.alert("a", "page", 3, RESOLVED);
    story.alert("b", "page", 3, RESOLVED);
    let told = story.until(story.now + 10_000);
    assert_eq!(told.iter().flat_map(alerts).collect::<Vec<_>>(), [("a", "page", Status::Resolved)]);
    assert!(story.notes.iter().all(|n| n.outcome != HeldBack || n.attempts == 9), "{:?}", story.notes);
}

#[test]
fn the_first_doubt_is_noted_whenever_it_comes() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    for doubt in [false, false, true, true, false] {
        story.flush(&failed(doubt));
        story.wait();
    }
    let noted: Vec<_> = story.notes.iter().map(|n| (n.outcome, n.attempts, n.reason)).collect();
    assert_eq!(noted, [(Failed, 1, Sent), (Failed, 3, NotificationReason::InDoubt)]);
}

#[test]
fn a2_what_was_taken_and_could_not_be_recorded_is_in_doubt_where_it_begins_something() {
    let note = |kind: TransitionKind, outcome, repeated| Notification {
        kind: kind.name().to_owned(),
        outcome,
        repeated,
        status: Some(200),
        ..Notification::default()
    };
    let cases = [
        (note(FIRING, Delivered, false), true),
        (note(SEVERITY, Delivered, false), true),
        (note(RESOLVED, Delivered, false), false),
        (note(FIRING, HeldBack, false), false),
        (note(FIRING, Delivered, true), false),
    ];
    for (taken, want) in cases {
        let noted = in_doubt(taken.clone()).map(|n| (n.outcome, n.reason, n.status));
        assert_eq!(noted, want.then_some((Failed, NotificationReason::InDoubt, None)), "{taken:?}");
    }
}
