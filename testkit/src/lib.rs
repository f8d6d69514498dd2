//! For tests that run the real thing: the built binary as a process that can be killed, a receiver of webhooks that can
//! be made to fail, and recounts that share no code with what they check.

pub mod faults;
pub mod hooked;
#[cfg(target_os = "linux")]
pub mod locks;
pub mod process;
pub mod recount;
pub mod replays;
pub mod services;
pub mod tools;
pub mod verdict;
pub mod webhook;
