//! Up to where a position on `alerts` may move: behind what is delivered, refused, or not due, and no further. Pure.
//!
//! What is settled beyond a transition that is not waits here with its outcome, so that outcomes and position are
//! committed together (A3); after a crash it is sent again, with the same keys.

use std::collections::{BTreeMap, VecDeque};

use slipstream_log::{Advance, Offset, Position, TopicPartition};
use slipstream_schemas::records::Notification;
use slipstream_schemas::{LogTime, Topic};

use crate::notifier::dispatch::{Concluded, Ticket};

/// Outcomes in one step at most.
const STEP: usize = 1_000;

#[derive(Debug)]
struct Entry {
    at: Position,
    outcome: Option<Notification>,
}

#[derive(Debug)]
struct Account {
    committed: Position,
    read: Position,
    entries: VecDeque<Entry>,
}

/// The positions of the partitions that are ours.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<u32, Account>,
}

impl Ledger {
    /// A partition was gained, to be read from `from`.
    pub fn open(&mut self, partition: u32, committed: Option<Position>) {
        let from = committed.unwrap_or_default();
        self.accounts.insert(partition, Account { committed: from, read: from, entries: VecDeque::new() });
    }

    /// A partition was lost. Returns the outcomes that are known and were not recorded.
    pub fn close(&mut self, partition: u32) -> Vec<Notification> {
        let entries = self.accounts.remove(&partition).map(|account| account.entries);
        entries.into_iter().flatten().filter_map(|entry| entry.outcome).collect()
    }

    /// Partitions that are ours.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.accounts.keys().map(|p| TopicPartition { topic: Topic::Alerts, partition: *p }).collect()
    }

    /// Whether a partition is ours.
    pub fn owns(&self, partition: u32) -> bool {
        self.accounts.contains_key(&partition)
    }

    /// A partition was read below `next`; the last record had this log time.
    pub fn read(&mut self, partition: u32, next: Offset, log_time: LogTime) {
        if let Some(account) = self.accounts.get_mut(&partition) {
            account.read = Position { offset: next, log_time: log_time.max(account.read.log_time) };
        }
    }

    /// First offset of a partition that was not read.
    pub fn read_up_to(&self, partition: u32) -> Option<Offset> {
        self.accounts.get(&partition).map(|a| a.read.offset)
    }

    /// A record waits for its outcome. Records come in order.
    pub fn expect(&mut self, ticket: Ticket, log_time: LogTime) {
        if let Some(account) = self.accounts.get_mut(&ticket.partition) {
            account.entries.push_back(Entry { at: Position { offset: ticket.offset, log_time }, outcome: None });
        }
    }

    /// A record's outcome is known. Returns it where the position has passed the record already, with another outcome (the
    /// receiver took what it had refused): then nothing is left to move, and it is to be recorded by itself. An outcome of
    /// a partition that was lost is dropped. A reminder moves nothing.
    pub fn settle(&mut self, settled: Concluded) -> Option<Notification> {
        let Some(ticket) = settled.ticket else { return Some(settled.notification) };
        let account = self.accounts.get_mut(&ticket.partition)?;
        match account.entries.binary_search_by_key(&ticket.offset, |e| e.at.offset) {
            Ok(i) => {
                account.entries[i].outcome = Some(settled.notification);
                None
            }
            Err(_) => (ticket.offset < account.committed.offset).then_some(settled.notification),
        }
    }

    /// Records that wait, for their outcome or for one before them.
    pub fn waiting(&self) -> usize {
        self.accounts.values().map(|a| a.entries.len()).sum()
    }

    /// Whether a step would record outcomes.
    pub fn has_outcomes(&self) -> bool {
        self.accounts.values().any(|a| a.entries.front().is_some_and(|e| e.outcome.is_some()))
    }

    /// The next step of a partition: its move and the outcomes that it covers, in order. The ledger takes the step for
    /// done: a caller whose step is lost closes the partition.
    pub fn advance(&mut self, partition: u32) -> Option<(Advance, Vec<Notification>)> {
        let account = self.accounts.get_mut(&partition)?;
        let mut outcomes = Vec::new();
        while outcomes.len() < STEP
            && let Some(outcome) = account.entries.front_mut().and_then(|e| e.outcome.take())
        {
            outcomes.push(outcome);
            account.entries.pop_front();
        }
        let to = account.entries.front().map_or(account.read, |e| e.at);
        if to.offset <= account.committed.offset {
            return None;
        }
        let from = std::mem::replace(&mut account.committed, to);
        Some((Advance { partition: TopicPartition { topic: Topic::Alerts, partition }, from, to }, outcomes))
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::Outcome;

    use super::*;

    fn outcome(offset: Offset) -> Concluded {
        let notification = Notification {
            alert_id: format!("a{offset}"),
            episode: 1,
            seq: 2,
            receiver: "ops".to_owned(),
            outcome: Outcome::Delivered,
            status: Some(200),
            attempts: 1,
            ..Notification::default()
        };
        Concluded { ticket: Some(Ticket { partition: 0, offset }), notification }
    }

    fn read(ledger: &mut Ledger, offsets: &[Offset], next: Offset) {
        for offset in offsets {
            ledger.expect(Ticket { partition: 0, offset: *offset }, LogTime(offset * 10));
        }
        ledger.read(0, next, LogTime((next - 1) * 10));
    }

    fn step(ledger: &mut Ledger) -> Option<(Offset, Offset, i64, Vec<String>)> {
        let (advance, outcomes) = ledger.advance(0)?;
        let ids = outcomes.into_iter().map(|n| n.alert_id).collect();
        Some((advance.from.offset, advance.to.offset, advance.to.log_time.0, ids))
    }

    #[test]
    fn a3_a_position_moves_up_to_the_first_record_without_an_outcome() {
        let mut ledger = Ledger::default();
        ledger.open(0, Some(Position { offset: 3, log_time: LogTime(20) }));
        read(&mut ledger, &[4, 6, 7], 9);
        assert_eq!(step(&mut ledger), Some((3, 4, 40, vec![])), "what concerns nobody is passed");
        ledger.settle(outcome(6));
        assert_eq!(step(&mut ledger), None, "4 still waits");
        ledger.settle(outcome(4));
        assert!(ledger.has_outcomes());
        assert_eq!(step(&mut ledger), Some((4, 7, 70, vec!["a4".to_owned(), "a6".to_owned()])));
        ledger.settle(outcome(7));
        assert_eq!(step(&mut ledger), Some((7, 9, 80, vec!["a7".to_owned()])));
        assert_eq!((step(&mut ledger), ledger.waiting()), (None, 0));
    }

    #[test]
    fn a3_a_second_outcome_goes_with_the_first_or_by_itself() {
        let second = || {
            let mut second = outcome(0);
            second.notification.attempts = 2;
            second
        };
        let mut ledger = Ledger::default();
        ledger.open(0, None);
        read(&mut ledger, &[0], 1);
        ledger.settle(outcome(0));
        assert_eq!(ledger.settle(second()), None, "the position has not moved yet: it takes the place of the first");
        let (_, outcomes) = ledger.advance(0).unwrap();
        assert_eq!(outcomes, [second().notification]);
        assert_eq!(ledger.settle(second()), Some(second().notification));
    }

    #[test]
    fn a_lost_partition_takes_its_outcomes_along() {
        let mut ledger = Ledger::default();
        ledger.open(0, None);
        read(&mut ledger, &[0], 1);
        ledger.settle(outcome(0));
        assert_eq!(ledger.close(0), [outcome(0).notification], "whoever takes over has to know");
        assert_eq!(ledger.settle(outcome(0)), None);
        assert_eq!((step(&mut ledger), ledger.owns(0)), (None, false));
        ledger.open(0, None);
        assert_eq!(ledger.settle(outcome(0)), None);
        assert_eq!(step(&mut ledger), None, "an outcome from before the loss moves nothing");
    }

    #[test]
    fn steps_are_bounded() {
        let mut ledger = Ledger::default();
        ledger.open(0, None);
        let offsets: Vec<Offset> = (0..2_500).collect();
        read(&mut ledger, &offsets, 2_500);
        for offset in offsets {
            ledger.settle(outcome(offset));
        }
        let sizes: Vec<usize> = std::iter::from_fn(|| ledger.advance(0)).map(|(_, outcomes)| outcomes.len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }
}
