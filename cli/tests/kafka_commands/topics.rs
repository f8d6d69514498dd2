//! Making topics and listing them.

use serde_json::Value;
use slipstream_schemas::Topic;
use slipstream_schemas::topics::TOPICS;

use crate::place::{Place, text};

#[tokio::test]
async fn ensure_makes_what_is_missing_and_the_second_time_nothing() {
    let place = Place::new().await;
    let first = place.json(&["topics", "ensure", "--partitions", "request-events=3,alerts=2"], 0).await;
    assert_eq!(first["made"].as_array().unwrap().len(), TOPICS.len());
    assert_eq!(first["settings"]["cut_delay_ms"], 5_000);
    assert_eq!(first["settings"]["redelivery_window_ms"], 120_000);
    assert_eq!(first["findings"], Value::Array(Vec::new()));

    place.delete(Topic::Notifications).await;
    let second = place.json(&["topics", "ensure"], 0).await;
    assert_eq!(second["made"], serde_json::json!([place.topic(Topic::Notifications)]));
    assert_eq!(second["there"].as_array().unwrap().len(), TOPICS.len() - 1);

    let third = place.command(&["topics", "ensure", "--partitions", "request-events=12,alerts=9"]).await;
    assert_eq!(third.status.code(), Some(0), "{}", text(&third.stderr));
    let said = text(&third.stdout);
    assert!(said.contains("has 3 partitions, 12 were requested") && said.contains("--partitions 12"), "{said}");
    assert!(said.contains("their number is fixed"), "{said}");

    let list = place.json(&["topics", "list"], 0).await;
    let rows = list["topics"].as_array().unwrap();
    let row = |topic: Topic| rows.iter().find(|row| row["topic"] == topic.name()).unwrap();
    for spec in &TOPICS {
        let row = row(spec.topic);
        assert_eq!((&row["exists"], &row["timestamp_type"]), (&Value::Bool(true), &"LogAppendTime".into()), "{row}");
        assert_eq!(row["findings"], Value::Array(Vec::new()), "{row}");
    }
    let events = row(Topic::RequestEvents);
    assert_eq!((&events["partitions"], &events["retention_ms"]), (&3.into(), &604_800_000i64.into()));
    assert_eq!(row(Topic::SloDefinitions)["records"], 1, "the settings, once");
    let human = text(&place.command(&["topics", "list"]).await.stdout);
    assert!(human.contains("newest per key") && human.contains("forever"), "{human}");
}

#[tokio::test]
async fn the_partitions_of_tallies_stay_as_many_as_they_are_and_how_to_move_is_told() {
    let place = Place::new().await;
    place.json(&["topics", "ensure", "--partitions", "sli-tallies=2,burn-snapshots=2"], 0).await;
    for wanted in ["sli-tallies=4", "sli-tallies=1"] {
        let answer = place.json(&["topics", "ensure", "--partitions", wanted], 1).await;
        let finding = &answer["findings"][0];
        let told = |field: &str| finding[field].as_str().unwrap().to_owned();
        assert_eq!(
            (told("severity"), answer["findings"].as_array().unwrap().len()),
            ("error".to_owned(), 1),
            "{answer}"
        );
        assert!(told("message").contains("has 2 partitions") && told("message").contains("refused"), "{finding}");
        for step in ["`kafka.prefix`", "a database of its own", &format!("--partitions {wanted}"), "producers", "docs/"]
        {
            assert!(told("todo").contains(step), "no {step} in {finding}");
        }
    }
    let list = place.json(&["topics", "list"], 0).await;
    let tallies = list["topics"].as_array().unwrap().iter().find(|row| row["topic"] == "sli-tallies").unwrap();
    assert_eq!(tallies["partitions"], 2, "nothing was changed: {tallies}");
    place.json(&["topics", "ensure", "--partitions", "sli-tallies=2"], 0).await;
}

#[tokio::test]
async fn a_difference_that_breaks_a_promise_fails() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    place.alter(Topic::RequestEvents, "message.timestamp.type", "CreateTime").await;
    let answer = place.json(&["topics", "ensure"], 1).await;
    assert_eq!(answer["made"], Value::Array(Vec::new()));
    let findings = answer["findings"].as_array().unwrap();
    let todo = |finding: &Value| finding["todo"].as_str().unwrap().to_owned();
    let times = findings.iter().find(|f| f["severity"] == "error").unwrap_or_else(|| panic!("{answer:#}"));
    assert!(todo(times).contains("message.timestamp.type=LogAppendTime"), "{times}");
    let listed = text(&place.command(&["topics", "list"]).await.stdout);
    assert!(listed.contains("CreateTime") && listed.contains("error"), "{listed}");
    // Roles do not count on it.
    let refused = place.command(&["run", "--ops-listen", "127.0.0.1:0", "--roles", "tally"]).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("keeps producers' timestamps") && said.contains("LogAppendTime"), "{said}");
}

#[tokio::test]
async fn nothing_starts_before_the_topics_are_there() {
    let place = Place::new().await;
    for arguments in [
        &["run", "--ops-listen", "127.0.0.1:0", "--roles", "burn"][..],
        &["simulate", "--rate", "1", "--for", "1s"],
        &["slo", "status"],
    ] {
        let output = place.command(arguments).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("slipstream topics ensure"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn wrong_settings_for_kafka_are_told_all_at_once_and_without_secrets() {
    let place = Place::new().await;
    let secret = place.file("secret", "s3cret-w0rd");
    let text_of = format!(
        "log: kafka://{}\nkafka:\n  properties: {{acks: 1, linger.ms: soon, lingre.ms: 5}}\n  \
         properties_file: {{transactional.id: {}}}\n",
        place.bootstrap,
        secret.display()
    );
    std::fs::write(&place.config, text_of).unwrap();
    for arguments in [&["topics", "list"][..], &["run", "--ops-listen", "127.0.0.1:0"], &["doctor"]] {
        let output = place.command(arguments).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        for expected in [
            "3:16: `kafka.properties.acks`: cannot be set",
            "`kafka.properties.linger.ms`: librdkafka refuses it",
            "did you mean `linger.ms`?",
            "transactional.id",
        ] {
            assert!(said.contains(expected), "{arguments:?}: no {expected} in {said}");
        }
        assert!(!said.contains("s3cret-w0rd"), "{said}");
    }
}

#[tokio::test]
async fn the_first_start_on_a_healthy_cluster_warns_of_nothing() {
    let place = Place::new().await;
    let first = place.command(&["topics", "ensure"]).await;
    let said = text(&first.stderr);
    assert_eq!(first.status.code(), Some(0), "{said}");
    assert!(text(&first.stdout).contains("created  "), "the topics are new: {}", text(&first.stdout));
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
}
