//! Mail, to a server that was made for it.

use slipstream_alerter::ReceiverConfig;
use slipstream_runtime::config::{Auth, ClientTls, Email, Encryption, ReceiverFormat, Secret, Way};

use crate::post_office::{Manners, PostOffice};
use crate::tls::{Authority, acceptor};
use crate::{SECRET, receiver, tell, tell_once};

fn mail(url: &str, encryption: Encryption) -> ReceiverConfig {
    let email = Email {
        from: "Slipstream <slo@example.org>".to_owned(),
        to: vec!["team@example.org".to_owned(), "boss@example.org".to_owned()],
        encryption,
        allow_plaintext: false,
    };
    receiver(url, ReceiverFormat::Email(email))
}

fn to(office: &PostOffice, encryption: Encryption, way: Way) -> ReceiverConfig {
    ReceiverConfig { way, ..mail(&format!("smtp://127.0.0.1:{}", office.port), encryption) }
}

fn way(authority: &Authority) -> Way {
    let tls = ClientTls { ca: Some(authority.pem()), identity: None, server_name: Some("post.test".to_owned()) };
    Way { auth: Some(Auth::Basic { username: "me".to_owned(), password: Secret::new(SECRET) }), tls, ..Way::default() }
}

#[tokio::test]
async fn a_mail_goes_through_starttls_and_says_who_we_are_only_then() {
    let authority = Authority::new();
    let starttls = Some(acceptor(&authority.sign("post.test"), None));
    let office = PostOffice::open(Manners { starttls, ..Manners::open() }).await;
    let told = tell(&to(&office, Encryption::StartTls, way(&authority))).await;
    assert!(told.iter().all(|told| told.accepted && told.status == Some(250)), "{told:?}");
    assert_eq!(told[0].said, "2.0.0 queued as 4711");
    let heard = office.heard();
    let at = |what: &str| {
        heard.iter().position(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what}: {heard:?}"))
    };
    assert!(at("STARTTLS") < at("tls") && at("tls") < at("AUTH PLAIN") && at("AUTH PLAIN") < at("MAIL FROM"));
    assert_eq!(heard.iter().filter(|line| line.starts_with("RCPT TO:")).count(), 4, "two, twice");
    let subjects: Vec<&String> = heard.iter().filter(|line| line.starts_with("Subject: ")).collect();
    assert_eq!(subjects[0], "Subject: [page] Test of the receiver ops");
    assert!(subjects[1].starts_with("Subject: [resolved] "), "{subjects:?}");
    let values = |name: &str| -> Vec<String> { heard.iter().filter(|line| line.starts_with(name)).cloned().collect() };
    let (ids, threads) = (values("Message-ID: "), values("References: "));
    assert!(ids.len() == 2 && ids[0] != ids[1] && threads[0] == threads[1], "{ids:?} {threads:?}");
}

#[tokio::test]
async fn tls_from_the_first_byte_and_none_on_this_machine() {
    let authority = Authority::new();
    let tls = Some(acceptor(&authority.sign("post.test"), None));
    let office = PostOffice::open(Manners { tls, ..Manners::open() }).await;
    assert!(tell_once(&to(&office, Encryption::Tls, way(&authority))).await.accepted);
    assert_eq!(office.heard()[0], "tls");
    let office = PostOffice::open(Manners::open()).await;
    assert!(tell_once(&to(&office, Encryption::None, Way::default())).await.accepted);

    let error = mail("smtp://mail.example.org", Encryption::None).check().unwrap_err().to_string();
    assert!(error.contains("allow_plaintext: true"), "{error}");
}

#[tokio::test]
async fn without_a_connection_that_can_be_trusted_no_mail_is_sent() {
    let authority = Authority::new();
    // It does not offer STARTTLS, as one does not through which somebody listens.
    let office = PostOffice::open(Manners::open()).await;
    let told = tell_once(&to(&office, Encryption::StartTls, way(&authority))).await;
    assert!(!told.accepted && told.status.is_none(), "{told:?}");
    assert!(!office.heard().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")));

    let starttls = Some(acceptor(&Authority::new().sign("post.test"), None));
    let office = PostOffice::open(Manners { starttls, ..Manners::open() }).await;
    let told = tell_once(&to(&office, Encryption::StartTls, way(&authority))).await;
    assert!(!told.accepted && told.said.contains("certificate"), "{told:?}");
    assert!(!office.heard().iter().any(|line| line.starts_with("AUTH")));
}

#[tokio::test]
async fn answers_of_a_mail_server_mean_what_they_say() {
    let plain = Manners::open();
    for (manners, status, said) in [
        (Manners { recipient: "550 5.1.1 unknown", ..plain.clone() }, 550, "unknown"),
        (Manners { recipient: "450 4.2.0 greylisted", ..plain.clone() }, 450, "greylisted"),
        (Manners { mail: "452 4.3.1 full", ..plain.clone() }, 452, "full"),
        (Manners { mail: "554 5.7.1 spam", ..plain }, 554, "spam"),
    ] {
        let office = PostOffice::open(manners).await;
        let told = tell_once(&to(&office, Encryption::None, Way::default())).await;
        assert_eq!((told.accepted, told.status), (false, Some(status)), "{told:?}");
        assert!(told.said.contains(said), "{told:?}");
    }
    let gone = mail("smtp://127.0.0.1:9", Encryption::None);
    let told = tell_once(&gone).await;
    assert!(!told.accepted && told.status.is_none() && !told.said.is_empty(), "{told:?}");
}
