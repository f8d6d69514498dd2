//! Who we say we are, redirects, proxies, and names that lead where they should not.

use std::sync::Arc;

use slipstream_alerter::ReceiverConfig;
use slipstream_alerter::notifier::transport::guard::{Access, Names};
use slipstream_runtime::config::{Auth, ClientTls, OAuth2, ReceiverFormat, Secret, Way};

use crate::desk::{Desk, answer, redirect};
use crate::{SECRET, receiver, tell, tell_once};

fn with(url: &str, way: Way) -> ReceiverConfig {
    ReceiverConfig { way, ..receiver(url, ReceiverFormat::AlertmanagerWebhook) }
}

fn oauth2(desk: &Desk) -> Way {
    let settings = OAuth2 {
        client_id: "me".to_owned(),
        client_secret: Secret::new(SECRET),
        token_url: desk.url("/token"),
        scopes: vec!["alerts".to_owned()],
        endpoint_params: vec![("audience".to_owned(), "ops".to_owned())],
        tls: ClientTls::default(),
        proxy: None,
    };
    Way { auth: Some(Auth::OAuth2(settings)), ..Way::default() }
}

fn token(name: &str) -> crate::desk::Answer {
    answer(200, &format!(r#"{{"access_token":"{name}","token_type":"Bearer","expires_in":3600}}"#))
}

#[tokio::test]
async fn who_we_are_is_said_and_never_shown() {
    let basic = Auth::Basic { username: "me".to_owned(), password: Secret::new(SECRET) };
    for (auth, want) in [
        (basic, "Basic bWU6dDBrZW4tczNjcmV0".to_owned()),
        (Auth::Bearer(Secret::new(SECRET)), format!("Bearer {SECRET}")),
    ] {
        // A receiver that repeats what it was sent: `tell` checks that it is not shown.
        let desk = Desk::open([answer(400, &format!("you sent {want} with {SECRET}"))]).await;
        let told = tell_once(&with(&desk.url("/"), Way { auth: Some(auth), ..Way::default() })).await;
        assert_eq!((told.accepted, told.status), (false, Some(400)));
        assert!(told.said.starts_with("you sent B") && !told.said.contains("bWU6"), "{}", told.said);
        assert_eq!(desk.asked()[0].header("authorization"), want);
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    let (desk, tokens) = (Desk::open([]).await, Desk::open([token("first-token")]).await);
    let told = tell(&with(&desk.url("/"), oauth2(&tokens))).await;
    assert!(told.iter().all(|told| told.accepted), "{told:?}");
    let sent: Vec<String> = desk.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(sent, ["Bearer first-token", "Bearer first-token"]);
    let [asked] = &tokens.asked()[..] else { panic!("one token") };
    assert_eq!(asked.body, "grant_type=client_credentials&scope=alerts&audience=ops");
    assert_eq!(asked.header("authorization"), "Basic bWU6dDBrZW4tczNjcmV0");
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_replaced_once() {
    let tokens = Desk::open([token("old-token"), token("new-token")]).await;
    let desk = Desk::open([answer(401, "expired"), answer(200, "ok")]).await;
    assert!(tell_once(&with(&desk.url("/"), oauth2(&tokens))).await.accepted);
    let sent: Vec<String> = desk.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(sent, ["Bearer old-token", "Bearer new-token"]);

    let tokens = Desk::open([token("old-token"), token("new-token"), token("third-token")]).await;
    let desk = Desk::open([answer(401, "no"), answer(401, "no, new-token")]).await;
    let told = tell_once(&with(&desk.url("/"), oauth2(&tokens))).await;
    assert_eq!((told.status, told.said.as_str()), (Some(401), "no, …"));
    assert_eq!((desk.asked().len(), tokens.asked().len()), (2, 2));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    for (script, status, said) in [
        (answer(503, "later"), Some(503), "fetching a token: later"),
        (answer(401, "invalid_client"), Some(401), "fetching a token: invalid_client"),
        (answer(200, r#"{"token":"t0ken-s3cret"}"#), Some(200), "fetching a token: the answer has no access_token"),
    ] {
        let (desk, tokens) = (Desk::open([]).await, Desk::open([script]).await);
        let told = tell_once(&with(&desk.url("/"), oauth2(&tokens))).await;
        assert_eq!((told.accepted, told.status, told.said.as_str()), (false, status, said));
        assert!(desk.asked().is_empty());
    }
}

#[tokio::test]
async fn redirects_are_followed_only_where_the_request_stays_what_it_is() {
    let follow = |desk: &Desk, follow_redirects| {
        let auth = Some(Auth::Bearer(Secret::new(SECRET)));
        with(&desk.url("/old"), Way { auth, follow_redirects, ..Way::default() })
    };
    let desk = Desk::open([redirect(307, "/new")]).await;
    let told = tell_once(&follow(&desk, false)).await;
    assert_eq!((told.status, desk.asked().len()), (Some(307), 1));
    assert!(told.said.contains("follow_redirects"), "{}", told.said);

    let desk = Desk::open([redirect(307, "/new"), redirect(308, "/newer")]).await;
    assert!(tell_once(&follow(&desk, true)).await.accepted);
    let asked = desk.asked();
    let paths: Vec<String> = asked.iter().map(|asked| asked.uri.to_string()).collect();
    assert_eq!(paths, ["/old", "/new", "/newer"]);
    assert!(asked.iter().all(|a| a.method == "POST" && a.body == asked[0].body), "{asked:?}");
    assert_eq!(asked[2].header("authorization"), format!("Bearer {SECRET}"));

    let other = Desk::open([]).await;
    let elsewhere = format!("http://localhost:{}/", other.port());
    for away in [redirect(302, "/new"), redirect(303, "/new"), redirect(307, &elsewhere)] {
        let (status, desk) = (away.status, Desk::open([away]).await);
        assert_eq!(tell_once(&follow(&desk, true)).await.status, Some(status));
        assert_eq!(desk.asked().len(), 1);
    }
    assert!(other.asked().is_empty(), "secrets stay with their host");
    let around = Desk::open((0..9).map(|_| redirect(307, "/old"))).await;
    assert_eq!(tell_once(&follow(&around, true)).await.status, Some(307));
    assert_eq!(around.asked().len(), 4);
}

#[tokio::test]
async fn a_proxy_is_asked_for_what_it_alone_can_reach() {
    let proxy = Desk::open([]).await;
    let way = Way { proxy: Some(Secret::new(format!("http://me:{SECRET}@{}", &proxy.url("")[7..]))), ..Way::default() };
    assert!(tell_once(&with("http://hooks.example.org/x", way)).await.accepted);
    let asked = &proxy.asked()[0];
    assert_eq!(asked.uri, "http://hooks.example.org/x");
    assert_eq!(asked.header("proxy-authorization"), "Basic bWU6dDBrZW4tczNjcmV0");
}

/// The name of a client's host leads to this machine, as a name of the public DNS may do the next moment.
async fn through(desk: &Desk, access: Access) -> reqwest::Result<reqwest::Response> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let names = Names::default().with("hooks.example.org", "localhost", access);
    let client =
        reqwest::Client::builder().tls_certs_only([]).no_proxy().dns_resolver(Arc::new(names)).build().unwrap();
    client.post(format!("http://hooks.example.org:{}/", desk.port())).send().await
}

#[tokio::test]
async fn a_public_name_that_leads_to_a_private_address_is_not_connected_to() {
    let desk = Desk::open([]).await;
    let error = through(&desk, Access::of("hooks.example.org", false)).await.unwrap_err();
    assert!(error.is_connect() && format!("{error:?}").contains("set allow_private: true"), "{error:?}");
    assert!(desk.asked().is_empty());
    assert!(through(&desk, Access::of("hooks.example.org", true)).await.unwrap().status().is_success());
    // What is written as this machine is meant.
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", desk.port());
        assert!(tell_once(&with(&url, Way::default())).await.accepted, "{host}");
    }
}
