//! The gateway with a certificate, and the Rust client that trusts it, or does not.

use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_producer::client::{Client, ClientError, ClientOptions};
use slipstream_producer::gateway::Limits;
use slipstream_producer::server::Credentials;
use slipstream_runtime::http::Tls;
use slipstream_schemas::{EventTime, RequestEvent};

use crate::house::house_behind;

fn event() -> RequestEvent {
    RequestEvent {
        event_id: "e".into(),
        time: EventTime(1_772_359_200_000_000),
        service: "pay".into(),
        environment: String::new(),
        endpoint: "/pay".into(),
        method: "POST".into(),
        status_code: 200,
        latency_ms: None,
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: Default::default(),
    }
}

#[tokio::test]
async fn events_arrive_by_tls_from_who_trusts_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let log = MemoryLog::new(MemoryOptions::default());
    let tls = Tls::load(&certificate, &key).unwrap();
    let house = house_behind(Some(tls), log.clone(), log, Limits::default()).await;
    let port = house.address.port();

    let options = ClientOptions { attempts: 1, ..ClientOptions::default() };
    let sent = async |address: String, credentials: Credentials| {
        let client = Client::with_credentials(&address, options, &credentials).unwrap();
        client.send(&[event()]).await
    };
    let trusting = Credentials::default().with_authorities(pair.cert.pem());
    let answer = sent(format!("https://localhost:{port}"), trusting.clone()).await.unwrap();
    assert_eq!((answer.inserted, house.stored_ids().await), (1, vec!["e".to_owned()]));

    let GivenUp { last } = given_up(sent(format!("https://localhost:{port}"), Credentials::default()).await);
    assert!(last.contains("certificate"), "{last}");
    let GivenUp { last } = given_up(sent(format!("https://127.0.0.1:{port}"), trusting).await);
    assert!(last.contains("certificate"), "it is one of another name: {last}");
    let plain = sent(format!("http://localhost:{port}"), Credentials::default()).await.unwrap_err().to_string();
    assert!(plain.contains("400") && plain.contains("this port speaks TLS"), "{plain}");
    let none = Client::with_credentials("https://x", options, &Credentials::default().with_authorities("no PEM"));
    assert!(none.unwrap_err().to_string().contains("not PEM"));
}

struct GivenUp {
    last: String,
}

fn given_up<T: std::fmt::Debug>(sent: Result<T, ClientError>) -> GivenUp {
    match sent.unwrap_err() {
        ClientError::GivenUp { last, .. } => GivenUp { last },
        error => panic!("{error}"),
    }
}
