//! Which member owns which partition: the group coordinator of the embedded logs.
//!
//! Ownership changes at once, by a new token; the old owner learns of it at its next poll, and until then its commits are
//! refused by the token (L5). Assignment is sticky: a partition moves only when its owner leaves or holds two more than
//! someone else, so partitions that stay keep flowing. In a group that has the whole, all move together, when their owner
//! leaves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::port::{Share, TopicPartition};
use crate::signal::Signal;

/// A member of a group, unique within the log's life.
pub(crate) type MemberId = u64;

/// Proof of ownership: a new one at every change of owner.
pub(crate) type Token = u64;

/// All groups of an embedded log.
#[derive(Debug)]
pub struct Groups {
    state: Mutex<State>,
    signal: Signal,
}

#[derive(Debug, Default)]
struct State {
    groups: HashMap<String, Group>,
    issued: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// One member has all.
    whole: bool,
    members: BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    /// Members that were not heard of for too long: they own nothing until they ask again.
    absent: BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    owners: BTreeMap<TopicPartition, Owner>,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    member: MemberId,
    token: Token,
}

impl Groups {
    pub(crate) fn new(signal: Signal) -> Self {
        Groups { state: Mutex::default(), signal }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new member that can take these partitions.
    pub(crate) fn join(&self, group: &str, partitions: BTreeSet<TopicPartition>, share: Share) -> MemberId {
        let mut state = self.lock();
        state.issued += 1;
        let member = state.issued;
        state.group(group).whole = share == Share::Whole;
        state.group(group).members.insert(member, partitions);
        state.rebalance(group);
        drop(state);
        self.signal.ring();
        member
    }

    /// A member is gone.
    pub(crate) fn leave(&self, group: &str, member: MemberId) {
        let mut state = self.lock();
        state.group(group).members.remove(&member);
        state.group(group).absent.remove(&member);
        state.rebalance(group);
        drop(state);
        self.signal.ring();
    }

    /// What a member owns now.
    pub(crate) fn owned(&self, group: &str, member: MemberId) -> BTreeMap<TopicPartition, Token> {
        let mut state = self.lock();
        if let Some(partitions) = state.group(group).absent.remove(&member) {
            state.group(group).members.insert(member, partitions);
            state.rebalance(group);
            self.signal.ring();
        }
        let owners = state.group(group).owners.iter();
        owners.filter(|(_, o)| o.member == member).map(|(p, o)| (*p, o.token)).collect()
    }

    /// Whether a token is still good (L5).
    pub(crate) fn owns(&self, group: &str, partition: TopicPartition, token: Token) -> bool {
        self.lock().group(group).owners.get(&partition).is_some_and(|o| o.token == token)
    }

    /// The owner of a partition was not heard of for too long: what it owns goes to the others, and it is a member again
    /// when it next checks what it owns.
    pub(crate) fn time_out(&self, group: &str, partition: TopicPartition) {
        let mut state = self.lock();
        let of = state.group(group);
        let Some(member) = of.owners.get(&partition).map(|owner| owner.member) else { return };
        if let Some(partitions) = of.members.remove(&member) {
            of.absent.insert(member, partitions);
        }
        state.rebalance(group);
        drop(state);
        self.signal.ring();
    }

    /// As if every partition had been with someone else for a moment: all tokens change.
    pub(crate) fn expel(&self, group: &str) {
        let mut state = self.lock();
        let mut issued = state.issued;
        for owner in state.group(group).owners.values_mut() {
            issued += 1;
            owner.token = issued;
        }
        state.issued = issued;
        drop(state);
        self.signal.ring();
    }
}

impl State {
    fn group(&mut self, name: &str) -> &mut Group {
        if !self.groups.contains_key(name) {
            self.groups.insert(name.to_owned(), Group::default());
        }
        self.groups.entry(name.to_owned()).or_default()
    }

    fn rebalance(&mut self, name: &str) {
        let mut issued = self.issued;
        let group = self.group(name);
        let before = group.owners.iter().map(|(p, o)| (*p, o.member)).collect();
        let after = if group.whole { assign_whole(&group.members, &before) } else { assign(&group.members, &before) };
        group.owners.retain(|p, o| after.get(p) == Some(&o.member));
        for (partition, member) in after {
            group.owners.entry(partition).or_insert_with(|| {
                issued += 1;
                Owner { member, token: issued }
            });
        }
        self.issued = issued;
    }
}

/// Sticky assignment: owners that can keep a partition do; unowned ones go to the least loaded; then partitions move
/// from the most to the least loaded while that evens them out.
fn assign(
    members: &BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    before: &BTreeMap<TopicPartition, MemberId>,
) -> BTreeMap<TopicPartition, MemberId> {
    let all: BTreeSet<TopicPartition> = members.values().flatten().copied().collect();
    let mut load: BTreeMap<MemberId, usize> = members.keys().map(|m| (*m, 0)).collect();
    let mut owner: BTreeMap<TopicPartition, MemberId> = BTreeMap::new();
    let able = |member: MemberId, p: &TopicPartition| members.get(&member).is_some_and(|set| set.contains(p));
    for (partition, member) in before.iter().filter(|(p, m)| able(**m, p)) {
        owner.insert(*partition, *member);
        *load.entry(*member).or_default() += 1;
    }
    for partition in &all {
        if owner.contains_key(partition) {
            continue;
        }
        let least = members.keys().filter(|m| able(**m, partition)).min_by_key(|m| (load[*m], **m));
        if let Some(member) = least {
            owner.insert(*partition, *member);
            *load.entry(*member).or_default() += 1;
        }
    }
    while let Some((partition, from, to)) = improvement(&owner, &load, &able) {
        owner.insert(partition, to);
        *load.entry(from).or_default() -= 1;
        *load.entry(to).or_default() += 1;
    }
    owner
}

/// Whoever has the first partition keeps all; else the member that has waited longest gets them.
fn assign_whole(
    members: &BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    before: &BTreeMap<TopicPartition, MemberId>,
) -> BTreeMap<TopicPartition, MemberId> {
    let keeps = before.first_key_value().map(|(_, member)| *member).filter(|member| members.contains_key(member));
    let Some(owner) = keeps.or_else(|| members.keys().next().copied()) else { return BTreeMap::new() };
    members[&owner].iter().map(|partition| (*partition, owner)).collect()
}

/// A partition whose owner holds at least two more than another member that can take it; of several the greatest gap,
/// then the last partition.
fn improvement(
    owner: &BTreeMap<TopicPartition, MemberId>,
    load: &BTreeMap<MemberId, usize>,
    able: &dyn Fn(MemberId, &TopicPartition) -> bool,
) -> Option<(TopicPartition, MemberId, MemberId)> {
    let moves = owner.iter().flat_map(|(partition, from)| {
        load.keys().filter(|to| able(**to, partition)).map(move |to| (*partition, *from, *to))
    });
    let gap = |(_, from, to): &(TopicPartition, MemberId, MemberId)| load[from].saturating_sub(load[to]);
    moves.filter(|m| gap(m) >= 2).max_by_key(|m| (gap(m), m.0, std::cmp::Reverse(m.2)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipstream_schemas::Topic;

    use super::*;

    fn partitions(n: u32) -> BTreeSet<TopicPartition> {
        (0..n).map(|partition| TopicPartition { topic: Topic::RequestEvents, partition }).collect()
    }

    fn owners(groups: &Groups, members: &[MemberId]) -> Vec<Vec<u32>> {
        members.iter().map(|m| groups.owned("g", *m).keys().map(|p| p.partition).collect()).collect()
    }

    #[test]
    fn l5_members_share_evenly_and_what_can_stay_stays() {
        let groups = Groups::new(Signal::new());
        let a = groups.join("g", partitions(4), Share::Divided);
        assert_eq!(owners(&groups, &[a]), [vec![0, 1, 2, 3]]);
        let before = groups.owned("g", a);
        let b = groups.join("g", partitions(4), Share::Divided);
        assert_eq!(owners(&groups, &[a, b]), [vec![0, 1], vec![2, 3]]);
        assert!(groups.owned("g", a).iter().all(|(p, token)| before[p] == *token), "kept partitions keep their token");
        let moved = partitions(4).into_iter().next_back().unwrap();
        assert!(!groups.owns("g", moved, before[&moved]), "the old owner is fenced at once");
        groups.leave("g", a);
        assert_eq!(owners(&groups, &[a, b]), [vec![], vec![0, 1, 2, 3]]);
    }

    #[test]
    fn l5_the_whole_stays_with_one_member_and_moves_to_the_next() {
        let groups = Groups::new(Signal::new());
        let [a, b, c] = [(); 3].map(|()| groups.join("g", partitions(3), Share::Whole));
        let all = || vec![0, 1, 2];
        assert_eq!(owners(&groups, &[a, b, c]), [all(), vec![], vec![]]);
        let before = groups.owned("g", a);
        groups.leave("g", b);
        assert_eq!(groups.owned("g", a), before, "others that leave change nothing");
        groups.time_out("g", *before.keys().next().unwrap());
        assert!(before.iter().all(|(p, token)| !groups.owns("g", *p, *token)), "the old owner is fenced at once");
        assert_eq!(owners(&groups, &[c, a]), [all(), vec![]]);
        groups.leave("g", c);
        assert_eq!(owners(&groups, &[a]), [all()]);
    }

    #[test]
    fn l5_a_member_that_is_not_heard_of_loses_everything_until_it_asks_again() {
        let groups = Groups::new(Signal::new());
        let (a, b) = (groups.join("g", partitions(2), Share::Divided), groups.join("g", partitions(2), Share::Divided));
        let (partition, token) = groups.owned("g", a).into_iter().next().unwrap();
        groups.time_out("g", partition);
        assert!(!groups.owns("g", partition, token));
        assert_eq!(groups.owned("g", b).len(), 2);
        assert_eq!(groups.owned("g", a).len(), 1, "it asked");
        assert!(!groups.owns("g", partition, token), "what comes back comes with a new token");
    }

    #[test]
    fn l5_expelling_a_group_fences_every_owner() {
        let groups = Groups::new(Signal::new());
        let a = groups.join("g", partitions(2), Share::Divided);
        let before = groups.owned("g", a);
        groups.expel("g");
        assert!(before.iter().all(|(p, token)| !groups.owns("g", *p, *token)));
        assert_eq!(groups.owned("g", a).len(), 2);
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_and_loads_differ_by_one_at_most(
            n in 1u32..12,
            moves in prop::collection::vec((any::<bool>(), 0usize..8), 1..30),
        ) {
            let groups = Groups::new(Signal::new());
            let mut members = Vec::new();
            for (join, which) in moves {
                if join || members.is_empty() {
                    members.push(groups.join("g", partitions(n), Share::Divided));
                } else {
                    let gone = members.remove(which % members.len());
                    groups.leave("g", gone);
                }
                let owned = owners(&groups, &members);
                let mut all: Vec<u32> = owned.iter().flatten().copied().collect();
                all.sort_unstable();
                if !members.is_empty() {
                    prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
                    let loads = owned.iter().map(Vec::len);
                    prop_assert!(loads.clone().max().unwrap() - loads.min().unwrap() <= 1);
                }
            }
        }
    }
}
