//! Real logs with known totals, embedded: `make test-real DATA=DIR`.

mod real_files;
mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use real_files::{CASES, Place, check, check_tallied, data, events, kpis, slos};
use serde_json::Value;
use support::{arg, run, slipstream};

/// The flags of an installation in a directory.
fn embedded(dir: &Path) -> [&str; 2] {
    ["--data", arg(dir)]
}

#[test]
fn each_file_gives_its_known_totals_and_a_second_import_adds_nothing() {
    for case in &CASES {
        let (dir, facts) = (tempfile::tempdir().unwrap(), case.facts());
        let flags = embedded(dir.path());
        let place = Place(&flags);
        let first = case.import(place, &[]);
        assert_eq!(first["rejected"], 0, "{}", case.file);
        check(place, &facts);
        let second = case.import(place, &[]);
        assert_eq!(second["events"], 0, "{}: a second import adds nothing", case.file);
        assert_eq!(second["files"][0]["already_imported"], facts["lines"], "{}", case.file);
        check(place, &facts);
        println!("{}: {} events, as known", case.file, events(&facts));
    }
}

#[test]
fn what_is_tallied_is_what_is_known() {
    let (dir, case) = (tempfile::tempdir().unwrap(), &CASES[0]);
    let flags = embedded(dir.path());
    let place = Place(&flags);
    case.import(place, &["--shift-to-now", "--slos", arg(&slos())]);
    check_tallied(place, &case.facts());
}

#[test]
fn an_import_that_is_killed_again_and_again_continues() {
    let case = &CASES[0];
    let (dir, facts) = (tempfile::tempdir().unwrap(), case.facts());
    let flags = embedded(dir.path());
    let args = case.arguments(Place(&flags), &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut kills = 0;
    for after in (1..).map(|n| Duration::from_millis(60 + 35 * n)) {
        let mut child = slipstream(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + after;
        let ended = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() >= deadline => break None,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        match ended {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
        }
    }
    assert!(kills >= 3, "only {kills} kills hit a running import");
    check(Place(&flags), &facts);
    println!("{kills} kills, {} events, as known", events(&facts));
}

#[test]
fn lines_that_are_no_requests_are_told_by_number_and_stop_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mixed.log");
    let good = std::fs::read(data().join(CASES[2].file)).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(good.as_slice()), &mut text).unwrap();
    let mut lines: Vec<&str> = text.lines().take(100).collect();
    lines.insert(7, "this is no request");
    lines.insert(50, "host - - [not a time] \"GET / HTTP/1.0\" 200 1");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let store = dir.path().join("data");
    let args = ["import", "--format", "common", "--service", "www", "--json", "--data", arg(&store), arg(&file)];
    let output = run(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["events"].as_u64(), report["rejected"].as_u64()), (Some(100), Some(2)));
    for line in ["mixed.log:8:", "mixed.log:51:"] {
        assert!(said.contains(line), "no {line} in: {said}");
    }
    assert_eq!(kpis(Place(&embedded(&store)), &[])["hits"], 100);
}
