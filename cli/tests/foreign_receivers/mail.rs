//! A mail server takes our mails, and a mail library reads them: one conversation for each SLO.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use slipstream_testkit::services::ports;
use slipstream_testkit::tools;
use tokio::process::Command;

use crate::program::Program;
use crate::world::{Health, World};
use crate::{installed, until};

/// Prints each mail of a Maildir: its headers, and its parts by type.
const READER: &str = include_str!("mails.py");

#[tokio::test(flavor = "multi_thread")]
async fn the_mails_of_an_slo_are_one_conversation() {
    let python = installed(tools::readers).await;
    let port = ports::free().unwrap();
    let at = format!("127.0.0.1:{port}");
    let serve = ["-m", "aiosmtpd", "--nosetuid", "--listen", &at, "--class", "aiosmtpd.handlers.Mailbox", "mails"];
    let server = Program::start(&python, &serve, &[], port).await;
    let receivers = format!(
        "  - {{name: mail, format: email, url: 'smtp://{at}', encryption: none, from: 'Slipstream <slo@example.org>', \
         to: [team@example.org, 'On call <oncall@example.org>']}}\n"
    );
    let world = World::new(&receivers, &[]).await;
    let mails = Mails { python, folder: server.home().join("mails") };
    world.payment_is(Health::Ailing);
    mails.begin(&["[ticket] payment"]).await;
    world.payment_is(Health::Down);
    mails.begin(&["[ticket] payment", "[page] payment"]).await;
    world.payment_is(Health::Well);
    mails.begin(&["[ticket] payment", "[page] payment", "[resolved] payment"]).await;
    world.checkout_is(Health::Ailing);
    let all = mails.begin(&["[ticket] payment", "[page] payment", "[resolved] payment", "[ticket] checkout"]).await;
    let distinct = |name: &str, mails: &[Value]| {
        mails.iter().map(|mail| mail[name].as_str().unwrap_or_default().to_owned()).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(distinct("message-id", &all), 4, "{all:#?}");
    assert_eq!((distinct("references", &all[..3]), distinct("references", &all)), (1, 2), "{all:#?}");
    for mail in &all {
        assert_eq!(mail["references"], mail["in-reply-to"], "{mail:#}");
        assert_eq!(mail["to"], "team@example.org, On call <oncall@example.org>", "{mail:#}");
        let parts = &mail["parts"];
        let (text, html) = (parts["text/plain"].as_str().unwrap(), parts["text/html"].as_str().unwrap());
        assert!(text.contains("-availability") && html.contains("-availability"), "{mail:#}");
        assert_eq!(mail["defects"], serde_json::json!([]));
    }
    world.ends_well().await;
}

struct Mails {
    python: PathBuf,
    folder: PathBuf,
}

impl Mails {
    /// Waits until there are these mails by the beginnings of their subjects, in the order in which they came.
    async fn begin(&self, wanted: &[&str]) -> Vec<Value> {
        let right = |all: &Vec<Value>| {
            let subjects = all.iter().map(|mail| mail["subject"].as_str().unwrap_or_default());
            all.len() == wanted.len() && subjects.zip(wanted).all(|(subject, begin)| subject.starts_with(begin))
        };
        until(&format!("{wanted:?}"), async || read(&self.python, &self.folder).await, right).await
    }
}

async fn read(python: &Path, folder: &Path) -> Vec<Value> {
    let output = Command::new(python).args(["-c", READER]).arg(folder).output().await.unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{wrong}"))
}
