//! Whom a process lets in: a start that is refused, certificates, and the demo.

use std::time::Instant;

use serde_json::json as object;
use slipstream_testkit::process::Slipstream;

use crate::support::{BINARY, arg, json, run, slipstream, told};
use crate::{SOON, created, token};

#[test]
fn another_address_than_loopback_is_not_served_without_tokens_and_it_is_told_how_to_make_one() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("my data");
    let slos = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop");
    let local = ["run", "--ops-listen", "127.0.0.1:0", "--slos", slos, "--data", arg(&data)];
    let args = [&local[..], &["--listen", "0.0.0.0:0", "--api-listen", "127.0.0.1:0"]].concat();
    let api = [&local[..], &["--listen", "127.0.0.1:0", "--api-listen", "0.0.0.0:0"]].concat();
    let command =
        format!("slipstream token create --name admin --scopes ingest,read,operate --data '{}'", data.display());
    for (args, flag) in [(&args, "--listen 0.0.0.0:"), (&api, "--api-listen 0.0.0.0:")] {
        let (code, _, said) = told(&run(args));
        assert!(code == Some(1) && said.contains(&command), "{said}");
        assert!(said.contains(flag) && said.contains("only loopback is served"), "{said}");
        let slos = json(&["query", "slos", "--json", "--data", arg(&data)]);
        assert_eq!(slos["slos"], object!([]), "nothing is in force");
    }
    // As it is told.
    created(&data, "admin", "ingest,read,operate", &[]);
    let mut process = slipstream(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let begun = Instant::now();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(process.stderr.take().unwrap()));
    while !said.contains("slipstream is running") {
        said += &lines.next().unwrap_or_else(|| panic!("it ends: {said}")).unwrap();
        assert!(begun.elapsed() < 3 * SOON, "{said}");
    }
    assert!(said.contains("without `tls`, tokens can be read on their way"), "{said}");
    process.kill().unwrap();
    process.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_a_certificate_hold_over_restarts() {
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = (home.path().join("tls.crt"), home.path().join("tls.key"));
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let config = home.path().join("slipstream.yaml");
    std::fs::write(&config, "tls: {certificate: tls.crt, key: tls.key}\n").unwrap();
    let mut process = Slipstream::new(BINARY).unwrap().with(["--config", arg(&config)]);
    let shop = created(&process.data(), "shop", "ingest,read", &[]);
    let api = process.api().replace("http://", "https://");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = reqwest::Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap();
    let token_file = home.path().join("shop.token");
    std::fs::write(&token_file, &shop).unwrap();
    let gateway = process.gateway().replace("http://", "https://");
    for id in ["a", "b"] {
        process.start().await.unwrap();
        let args = ["mark", "note", "x", "--id", id, "--to", &gateway, "--token-file", arg(&token_file)];
        let trusting = run(&[&args[..], &["--ca-file", arg(&certificate)]].concat());
        assert!(trusting.status.success(), "{}", told(&trusting).2);
        // Whoever does not trust the certificate hears that at once: it would not at the next try.
        let lines = home.path().join("events.ndjson");
        std::fs::write(&lines, "{}\n").unwrap();
        for wary in [
            &args[..],
            &["import", "--format", "json", arg(&lines), "--to", &gateway, "--token-file", arg(&token_file)],
        ] {
            let (code, _, said) = told(&run(wary));
            assert!(code == Some(1) && said.contains("certificate") && !said.contains("tried"), "{wary:?}: {said}");
        }
        // The same token and certificate at the other server.
        let client = reqwest::Client::builder().tls_certs_only([trusted.clone()]).build().unwrap();
        let slos = client.get(format!("{api}/api/v1/slos"));
        assert_eq!(slos.try_clone().unwrap().send().await.unwrap().status(), 401);
        assert_eq!(slos.bearer_auth(&shop).send().await.unwrap().status(), 200);
        let owner =
            token(&process.data(), &["create", "--name", "x", "--scopes", "read", "--ca-file", arg(&certificate)]);
        let (code, _, said) = told(&owner);
        assert!(code == Some(1) && said.contains(&gateway) && said.contains("401"), "{said}");
        assert!(process.stop().await.unwrap().success());
    }
    let said = process.stderr();
    assert!(said.contains(&format!("POST {gateway}/v1/events")), "{said}");
    std::fs::write(&key, pair.cert.pem()).unwrap();
    let (code, _, said) = told(&run(&["run", "--config", arg(&config), "--data", arg(&process.data())]));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("`tls`: ") && said.contains("tls.key: it holds no private key (PEM); it holds a certificate"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_certificate_is_for_a_name_alone_it_is_told_how_to_use_it() {
    let home = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap();
    std::fs::write(home.path().join("tls.crt"), pair.cert.pem()).unwrap();
    std::fs::write(home.path().join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
    let (config, authority) = (home.path().join("slipstream.yaml"), home.path().join("tls.crt"));
    std::fs::write(&config, "tls: {certificate: tls.crt, key: tls.key}\n").unwrap();
    let mut process = Slipstream::new(BINARY).unwrap().with(["--config", arg(&config)]);
    process.start().await.unwrap();
    let (code, _, said) =
        told(&token(&process.data(), &["create", "--name", "x", "--scopes", "operate", "--ca-file", arg(&authority)]));
    let port = process.gateway().rsplit_once(':').unwrap().1.to_owned();
    let advice = format!("name the gateway as its certificate does: --to https://HOST:{port}");
    assert!(code == Some(1) && said.contains(&advice), "{said}");
    assert!(process.stop().await.unwrap().success());
}

#[test]
fn a_token_that_goes_over_a_network_without_tls_is_warned_of() {
    for (to, warned) in
        [("http://gateway.invalid:8480", true), ("https://gateway.invalid:8480", false), ("http://[::1]:1", false)]
    {
        let list = slipstream(&["token", "list", "--to", to]).env("SLIPSTREAM_TOKEN", "slp_abab").output().unwrap();
        let (_, _, said) = told(&list);
        assert_eq!(said.contains("the token is sent without TLS"), warned, "{to}: {said}");
        assert!(!said.contains("slp_abab"), "{said}");
        let asked =
            slipstream(&["query", "kpis", "--server", to]).env("SLIPSTREAM_TOKEN", "slp_abab").output().unwrap();
        let (_, _, said) = told(&asked);
        assert_eq!(said.contains("the token is sent without TLS"), warned, "{to}: {said}");
        assert!(!said.contains("slp_abab"), "{said}");
    }
}

#[test]
fn the_demo_goes_by_the_tokens_of_its_directory() {
    let home = tempfile::tempdir().unwrap();
    created(home.path(), "admin", "operate", &[]);
    let mut demo = slipstream(&["demo", "--headless", "--for", "60s", "--data", arg(home.path())]);
    let mut demo = demo.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(demo.stdout.take().unwrap()));
    let address = lines.map_while(Result::ok).find_map(|line| {
        line.strip_prefix("What it knows, over HTTP, while it runs: http://")
            .map(|rest| rest.trim_matches('/').to_owned())
    });
    let status = address.map(|address| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let request = format!("GET /api/v1/slos HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        std::io::read_to_string(stream).unwrap()
    });
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert!(status.as_ref().is_some_and(|answer| answer.starts_with("HTTP/1.1 401")), "{status:?}");
}
