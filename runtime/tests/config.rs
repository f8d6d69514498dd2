//! The configuration as its users meet it: what they write, what they get, what they are told.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use slipstream_runtime::config::{
    Config, ConfigErrors, LogAddress, LogFormat, Overrides, Place, Problem, Receiver, ReceiverFormat, Role, Secret,
    StoreAddress,
};
use slipstream_schemas::cause;

fn load(text: &str, env: &[(&str, &str)], flags: Overrides) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slipstream.yaml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), env.iter().map(|(n, v)| (n.into(), v.into())), flags)
}

/// The mistakes, without the directory.
fn mistakes(loaded: Result<Config, ConfigErrors>) -> Vec<String> {
    let errors = loaded.expect_err("refused");
    let strip = |line: String| match line.split_once("/slipstream.yaml:") {
        Some((directory, rest)) => rest.replace(directory, "DIR"),
        None => line,
    };
    errors.problems().iter().map(|p| strip(p.to_string())).collect()
}

#[test]
fn without_a_file_everything_has_a_default() {
    let config = Config::load(None, [], Overrides::default()).unwrap();
    assert_eq!(config.data, Path::new("slipstream-data"));
    assert_eq!(config.log, LogAddress::Sqlite("slipstream-data".into()));
    assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 8480)));
    assert_eq!(config.ops_listen, SocketAddr::from(([127, 0, 0, 1], 8490)));
    assert_eq!(config.api_listen, SocketAddr::from(([127, 0, 0, 1], 8470)));
    assert_eq!(config.roles, Role::ALL.into());
    assert_eq!(config.retention.events, Duration::from_secs(35 * 86_400));
    assert!(config.receivers.is_empty() && config.slos.is_empty());
    assert!(config.warnings.is_empty() && config.ignored.is_empty());
}

#[test]
fn a_certificate_has_a_key_and_a_limit_is_a_number_or_none() {
    let tls = |text: &str, env: &[(&str, &str)]| mistakes(load(text, env, Overrides::default()));
    let lacks = "`tls.certificate` is set, and `tls.key` is not; set both, or neither";
    assert_eq!(tls("tls: {certificate: a}\n", &[]), [format!("1:20: {lacks}")]);
    let of_env = [("SLIPSTREAM_TLS_KEY", "a")];
    let lacks = "`tls.key` is set, and `tls.certificate` is not; set both, or neither";
    assert_eq!(tls("", &of_env), [format!("SLIPSTREAM_TLS_KEY: {lacks}")]);
    assert!(load("tls: {certificate: a}\n", &of_env, Overrides::default()).unwrap().tls.is_some());
    let rate = "a whole number of requests a second from 1 to 1000000, or `none`";
    for wrong in ["0", "-1", "1.5", "1000001", "many"] {
        let told = mistakes(load(&format!("rate_limits: {{read: {wrong}}}\n"), &[], Overrides::default()));
        assert_eq!(told, [format!("1:21: `rate_limits.read`: expected {rate}, found `{wrong}`")]);
    }
}

#[test]
fn an_empty_file_says_nothing() {
    let defaults = Config::load(None, [], Overrides::default()).unwrap();
    for text in ["", "# only a comment\n", "gateway:\nreceivers:\n", "---\n"] {
        assert_eq!(load(text, &[], Overrides::default()).unwrap(), defaults, "{text:?}");
    }
}

#[test]
fn a_byte_order_mark_is_no_content() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slipstream.yaml");
    std::fs::write(directory.path().join("token"), "\u{FEFF}Bearer abc\r\n").unwrap();
    std::fs::write(directory.path().join("empty"), "\u{FEFF}\n").unwrap();
    let receiver = |token: &str| {
        let text = format!("\u{FEFF}receivers: [{{name: a, url: 'http://x', authorization_file: {token}}}]\n");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), [], Overrides::default())
    };
    assert_eq!(receiver("token").unwrap().receivers[0].headers[0].1.reveal(), "Bearer abc");
    assert!(mistakes(receiver("empty"))[0].contains("it is empty"));
    let told = mistakes(load("\u{FEFF}lisen: x\n", &[], Overrides::default()));
    assert!(told[0].starts_with("1:1: unknown key `lisen`"), "{told:?}");
}

#[test]
fn the_example_says_every_default() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/slipstream.yaml");
    let text = std::fs::read_to_string(example).unwrap();
    let mut said = Config::load(Some(Path::new(example)), [], Overrides::default()).unwrap();
    let silent = Config::load(None, [], Overrides::default()).unwrap();
    // Paths in a file are relative to it, and a level is only said where one is wanted.
    said.data = silent.data.clone();
    said.log = silent.log.clone();
    said.store = silent.store.clone();
    assert!(matches!(said.store_place.take(), Some(Place::File { .. })), "it knows where it stands");
    assert_eq!(said.logging.level.take().as_deref(), Some("info"));
    assert_eq!(said, silent);

    // What is in the comments can be used, too.
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("PATH"), "http://secret").unwrap();
    let begin = text.find("\nreceivers: []").unwrap();
    let uncommented: Vec<String> = text[begin..]
        .lines()
        .filter(|line| !line.starts_with("route: ~") && !line.starts_with("watchdog: ~"))
        .map(|line| match line.strip_prefix("# ") {
            Some(comment) => comment.to_owned(),
            None => line.strip_suffix(" []").unwrap_or(line).to_owned(),
        })
        .collect();
    let file = directory.path().join("slipstream.yaml");
    std::fs::write(&file, [&text[..begin], &uncommented.join("\n")].concat()).unwrap();
    let config = Config::load(Some(&file), [], Overrides::default()).unwrap();
    let mut shown = config.receivers[0].clone();
    let headers: Vec<String> = std::mem::take(&mut shown.headers).into_iter().map(|(name, _)| name).collect();
    assert_eq!(headers, ["X-Team", "X-Api-Key", "Authorization"]);
    assert!(matches!(shown.place.take(), Some(Place::File { .. })), "it knows where it stands");
    assert!(shown.signing.take().is_some(), "from its file");
    assert_eq!(shown, Receiver::webhook("on-call", "https://example.org/hook"));
    let formats: Vec<&str> = config.receivers.iter().map(|receiver| receiver.format.name()).collect();
    let all = ["alertmanager-webhook", "alertmanager-api", "slack", "pagerduty", "email", "webhook", "remediation"];
    assert_eq!(formats, all, "there is an example of each");
    let root = config.routing.root.unwrap();
    assert_eq!(
        (root.receiver.as_deref(), root.repeat_interval),
        (Some("on-call"), Some(Duration::from_secs(4 * 3_600)))
    );
    assert!(root.routes[0].goes_on && root.routes[0].mute == ["holidays"], "{root:?}");
    assert_eq!((config.routing.inhibitions.len(), config.routing.intervals["holidays"].len()), (1, 1));
    let watchdog = config.routing.watchdog.unwrap();
    assert_eq!((watchdog.interval.as_secs(), watchdog.max_delay.as_secs()), (60, 60));
}

#[test]
fn a_watchdog_needs_a_receiver_who_misses_what_does_not_come() {
    const RECEIVERS: &str = "receivers:
  - {name: on-call, url: http://localhost/a}
  - {name: chat, url: http://localhost/b, format: slack}
  - {name: am, url: http://localhost/c, format: alertmanager-api}
";
    const ALONE: &str = "receivers: [{name: on-call, url: http://localhost/a}]\n";
    let routed = |to: &str| format!("route: {{receiver: {to}, routes: [{{matchers: [a=b], receiver: chat}}]}}\n");
    let cases = [
        (RECEIVERS, String::new(), "{receiver: on-call}", None),
        (RECEIVERS, routed("am"), "{receiver: on-call, interval: 5m, max_delay: 2m}", None),
        (RECEIVERS, routed("on-call"), "{receiver: am}", None),
        (RECEIVERS, routed("am"), "{receiver: on-call, max_delay: 100ms}", Some("expected a duration from 10s to 1d")),
        (RECEIVERS, routed("on-call"), "{receiver: on-call}", Some("2:3: `receivers`: no route leads to `am`")),
        (RECEIVERS, String::new(), "{interval: 1m}", Some("5:11: `watchdog`: set `receiver`: ")),
        (
            RECEIVERS,
            String::new(),
            "{receiver: nobody}",
            Some("5:22: `watchdog.receiver`: there is no receiver `nobody`"),
        ),
        (RECEIVERS, String::new(), "{receiver: chat}", Some("`format: slack` cannot be used: in a chat nobody misses")),
        (
            RECEIVERS,
            String::new(),
            "{receiver: am, interval: 5m}",
            Some("`watchdog.interval`: 60s at most for `format: a"),
        ),
        (RECEIVERS, String::new(), "{receiver: on-call, interval: 1s}", Some("expected a duration from 10s to 1d")),
        (RECEIVERS, String::new(), "{receiver: on-call, every: 1m}", Some("unknown key `watchdog.every`")),
        (ALONE, String::new(), "{receiver: on-call}", Some("nobody would be told of alerts; set `route`")),
        (ALONE, "route: {receiver: on-call}\n".to_owned(), "{receiver: on-call}", None),
    ];
    for (receivers, route, watchdog, want) in cases {
        let loaded = load(&format!("{receivers}{route}watchdog: {watchdog}\n"), &[], Overrides::default());
        let Some(want) = want else {
            assert!(loaded.unwrap().routing.watchdog.is_some(), "{watchdog}");
            continue;
        };
        let told = mistakes(loaded);
        assert!(told.len() == 1 && told[0].contains(want.trim_start_matches("2:3: ")), "{watchdog}: {told:#?}");
    }
}

#[test]
fn a_receiver_to_which_no_alert_can_come_is_a_mistake() {
    let cases = [
        ("routes: [{receiver: a, matchers: [x=y]}, {receiver: b, matchers: [x=z]}]", None),
        ("routes: [{receiver: a, continue: true}, {receiver: b}]", Some("chat")),
        ("routes: [{receiver: a, matchers: [x=y]}, {receiver: b}]", Some("chat")),
        ("routes: [{receiver: a}, {receiver: b, matchers: [x=y]}, {receiver: chat, matchers: [x=y]}]", Some("b, chat")),
        ("routes: [{matchers: [x=y], receiver: a, routes: [{receiver: b}]}]", Some("a")),
        ("routes: [{matchers: [x=y], routes: [{receiver: a, matchers: [z=z]}]}, {receiver: b, matchers: [z=z]}]", None),
    ];
    for (routes, lonely) in cases {
        let receivers = ["chat", "a", "b"].map(|name| format!("  - {{name: {name}, url: http://localhost/{name}}}\n"));
        let text = format!("receivers:\n{}route:\n  receiver: chat\n  {routes}\n", receivers.concat());
        let loaded = load(&text, &[], Overrides::default());
        let Some(lonely) = lonely else {
            assert!(loaded.is_ok(), "{routes}");
            continue;
        };
        let told = mistakes(loaded);
        let mut expected: Vec<String> = lonely.split(", ").map(|name| format!("no alert comes to `{name}`")).collect();
        expected.retain(|expected| !told.iter().any(|told| told.contains(expected.as_str())));
        assert!(expected.is_empty() && told.len() == lonely.split(", ").count(), "{routes}: {told:#?}");
    }
}

#[test]
fn routes_are_read_as_alertmanager_reads_them_and_every_mistake_is_named() {
    let told = mistakes(load(
        r#"receivers:
  - {name: chat, url: http://localhost/chat}
  - {name: lost, url: http://localhost/lost}
route:
  matchers: [severity=page]
  routes:
    - matchers: ['severity=~"("', team]
      receiver: nobody
      mute_time_intervals: [sundays]
      group_by: [severity]
    - {receiver: chat, matcher: a=b}
inhibit_rules:
  - source_matchers: [severity=page]
dependencies: {checkout: [[payment]]}
time_intervals:
  - name: nights
    time_intervals:
      - {times: [{start_time: "22:00", end_time: "06:00"}], weekdays: [mon], location: Mars}
  - time_intervals: []
"#,
        &[],
        Overrides::default(),
    ));
    let expected = [
        "no route leads to `lost`",
        "`route`: set `receiver`",
        "the first route takes everything",
        "not a regular expression",
        "`team` is not a matcher",
        "there is no receiver `nobody`",
        "expected the name of one of `time_intervals`, found `sundays`",
        "leave `severity` out",
        "unknown key `route.routes.matcher`; did you mean `matchers`?",
        "set `source_matchers` and `target_matchers`",
        "`dependencies`: expected the name of a service",
        "22:00 is not before 06:00: for a time over midnight write two",
        "expected a weekday or a range",
        "there is no time zone `Mars`",
        "an interval without `name`",
    ];
    for text in expected {
        assert!(told.iter().any(|line| line.contains(text)), "{text}: {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slipstream.yaml");
    std::fs::write(directory.path().join("token"), "Bearer t0ps3cret\n").unwrap();
    let text = "
data: /var/lib/slipstream
log: sqlite:here/log
roles: [gateway, tally]
listen: 0.0.0.0:80
ops_listen: localhost:81
tls: {certificate: tls.crt, key: /etc/tls.key}
rate_limits: {ingest: 5_000, read: none}
metrics: {slo_series: 50}
slos: [slos, /etc/slos/more.yaml]
gateway: {max_body: 1MiB, max_events: 1_000, max_in_flight: 8MiB, max_connections: 10, read_timeout: 5s,
  idle_timeout: 4s, write_timeout: 3s, publish_timeout: 2s}
receivers:
  - name: on-call
    url: https://example.org/hook?x=1
    format: alertmanager-webhook
    send_resolved: false
    severities: {page: critical, ticket: warning}
    group_by: [alertname, service]
    group_interval: 1m30s
    timeout: 3s
    headers: {X-Team: shop}
    authorization_file: token
  - name: chat
    url_file: token-url
retention: {events: 40d, history: 1000d}
logging: {level: 'info,slipstream_sink=debug', format: json}
drain: 0s
shutdown_timeout: 5s
";
    std::fs::write(directory.path().join("token-url"), "http://chat.example/T0KEN").unwrap();
    std::fs::write(&file, text).unwrap();
    let config = Config::load(Some(&file), [], Overrides::default()).unwrap();
    assert_eq!(config.data, Path::new("/var/lib/slipstream"));
    assert_eq!(config.log, LogAddress::Sqlite(directory.path().join("here/log")));
    assert_eq!(config.roles, [Role::Gateway, Role::Tally].into());
    assert_eq!(config.ops_listen, SocketAddr::from(([127, 0, 0, 1], 81)));
    let tls = config.tls.clone().unwrap();
    assert_eq!((tls.certificate, tls.key), (directory.path().join("tls.crt"), PathBuf::from("/etc/tls.key")));
    let limits = [config.rate_limits.ingest, config.rate_limits.read, config.rate_limits.operate];
    assert_eq!(limits.map(|limit| limit.map(NonZeroU32::get)), [Some(5_000), None, Some(20)]);
    assert_eq!(config.slo_series, 50);
    assert_eq!(config.slos, [directory.path().join("slos"), PathBuf::from("/etc/slos/more.yaml")]);
    assert_eq!(
        (config.gateway.max_body, config.gateway.max_events, config.gateway.max_in_flight),
        (1 << 20, 1_000, 8 << 20)
    );
    assert_eq!((config.drain, config.shutdown_timeout), (Duration::ZERO, Duration::from_secs(5)));
    assert_eq!(config.gateway.finish, Duration::from_secs(4), "requests end before their stage does");
    assert_eq!(
        (config.logging.format, config.logging.level.as_deref()),
        (LogFormat::Json, Some("info,slipstream_sink=debug"))
    );
    let [on_call, chat] = &config.receivers[..] else { panic!("{:?}", config.receivers) };
    assert_eq!((on_call.name.as_str(), &on_call.format), ("on-call", &ReceiverFormat::AlertmanagerWebhook));
    assert_eq!((on_call.send_resolved, on_call.group_interval), (false, Duration::from_secs(90)));
    let headers: Vec<(&str, &str)> = on_call.headers.iter().map(|(n, v)| (n.as_str(), v.reveal())).collect();
    assert_eq!(headers, [("X-Team", "shop"), ("Authorization", "Bearer t0ps3cret")]);
    assert_eq!(chat.url.reveal(), "http://chat.example/T0KEN");
    let severities: Vec<(&str, &str)> = on_call.severities.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(severities, [("page", "critical"), ("ticket", "warning")]);
    assert!(chat.send_resolved);
    let shown = format!("{config:?}");
    assert!(!shown.contains("t0ps3cret") && !shown.contains("T0KEN"), "secrets are not shown: {shown}");
}

#[test]
fn kafka_and_postgres() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slipstream.yaml");
    std::fs::write(directory.path().join("sasl"), "k4fka-s3cret\n").unwrap();
    std::fs::write(directory.path().join("key.pem"), "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n").unwrap();
    std::fs::write(directory.path().join("db"), "d4tabase-s3cret\n").unwrap();
    let text = "
log: kafka://a:9092,b:9092
store: postgres://me:urls3cret@db:5432/shop?sslmode=verify-full
external_url: https://slo.example.org
alert_url: https://slo.example.org/d/slo?var-slo={slo}
evidence: false
trace_url: https://traces.example.org/trace/{trace_id}
kafka:
  prefix: shop.
  instance: tally-0
  tally_threads: 3
  properties: {security.protocol: sasl_ssl, linger.ms: 10}
  properties_file: {sasl.password: sasl, ssl.key.pem: key.pem}
postgres: {password_file: db, root_cert: ca.pem}
";
    std::fs::write(&file, text).unwrap();
    let env = [("SLIPSTREAM_KAFKA_INSTANCE".into(), "tally-1".into())];
    let config = Config::load(Some(&file), env, Overrides::default()).unwrap();
    assert_eq!(config.log, LogAddress::Kafka("a:9092,b:9092".into()));
    let StoreAddress::Postgres(url) = &config.store else { panic!("{:?}", config.store) };
    assert!(url.reveal().starts_with("postgres://me:urls3cret@db"));
    assert_eq!((config.kafka.prefix.as_str(), config.kafka.instance.as_deref()), ("shop.", Some("tally-1")));
    assert_eq!(config.kafka.tally_threads, Some(3));
    let properties: Vec<(&str, &str)> =
        config.kafka.properties.iter().map(|(name, p)| (name.as_str(), p.value.reveal())).collect();
    assert_eq!(
        properties,
        [
            ("linger.ms", "10"),
            ("sasl.password", "k4fka-s3cret"),
            ("security.protocol", "sasl_ssl"),
            ("ssl.key.pem", "-----BEGIN KEY-----\nAAAA\n-----END KEY-----"),
        ]
    );
    assert_eq!(config.postgres.password.as_ref().map(Secret::reveal), Some("d4tabase-s3cret"));
    assert_eq!(config.postgres.root_cert, Some(directory.path().join("ca.pem")));
    assert_eq!(config.external_url.as_deref(), Some("https://slo.example.org"));
    assert_eq!(config.alert_url.as_deref(), Some("https://slo.example.org/d/slo?var-slo={slo}"));
    assert!(!config.evidence);
    assert_eq!(config.trace_url.as_deref(), Some("https://traces.example.org/trace/{trace_id}"));
    let shown = format!("{config:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("AAAA"), "secrets are not shown: {shown}");
}

#[test]
fn environment_goes_over_the_file_and_flags_over_both() {
    let text =
        "listen: 127.0.0.1:1\nops_listen: 127.0.0.1:2\nroles: [gateway]\ngateway:\n  max_events: 1\n  max_body: 3\n";
    let env = [
        ("SLIPSTREAM_LISTEN", "127.0.0.1:11"),
        ("SLIPSTREAM_OPS_LISTEN", "127.0.0.1:12"),
        ("SLIPSTREAM_GATEWAY_MAX_EVENTS", "13"),
        ("SLIPSTREAM_ROLES", "tally, burn"),
        ("HOME", "/root"),
    ];
    let flags =
        Overrides { listen: Some("127.0.0.1:21".into()), slos: vec!["a,b.yaml".into()], ..Overrides::default() };
    let config = load(text, &env, flags).unwrap();
    assert_eq!(config.listen.port(), 21);
    assert_eq!(config.ops_listen.port(), 12);
    assert_eq!((config.gateway.max_events, config.gateway.max_body), (13, 3));
    assert_eq!(config.roles, [Role::Tally, Role::Burn].into());
    assert_eq!(config.slos, [PathBuf::from("a,b.yaml")]);
}

#[test]
fn a_webhook_keeps_its_name_whatever_stands_beside_it() {
    let names = |urls: &[&str]| {
        let flags = Overrides { webhooks: urls.iter().map(|u| (*u).to_owned()).collect(), ..Overrides::default() };
        let config = Config::load(None, [], flags).unwrap();
        config.receivers.into_iter().map(|r| r.name).collect::<Vec<_>>()
    };
    let (a, b) = ("http://127.0.0.1:9000/a", "http://127.0.0.1:9000/b");
    let mut turned = names(&[b, a]);
    turned.reverse();
    assert_eq!(names(&[a, b]), turned);
    assert_eq!(names(&[a]), names(&[a, b])[..1]);
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let text = "\
lisen: 127.0.0.1:1
listen: here
roles: [gateway, sinc, cook]
log: kafka://broker
store: mysql://me:t0ps3cret@db
gateway:
  max_body: 16 megs
  max_body: 1MiB
receivers:
  - url: ftp://x
    nam: a
  - name: b
    url: http://x
    headers: {Authorization: Bearer abc}
    authorization_file: /no/such/file
drain: 0s
";
    let env = [("SLIPSTREAM_DRAIN", "soon")];
    let flags = Overrides { webhooks: vec!["example.org".into()], ..Overrides::default() };
    assert_eq!(
        mistakes(load(text, &env, flags)),
        [
            "1:1: unknown key `lisen`; did you mean `listen`?",
            "2:9: `listen`: expected an address like `127.0.0.1:8480`, found `here`",
            "3:18: `roles`: unknown role `sinc`; did you mean `sink`?",
            "3:24: `roles`: expected one of gateway, tally, burn, sink, alerter, notifier, api, found `cook`",
            "4:6: `log`: expected brokers as `host:port`, found `broker`",
            "5:8: `store`: expected `sqlite:DIR` or `postgres://user@host:port/database`, found `mysql://…@db`",
            "7:13: `gateway.max_body`: expected a size from 1 byte to 1024GiB, like `65536`, `64KiB` or `16MiB`, found `16 megs`",
            "8:3: `max_body` is set twice; first at DIR/slipstream.yaml:7:3",
            "10:5: `receivers`: a receiver without `name`; give it a name of letters, digits, `-`, `_` and `.`",
            "10:10: `receivers.url`: expected an address like `https://host/path`, found `ftp://x`",
            "11:5: unknown key `receivers.nam`; did you mean `name`?",
            "14:15: `receivers.headers`: secrets do not belong here; use `authorization_file: PATH`",
            "15:25: `receivers.authorization_file`: reading /no/such/file: No such file or directory (os error 2)",
            "SLIPSTREAM_DRAIN: `drain`: expected a duration from 0s to 36500d, like `250ms`, `30s` or `1h30m`, found `soon`",
            "--webhook: `webhooks`: expected an address like `https://host/path`, found `example.org`",
        ]
    );
}

#[test]
fn the_bound_for_requests_has_room_for_the_largest() {
    let gateway = |text: &str| load(text, &[], Overrides::default()).map(|config| config.gateway);
    let default = gateway("").unwrap();
    assert_eq!((default.max_in_flight, default.max_connections), (128 << 20, 2_048));
    let large = gateway("gateway: {max_body: 64MiB}").unwrap();
    assert!(large.max_in_flight > 3 * (64 << 20), "it grows with what one request may take: {}", large.max_in_flight);
    let wide = gateway("gateway: {max_connections: 20_000}").unwrap();
    assert!(wide.max_in_flight > 240 << 20, "and with small ones of all connections: {}", wide.max_in_flight);
    let mistakes = |text: &str| mistakes(load(text, &[], Overrides::default()));
    assert_eq!(
        mistakes("gateway: {max_body: 64MiB, max_events: 1_000, max_in_flight: 100MiB}"),
        [
            "1:62: `gateway.max_in_flight`: expected at least 273MiB: what one request of `max_body` and `max_events` may take, and 8KiB for each of `max_connections`, found `100MiB`"
        ]
    );
    assert_eq!(
        gateway("gateway: {max_body: 64MiB, max_events: 1_000, max_in_flight: 273MiB}").unwrap().max_in_flight,
        273 << 20
    );
}

#[test]
fn what_cannot_be_read_hides_no_mistake_elsewhere() {
    let env = [("SLIPSTREAM_DRAIN", "soon")];
    let flags = Overrides { webhooks: vec!["example.org".into()], ..Overrides::default() };
    let found = mistakes(load("listen: [\n", &env, flags.clone()));
    assert_eq!(found.len(), 3, "{found:?}");
    let mut asked = false;
    let refused = Config::load_checked(None, [], flags, |config| {
        asked = config.receivers.is_empty();
        vec![Problem { place: Place::Setting("kafka".to_owned()), message: "no such property".to_owned() }]
    });
    assert_eq!(mistakes(refused).len(), 2);
    assert!(asked, "whoever uses a setting looks at it though another one is wrong");
}

#[test]
fn mistakes_of_form() {
    for (text, expected) in [
        ("listen: [", "not valid YAML"),
        ("a: 1\na: 2\n", "2:1: `a` is set twice; first at "),
        ("- a\n- b\n", "1:1: expected a map of settings, found a list"),
        ("listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n", "a second document"),
        ("gateway: 5\n", "1:10: `gateway`: expected a map of settings, found `5`"),
        ("log: kafka://u:pw@b:1", "1:6: `log`: user names and passwords do not belong in the address"),
        ("store: postgres://", "expected `sqlite:DIR` or `postgres://user@host:port/database`, found `postgres://`"),
        ("store: postgres://host:99999/db", "1:8: `store`: expected a port from 1 to 65535, found 99999"),
        ("log: kafka://a:9092,b:99999", "1:6: `log`: expected a port from 1 to 65535, found 99999 in `b:99999`"),
        ("kafka: {prefix: 'a b'}", "`kafka.prefix`: expected letters"),
        ("kafka: {propertys: {}}", "unknown key `kafka.propertys`; did you mean `properties`?"),
        ("kafka: {properties: {sasl.password: x}}", "`kafka.properties.sasl.password`: secrets do not belong here"),
        ("kafka: {properties_file: {sasl.password: none}}", "`kafka.properties_file.sasl.password`: reading "),
        ("postgres: {password: x}", "unknown key `postgres.password`"),
        ("external_url: here", "`external_url`: expected an address like `https://host/path`"),
        ("external_url: 'http://[::'", "`external_url`: expected an address like `https://host/path`"),
        ("external_url: 'http://x:port/'", "`external_url`: expected an address"),
        ("alert_url: 'http://[::/{slo}'", "`alert_url`: expected an address"),
        ("alert_url: 'http://x/{alert}'", "with {slo}, {objective}, {service} and {alert_id}"),
        ("evidence: some", "1:11: `evidence`: expected `true` or `false`, found `some`"),
        ("trace_url: 'http://x/{trace}'", "`trace_url`: expected an address like `https://host/trace/{trace_id}`"),
        ("trace_url: 'http://x/'", "with {trace_id} for the trace"),
        ("receivers: [{name: a, url: 'http://x', group_by: [severity]}]", "leave `severity` out"),
        ("receivers: [{name: a, url: 'http://x', severities: {page: ''}}]", "the receiver's name for this severity"),
        (
            "receivers: [{name: a, url: 'http://x', severities: {page: P1, Page: P2}}]",
            "`receivers.severities`: `Page` is given twice; names of severities are not case-sensitive",
        ),
        ("? [a, b]\n: c\n", "a key must be a plain word"),
        ("log: a:9092\nstore: !postgres://host/db\n", "2:8: `!` begins a YAML tag here; put the value in quotes"),
        ("store: ! sqlite:data\n", "1:8: `!` begins a YAML tag here; put the value in quotes"),
        ("store: !sqlite:\"data\"\n", "1:8: `!` begins a YAML tag here; put the value in quotes"),
        ("kafka: !map {prefix: a}\n", "1:8: `!` begins a YAML tag here; put the value in quotes"),
        ("listen: {a: 1}\n", "1:9: `listen`: expected an address like `127.0.0.1:8480`, found a map"),
        ("ops_listen: 127.0.0.1:8480\n", "1:13: `listen` and `ops_listen` are the same address"),
        ("api_listen: 127.0.0.1:8490\n", "1:13: `ops_listen` and `api_listen` are the same address"),
        ("drain: 1s\n \0roels: x\n", "2:2: not valid YAML: a NUL character"),
        ("\0\0", "1:1: not valid YAML: a NUL character"),
        ("roles: []\n", "1:8: `roles`: the list is empty"),
        ("gateway: {max_body: 2MiB, max_in_flight: 1MiB}\n", "at least 49MiB: what one request"),
        ("gateway: {max_events: 0}\n", "a whole number from 1 to 1000000000, found `0`"),
        (
            "gateway: {max_events: 99999999999999999999}\n",
            "`gateway.max_events`: expected a whole number from 1 to 1000000000, found `99999999999999999999`",
        ),
        ("gateway: {max_body: 0}\n", "`gateway.max_body`: expected a size from 1 byte to 1024GiB"),
        (
            "shutdown_timeout: 0s\n",
            "`shutdown_timeout`: expected a duration from 1ms to 36500d, like `250ms`, `30s` or `1h30m`, found `0s`",
        ),
        ("gateway: {read_timeout: 0ms}\n", "`gateway.read_timeout`: expected a duration from 1ms to 36500d"),
        ("retention: {events: 0d}\n", "`retention.events`: expected a duration from 1ms to 36500d"),
        (
            "receivers: [{name: a, url: 'http://x', timeout: 0s}]",
            "`receivers.timeout`: expected a duration from 1ms to 36500d",
        ),
        (
            "kafka: {tally_threads: 18446744073709551616}",
            "`kafka.tally_threads`: expected a whole number from 1 to 64, found `18446744073709551616`",
        ),
        ("receivers: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]", "a second receiver `a`"),
        ("receivers: [{name: a}]", "without `url` or `url_file`"),
        ("receivers: [{name: a, url: 'http://x', headers: {X-Key: ''}}]", "`receivers.headers.X-Key`: expected text"),
        ("logging: {level: inof}", "expected a level (`info`)"),
        ("database: x", "unknown key `database`; known keys: data, "),
    ] {
        let told = mistakes(load(text, &[], Overrides::default()));
        assert!(told.iter().any(|m| m.contains(expected)), "{text:?}: {told:?}");
    }
}

#[test]
fn no_mistake_tells_a_password() {
    let files = [
        "external_url: ftp://u:s3cret@h",
        "alert_url: 'http://u:s3cret@h h/{slo}'",
        "trace_url: 'http://u:s3cret@h h/{trace_id}'",
        "listen: http://u:s3cret@h:1",
        "log: mqtt://u:s3cret@h",
        "log: 'kafka://127.0.0.1:9092?password=s3cret'",
        "log: kafka://u:s3cret@h:1",
        "store: host=127.0.0.1 password=s3cret",
        "store: mysql://u:s3cret@h",
        "store: 'postgres://u:s3cret@h h'",
        "webhooks: ['http://u:s3cret@:99999/']",
        "webhooks: ['http://u:s3cret']",
        "webhooks: {'http://u:s3cret@h/': }",
        "receivers: ['http://u:s3cret@h/']",
        "receivers: [{'http://u:s3cret@h/': }]",
        "receivers: [{name: a, url: 'http://u:s3cret@h h'}]",
        "receivers: [{name: a, url: 'http://h h/?token=s3cret'}]",
        "receivers: [{name: a, url: 'http://h', headers: {X-Key: \"s3cret\\nb\"}}]",
        "receivers: [{name: a, url: 'http://h', headers: 'X-Key s3cret'}]",
        // The blank is missing.
        "receivers: [{name: a, url: 'http://h', headers: {X-Key:s3cret}}]",
        "receivers: [{name: a, url: 'http://h', headers: {'X-Key:s3cret': x}}]",
        "kafka: {properties: {sasl.password:s3cret}}",
        "postgres: {password:s3cret}",
        "receivers: [{name: a, url: 'http://h', headers_file: {X-Key: \"s3cret\\nb\"}}]",
        "receivers: [{name: a, url: 'http://h', authorization_file: \"s3cret\\nb\"}]",
        "postgres: {password_file: \"s3cret\\nb\"}",
    ];
    for file in files {
        let said = load(file, &[], Overrides::default()).unwrap_err().to_string();
        assert!(!said.contains("s3cret"), "{file}: {said}");
    }
    let given = |text: &str| Some(text.to_owned());
    let webhook = |url: &str| Overrides { webhooks: vec![url.to_owned()], ..Overrides::default() };
    for flags in [
        webhook("http://u:s3cret@127.0.0.1:1/x y"),
        webhook("http://u:s3cret@:99999/"),
        Overrides { store: given("host=127.0.0.1 password=s3cret"), ..Overrides::default() },
        Overrides { log: given("kafka://127.0.0.1:9092?password=s3cret"), ..Overrides::default() },
        Overrides { ops_listen: given("http://u:s3cret@h:1"), ..Overrides::default() },
    ] {
        let said = Config::load(None, [], flags.clone()).unwrap_err().to_string();
        assert!(!said.contains("s3cret"), "{flags:?}: {said}");
    }
    for name in ["SLIPSTREAM_WEBHOOKS", "SLIPSTREAM_EXTERNAL_URL", "SLIPSTREAM_STORE", "SLIPSTREAM_ROLES"] {
        let env = [(name.into(), "ftp://u:s3cret@h".into())];
        let said = Config::load(None, env, Overrides::default()).unwrap_err().to_string();
        assert!(said.contains("ftp://…@h") && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn aliases_are_followed_but_not_without_bound() {
    let config =
        load("receivers:\n  - &a {name: a, url: 'http://x'}\nslos: [&s dir, *s]\n", &[], Overrides::default()).unwrap();
    assert_eq!(config.slos.len(), 2);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let item = format!("*a{}", i - 1);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![item; 10].join(", ")));
    }
    let told = mistakes(load(&bomb, &[], Overrides::default()));
    assert!(told[0].contains("too large for a configuration"), "{told:?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Some(Path::new("/no/such.yaml")), [], Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("/no/such.yaml") && error.contains("No such file"), "{error}");
    let flags = Overrides { drain: Some("soon".to_owned()), ..Overrides::default() };
    let env = [("SLIPSTREAM_LISTEN".into(), "here".into())];
    let all = mistakes(Config::load(Some(Path::new("/no/such.yaml")), env, flags));
    assert_eq!(all.len(), 3, "what else is wrong is told as well: {all:?}");
    assert!(all.iter().any(|m| m.starts_with("/no/such.yaml: reading the configuration: No such file")), "{all:?}");
}

#[test]
fn a_variable_that_looks_mistyped_is_a_warning_and_a_foreign_one_is_none() {
    let env = [("SLIPSTREAM_LISTN", "x"), ("SLIPSTREAM_PORT_8480_TCP_ADDR", "10.0.0.1"), ("SLIPSTREAM_CONFIG", "f")];
    let config = load("", &env, Overrides::default()).unwrap();
    assert_eq!(config.ignored, ["SLIPSTREAM_LISTN: unknown variable, ignored; did you mean SLIPSTREAM_LISTEN?"]);
    assert!(config.warnings.is_empty());
    let (stoer, flags) = ([("SLIPSTREAM_STOER", "sqlite:elsewhere")], Overrides::default());
    let refused = load("drain: soon", &stoer, flags.clone()).unwrap_err();
    let missing = Config::load(Some(Path::new("/no/such.yaml")), stoer.map(|(n, v)| (n.into(), v.into())), flags);
    for (errors, mistake) in [(refused, "`drain`"), (missing.unwrap_err(), "No such file")] {
        let said = errors.to_string();
        let warning = "\n  warning: SLIPSTREAM_STOER: unknown variable, ignored; did you mean SLIPSTREAM_STORE?";
        assert!(said.contains(mistake) && said.ends_with(warning) && errors.problems().len() == 1, "{said}");
    }
    let config = load("retention: {events: 7d}", &[], Overrides::default()).unwrap();
    assert!(config.warnings[0].contains("7.0 d"), "{:?}", config.warnings);
}

#[test]
fn a_file_that_cannot_be_read_says_so_once_and_keeps_why() {
    let none = std::path::Path::new("/nowhere/slipstream.yaml");
    let error = Config::load(Some(none), [], Overrides::default()).unwrap_err();
    let behind = cause::find::<std::io::Error>(&error).expect("the system's error");
    assert_eq!(behind.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(cause::chain(&error), format!("reading the configuration /nowhere/slipstream.yaml: {behind}"));
}

/// Routes with a mistake, or something odd, in one place.
fn routes(odd: &str) -> String {
    format!(
        "receivers: [{{name: chat, url: 'http://localhost', group_interval: 1m}}]\n\
         time_intervals:\n  - {{name: weekend, time_intervals: [{{weekdays: ['saturday:sunday']}}]}}\n  \
         - {{name: sunday, time_intervals: [{{weekdays: [sunday]}}]}}\n{odd}\n"
    )
}

/// Line and column of the first place where this stands.
fn at(text: &str, what: &str) -> String {
    let found = text.lines().enumerate().find_map(|(line, text)| Some((line + 1, text.find(what)? + 1)));
    let (line, column) = found.unwrap_or_else(|| panic!("{what} in {text}"));
    format!("{line}:{column}: ")
}

#[test]
fn what_cannot_be_meant_of_routes_is_a_mistake() {
    let route = |settings: &str| routes(&format!("route: {{receiver: chat, {settings}}}"));
    let rule = |settings: &str| {
        routes(&format!("inhibit_rules: [{{source_matchers: [a=b], target_matchers: [c=d], {settings}}}]"))
    };
    for (text, place, said) in [
        (
            route("group_by: [slo, '...']"),
            "[slo, '...']",
            "`route.group_by`: `...` means all labels; leave out the others, or `...`",
        ),
        (
            route("group_by: [http.route]"),
            "http.route",
            "`route.group_by`: no alert has a label `http.route`: write `http_route`",
        ),
        (
            route("routes: [{matchers: ['2nd=a']}]"),
            "'2nd=a'",
            "`route.routes.matchers`: no alert has a label `2nd`: write `_2nd`",
        ),
        (rule("equal: [slo, http.route]"), "http.route", "`inhibit_rules.equal`: no alert has a label `http.route`"),
        (
            rule("dependants: true"),
            "{source_matchers",
            "`inhibit_rules`: `dependants: true` without `dependencies` holds nothing back",
        ),
        (
            route("routes: [{active_time_intervals: [sunday], mute_time_intervals: [weekend]}]"),
            "[sunday], mute",
            "`route.routes.active_time_intervals`: whenever one holds, one of `mute_time_intervals` does",
        ),
    ] {
        let told = mistakes(load(&text, &[], Overrides::default()));
        assert!(told.len() == 1 && told[0].contains(said) && told[0].contains(&at(&text, place)), "{text}: {told:?}");
    }
    let receiver = "receivers: [{name: chat, url: 'http://localhost', group_by: ['...', slo]}]";
    let told = mistakes(load(receiver, &[], Overrides::default()));
    assert!(told.len() == 1 && told[0].contains("`receivers.group_by`: `...` means all labels"), "{told:?}");
    let fine = "route: {receiver: chat, group_by: ['...'], active_time_intervals: [weekend], mute_time_intervals: [sunday]}\n\
                inhibit_rules: [{source_matchers: [a=b], dependants: true}]\ndependencies: {web: [checkout]}";
    let config = load(&routes(fine), &[], Overrides::default()).unwrap();
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn what_does_no_harm_but_says_nothing_is_a_warning() {
    let used = "mute_time_intervals: [weekend, sunday]";
    let less = "is less than the `group_interval` of";
    for (settings, place, said) in [
        ("", "{name: weekend", "`time_intervals`: no route uses `weekend`".to_owned()),
        ("active_time_intervals: [weekend]", "{name: sunday", "`time_intervals`: no route uses `sunday`".to_owned()),
        (&format!("{used}, repeat_interval: 59s"), "59s", format!("`route.repeat_interval`: 59s {less} 60s")),
        (&format!("{used}, group_interval: 5h"), "5h", format!("`route.repeat_interval`: 14400s {less} 18000s")),
        (
            &format!("{used}, repeat_interval: 2h, routes: [{{group_interval: 3h}}]"),
            "3h",
            format!("`route.routes.repeat_interval`: 7200s {less} 10800s"),
        ),
    ] {
        let text = routes(&format!("route: {{receiver: chat, {settings}}}"));
        let told = load(&text, &[], Overrides::default()).unwrap().warnings;
        assert!(!told.is_empty() && told[0].contains(&said) && told[0].contains(&at(&text, place)), "{text}: {told:?}");
    }
    for fine in ["repeat_interval: 1m", "repeat_interval: 0s", "group_interval: 4h"] {
        let text = routes(&format!("route: {{receiver: chat, {used}, {fine}}}"));
        assert_eq!(load(&text, &[], Overrides::default()).unwrap().warnings, [""; 0], "{fine}");
    }
}

#[test]
fn the_guide_to_routes_is_a_configuration() {
    let guide = include_str!("../../docs/routing.md");
    let block = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = load(block, &[], Overrides::default()).unwrap();
    let root = config.routing.root.unwrap();
    assert_eq!((config.receivers.len(), root.routes.len(), config.routing.inhibitions.len()), (3, 2, 2));
    // Every setting of a route is in its table, and no other.
    let table = guide.lines().skip_while(|line| !line.starts_with("| setting")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    let listed: Vec<&str> =
        rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2)).collect();
    let unknown = mistakes(load("route: {nothing: 1}", &[], Overrides::default())).join(" ");
    let known = unknown.split("known keys: ").nth(1).unwrap_or_default();
    let known: Vec<&str> = known.split(", ").map(|name| name.split_whitespace().next().unwrap_or_default()).collect();
    assert!(known.iter().all(|name| *name == "routes" || listed.contains(name)), "{known:?} {listed:?}");
    assert!(listed.iter().all(|name| known.contains(name)), "{known:?} {listed:?}");
}
