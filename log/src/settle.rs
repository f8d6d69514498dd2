//! Bringing a decided step to its end (L6): the same value is sent until it is known to be in the log or to be lost.

use std::time::Duration;

use crate::port::{Advance, CommitError, Consumer, LogError, Position, Step, StepFate, TopicPartition};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Commits `step` and resolves when its fate is known (L6). An aborted commit sends the same value again, with pauses
/// that grow to a second; a commit in doubt reads the committed positions first. It never gives up: a caller
/// that is shutting down races it against its shutdown and drops the step, which the next owner decides again from the
/// committed positions.
pub async fn settle(consumer: &mut dyn Consumer, step: &Step) -> Result<StepFate, LogError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match consumer.commit(step).await {
            Ok(()) => return Ok(StepFate::Done),
            // Refused: nothing of it is in the log.
            Err(CommitError::Lost(partitions)) => return Ok(StepFate::Lost { partitions, others_done: false }),
            Err(CommitError::Fatal(cause)) => {
                return Err(LogError::Fatal { doing: "committing a step".to_owned(), cause });
            }
            Err(CommitError::Aborted(cause)) => {
                tracing::warn!(%cause, ?pause, "commit aborted; the same step is sent again");
            }
            Err(CommitError::InDoubt(cause)) => {
                tracing::warn!(%cause, "commit in doubt; reading the committed positions");
                // Sending it again without looking could store it twice (L2).
                if let Some(settled) = resolve(consumer, step).await? {
                    return Ok(settled);
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What the committed positions say of a step in doubt; `None` if it is not in the log and must be sent again.
async fn resolve(consumer: &mut dyn Consumer, step: &Step) -> Result<Option<StepFate>, LogError> {
    let mut at = Vec::with_capacity(step.positions.len());
    for advance in &step.positions {
        at.push(committed(consumer, advance.partition).await?);
    }
    Ok(judge(&step.positions, &at))
}

/// At every `to`: done. At every `from`: to be sent again. Anywhere else: lost; as all positions of a step move at once, the
/// others tell whether it was in the log before that.
fn judge(advances: &[Advance], at: &[Option<Position>]) -> Option<StepFate> {
    let pairs = || advances.iter().zip(at);
    let elsewhere = |(a, p): &(&Advance, &Option<Position>)| p.is_some_and(|p| p != a.from && p != a.to);
    // A position that this step does not move proves nothing.
    let others_done = pairs().filter(|pair| !elsewhere(pair)).any(|(a, p)| a.from != a.to && *p == Some(a.to));
    let partitions: Vec<TopicPartition> = pairs().filter(elsewhere).map(|(a, _)| a.partition).collect();
    match (partitions.is_empty(), others_done) {
        (false, _) => Some(StepFate::Lost { partitions, others_done }),
        (true, true) => Some(StepFate::Done),
        (true, false) => None,
    }
}

async fn committed(consumer: &mut dyn Consumer, partition: TopicPartition) -> Result<Option<Position>, LogError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match consumer.committed(partition).await {
            Err(error @ (LogError::Busy | LogError::Transient { .. })) => {
                tracing::warn!(%error, %partition, "reading the committed position failed; retrying");
            }
            answer => return answer,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::{LogTime, Topic};

    use super::*;

    fn at(offset: i64, time: i64) -> Position {
        Position { offset, log_time: LogTime(time) }
    }

    fn advance(partition: u32, from: Position, to: Position) -> Advance {
        Advance { partition: TopicPartition { topic: Topic::RequestEvents, partition }, from, to }
    }

    #[test]
    fn l6_a_step_in_doubt_is_judged_by_the_committed_positions() {
        let step = [advance(0, at(3, 10), at(5, 12)), advance(1, at(7, 10), at(7, 11))];
        let lost = |partitions: &[usize], others_done| {
            let partitions = partitions.iter().map(|i| step[*i].partition).collect();
            Some(StepFate::Lost { partitions, others_done })
        };
        for (name, committed, want) in [
            ("at to", [Some(at(5, 12)), Some(at(7, 11))], Some(StepFate::Done)),
            ("at from", [Some(at(3, 10)), Some(at(7, 10))], None),
            ("never committed", [None, None], None),
            ("one went on without us", [Some(at(9, 20)), Some(at(7, 10))], lost(&[0], false)),
            ("one went on from what we did", [Some(at(9, 20)), Some(at(7, 11))], lost(&[0], true)),
            ("both went on", [Some(at(9, 20)), Some(at(8, 30))], lost(&[0, 1], false)),
            ("only the stamp moved", [Some(at(3, 10)), Some(at(7, 15))], lost(&[1], false)),
        ] {
            assert_eq!(judge(&step, &committed), want, "{name}");
        }
    }
}
