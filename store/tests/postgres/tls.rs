//! Encrypted connections to a server with a certificate of our own making.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use slipstream_store::postgres::inspect;
use slipstream_store::{PostgresOptions, PostgresStore, StoreError};
use slipstream_testkit::services::Postgres;
use tempfile::TempDir;

use crate::support::{Beside, DEADLINE};

/// An authority, and its certificate in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
    _dir: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("root.pem");
        std::fs::File::create(&file).unwrap().write_all(issuer.pem().as_bytes()).unwrap();
        Authority { issuer, file, _dir: dir }
    }

    /// Certificate and key for a host.
    fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// Switches encryption on in a server, wherever it runs: the server itself writes the files.
async fn encrypt(url: &str, (certificate, key): (String, String)) {
    let beside = Beside::connect(url).await;
    for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
        let sql =
            format!("COPY (SELECT unnest(string_to_array('{pem}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'");
        beside.run(&sql).await;
    }
    beside.run("ALTER SYSTEM SET ssl TO on").await;
    beside.run("SELECT pg_reload_conf()").await;
    let begin = Instant::now();
    while Beside::connect(url).await.one::<String>("SHOW ssl", &[]).await != "on" {
        assert!(begin.elapsed() < DEADLINE, "the server does not switch encryption on");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sslmode_keeps_what_it_promises() {
    let server = Postgres::dedicated().await;
    let url = server.fresh_database().await;
    let plain = PostgresStore::connect(PostgresOptions::new(format!("{url}?sslmode=require"))).await.err();
    let told = plain.expect("a server without encryption").to_string();
    assert!(told.contains("sslmode=disable"), "{told}");
    let (ours, foreign) = (Authority::new(), Authority::new());
    encrypt(&url, ours.issue("localhost")).await;
    let by_name = url.replace("127.0.0.1", "localhost");
    assert_ne!(by_name, url);
    let with = |url: &str, mode: &str, authority: Option<&Authority>| PostgresOptions {
        root_cert: authority.map(|authority| authority.file.clone()),
        ..PostgresOptions::new(format!("{url}?sslmode={mode}"))
    };
    let rows: [(&str, PostgresOptions, Option<bool>); 11] = [
        ("disabled", with(&url, "disable", None), Some(false)),
        ("preferred", with(&url, "prefer", None), Some(true)),
        ("required, any certificate", with(&url, "require", None), Some(true)),
        ("required, of this authority", with(&url, "require", Some(&ours)), Some(true)),
        ("required, of another", with(&url, "require", Some(&foreign)), None),
        ("of this authority, whatever host", with(&url, "verify-ca", Some(&ours)), Some(true)),
        ("of another authority", with(&by_name, "verify-ca", Some(&foreign)), None),
        ("all right", with(&by_name, "verify-full", Some(&ours)), Some(true)),
        ("wrong host", with(&url, "verify-full", Some(&ours)), None),
        ("right host, another authority", with(&by_name, "verify-full", Some(&foreign)), None),
        ("right host, not an authority of the system", with(&by_name, "verify-full", None), None),
    ];
    for (row, options, encrypted) in rows {
        match (inspect(&options).await, encrypted) {
            (Ok(found), Some(encrypted)) => assert_eq!(found.encrypted, encrypted, "{row}"),
            (Err(error @ StoreError::Fatal { .. }), None) => {
                let error = error.to_string();
                assert!(error.contains("certificate"), "{row}: {error}");
            }
            (other, _) => panic!("{row}: {other:?}"),
        }
    }
    let in_url = format!("{by_name}?sslmode=verify-full&sslrootcert={}", ours.file.display());
    PostgresStore::connect(PostgresOptions::new(in_url)).await.unwrap().close().await;
}
