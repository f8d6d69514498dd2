//! Silences and acknowledgements: what is listed, and which acknowledgement a withdrawal takes back.

use reqwest::Method;
use serde_json::{Value, json};
use slipstream_log::{Log, Outgoing};
use slipstream_producer::gateway::Limits;
use slipstream_producer::server::Credentials;
use slipstream_producer::silencing::{Sayings, StateJson};
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_schemas::{Topic, codec};

use crate::house::{House, house};

impl House {
    async fn ask(&self, method: Method, path: &str) -> (u16, Value) {
        let response = self.http.request(method, format!("http://{}{path}", self.address)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// An alert fires.
    async fn fires(&self, alert_id: &str, episode: i64) {
        let transition = AlertTransition {
            alert_id: alert_id.to_owned(),
            episode,
            seq: 1,
            slo: "checkout".to_owned(),
            service: "shop".to_owned(),
            objective: "answered".to_owned(),
            group: Vec::new(),
            rule_set: "burn".to_owned(),
            rule: "1h/5m".to_owned(),
            severity: "page".to_owned(),
            kind: TransitionKind::Firing,
            tick: episode,
            fired_at: Some(episode),
            values: Vec::new(),
            generation: 0,
            complete: true,
            labels: Vec::new(),
            annotations: Vec::new(),
            exemplars: Vec::new(),
            rule_kind: "burnrate".to_owned(),
            withdrawn: false,
            holds_since: None,
        };
        let (key, value) = (Some(alert_id.to_owned().into()), Some(codec::encode(&transition).into()));
        let record = Outgoing { topic: Topic::Alerts, partition: None, key, value, headers: Vec::new() };
        self.log.publish(vec![record]).await.unwrap();
    }

    async fn tell(&self, path: &str, body: Value) -> Value {
        let response = self.post(path).json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{response:?}");
        response.json().await.unwrap()
    }

    fn sayings(&self) -> Sayings {
        Sayings::at(&format!("http://{}", self.address), &Credentials::default()).unwrap()
    }
}

#[tokio::test]
async fn silences_are_listed_with_where_they_stand() {
    let house = house(Limits::default()).await;
    assert_eq!(house.ask(Method::GET, "/v1/silences").await, (200, json!({"silences": []})));
    let matchers = json!(["service=\"payment\""]);
    let day = json!({"cron": "0 2 29 2 *", "zone": "UTC", "seconds": 60});
    for silence in [
        json!({"id": "now", "matchers": matchers, "from": "2026-01-01T00:00:00Z", "reason": "maintenance"}),
        json!({"id": "leap-day", "matchers": matchers, "from": "2026-01-02T00:00:00Z", "recurrence": day}),
        json!({"id": "over", "matchers": matchers, "from": "2026-01-03T00:00:00Z"}),
    ] {
        house.tell("/v1/silences", silence).await;
    }
    house.ask(Method::DELETE, "/v1/silences/over").await;
    let (status, listing) = house.ask(Method::GET, "/v1/silences").await;
    let [now, leap_day, over] = listing["silences"].as_array().unwrap().as_slice() else { panic!("{listing}") };
    assert_eq!(
        (status, &now["state"], &now["next"], &now["until"]),
        (200, &json!("active"), &Value::Null, &Value::Null)
    );
    assert_eq!((&now["matchers"], &now["reason"]), (&matchers, &json!("maintenance")));
    assert_eq!((&leap_day["state"], &leap_day["until"]), (&json!("pending"), &Value::Null), "between its times");
    assert!(leap_day["next"].as_str().unwrap().ends_with("-02-29T02:00:00Z"), "{leap_day}");
    assert_eq!((&over["id"], &over["state"]), (&json!("over"), &json!("expired")));
    let by_client = house.sayings().list().await.unwrap();
    let states: Vec<StateJson> = by_client.silences.iter().map(|listed| listed.state).collect();
    assert_eq!(states, [StateJson::Active, StateJson::Pending, StateJson::Expired]);
}

#[tokio::test]
async fn a_withdrawal_takes_back_the_episode_that_it_names() {
    let house = house(Limits::default()).await;
    for episode in [100, 200, 300] {
        house.fires("00c0ffee00c0ffee", episode).await;
        let said = json!({"alert_id": "00c0ffee00c0ffee", "episode": episode, "owner": format!("ada-{episode}")});
        house.tell("/v1/acknowledgements", said).await;
    }
    let withdrawn = async |path: &str| {
        let (status, answer) = house.ask(Method::DELETE, &format!("/v1/acknowledgements/{path}")).await;
        (status, answer["owner"].as_str().or(answer["error"].as_str()).unwrap_or_default().to_owned(), answer)
    };
    for (alert_id, episode, said) in [
        ("00c0ffee00c0ffee", 100_000, "alert 00c0ffee00c0ffee has no episode 100000; its newest are 300, 200, 100"),
        ("00000000000000aa", 100, "there is no alert 00000000000000aa"),
    ] {
        let wrong = json!({"alert_id": alert_id, "episode": episode, "owner": "eve"});
        let response = house.post("/v1/acknowledgements").json(&wrong).send().await.unwrap();
        let (status, answer): (u16, Value) = (response.status().as_u16(), response.json().await.unwrap());
        assert!(status == 422 && answer["message"].as_str().unwrap().contains(said), "{status} {answer}");
    }
    let (status, owner, _) = withdrawn("00C0FFEE00C0FFEE/100").await;
    assert_eq!((status, owner.as_str()), (200, "ada-100"), "an older one than the newest");
    for missing in ["00c0ffee00c0ffee/100", "00c0ffee00c0ffee/150", "00c0ffee00c0ffee/newest", "00000000000000aa"] {
        let (status, error, answer) = withdrawn(missing).await;
        assert_eq!((status, error.as_str()), (404, "not-acknowledged"), "{missing}: {answer}");
        assert_eq!(answer["message"], "nobody looks after this alert, or this episode of it");
    }
    let (status, owner, _) = withdrawn("00c0ffee00c0ffee").await;
    assert_eq!((status, owner.as_str()), (200, "ada-300"), "without an episode the newest");
    let sayings = house.sayings();
    assert_eq!(sayings.withdraw("00c0ffee00c0ffee", Some(200)).await.unwrap().owner, "ada-200");
    let error = sayings.withdraw("00c0ffee00c0ffee", Some(200)).await.unwrap_err().to_string();
    assert!(error.contains("nobody looks after this alert, or this episode of it"), "{error}");
}
