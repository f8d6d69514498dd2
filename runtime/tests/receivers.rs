//! Receivers as they are configured: formats with their settings, ways to a receiver, and what is told of mistakes.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use slipstream_runtime::config::{Auth, Config, ConfigErrors, Encryption, Overrides, Receiver, ReceiverFormat, Secret};

/// Loads receivers, beside a file `key` with a secret.
fn load(receivers: &str) -> Result<Vec<Receiver>, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slipstream.yaml");
    std::fs::write(directory.path().join("key"), "s3cret-key\n").unwrap();
    std::fs::write(&file, format!("receivers:\n{receivers}")).unwrap();
    Config::load(Some(&file), [], Overrides::default()).map(|config| config.receivers)
}

fn one(settings: &str) -> Receiver {
    let mut all = load(&format!("  - {{name: a, {settings}}}\n")).unwrap();
    assert!(!format!("{all:?}").contains("s3cret"), "secrets are not shown");
    all.remove(0)
}

#[test]
fn formats_have_settings_and_defaults() {
    assert_eq!(one("url: 'http://x'").format, ReceiverFormat::AlertmanagerWebhook);
    assert_eq!(one("url: 'http://x', format: alertmanager-api").format, ReceiverFormat::AlertmanagerApi);
    let pager = one("format: pagerduty, routing_key_file: key");
    assert_eq!(pager.format, ReceiverFormat::PagerDuty { routing_key: Secret::new("s3cret-key") });
    assert_eq!(pager.url.reveal(), "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(one("format: pagerduty, routing_key_file: key, url: 'http://x'").url.reveal(), "http://x");

    let mail = one("format: email, url: 'smtp://mail.test:2525', from: a@x.test, to: b@x.test");
    let ReceiverFormat::Email(email) = &mail.format else { panic!("{mail:?}") };
    assert_eq!((email.from.as_str(), email.to.as_slice()), ("a@x.test", &["b@x.test".to_owned()][..]));
    assert_eq!((email.encryption, email.allow_plaintext), (Encryption::StartTls, false));

    let own = one("url: 'http://x', format: webhook, body: '{{summary}}', content_type: text/plain");
    let ReceiverFormat::Webhook(body) = &own.format else { panic!("{own:?}") };
    assert_eq!((body.template.as_str(), body.content_type.as_str()), ("{{summary}}", "text/plain"));
    assert!(own.send_resolved);

    let repair = one("url: 'http://x', format: remediation, body: '{}'");
    let ReceiverFormat::Remediation(settings) = &repair.format else { panic!("{repair:?}") };
    assert_eq!((settings.count, settings.per, settings.dry_run), (3, Duration::from_secs(3_600), false));
    assert_eq!(settings.body.content_type, "application/json");
    assert!(!repair.send_resolved, "it is asked when something begins");
}

#[test]
fn ways_are_read() {
    let plain = one("url: 'http://x'").way;
    assert!(plain.auth.is_none() && !plain.follow_redirects && !plain.allow_private && plain.proxy.is_none());
    let way = one(
        "url: 'https://x', basic_auth: {username: me, password_file: key}, follow_redirects: true, allow_private: true, \
         proxy_url: 'http://u:p@proxy:3128', tls: {ca_file: key, cert_file: key, key_file: key, server_name: y}",
    )
    .way;
    assert_eq!(way.auth, Some(Auth::Basic { username: "me".to_owned(), password: Secret::new("s3cret-key") }));
    assert!(way.follow_redirects && way.allow_private && way.tls.ca.is_some() && way.tls.identity.is_some());
    assert_eq!(way.tls.server_name.as_deref(), Some("y"));
    assert_eq!(way.proxy.as_ref().map(Secret::reveal), Some("http://u:p@proxy:3128"));
    let bearer = one("url: 'https://x', bearer_token_file: key").way.auth;
    assert_eq!(bearer, Some(Auth::Bearer(Secret::new("s3cret-key"))));
    let oauth2 = one(
        "url: 'https://x', oauth2: {client_id: me, client_secret_file: key, token_url: 'https://id/t', scopes: [a, b], \
         endpoint_params: {audience: c}, tls: {ca_file: key, server_name: id.test}, proxy_url: 'http://proxy:3128'}",
    );
    assert!(oauth2.way.tls.ca.is_none() && oauth2.way.proxy.is_none(), "the receiver's are its own");
    let Some(Auth::OAuth2(oauth2)) = oauth2.way.auth else { panic!("no oauth2") };
    assert!(oauth2.tls.ca.is_some() && oauth2.tls.server_name.as_deref() == Some("id.test"));
    assert_eq!(oauth2.proxy.as_ref().map(Secret::reveal), Some("http://proxy:3128"));
    assert_eq!(oauth2.scopes, ["a", "b"]);
    assert_eq!(oauth2.endpoint_params, [("audience".to_owned(), "c".to_owned())]);
}

#[test]
fn mistakes_say_what_to_write() {
    for (settings, told) in [
        (
            "url: 'http://x', format: slac",
            "`receivers.format`: expected one of alertmanager-webhook, alertmanager-api,",
        ),
        ("url: 'http://x', format: slack, to: a@x.test", "`receivers.to`: this is a setting of `format: email`"),
        ("url: 'http://x', body: x", "`receivers.body`: this is a setting of `format: webhook` and `remediation`"),
        ("format: pagerduty", "a receiver of `format: pagerduty` without `routing_key_file`"),
        ("format: email, from: a@x, to: b@x", "without `url` or `url_file`"),
        (
            "format: email, url: 'http://x', from: a@x, to: b@x",
            "expected an address like `smtp://mail.example.org:587`",
        ),
        ("format: email, url: 'smtp://u:s3cret@x', from: a@x, to: b@x", "expected an address like `smtp://"),
        ("format: email, url: 'smtp://x', to: b@x", "a receiver of `format: email` without `from`"),
        ("format: email, url: 'smtp://x', from: a@x", "a receiver of `format: email` without `to`"),
        ("format: email, url: 'smtp://x', from: a@x, to: b@x, encryption: ssl", "expected starttls, tls or none"),
        (
            "format: email, url: 'smtp://x', from: a@x, to: b@x, proxy_url: 'http://x'",
            "`format: email` does not use HTTP",
        ),
        ("format: webhook, url: 'http://x'", "a receiver of `format: webhook` without `body`"),
        (
            "format: remediation, url: 'http://x', body: x, send_resolved: true",
            "`format: remediation` is not told of ends",
        ),
        (
            "format: remediation, url: 'http://x', body: x, rate_limit: {count: 0}",
            "`receivers.rate_limit.count`: expected a whole number",
        ),
        (
            "url: 'http://x', bearer_token_file: key, authorization_file: key",
            "set `authorization_file` or `bearer_token_file`, not both",
        ),
        ("url: 'http://x', basic_auth: {username: a}", "`receivers.basic_auth`: needs `username` and `password_file`"),
        ("url: 'http://x', oauth2: {client_id: a}", "needs `client_id`, `client_secret_file` and `token_url`"),
        (
            "url: 'http://x', oauth2: {client_idd: a}",
            "unknown key `receivers.oauth2.client_idd`; did you mean `client_id`?",
        ),
        ("url: 'http://x', tls: {cert_file: key}", "set both `cert_file` and `key_file`, or neither"),
        (
            "url: 'http://x', oauth2: {tls: {cert_file: key}}",
            "`receivers.oauth2.tls`: set both `cert_file` and `key_file`",
        ),
        ("url: 'http://x', proxy_url: 'ftp://u:s3cret@x'", "`receivers.proxy_url`: expected an address"),
    ] {
        let error = load(&format!("  - {{name: a, {settings}}}\n")).expect_err(settings).to_string();
        assert!(error.contains(told), "{settings}: {error}");
        assert!(!error.contains("s3cret"), "{settings}: {error}");
    }
}
