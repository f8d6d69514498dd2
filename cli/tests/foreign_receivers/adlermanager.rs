//! AdlerManager, a status page that stands in for an Alertmanager, shows how each service does.

use regex::Regex;
use slipstream_testkit::services::ports;
use slipstream_testkit::tools;

use crate::program::Program;
use crate::world::{Health, World};
use crate::{SEVERITIES, installed, until};

const SITE: &str = "
title: Shop
services:
  - {label: payment, name: payment, components: [{label: answers, name: answers, description: Of requests}]}
  - {label: checkout, name: checkout, components: [{label: answers, name: answers, description: Of requests}]}
";
const TOKEN: &str = "adler-t0ken";

#[tokio::test(flavor = "multi_thread")]
async fn a_status_page_shows_how_each_service_does() {
    let page = Page::start().await;
    let receiver = format!(
        "  - {{name: status, format: alertmanager-api, url: '{}', group_by: [], severities: {SEVERITIES}, \
         bearer_token_file: token}}\n",
        page.url
    );
    let world = World::new(&receiver, &[("token", TOKEN)]).await;
    world.payment_is(Health::Ailing);
    page.shows(["warning", "success"]).await;
    // In one request the ticket is over and the page fires.
    world.payment_is(Health::Down);
    page.shows(["danger", "success"]).await;
    world.checkout_is(Health::Ailing);
    page.shows(["danger", "warning"]).await;
    // It cannot read an end with whole seconds, as ours are; that nothing more comes is what it understands.
    world.payment_is(Health::Well);
    world.checkout_is(Health::Well);
    page.shows(["success", "success"]).await;
    world.ends_well().await;
}

struct Page {
    url: String,
    _program: Program,
}

impl Page {
    async fn start() -> Page {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let python = installed(tools::adlermanager).await;
        let port = ports::free().unwrap();
        let endpoint = format!("WEB_ENDPOINT=tcp:interface=127.0.0.1:port={port}");
        // Longer than we wait before we tell it again that something fires.
        let lets_go = "ALERT_RESOLVE_MINUTES=2";
        let arguments =
            ["DATA_DIR=data", lets_go, "SSH_ENABLED=", &endpoint, python.to_str().unwrap(), "-m", "adlermanager"];
        // The folder of a site is named as its host.
        let files = [("data/sites/127.0.0.1/site.yml", SITE), ("data/sites/127.0.0.1/tokens.txt", TOKEN)];
        let program = Program::start("env".as_ref(), &arguments, &files, port).await;
        Page { url: format!("http://127.0.0.1:{port}"), _program: program }
    }

    /// Waits until payment and checkout have these colours.
    async fn shows(&self, wanted: [&str; 2]) {
        let colour = Regex::new(r#"text-bg-(\w+)">\s*(payment|checkout)\s"#).unwrap();
        let look = async || reqwest::get(&self.url).await.unwrap().text().await.unwrap();
        let right = |page: &String| {
            let colours = colour.captures_iter(page).map(|found| (found[2].to_owned(), found[1].to_owned()));
            colours.eq(["payment", "checkout"].iter().zip(wanted).map(|(s, c)| ((*s).to_owned(), c.to_owned())))
        };
        until(&format!("{wanted:?}"), look, right).await;
    }
}
