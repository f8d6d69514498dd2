//! Stories about reminders that are left out: each is in history, once.

use slipstream_schemas::records::Acknowledgement;
use slipstream_schemas::records::NotificationReason::{self, Acknowledged, None as Sent, Silenced};

use super::holding::firing;
use super::*;

fn hourly() -> Route {
    Route { repeat_interval: Some(Duration::from_secs(60)), ..Route::default() }
}

fn reminders(story: &Story, id: &str) -> Vec<(Outcome, NotificationReason, String)> {
    let of = story.notes.iter().filter(|n| n.alert_id == id && n.repeated);
    of.map(|n| (n.outcome, n.reason, n.by.clone())).collect()
}

fn acknowledged(story: &mut Story, id: &str) {
    let (alert_id, owner, reason) = (id.to_owned(), "ada".to_owned(), String::new());
    let ack = Acknowledgement { alert_id, episode: 100, owner, reason, at: 0 };
    story.dispatcher.said(std::iter::empty(), [ack].into_iter());
}

#[test]
fn a_reminder_that_is_left_out_is_noted_with_why() {
    let mut story = Story::with(hourly(), Vec::new());
    story.alert("a", "page", 2, FIRING);
    story.alert("b", "page", 2, FIRING);
    assert_eq!(story.until(1_010_000).len(), 1);
    acknowledged(&mut story, "a");
    assert_eq!(firing(&story.until(1_070_000)), [["b page"]]);
    let left_out = (NotDue, Acknowledged, "ada".to_owned());
    assert_eq!(reminders(&story, "a"), std::slice::from_ref(&left_out));
    assert_eq!(reminders(&story, "b"), [(Delivered, Sent, String::new())]);
    story.silence(&[("s", "slo=checkout", 1_070_000, None)]);
    assert!(story.until(1_250_000).is_empty());
    let silenced = (NotDue, Silenced, "s".to_owned());
    assert_eq!(
        reminders(&story, "a"),
        [left_out, silenced.clone(), silenced.clone(), silenced.clone()],
        "one a reminder"
    );
    assert_eq!(story.dispatcher.pending(), 0);
}

#[test]
fn a_reminder_that_fails_notes_what_it_leaves_out_once() {
    let mut story = Story::with(hourly(), Vec::new());
    story.alert("a", "page", 2, FIRING);
    story.alert("b", "page", 2, FIRING);
    story.until(1_010_000);
    acknowledged(&mut story, "a");
    story.now = 1_061_000;
    for _ in 0..4 {
        assert_eq!(firing(&story.flush(&failed(true))), [["b page"]]);
        assert_eq!(reminders(&story, "a"), []);
        story.wait();
    }
    story.flush(&refused());
    assert_eq!(reminders(&story, "a"), [(NotDue, Acknowledged, "ada".to_owned())]);
    assert_eq!(reminders(&story, "b"), [(Refused, Sent, String::new())]);
    assert_eq!(story.dispatcher.refused(), 0, "the next one is due later");
}
