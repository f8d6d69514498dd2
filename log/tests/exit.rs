//! A process with TLS ends with its exit code, also if threads that used OpenSSL end at the same moment.

#![allow(clippy::unwrap_used, reason = "a failed test says where")]

use std::process::Command;
use std::sync::{Arc, Barrier};

/// Set in the process that ends.
const CHILD: &str = "SLIPSTREAM_TEST_EXIT";
/// An exit code that nothing else has.
const CODE: i32 = 42;
const THREADS: usize = 200;
const PROCESSES: usize = 20;

#[allow(unsafe_code, reason = "OpenSSL's C interface")]
fn use_openssl() {
    let mut random = [0; 16];
    // SAFETY: the buffer has as many bytes as are asked for.
    assert_eq!(unsafe { openssl_sys::RAND_bytes(random.as_mut_ptr(), 16) }, 1);
}

/// The end of the process, while many threads end.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    slipstream_log::kafka::keep_openssl();
    let together = Arc::new(Barrier::new(THREADS + 1));
    for _ in 0..THREADS {
        let together = Arc::clone(&together);
        let end = move || {
            use_openssl();
            together.wait();
        };
        // Not joined: that some of them end after the exit handlers is the point.
        std::thread::Builder::new().name("openssl".to_owned()).spawn(end).unwrap();
    }
    together.wait();
    std::process::exit(CODE);
}

#[test]
fn threads_that_end_with_the_process_do_no_harm() {
    for _ in 0..PROCESSES {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--test-threads=1", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(CODE), "{:?}: {said}", output.status);
    }
}
