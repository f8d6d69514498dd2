//! `slipstream demo`: a synthetic shop, its SLOs, a fault, and the alert that it causes; one process, nothing else.

mod deploy;
mod keys;
mod receiver;
mod report;
mod screen;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use slipstream_alerter::ReceiverConfig;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{Loaded, load};
use slipstream_log::SharedLog;
use slipstream_producer::marking::outgoing;
use slipstream_producer::simulate::{self, FaultSwitch, Generator, Scenario, Simulation};
use slipstream_query::Follower;
use slipstream_role::names;
use slipstream_runtime::Shutdown;
use slipstream_runtime::config::{Config, Overrides};
use slipstream_runtime::stage::Stage;
use slipstream_schemas::{EventTime, Topic};
use slipstream_store::SharedStore;
use slipstream_store::alerts::AlertEpisode;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::keys::Keys;
use self::receiver::{Received, Receiver};
use self::screen::Screen;
use crate::answering::Answering;
use crate::parts::doors::Doors;
use crate::parts::{Installation, ReadPlace, Writes};
use crate::session::{Session, digested};
use crate::{args, catch_up, figures, logging, output, parts};

/// The SLOs of the demo, which are an example too.
const SLOS: &str = include_str!("../../../examples/shop/slos.yaml");
/// Name of the fault in the shop's scenario.
const FAULT: &str = "payment-errors";
const RECEIVER: &str = "demo";
/// So much history, so that windows have something to say.
const HISTORY: Duration = Duration::from_secs(2 * 3_600);
/// Requests per second of the history.
const HISTORY_RATE: f64 = 10.0;
/// The fault starts automatically after this.
const FAULT_AFTER: Duration = Duration::from_secs(20);
/// The fault ends automatically after this.
const FAULT_FOR: Duration = Duration::from_secs(45);
/// How long a headless demo runs by default.
const HEADLESS_FOR: Duration = Duration::from_secs(150);
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// Where its API is, unless something else is there.
const API: &str = "127.0.0.1:8470";
/// How long requests that are being answered may take at the end.
const API_ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Runs the demo.
///
/// # Errors
/// When the directory cannot be used, or a role fails.
pub async fn run(args: args::Demo, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    let screen = Screen::new(args.json);
    let temporary = tempfile::tempdir().context("creating a temporary directory for the demo's data")?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    // Nothing of the environment: the demo is the same everywhere.
    let config = Config::load(None, [], Overrides { data: Some(data.display().to_string()), ..Overrides::default() })?;
    let installation = Installation::open(&config, &shop_slos()?, Writes::LogAndStore).await?;
    // The directory may have tokens: from the first one on, nobody is served without.
    let doors = Doors::open(&config, &installation.log).await?;

    let receiver = Receiver::bind().await?;
    let log = installation.log.patient();
    let shared = installation.log.shared();
    let receivers = vec![ReceiverConfig::webhook(RECEIVER, receiver.url())];
    let mut session = Session::new(installation, receivers).await?;
    let store = session.store.clone();
    let api = match TcpListener::bind(API).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind("127.0.0.1:0").await.context("listening for the API")?,
    };
    let address = api.local_addr()?;
    let health = session.supervisor.health();
    let (place, access) = (ReadPlace::Open(store.clone()), doors.access());
    Answering { log: shared, place, health, access, stage: API_ENDS_WITHIN }
        .start(&mut session.supervisor, doors.listening(api));
    doors.follow(&mut session.supervisor);
    let (got, alerts) = mpsc::unbounded_channel();
    let serve = receiver.serve(got, session.supervisor.token(Stage::Serve));
    session.supervisor.task(Stage::Serve, "receiver", serve);

    let stop = session.supervisor.token(Stage::Intake);
    let demo = Demo { log, store, screen, stop, args };
    demo.screen.plain(format_args!("What it knows, over HTTP, while it runs: http://{address}/"))?;
    let (json, kept) = (demo.args.json, demo.args.data.is_some());
    let report = session.run(demo.play(alerts)).await?;
    if json {
        output::print_json(&report)?;
    }
    say_next(kept, &data, report.alerts.first());
    Ok(ExitCode::SUCCESS)
}

fn shop_slos() -> Result<Loaded> {
    let loaded = load(&[SourceFile { path: "examples/shop/slos.yaml".to_owned(), text: SLOS.to_owned() }]);
    match loaded.diagnostics.iter().find(|d| d.is_error()) {
        Some(wrong) => bail!("the demo's own SLOs are invalid, line {}: {}", wrong.line, wrong.message),
        None => Ok(loaded),
    }
}

/// What one would do next: look into the incident, if there was one and its data are kept.
fn say_next(kept: bool, data: &Path, alert: Option<&AlertEpisode>) {
    let (program, data) = (args::called(), args::as_argument(&data.display().to_string()));
    match alert {
        Some(AlertEpisode { id, episode, .. }) if kept => output::say(format_args!(
            "next: {program} replay --alert {id}/{episode} --around 30m --report incident.html --data {data}"
        )),
        _ if kept => output::say(format_args!("next: {program} query slos --data {data}")),
        _ => {
            output::say("next: slipstream run --slos PATH   (your own services; README.md has a tour of five minutes)")
        }
    }
}

struct Demo {
    log: SharedLog,
    store: SharedStore,
    screen: Screen,
    stop: Shutdown,
    args: args::Demo,
}

fn now() -> EventTime {
    EventTime(Timestamp::now().as_microsecond())
}

impl Demo {
    async fn play(self, mut alerts: mpsc::UnboundedReceiver<Received>) -> Result<report::Report> {
        let scenario = Scenario::shop();
        let faults = FaultSwitch::new(&scenario);
        let accepted = self.history(scenario.clone(), &faults).await?;
        self.deploy().await?;
        let published = Arc::new(AtomicU64::new(accepted));

        let traffic_ends = self.stop.child_token();
        let simulation = Simulation {
            generator: Generator::new(scenario, self.args.rate, self.args.seed),
            from: now(),
            until: None,
            realtime: true,
            faults: faults.clone(),
        };
        let counter = published.clone();
        let mut progress = move |p: &simulate::Progress| counter.store(accepted + p.accepted, Ordering::Relaxed);
        let traffic = simulate::run(self.log.clone(), simulation, &now, &mut progress, &traffic_ends);
        // However it ends, a reader who has gone included, the traffic ends with it.
        let mut heard = Vec::new();
        let show = async {
            let shown = self.show(&mut alerts, &mut heard, &faults, &published).await;
            traffic_ends.cancel();
            shown
        };
        let (summary, shown) = tokio::join!(traffic, show);
        shown?;
        let accepted = accepted + summary?.accepted;

        self.delivered().await?;
        while let Ok(alert) = alerts.try_recv() {
            self.screen.alert(&alert)?;
            heard.push(alert);
        }
        let report = report::of(self.log.as_ref(), self.store.as_ref(), accepted, heard).await?;
        self.screen.line(format_args!(
            "{} events accepted, {} stored, {} dead letters, {} deliveries",
            figures::count(report.events_accepted as i64),
            figures::count(report.events_stored as i64),
            report.dead_letters,
            report.deliveries.accepted
        ))?;
        Ok(report)
    }

    /// Waits until what happened is stored, and alerts of it have reached the receiver.
    async fn delivered(&self) -> Result<()> {
        let (log, store) = (self.log.as_ref(), self.store.as_ref());
        digested(log, store).await?;
        catch_up::committed(log, names::ALERTER, Topic::BurnRates).await?;
        catch_up::committed(log, &names::notifier_of(RECEIVER), Topic::Alerts).await?;
        catch_up::stored(log, store, Topic::Alerts).await
    }

    /// Two hours in which nothing happened.
    async fn history(&self, scenario: Scenario, faults: &FaultSwitch) -> Result<u64> {
        self.screen.plain("A shop of five services, four SLOs, one process. Alerts go to a webhook receiver in it.")?;
        if Keys::wanted(self.args.headless) {
            self.screen.plain("Enter starts or ends a fault (payment answers 503); Ctrl-C ends the demo.")?;
        }
        let until = now();
        let simulation = Simulation {
            generator: Generator::new(scenario, HISTORY_RATE, self.args.seed.wrapping_add(1)),
            from: EventTime(until.0 - HISTORY.as_micros() as i64),
            until: Some(until),
            realtime: false,
            faults: faults.clone(),
        };
        let summary = simulate::run(self.log.clone(), simulation, &now, &mut |_| {}, &self.stop).await?;
        let hours = HISTORY.as_secs() / 3_600;
        self.screen.line(format_args!("{} events of {hours} h history", figures::count(summary.accepted as i64)))?;
        Ok(summary.accepted)
    }

    /// Marks the deploy that the fault is blamed on: two minutes before it begins by itself, so in the history.
    async fn deploy(&self) -> Result<()> {
        let marker = deploy::marker(EventTime(now().0 + FAULT_AFTER.as_micros() as i64));
        self.log.publish(vec![outgoing(&marker)]).await.context("recording the marker of the deploy")?;
        self.screen.line(deploy::line(&marker))?;
        Ok(())
    }

    /// Shows what happens and moves the fault, until the time is over, the demo is stopped or nobody reads any more.
    async fn show(
        &self,
        alerts: &mut mpsc::UnboundedReceiver<Received>,
        heard: &mut Vec<Received>,
        faults: &FaultSwitch,
        published: &AtomicU64,
    ) -> Result<()> {
        let began = Instant::now();
        let span = self.args.span.or_else(|| self.args.headless.then_some(HEADLESS_FOR));
        let end = began + span.unwrap_or(Duration::from_secs(365 * 86_400));
        let mut keys = Keys::listen(self.args.headless);
        let mut status = tokio::time::interval_at(began + Duration::from_secs(1), STATUS_EVERY);
        let mut before = (began, published.load(Ordering::Relaxed));
        let mut follower = Follower::open(self.log.clone(), parts::PROCESS).await?;
        let mut schedule = [(FAULT_AFTER, true), (FAULT_AFTER + FAULT_FOR, false)].into_iter().peekable();
        loop {
            let next = schedule.peek().map_or(end, |(after, _)| began + *after).min(end);
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep_until(next) => match schedule.next_if(|_| next < end) {
                    Some((_, on)) => self.fault(faults, on)?,
                    None => break,
                },
                Some(alert) = alerts.recv() => {
                    self.screen.alert(&alert)?;
                    heard.push(alert);
                }
                () = keys.pressed() => {
                    // From the first key press on, the user controls the fault.
                    while schedule.next().is_some() {}
                    self.fault(faults, !faults.is_on(FAULT))?;
                }
                _ = status.tick() => before = self.status(&mut follower, before, published).await?,
            }
        }
        Ok(())
    }

    fn fault(&self, faults: &FaultSwitch, on: bool) -> Result<()> {
        faults.set(FAULT, on);
        self.screen.line(match on {
            true => "FAULT  payment begins to answer 503",
            false => "FAULT  over: payment works again",
        })?;
        Ok(())
    }

    async fn status(
        &self,
        follower: &mut Follower,
        before: (Instant, u64),
        published: &AtomicU64,
    ) -> Result<(Instant, u64)> {
        let (at, count) = (Instant::now(), published.load(Ordering::Relaxed));
        let per_second = (count - before.1) as f64 / (at - before.0).as_secs_f64().max(0.001);
        follower.follow().await?;
        let slos = follower.slos()?.slos;
        self.screen.status(per_second, self.store.counts().await?.events, &slos)?;
        Ok((at, count))
    }
}
