//! A3: what should be sent reached the receiver, at least once, in order per alert.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use slipstream_schemas::records::{AlertTransition, Notification, Outcome};

use crate::verdict;
use crate::webhook::Delivery;

/// Name, episode and seq of a transition.
pub type Key = (String, i64, i32);

/// What became of the transitions that were due.
#[derive(Debug, Clone, Default)]
pub struct DeliveryAudit {
    /// Those that were delivered, and when first.
    pub first: HashMap<Key, SystemTime>,
    /// How many were due.
    pub due: usize,
    /// How many were delivered.
    pub delivered: usize,
    /// How many were no longer due when the notifier reached them.
    pub not_due: usize,
    /// How many were held back until something else was true.
    pub held_back: usize,
    /// Deliveries that were accepted, repetitions included.
    pub deliveries: usize,
}

/// Every due transition is settled once, or held back and then settled or superseded; what counts as delivered was received; first deliveries arrived in order.
pub fn told(
    transitions: &[AlertTransition],
    notes: &[Notification],
    deliveries: &[Delivery],
    receiver: &str,
) -> Result<DeliveryAudit> {
    let mut settled: HashMap<String, Outcome> = HashMap::new();
    let mut held: HashSet<String> = HashSet::new();
    for note in notes.iter().filter(|n| n.receiver == receiver && n.outcome != Outcome::Failed && !n.repeated) {
        let before = settled.insert(key_of(note), note.outcome);
        if note.outcome == Outcome::HeldBack {
            held.insert(key_of(note));
        }
        // What was held back is recorded once more by whoever tells it: a former owner, too, which is fenced from positions only.
        let again = note.outcome == Outcome::Delivered && held.contains(&key_of(note));
        let once = before.is_none_or(|before| before == Outcome::HeldBack);
        ensure!(once || again, "A3: {} was settled twice, as {before:?} and {:?}", key_of(note), note.outcome);
    }
    let mut told = DeliveryAudit { first: firsts(deliveries), ..DeliveryAudit::default() };
    told.deliveries = deliveries.iter().filter(|d| d.accepted()).count();
    let arrived: HashSet<String> =
        told.first.keys().map(|(id, episode, seq)| format!("{id}/{episode}/{seq}/{receiver}")).collect();
    for key in verdict::due_keys(transitions, receiver) {
        told.due += 1;
        match settled.get(&key).with_context(|| format!("A3: {key} was due and is not settled"))? {
            Outcome::Delivered => told.delivered += 1,
            Outcome::NotDue => told.not_due += 1,
            Outcome::HeldBack => told.held_back += 1,
            Outcome::Failed => unreachable!("left out above"),
            Outcome::Refused => anyhow::bail!("A3: {key} was refused by a receiver that refuses nothing"),
        }
        let missing = settled.get(&key) == Some(&Outcome::Delivered) && !arrived.contains(&key);
        ensure!(!missing, "A3: {key} is recorded as delivered but was not received");
    }
    in_order(&told.first)?;
    Ok(told)
}

/// The keys of a webhook's body.
pub fn keys(body: &Value) -> Vec<Key> {
    let key = |alert: &Value| {
        let mut parts = alert["annotations"]["idempotency_key"].as_str()?.split('/');
        Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    body["alerts"].as_array().into_iter().flatten().filter_map(key).collect()
}

/// When each key arrived first.
pub fn firsts(deliveries: &[Delivery]) -> HashMap<Key, SystemTime> {
    let mut first = HashMap::new();
    for delivery in deliveries.iter().filter(|d| d.accepted()) {
        for key in keys(&delivery.body) {
            first.entry(key).or_insert(delivery.at);
        }
    }
    first
}

fn in_order(first: &HashMap<Key, SystemTime>) -> Result<()> {
    let mut by_alert: BTreeMap<&str, Vec<(i64, i32, SystemTime)>> = BTreeMap::new();
    for ((id, episode, seq), at) in first {
        by_alert.entry(id).or_default().push((*episode, *seq, *at));
    }
    for (id, mut arrivals) in by_alert {
        arrivals.sort();
        for pair in arrivals.windows(2) {
            ensure!(pair[0].2 <= pair[1].2, "A3: alert {id}: {:?} came after {:?}", pair[0], pair[1]);
        }
    }
    Ok(())
}

fn key_of(note: &Notification) -> String {
    format!("{}/{}/{}/{}", note.alert_id, note.episode, note.seq, note.receiver)
}
