//! Work that many threads share, and one step of which has to be done in order.

use std::sync::{Condvar, Mutex, PoisonError};

/// A value that is passed from one piece of work to the next, in the order of their numbers.
#[derive(Debug)]
pub struct Turns<T> {
    state: Mutex<State<T>>,
    moved: Condvar,
}

#[derive(Debug)]
struct State<T> {
    next: u64,
    broken: bool,
    value: T,
}

impl<T> Turns<T> {
    /// Number 0 is next.
    pub fn new(value: T) -> Turns<T> {
        Turns { state: Mutex::new(State { next: 0, broken: false, value }), moved: Condvar::new() }
    }

    /// Waits until it is this number's turn and does its work; `None` if the work was given up.
    pub fn take<R>(&self, number: u64, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.next != number && !state.broken {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.broken {
            return None;
        }
        let done = work(&mut state.value);
        state.next += 1;
        drop(state);
        self.moved.notify_all();
        Some(done)
    }

    /// Nobody waits any longer.
    pub fn give_up(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).broken = true;
        self.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn each_number_has_its_turn_in_order_whoever_comes_first() {
        let turns = Turns::new(Vec::new());
        thread::scope(|scope| {
            for number in (0..20).rev() {
                let turns = &turns;
                scope.spawn(move || turns.take(number, |done| done.push(number)));
            }
        });
        assert_eq!(turns.take(20, |done| done.clone()), Some((0..20).collect()));
    }

    #[test]
    fn nobody_waits_for_a_turn_that_was_given_up() {
        let turns = Turns::new(0);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.take(7, |_| ()));
            turns.give_up();
            assert_eq!(waiting.join().ok(), Some(None));
        });
    }
}
