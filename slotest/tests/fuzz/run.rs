//! Runs inputs on a small stack, with a deadline for each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::chance::Chance;

/// The stack of a runtime's worker.
const STACK: usize = 2 << 20;
/// What an input may take, however busy the machine is: they need milliseconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long to go on.
#[derive(Clone, Copy)]
enum Until {
    /// So many inputs.
    Count(u64),
    /// So long.
    Time(Duration),
}

/// What became of an input.
enum Report {
    Begun(String),
    Panicked(String),
    Done(u64),
}

/// Gives inputs of `make` to `target`: `count` of them, or for as long as SLIPSTREAM_FUZZ_FOR says.
pub fn fuzz(name: &'static str, count: u64, make: fn(&mut Chance) -> String, target: fn(&str)) {
    let until = std::env::var("SLIPSTREAM_FUZZ_FOR").ok().filter(|text| !text.is_empty());
    let until = until.map_or(Until::Count(count), |text| Until::Time(duration(&text)));
    let seed = std::env::var("SLIPSTREAM_FUZZ_SEED").ok().filter(|text| !text.is_empty());
    let seed = seed.map_or(1, |text| text.parse().expect("SLIPSTREAM_FUZZ_SEED is a whole number"));
    let (tell, told) = mpsc::channel();
    let worker = thread::Builder::new().name(format!("fuzz-{name}")).stack_size(STACK);
    let worker = worker.spawn(move || all(name, seed, until, make, target, &tell)).unwrap();
    let mut input = String::new();
    loop {
        match told.recv_timeout(DEADLINE) {
            Ok(Report::Begun(next)) => input = next,
            Ok(Report::Panicked(message)) => panic!("{name}, seed {seed}: {message}; the input:\n{input}"),
            Ok(Report::Done(inputs)) => {
                eprintln!("{name}: {inputs} inputs from seed {seed}");
                break;
            }
            Err(RecvTimeoutError::Timeout) => {
                panic!("{name}, seed {seed}: no answer in {DEADLINE:?}; the input:\n{input}")
            }
            Err(RecvTimeoutError::Disconnected) => panic!("{name}, seed {seed}: the worker ended; the input:\n{input}"),
        }
    }
    worker.join().unwrap();
}

fn all(
    name: &str,
    seed: u64,
    until: Until,
    make: fn(&mut Chance) -> String,
    target: fn(&str),
    tell: &mpsc::Sender<Report>,
) {
    let began = Instant::now();
    let kept = last_input(name);
    let mut number = 0;
    while match until {
        Until::Count(count) => number < count,
        Until::Time(time) => began.elapsed() < time,
    } {
        let input = make(&mut Chance::of(seed, number));
        // A stack overflow ends the process: the input that did it is in this file then.
        std::fs::write(&kept, &input).unwrap();
        let _ = tell.send(Report::Begun(input.clone()));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
            let _ = tell.send(Report::Panicked(format!("input {number} (in {}): {said}", kept.display())));
            return;
        }
        number += 1;
    }
    let _ = std::fs::remove_file(kept);
    let _ = tell.send(Report::Done(number));
}

fn last_input(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{}.txt", std::process::id()))
}

/// `90s`, `10m`, `2h`.
fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => panic!("SLIPSTREAM_FUZZ_FOR is a duration such as 60s or 10m, not {text}"),
    };
    Duration::from_secs(number.parse::<u64>().expect("SLIPSTREAM_FUZZ_FOR is a duration such as 60s") * seconds)
}
