//! A receiver that takes nothing for ten minutes, in whatever way, while its notifier is restarted: in virtual time, by the answers that
//! real sockets give.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;
mod trouble;
mod world;

use std::time::Duration;

use slipstream_schemas::records::TransitionKind::{self, Firing, Resolved, Severity};

use trouble::Trouble;
use world::{End, Step, World};

/// When the receiver begins to take nothing, when it takes all again, and when the world ends; seconds.
const OUTAGE: (u64, u64) = (60, 660);
const OVER: u64 = 1_500;

/// When the notifier is restarted, and how.
const RESTARTS: [(u64, End); 5] =
    [(150, End::Stopped), (300, End::Killed), (301, End::Killed), (450, End::Stopped), (600, End::Killed)];

/// What happens: alerts that begin and end before, within, around and after the outage, become less severe, and begin anew.
fn story() -> Vec<Step> {
    let mut story = Vec::new();
    let mut tell = |id: &str, episode: u64, steps: &[(u64, TransitionKind)]| {
        let steps = steps.iter().zip(2..);
        story.extend(steps.map(|((at, kind), seq)| (*at, id.to_owned(), episode, seq, *kind)));
    };
    tell("before", 5, &[(5, Firing), (30, Resolved)]);
    tell("ends-within", 10, &[(10, Firing), (305, Resolved)]);
    tell("lasts", 20, &[(20, Firing), (200, Severity)]);
    tell("ends-after", 25, &[(25, Firing), (120, Severity), (900, Resolved)]);
    tell("within", 100, &[(100, Firing), (130, Resolved)]);
    tell("within-restarts", 290, &[(290, Firing), (460, Resolved)]);
    tell("anew", 40, &[(40, Firing), (180, Resolved)]);
    tell("anew", 320, &[(320, Firing), (340, Severity)]);
    tell("late", 655, &[(655, Firing), (700, Resolved)]);
    tell("after", 1_000, &[(1_000, Firing), (1_100, Resolved)]);
    for i in 0..40 {
        let (id, begin) = (format!("many-{i:02}"), 70 + 14 * i);
        let end = [(begin + 45, Resolved)];
        tell(&id, begin, &[&[(begin, Firing)], &end[..(i % 2) as usize]].concat());
    }
    story.sort_by_key(|(at, ..)| *at);
    story
}

/// One outage of a kind. What was due has to be told, in order; the other receiver notices nothing.
fn outlive(trouble: Trouble) {
    let answer = trouble.answer();
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    paused.block_on(async move {
        let world = World::new(trouble.name(), answer, trouble.takes(), OUTAGE);
        world.live(&story(), &RESTARTS, OVER).await;
        assert!(world.troubled() > 3, "{trouble:?}: it was tried again");
        world.judge(Duration::from_secs(6)).await;
    });
}

#[test]
fn a3_ten_minutes_down() {
    outlive(Trouble::Down);
}

#[test]
fn a3_ten_minutes_slow() {
    outlive(Trouble::Slow);
}

#[test]
fn a3_ten_minutes_of_500() {
    outlive(Trouble::Status(500));
}

#[test]
fn a3_ten_minutes_of_429_that_say_when_to_come_again() {
    outlive(Trouble::RetryAfter(120));
}

#[test]
fn a3_ten_minutes_gone() {
    outlive(Trouble::Status(410));
}

#[test]
fn a3_ten_minutes_of_requests_that_are_cut_off() {
    outlive(Trouble::ClosesMidBody);
}

#[test]
fn a3_ten_minutes_of_answers_that_are_cut_off() {
    outlive(Trouble::ClosesMidAnswer);
}

#[test]
fn a3_ten_minutes_of_redirects() {
    outlive(Trouble::Redirects);
}

#[test]
fn a3_ten_minutes_of_bad_tls() {
    outlive(Trouble::BadTls);
}

/// More than a notifier holds: the rest waits in the log.
#[test]
fn a_flood_during_an_outage_is_held_within_bounds_and_told_after_it() {
    let answer = Trouble::Down.answer();
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    paused.block_on(async move {
        // Shorter than the others: each attempt is one of twenty thousand alerts.
        let world = World::new("flood", answer, Duration::ZERO, (5, 75));
        let flood = (0..22_000).map(|i| (10 + i / 4_000, format!("flood-{i:05}"), 10, 2, Firing));
        world.live(&flood.collect::<Vec<_>>(), &[(50, End::Stopped)], 140).await;
        let most = world.most_pending();
        // A batch is read to its end.
        assert!((10_000..21_000).contains(&most), "{most} were held");
        world.judge(Duration::from_secs(30)).await;
    });
}
