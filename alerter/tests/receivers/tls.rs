//! Certificates: the server's, of an authority of our own and a name that is not that of the address, and ours.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use slipstream_alerter::ReceiverConfig;
use slipstream_runtime::config::{Auth, ClientTls, OAuth2, ReceiverFormat, Secret, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::{receiver, tell_once};

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate and its key.
pub struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    pub fn pem(&self) -> Secret {
        Secret::new(self.certificate.pem())
    }

    pub fn sign(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        Pair { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate.der().to_vec())).unwrap();
        Arc::new(roots)
    }
}

impl Pair {
    pub fn pem(&self) -> (Secret, Secret) {
        (Secret::new(self.certificate.pem()), Secret::new(self.key.serialize_pem()))
    }
}

/// A server's side, which asks for certificates of `clients`.
pub fn acceptor(pair: &Pair, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from(pair.certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(pair.key.serialize_der()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
}

/// A server that answers 200 with what `said` makes of the request's header `Host`, connection by connection. Returns its port.
async fn serve(acceptor: TlsAcceptor, said: fn(&str) -> String, server: &mut JoinSet<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    server.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that is not let in is none.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = vec![0; 4_096];
            let Ok(read) = stream.read(&mut head).await else { continue };
            let text = String::from_utf8_lossy(&head[..read]).into_owned();
            let host = text.lines().find(|line| line.to_lowercase().starts_with("host:")).unwrap_or_default();
            let body = said(host);
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

#[tokio::test]
async fn certificates_of_both_sides_are_checked() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let mut server = JoinSet::new();
    let port = serve(acceptor(&ours.sign("am.example.org"), Some(&clients)), str::to_owned, &mut server).await;
    let with = |tls: ClientTls| ReceiverConfig {
        way: Way { tls, ..Way::default() },
        ..receiver(&format!("https://127.0.0.1:{port}/hook"), ReceiverFormat::AlertmanagerWebhook)
    };
    let right = ClientTls {
        ca: Some(ours.pem()),
        identity: Some(clients.sign("slipstream").pem()),
        server_name: Some("am.example.org".to_owned()),
    };
    let told = tell_once(&with(right.clone())).await;
    assert!(told.accepted, "{told:?}");
    assert_eq!(told.said.to_lowercase(), format!("host: 127.0.0.1:{port}"), "the name is for TLS alone");
    for (wrong, why) in [
        (ClientTls { server_name: None, ..right.clone() }, "not valid for name"),
        (ClientTls { ca: Some(clients.pem()), ..right.clone() }, "certificate"),
        (ClientTls { identity: None, ..right.clone() }, ""),
        (ClientTls { identity: Some(ours.sign("slipstream").pem()), ..right.clone() }, ""),
    ] {
        let told = tell_once(&with(wrong)).await;
        assert!(!told.accepted && told.status.is_none() && told.said.contains(why), "{told:?}");
    }
    for (wrong, why) in [
        (ClientTls { ca: Some(Secret::new("none")), ..right.clone() }, "tls.ca_file: it holds no certificate in PEM"),
        (ClientTls { identity: Some((ours.pem(), Secret::new("no key"))), ..right }, "tls.cert_file and tls.key_file"),
    ] {
        let error = with(wrong).check().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn the_server_of_tokens_has_certificates_of_its_own() {
    let (ours, theirs, clients) = (Authority::new(), Authority::new(), Authority::new());
    let mut server = JoinSet::new();
    let port = serve(acceptor(&ours.sign("127.0.0.1"), None), str::to_owned, &mut server).await;
    let granted = |_: &str| r#"{"access_token":"a-token","expires_in":3600}"#.to_owned();
    let identities = serve(acceptor(&theirs.sign("id.example.org"), Some(&clients)), granted, &mut server).await;
    let own = |authority: &Authority| ClientTls { ca: Some(authority.pem()), ..ClientTls::default() };
    let with = |tls: ClientTls| {
        let auth = Auth::OAuth2(OAuth2 {
            client_id: "me".to_owned(),
            client_secret: Secret::new("s3cret-of-mine"),
            token_url: format!("https://127.0.0.1:{identities}/token"),
            scopes: Vec::new(),
            endpoint_params: Vec::new(),
            tls,
            proxy: None,
        });
        let way = Way { auth: Some(auth), tls: own(&ours), ..Way::default() };
        ReceiverConfig {
            way,
            ..receiver(&format!("https://127.0.0.1:{port}/hook"), ReceiverFormat::AlertmanagerWebhook)
        }
    };
    let right = ClientTls {
        identity: Some(clients.sign("slipstream").pem()),
        server_name: Some("id.example.org".to_owned()),
        ..own(&theirs)
    };
    let told = tell_once(&with(right.clone())).await;
    assert!(told.accepted && told.said.to_lowercase().starts_with("host:"), "{told:?}");
    for wrong in [
        own(&theirs),
        ClientTls { ca: Some(ours.pem()), ..right.clone() },
        ClientTls { identity: None, ..right.clone() },
        ClientTls { server_name: None, ..right },
    ] {
        let told = tell_once(&with(wrong)).await;
        assert!(!told.accepted && told.said.starts_with("fetching a token: "), "{told:?}");
    }
    let broken = with(ClientTls { ca: Some(Secret::new("none")), ..ClientTls::default() });
    let error = broken.check().unwrap_err().to_string();
    assert!(error.contains("oauth2.tls.ca_file: it holds no certificate in PEM"), "{error}");
}
