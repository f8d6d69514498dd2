//! Steps of a member, and what happens to its partitions when one is refused (L5, L6).

use rdkafka::consumer::Consumer as _;
use slipstream_schemas::Cause;

use super::{Held, Member, State};
use crate::kafka::blocking::blocking;
use crate::kafka::native;
use crate::kafka::positions::list_of;
use crate::kafka::transactions::{Failure, Moves};
use crate::port::{Advance, CommitError, LogError, Step, TopicPartition};

impl Member {
    /// What is wrong with a step, before it is sent.
    pub(super) fn check(&self, step: &Step) -> Result<(), CommitError> {
        crate::port::well_formed(step.positions.iter().copied()).map_err(|why| CommitError::Fatal(why.into()))?;
        let ours = |a: &Advance| matches!(self.held.get(&a.partition), Some(Held { state: State::Told(at), .. }) if at.is_none_or(|p| p == a.from));
        let lost: Vec<TopicPartition> = step.positions.iter().filter(|a| !ours(a)).map(|a| a.partition).collect();
        if lost.is_empty() { Ok(()) } else { Err(CommitError::Lost(lost)) }
    }

    pub(super) async fn transact(&mut self, step: &Step) -> Result<(), Failure> {
        let names = self.shared.names.clone();
        let group = self.consumer.group_metadata();
        // Without a generation the broker would accept offsets from anyone (KIP-447 allows it).
        let (Some(group), true) = (group, native::generation(&self.consumer) >= 0) else {
            return Err(Failure::NotAMember("this process is not a member of the group".into()));
        };
        let offsets =
            list_of(&names, self.identity.ids(), &step.positions).map_err(|e| Failure::Fatal(Cause::of(e)))?;
        let outputs = self.shared.place(&step.outputs, self.commits).await.map_err(|e| match e {
            LogError::Fatal { .. } => Failure::Fatal(Cause::of(e)),
            _ => Failure::Aborted(Cause::of(e)),
        })?;
        self.commits = self.commits.wrapping_add(1);
        let fault = self.shared.options.faults.next_commit(&self.group);
        let Some(mut transactions) = self.transactions.take() else {
            return Err(Failure::Fatal("a commit was cancelled half way; this member can no longer commit".into()));
        };
        let moves = Moves { offsets, group };
        let (transactions, result) = blocking(move || {
            let result = transactions.run(&outputs, Some(&moves), fault);
            (transactions, result)
        })
        .await;
        self.transactions = Some(transactions);
        result.map(|_| ())
    }

    pub(super) fn refused(&mut self, step: &Step, failure: Failure) -> CommitError {
        let all = || step.positions.iter().map(|a| a.partition).collect();
        match failure {
            Failure::Aborted(cause) | Failure::Fenced(cause) => {
                // The group decides whether the partitions are still ours.
                self.pump();
                let lost: Vec<TopicPartition> =
                    step.positions.iter().map(|a| a.partition).filter(|p| !self.held.contains_key(p)).collect();
                if lost.is_empty() { CommitError::Aborted(cause) } else { CommitError::Lost(lost) }
            }
            Failure::InDoubt(cause) => {
                self.in_doubt = true;
                CommitError::InDoubt(cause)
            }
            Failure::NotAMember(cause) => {
                tracing::warn!(
                    cause = cause.text(),
                    group = self.group,
                    "expelled from the group; partitions will be assigned again"
                );
                self.expelled();
                CommitError::Lost(all())
            }
            Failure::Fatal(cause) => CommitError::Fatal(cause),
        }
    }

    /// A new producer of the same name fences the old one: when it is ready, what was in doubt is committed or aborted.
    pub(super) async fn decide_doubt(&mut self) -> Result<(), LogError> {
        let Some(mut transactions) = self.transactions.take() else { return Ok(()) };
        let (transactions, ready) = blocking(move || {
            let ready = transactions.ready();
            (transactions, ready)
        })
        .await;
        self.transactions = Some(transactions);
        ready.map_err(|failure| {
            let doing = "resolving a transaction in doubt".to_owned();
            match failure {
                Failure::Fatal(cause) => LogError::Fatal { doing, cause },
                other => LogError::Transient { doing, cause: format!("{other:?}").into() },
            }
        })?;
        self.in_doubt = false;
        Ok(())
    }
}
