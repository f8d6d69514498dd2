//! The command line as users and scripts meet it: help, exit codes, machine output, who owns a directory.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json as object};
use slipstream_testkit::process::Slipstream;
use support::{BINARY, arg, json, run, slipstream};

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop/slos.yaml");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands: [&[&str]; 30] = [
        &[],
        &["demo"],
        &["run"],
        &["import"],
        &["simulate"],
        &["slo"],
        &["slo", "validate"],
        &["slo", "test"],
        &["slo", "list"],
        &["slo", "status"],
        &["query"],
        &["query", "kpis"],
        &["query", "events"],
        &["query", "slos"],
        &["query", "alerts"],
        &["mark"],
        &["mark", "deploy"],
        &["mark", "config"],
        &["mark", "incident"],
        &["mark", "note"],
        &["mark", "list"],
        &["token"],
        &["token", "create"],
        &["token", "list"],
        &["token", "revoke"],
        &["topics"],
        &["topics", "ensure"],
        &["topics", "list"],
        &["doctor"],
        &["completions"],
    ];
    for command in commands {
        let output = run(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let help = text(&output.stdout);
        assert!(help.contains("Example") && help.contains("  slipstream "), "{command:?} has no example: {help}");
        // Also where a terminal is narrow, an example can be copied.
        let narrow = slipstream(&[command, &["--help"]].concat()).env("COLUMNS", "80").output().unwrap();
        let narrow = text(&narrow.stdout);
        let mut goes_on = false;
        for line in narrow.lines().skip_while(|line| !line.starts_with("Example")).skip(1) {
            if line.starts_with("  ") {
                let begins = line.starts_with("  slipstream ") || line.starts_with("  kubectl ");
                assert!(begins || goes_on, "{command:?}: {line}");
            }
            goes_on = line.ends_with(" \\");
        }
    }
}

#[test]
fn wrong_use_is_2_and_failure_is_1() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = empty.path().join("nothing");
    let file = empty.path().join("file");
    std::fs::write(&file, "").unwrap();
    let table: &[(&[&str], i32)] = &[
        (&["frobnicate"], 2),
        (&["import", "x.log"], 2),
        (&["import", "--format", "common", "x.log"], 2),
        (&["import", "--format", "combined", "--service", "", "x.log"], 2),
        (&["demo", "--for", "soon"], 2),
        (&["demo", "--rate", "0"], 2),
        (&["demo", "--rate", "-1"], 2),
        (&["simulate", "--rate", "nan", "--for", "1s"], 2),
        (&["simulate", "--rate", "inf", "--for", "1s"], 2),
        (&["simulate", "--rate", "1e12", "--for", "1s"], 2),
        (&["simulate", "--rate", "1", "--for", "0s"], 2),
        (&["simulate", "--rate", "1", "--for", "9000000h", "--fast"], 2),
        (&["simulate", "--rate", "1", "--for", "1s", "--slos", arg(&nothing), "--data", arg(&nothing)], 1),
        (&["simulate", "--rate", "1", "--for", "1s", "--data", arg(&file)], 1),
        (&["query", "kpis", "--data", arg(&file)], 1),
        (&["query", "kpis", "--data", arg(&nothing)], 1),
        (&["slo", "validate", arg(&nothing)], 1),
        (&["topics", "ensure", "--partitions", "request-event=3", "--log", "kafka://127.0.0.1:1"], 2),
        (&["topics", "ensure", "--partitions", "slo-definitions=2", "--log", "kafka://127.0.0.1:1"], 2),
        (&["topics", "list", "--log", "kafka://nobody"], 2),
        (&["topics", "list", "--data", arg(&nothing)], 2),
        (&["topics", "list", "--log", "sqlite:x"], 2),
        (&["topics", "ensure", "--log", "sqlite:x"], 2),
        (&["import", "--format", "json", "--latency-field", "last:s", "x"], 2),
        (&["import", "--format", "json", "--environment", "\u{1}", "x"], 2),
        (&["import", "--format", "json", "--log-level", "loud", "x"], 2),
        (&["query", "kpis", "--step", "1month"], 2),
        (&["query", "kpis", "--from", "yesterday"], 2),
        (&["query", "kpis", "--store", "mysql://me:secret@db"], 2),
        (&["doctor", "--data", arg(&nothing)], 1),
        (&["doctor", "--data", arg(&file)], 1),
        (&["import", "--format", "json", "--data", arg(&nothing), arg(&nothing)], 1),
    ];
    for (args, code) in table {
        let output = run(args);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {}", text(&output.stderr));
        // What is wrong with definitions is what `validate` was asked for.
        let told = if args.contains(&"validate") { &output.stdout } else { &output.stderr };
        assert!(!told.is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn what_a_value_should_look_like_is_said_in_our_own_words() {
    for (args, said) in [
        (["kpis", "--step", "1month"], "expected a duration from 1ms to 87840h, like 90s, 5m, 2h or 1d\n"),
        (["kpis", "--step", "1500ms"], "expected whole seconds, like 1s, 5m or 1d\n"),
        (["kpis", "--from", "yesterday"], "expected a time like 2026-11-29T00:00:00Z, found `yesterday`\n"),
        (["alerts", "--to", "2026-11-31"], "expected a time like 2026-11-29T00:00:00Z, found `2026-11-31`\n"),
    ] {
        let output = run(&[&["query"], &args[..]].concat());
        let told = text(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(said), "{args:?}: {told}");
    }
}

#[test]
fn an_address_of_a_gateway_that_is_none_is_told_without_its_password() {
    for (address, said) in [
        ("", "found ``"),
        ("foo", "found `foo`"),
        ("127.0.0.1:18480", "found `127.0.0.1:18480`"),
        ("ftp://x", "found `ftp://x`"),
        ("http://127.0.0.1:99999", "found `http://127.0.0.1:99999`"),
        ("http://u:s3cret@h h", "found `http://…@h h`"),
        ("http://u:s3cret", "found `http://u:…`"),
        ("http://h h/?token=s3cret", "found `http://h h/?…`"),
    ] {
        let output = run(&["import", "--format", "json", "--to", address, "x"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{address}: {told}");
        assert!(told.contains(&format!("--to: expected an address like http://host:8480, {said}\n")), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn a_gateway_that_cannot_be_reached_is_told_and_why() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("events.ndjson");
    std::fs::write(&file, "{}\n").unwrap();
    // Nothing listens there.
    let mut import = spawned(&["import", "--format", "json", "--to", "http://u:s3cret@127.0.0.1:1", arg(&file)]);
    let mut said = BufReader::new(import.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = said.find(|line| line.contains("retrying")).unwrap_or_default();
    interrupt(&import);
    let rest: Vec<String> = said.collect();
    assert_eq!(ended(&mut import), Some(130), "{line} {rest:?}");
    assert!(line.contains("the gateway cannot be reached") && line.contains("Connection refused"), "{line}");
    assert!(!line.contains("s3cret") && !rest.concat().contains("s3cret"), "{line} {rest:?}");
}

#[test]
fn nothing_is_acknowledged_where_nothing_was_written() {
    let home = tempfile::tempdir().unwrap();
    let output = run(&["import", "--format", "json", "--to", "http://127.0.0.1:1", arg(&home.path().join("missing"))]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("No such file"), "{said}");
    assert!(!said.contains("acknowledged"), "{said}");
}

#[test]
fn no_command_tells_a_password() {
    let home = tempfile::tempdir().unwrap();
    let data = arg(home.path());
    for args in [
        &["run", "--data", data, "--webhook", "http://u:s3cret@127.0.0.1:1/x y"][..],
        &["run", "--data", data, "--webhook", "http://u:s3cret@:99999/"],
        &["query", "kpis", "--store", "host=127.0.0.1 password=s3cret"],
        &["doctor", "--log", "kafka://127.0.0.1:9092?password=s3cret"],
    ] {
        let output = run(args);
        let told = text(&output.stderr) + &text(&output.stdout);
        assert!(output.status.code() == Some(2) && !told.contains("s3cret"), "{args:?}: {told}");
    }
}

#[test]
fn a_log_level_that_is_none_is_told_where_it_was_given() {
    let home = tempfile::tempdir().unwrap();
    let data = arg(home.path());
    for command in [&["run", "--data", data][..], &["import", "--format", "json", "--data", data, "x"]] {
        let output = slipstream(command).env("SLIPSTREAM_LOG_LEVEL", "loud").output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("SLIPSTREAM_LOG_LEVEL: "), "{command:?}: {said}");
        assert!(!said.contains("--log-level"), "{command:?}: {said}");
        let output = run(&[command, &["--log-level", "loud"]].concat());
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("--log-level: "), "{command:?}: {said}");
    }
}

#[test]
fn mistakes_in_the_configuration_and_in_definitions_are_told_at_once() {
    let home = tempfile::tempdir().unwrap();
    let (config, slos) = (home.path().join("slipstream.yaml"), home.path().join("slos.yaml"));
    let settings = "log: nowhere\nkafka: {properties: {sesion.timeout.ms: 1}}\ndrain: soon\ndrain: 1s\n\
        receivers: [{name: a, url: 'http://[::'}]\nslos: slos.yaml\n";
    std::fs::write(&config, settings).unwrap();
    std::fs::write(&slos, "kind: SLO\n").unwrap();
    let output = run(&["run", "--config", arg(&config), "--listen", "here"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for mistake in [
        "kafka.properties.sesion.timeout.ms",
        "`drain` is set twice",
        "found `soon`",
        "found `nowhere`",
        "`receivers.url`: expected an address like `https://host/path`, found `http://[::`",
        "--listen: `listen`",
        "slos.yaml:1:1",
    ] {
        assert!(said.contains(mistake), "{mistake}: {said}");
    }
}

#[test]
fn mistakes_beside_a_configuration_that_cannot_be_read_are_told_too() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let (none, slos, scenario) = (at("none.yaml"), at("slos.yaml"), at("scenario.yaml"));
    std::fs::write(&slos, "kind: SLO\n").unwrap();
    std::fs::write(&scenario, "services: 5\n").unwrap();
    let elsewhere = ["--config", arg(&none), "--slos", arg(&slos), "--log", "nowhere"];
    for (command, told) in [
        (&["run", "--listen", "here"][..], "--listen: `listen`"),
        (&["import", "--format", "json", "events.ndjson"], "slos.yaml:1:1"),
        (&["simulate", "--rate", "1", "--for", "1s", "--scenario", arg(&scenario)], "scenario.yaml"),
    ] {
        let output = run(&[command, &elsewhere].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        for mistake in [told, "none.yaml: reading the configuration: No such file", "slos.yaml:1:1", "found `nowhere`"]
        {
            assert!(said.contains(mistake), "{command:?}: {mistake}: {said}");
        }
    }
}

#[test]
fn a_role_that_is_none_is_told_with_the_other_mistakes() {
    let output = run(&["run", "--roles", "gateway,sinc", "--listen", "here"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for mistake in ["--roles: `roles`: unknown role `sinc`; did you mean `sink`?", "--listen: `listen`"] {
        assert!(said.contains(mistake), "{mistake}: {said}");
    }
    let help = text(&run(&["run", "--help"]).stdout);
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("gateway, tally, burn, sink, alerter, notifier, api"), "{help}");
}

#[test]
fn a_variable_that_nothing_reads_is_told_by_every_command() {
    let home = tempfile::tempdir().unwrap();
    for command in [&["query", "kpis"][..], &["query", "slos"], &["slo", "status"], &["topics", "list"], &["doctor"]] {
        let mut program = slipstream(&[command, &["--data", arg(home.path())]].concat());
        let output = program.env("SLIPSTREAM_DATTA", "x").env("SLIPSTREAM_SERVICE_HOST", "10.0.0.1").output().unwrap();
        let said = text(&output.stderr);
        let warning = "warning: SLIPSTREAM_DATTA: unknown variable, ignored; did you mean SLIPSTREAM_DATA?";
        assert!(said.contains(warning) && !said.contains("SERVICE_HOST"), "{command:?}: {said}");
    }
}

#[test]
fn a_variable_that_nothing_reads_is_told_with_the_mistakes() {
    for command in ["run", "doctor"] {
        let output = slipstream(&[command, "--log", "nowhere"]).env("SLIPSTREAM_STOER", "x").output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        let warning = "warning: SLIPSTREAM_STOER: unknown variable, ignored; did you mean SLIPSTREAM_STORE?";
        assert!(said.contains("found `nowhere`") && said.contains(warning), "{command}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_may_hold_any_bytes_unless_it_is_ours() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let home = tempfile::tempdir().unwrap();
    let odd = OsStr::from_bytes(b"\xff");
    let nothing = home.path().join("nothing");
    let args = ["query", "kpis", "--data", arg(&nothing)];
    let output = slipstream(&args).env("FOO", odd).env(odd, "x").output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && !said.contains("FOO"), "{said}");
    for command in [&args[..], &["run", "--data", arg(home.path())]] {
        let output = slipstream(command).env("SLIPSTREAM_STORE", odd).output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("SLIPSTREAM_STORE: its value is not UTF-8"), "{said}");
    }
    let output = slipstream(&args).env(OsStr::from_bytes(b"SLIPSTREAM_DAT\xff"), "x").output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("unknown variable, ignored"), "{said}");
}

#[test]
fn what_failed_has_no_next() {
    let home = tempfile::tempdir().unwrap();
    let (data, missing) = (home.path().join("data"), home.path().join("missing"));
    let output = run(&["import", "--format", "json", "--data", arg(&data), arg(&missing)]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && !said.contains("next:"), "{said}");
}

#[test]
fn what_is_wrong_with_a_directory_is_told_by_name() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = run(&["doctor", "--data", arg(&file)]);
    let said = text(&output.stdout);
    assert!(said.contains("a file, not a directory"), "{said}");
    for (name, store) in [("junk", &b"no database at all, whatever its name says"[..]), ("empty", b"")] {
        let data = home.path().join(name);
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("store.db"), store).unwrap();
        let output = run(&["query", "kpis", "--data", arg(&data)]);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("store.db"), "{name}: {said}");
    }
}

#[test]
fn completions_are_made_for_the_usual_shells() {
    let roles = "gateway tally burn sink alerter notifier";
    // fish separates them by line ends, each with a description, here an empty one.
    let for_fish = roles.replace(' ', "\\t''\n");
    for (shell, roles) in [("bash", roles), ("zsh", roles), ("fish", for_fish.as_str())] {
        let output = run(&["completions", shell]);
        let script = text(&output.stdout);
        assert!(output.status.success() && script.contains("slipstream"), "{shell}");
        assert!(script.contains(roles), "{shell}: the values of --roles: {script}");
    }
}

#[test]
fn validate_answers_with_places_and_codes() {
    let valid = json(&["slo", "validate", "--json", SHOP]);
    assert_eq!(valid["valid"], true);
    let next = text(&run(&["slo", "validate", SHOP]).stderr);
    assert!(next.contains(&format!("slipstream run --slos {SHOP}")), "{next}");
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("wrong.yaml");
    let wrong = std::fs::read_to_string(SHOP).unwrap().replacen("target: 0.995", "target: 1.5", 1);
    std::fs::write(&file, wrong.replacen("status_code < 500", "status_cod < 500", 1)).unwrap();
    let output = run(&["slo", "validate", "--json", arg(&file)]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["valid"], false);
    let diagnostics = answer["diagnostics"].as_array().unwrap();
    assert_eq!(diagnostics.iter().filter(|d| d["severity"] == "error").count(), 2, "both at once: {answer:#}");
    for diagnostic in diagnostics {
        for key in ["file", "line", "column", "severity", "code", "message"] {
            assert!(diagnostic.get(key).is_some(), "no {key} in {diagnostic}");
        }
    }
    let human = run(&["slo", "validate", arg(&file)]);
    assert!(text(&human.stdout).contains("status_cod"), "{}", text(&human.stdout));
}

fn simulated(data: &Path) {
    let args = ["simulate", "--rate", "50", "--for", "10m", "--seed", "3", "--fast", "--slos", SHOP, "--json"];
    let report = json(&[&args[..], &["--data", arg(data)]].concat());
    assert!(report["events"].as_u64().unwrap() > 10_000);
}

#[test]
fn the_doctor_looks_at_an_embedded_installation() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path();
    let examine = || {
        let output = run(&["doctor", "--json", "--data", arg(data)]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors = report["findings"].as_array().unwrap().iter().filter(|f| f["severity"] == "error").cloned();
        (output.status.code(), errors.collect::<Vec<Value>>())
    };
    simulated(data);
    assert_eq!(examine(), (Some(0), Vec::new()));
    let human = text(&run(&["doctor", "--data", arg(data)]).stdout);
    assert!(human.contains("ok     store") && human.contains("warn   owner: no process is using"), "{human}");

    let store = data.join("store.db");
    let mut bytes = std::fs::read(&store).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16_384].fill(0xA5);
    std::fs::write(&store, bytes).unwrap();
    let (code, errors) = examine();
    assert_eq!((code, errors.len()), (Some(1), 1), "{errors:?}");
    assert!(errors[0]["message"].as_str().unwrap().contains("store.db is damaged"), "{errors:?}");
    assert!(errors[0]["todo"].as_str().unwrap().contains("backup"), "{errors:?}");
}

#[test]
fn machine_output_is_the_contract() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path();
    simulated(data);
    let query = |args: &[&str]| json(&[&["query"], args, &["--json", "--data", arg(data)]].concat());

    let total = query(&["kpis"]);
    let kpis = [
        "from",
        "to",
        "hits",
        "errors",
        "error_rate",
        "avg_latency_ms",
        "p50_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
        "max_latency_ms",
        "source",
    ];
    kpis.iter().for_each(|key| assert!(total.get(key).is_some(), "no {key} in {total}"));
    for by in ["service", "endpoint", "method", "status_code"] {
        let rows = query(&["kpis", "--by", by]);
        let rows = rows["rows"].as_array().unwrap();
        let hits: u64 = rows.iter().map(|row| row["hits"].as_u64().unwrap()).sum();
        assert_eq!(Some(hits), total["hits"].as_u64(), "by {by}");
        assert!(rows.iter().all(|row| row.get(by).is_some()), "by {by}");
    }
    let steps = query(&["kpis", "--step", "1m"]);
    assert!(steps["rows"].as_array().unwrap().iter().all(|row| row["start"].is_string()));

    let mut seen = 0;
    let mut after: Option<String> = None;
    loop {
        let mut args = vec!["events", "--limit", "10000"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let page = query(&args);
        seen += page["events"].as_array().unwrap().len() as u64;
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(Some(seen), total["hits"].as_u64(), "paging shows every event once");
    let first = &query(&["events", "--limit", "1"])["events"][0];
    let mut fields = keys(first);
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "attributes",
            "endpoint",
            "environment",
            "event_id",
            "latency_ms",
            "log_time",
            "method",
            "service",
            "status_code",
            "time",
            "trace_id",
            "user_ref",
            "weight"
        ]
    );

    let slos = query(&["slos"]);
    let slos = slos["slos"].as_array().unwrap();
    let payment = slos.iter().find(|slo| slo["name"] == "payment-availability").unwrap();
    for key in [
        "name",
        "service",
        "objective",
        "target",
        "window",
        "sli",
        "budget_remaining",
        "burn_rates",
        "exhaustion_at",
        "good",
        "total",
        "as_of",
        "complete",
    ] {
        assert!(payment.get(key).is_some(), "no {key} in {payment}");
    }
    let hits = query(&["kpis", "--service", "payment"]);
    assert_eq!(payment["total"], hits["hits"], "the SLO counts what the store holds");
    assert_eq!(payment["good"].as_u64().unwrap(), hits["hits"].as_u64().unwrap() - hits["errors"].as_u64().unwrap());
    assert_eq!(query(&["alerts"]), object!({"alerts": []}), "normal traffic alerts nobody");
    let listed = json(&["slo", "list", "--json", "--data", arg(data)]);
    assert_eq!(listed["slos"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_one_owner_and_others_may_look() {
    let mut process = Slipstream::new(BINARY).unwrap();
    process.start().await.unwrap();
    let client = reqwest_client();
    let event =
        object!({"time": "2026-01-31T09:30:00Z", "service": "s", "endpoint": "/", "method": "GET", "status_code": 200});
    let body = object!({"events": [event, {"service": "s"}]});
    let url = format!("{}/v1/events", process.gateway());
    let mixed: Value = client.post(&url).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!((&mixed["inserted"], &mixed["rejected"]), (&object!(1), &object!(1)), "{mixed}");
    assert_eq!(mixed["errors"][0]["index"], 1);
    let strict = client.post(format!("{url}?strict=true")).json(&body).send().await.unwrap();
    assert!(strict.status().is_client_error());
    let strict: Value = strict.json().await.unwrap();
    assert_eq!(strict["inserted"], 0, "{strict}");

    let data = process.data();
    let second = run(&["simulate", "--rate", "1", "--for", "1s", "--data", arg(&data)]);
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains(&process.id().unwrap().to_string()), "the owner's process id is told: {said}");

    let deadline = Instant::now() + Duration::from_secs(20);
    while json(&["query", "kpis", "--json", "--data", arg(&data)])["hits"] != 1 {
        assert!(Instant::now() < deadline, "the event is not stored: {}", process.stderr());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(process.stop().await.unwrap().success());
    assert_eq!(json(&["query", "kpis", "--json", "--data", arg(&data)])["hits"], 1, "after a stop too");
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn spawned(args: &[&str]) -> Child {
    slipstream(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    signal(child, "-INT");
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// The exit code, or none when the process did not end within 30 s; it is killed then.
fn ended(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    None
}

#[test]
fn a_port_that_the_system_chose_is_told() {
    let home = tempfile::tempdir().unwrap();
    let anywhere =
        ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--drain", "0s"];
    let mut process = spawned(&[&["run", "--data", arg(home.path())], &anywhere[..]].concat());
    let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut told = Vec::new();
    for line in said.by_ref() {
        told.push(line.unwrap());
        if told.last().unwrap().starts_with("  health ") {
            break;
        }
    }
    interrupt(&process);
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(ended(&mut process), Some(0), "{told:#?} {rest:#?}");
    for place in ["  events   POST http://127.0.0.1:", "  health   http://127.0.0.1:"] {
        let line = told.iter().find(|line| line.starts_with(place)).unwrap_or_else(|| panic!("{place}: {told:#?}"));
        assert!(!line.contains(":0/"), "{line}");
    }
}

#[test]
fn an_interrupt_ends_the_demo_with_its_summary() {
    let mut demo = spawned(&["demo", "--headless", "--json"]);
    let mut said = BufReader::new(demo.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("stored")), "the demo shows a status");
    interrupt(&demo);
    // Its pipe is read to the end, so that it never waits for a reader.
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(ended(&mut demo), Some(0), "{rest:#?}");
    let report: Value = serde_json::from_reader(demo.stdout.take().unwrap()).unwrap();
    assert!(report["events_accepted"].as_u64().unwrap() > 10_000, "{report}");
    assert_eq!(report["events_accepted"], report["events_stored"], "all that was accepted is stored: {report}");
}

#[test]
fn an_interrupted_simulation_keeps_what_it_made_and_says_so() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let home = tempfile::tempdir().unwrap();
        let data = arg(home.path());
        let mut simulate = spawned(&["simulate", "--rate", "200", "--for", "10m", "--json", "--data", data]);
        let hits = || {
            let output = run(&["query", "kpis", "--json", "--data", data]);
            serde_json::from_slice::<Value>(&output.stdout).map_or(0, |kpis| kpis["hits"].as_u64().unwrap())
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while hits() == 0 {
            assert!(Instant::now() < deadline, "nothing is stored");
            std::thread::sleep(Duration::from_millis(50));
        }
        signal(&simulate, name);
        assert_eq!(ended(&mut simulate), Some(code), "{name}");
        let mut said = String::new();
        simulate.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains(&format!("interrupted after {} events", hits())), "{name}: {said}");
    }
}

#[test]
fn a_read_that_blocks_does_not_keep_an_interrupted_process() {
    let home = tempfile::tempdir().unwrap();
    let (data, fifo) = (home.path().join("data"), home.path().join("fifo"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut import = spawned(&["import", "--format", "json", "--data", arg(&data), arg(&fifo)]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !run(&["query", "kpis", "--data", arg(&data)]).status.success() {
        assert!(Instant::now() < deadline, "the import does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    interrupt(&import);
    assert_eq!(ended(&mut import), Some(130), "it ends although nobody ever writes to its file");
}

#[test]
fn a_file_that_cannot_be_read_does_not_keep_the_others_out() {
    let home = tempfile::tempdir().unwrap();
    let (data, missing) = (home.path().join("data"), home.path().join("missing.log"));
    let logs = ["a.log", "b.log"].map(|name| home.path().join(name));
    for (second, log) in logs.iter().enumerate() {
        let line = format!("127.0.0.1 - - [31/Jan/2026:09:30:0{second} +0000] \"GET / HTTP/1.1\" 200 5\n");
        std::fs::write(log, line).unwrap();
    }
    let args = ["import", "--format", "common", "--service", "web", "--json", "--data", arg(&data)];
    let output = run(&[&args[..], &[arg(&logs[0]), arg(&missing), arg(&logs[1])]].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert_eq!(said.matches("No such file").count(), 1, "said once: {said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["events"], 2, "{report}");
    let failed: Vec<bool> =
        report["files"].as_array().unwrap().iter().map(|file| file.get("error").is_some()).collect();
    assert_eq!(failed, [false, true, false], "{report}");
    assert_eq!(json(&["query", "kpis", "--json", "--data", arg(&data)])["hits"], 2);
}

#[test]
fn a_command_that_ends_does_not_say_that_it_tries_again() {
    let home = tempfile::tempdir().unwrap();
    // Nothing listens there.
    let nowhere = "postgres://127.0.0.1:1/none";
    for command in [&["query", "kpis"][..], &["query", "events"], &["query", "alerts"]] {
        let output = run(&[command, &["--data", arg(home.path()), "--store", nowhere]].concat());
        let said = text(&output.stderr).to_lowercase();
        assert!(output.status.code() == Some(1) && said.contains("127.0.0.1:1"), "{command:?}: {said}");
        for promise in ["tried again", "trying again", "retrying", "will retry"] {
            assert!(!said.contains(promise), "{command:?}: {said}");
        }
    }
}
