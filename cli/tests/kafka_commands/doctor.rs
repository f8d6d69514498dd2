//! What the doctor says of healthy and of misconfigured installations.

use serde_json::Value;
use slipstream_schemas::Topic;
use slipstream_testkit::services::{self, SecuredKafka};

use crate::place::{Place, text};

/// Findings of a severity, by check: message and what to do.
fn of<'a>(report: &'a Value, severity: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let field = |f: &'a Value, name: &str| f[name].as_str().unwrap_or_default();
    let findings = report["findings"].as_array().unwrap().iter().filter(|f| f["severity"] == severity);
    findings.map(|f| (field(f, "check"), field(f, "message"), field(f, "todo"))).collect()
}

#[tokio::test]
async fn a_healthy_installation_has_no_errors() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    let mut process = place.process("gateway,tally,burn,sink,alerter,notifier").with(["--slos", SHOP]);
    process.start().await.unwrap_or_else(|error| panic!("{error:#}"));
    let report = place.json(&["doctor"], 0).await;
    assert_eq!((&report["errors"], of(&report, "error").len()), (&0.into(), 0), "{report:#}");
    let fine = of(&report, "ok");
    for check in
        ["topics", "settings", "definitions", "clock of the broker", "database", "rights", "role tally", "role sink"]
    {
        assert!(fine.iter().any(|(found, ..)| *found == check), "{check} is not fine: {report:#}");
    }
    process.stop().await.unwrap();
    let stopped = place.json(&["doctor"], 0).await;
    let idle = of(&stopped, "warn").into_iter().find(|(check, ..)| *check == "role tally");
    let (_, message, todo) = idle.unwrap_or_else(|| panic!("{stopped:#}"));
    assert!(message.contains("no process runs it") && todo.contains("--roles tally"), "{message} {todo}");
}

#[tokio::test]
async fn a_misconfigured_installation_says_what_to_do() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    place.alter(Topic::RequestEvents, "retention.ms", "60000").await;
    place.alter(Topic::BurnSnapshots, "cleanup.policy", "delete").await;
    place.delete(Topic::Alerts).await;
    place.configure(&format!("store: {}\n", place.wrong_password("wr0ng-s3cret")));

    let report = place.json(&["doctor"], 1).await;
    let errors = of(&report, "error");
    for (check, message, todo) in [
        (place.topic(Topic::RequestEvents), "keeps producers' timestamps", "message.timestamp.type=LogAppendTime"),
        (place.topic(Topic::RequestEvents), "retention.ms=60000", "retention.ms=604800000"),
        (place.topic(Topic::BurnSnapshots), "cleanup.policy=delete", "cleanup.policy=compact"),
        (place.topic(Topic::Alerts), "is missing", "slipstream topics ensure"),
    ] {
        let check = format!("topic {check}");
        let found = errors.iter().any(|(c, m, t)| *c == check && m.contains(message) && t.contains(todo));
        assert!(found, "no {check}: {message}: {report:#}");
    }
    let database = errors.iter().find(|(check, ..)| *check == "database").unwrap_or_else(|| panic!("{report:#}"));
    assert!(database.1.contains("password"), "{database:?}");

    let human = place.command(&["doctor"]).await;
    let (said, complained) = (text(&human.stdout), text(&human.stderr));
    assert_eq!(human.status.code(), Some(1));
    assert!(said.contains("error  topic") && said.contains("       -> slipstream topics ensure"), "{said}");
    assert!(!format!("{said}{complained}{report}").contains("s3cret"), "a password was shown: {said}{complained}");
}

#[tokio::test]
async fn nobody_there() {
    let nowhere = Place::of("127.0.0.1:1".to_owned(), "postgres://127.0.0.1:1/none".to_owned());
    let report = nowhere.json(&["doctor"], 1).await;
    let errors = of(&report, "error");
    let checks: Vec<&str> = errors.iter().map(|(check, ..)| *check).collect();
    assert_eq!(checks, ["kafka", "database"], "{report:#}");
    assert!(errors.iter().all(|(_, _, todo)| todo.contains("is the address right")), "{report:#}");
    assert!(errors.iter().all(|(_, why, _)| why.contains("Connection refused")), "{report:#}");
}

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop/slos.yaml");

#[tokio::test]
async fn a_secured_cluster_lets_in_who_has_the_password() {
    let kafka = SecuredKafka::dedicated().await;
    let postgres = services::postgres().await;
    let place = Place::of(kafka.bootstrap(), postgres.fresh_database().await);
    let configure = |password: &str| {
        let file = place.file("password", password);
        let text = format!(
            "log: kafka://{}\nstore: {}\nkafka:\n  prefix: {}\n  properties:\n    security.protocol: sasl_ssl\n    \
             sasl.mechanism: SCRAM-SHA-512\n    sasl.username: {}\n    ssl.ca.location: {}\n    \
             broker.address.family: v4\n  properties_file: {{sasl.password: {}}}\n",
            place.bootstrap,
            place.database,
            place.prefix,
            kafka.user().name,
            kafka.authority().display(),
            file.display()
        );
        std::fs::write(&place.config, text).unwrap();
    };
    configure(kafka.user().password);
    place.json(&["topics", "ensure"], 0).await;
    place.json(&["doctor"], 0).await;
    configure("wr0ng-s3cret");
    let report = place.json(&["doctor"], 1).await;
    let errors = of(&report, "error");
    let [(check, message, todo)] = errors[..] else { panic!("{report:#}") };
    assert!(check == "kafka" && message.contains("uthentication") && todo.contains("password"), "{report:#}");
    let output = place.command(&["run", "--roles", "tally", "--ops-listen", "127.0.0.1:0"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("uthentication") && !said.contains("s3cret"), "{said}");
}
