//! Alerta keeps one alert for each SLO, in the state that it is in.

use serde_json::Value;
use slipstream_testkit::services::{self, ports};
use slipstream_testkit::tools;

use crate::program::Program;
use crate::world::{Health, World};
use crate::{SEVERITIES, get, installed, until};

const PAYMENT: &str = "payment-availability/answered";
const CHECKOUT: &str = "checkout-availability/answered";

#[tokio::test(flavor = "multi_thread")]
async fn alerta_has_an_alert_for_each_slo_in_the_state_that_it_is_in() {
    let alerta = Alerta::start().await;
    let url = format!("{}/webhooks/prometheus", alerta.url);
    let world = World::new(&format!("  - {{name: alerta, url: '{url}', severities: {SEVERITIES}}}\n"), &[]).await;
    world.payment_is(Health::Ailing);
    alerta.shows(&[(PAYMENT, "warning", "open")]).await;
    // In one message the ticket is over and the page fires: what it says last is what counts.
    world.payment_is(Health::Down);
    alerta.shows(&[(PAYMENT, "critical", "open")]).await;
    world.checkout_is(Health::Ailing);
    alerta.shows(&[(CHECKOUT, "warning", "open"), (PAYMENT, "critical", "open")]).await;
    world.payment_is(Health::Well);
    let all = alerta.shows(&[(CHECKOUT, "warning", "open"), (PAYMENT, "normal", "closed")]).await;
    let alert = &all[0];
    assert_eq!(alert["event"], "SLOBurnRate", "{alert:#}");
    assert_eq!(alert["service"], serde_json::json!(["checkout"]));
    let tags = alert["tags"].as_array().unwrap();
    assert!(tags.contains(&"slo=checkout-availability".into()), "{alert:#}");
    world.checkout_is(Health::Well);
    alerta.shows(&[(CHECKOUT, "normal", "closed"), (PAYMENT, "normal", "closed")]).await;
    world.ends_well().await;
}

struct Alerta {
    url: String,
    program: Program,
}

impl Alerta {
    /// On a database of its own.
    async fn start() -> Alerta {
        let programs = installed(tools::alerta).await;
        let database = services::postgres().await.fresh_database().await;
        let port = ports::free().unwrap();
        let (database, at) = (format!("DATABASE_URL={database}"), port.to_string());
        let alertad = programs.join("alertad");
        let serve = [alertad.to_str().unwrap(), "run", "--host", "127.0.0.1", "--port", &at];
        let arguments = [&[database.as_str(), "SECRET_KEY=of-a-test-alone-and-long-enough"], &serve[..]].concat();
        let program = Program::start("env".as_ref(), &arguments, &[], port).await;
        Alerta { url: format!("http://127.0.0.1:{port}"), program }
    }

    /// Waits until it shows these by resource, severity and status, and no others. It lists them by resource.
    async fn shows(&self, wanted: &[(&str, &str, &str)]) -> Vec<Value> {
        let of = |alert: &Value, name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        let right = |all: &Vec<Value>| {
            let seen = all.iter().map(|a| (of(a, "resource"), of(a, "severity"), of(a, "status")));
            seen.eq(wanted.iter().map(|(r, s, t)| ((*r).to_owned(), (*s).to_owned(), (*t).to_owned())))
        };
        let look = async || {
            let mut answer = get(&format!("{}/alerts?sort-by=resource", self.url)).await;
            answer["alerts"].as_array_mut().map(std::mem::take).unwrap_or_else(|| panic!("{}", self.program.output()))
        };
        until(&format!("{wanted:?}"), look, right).await
    }
}
