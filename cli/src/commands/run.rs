//! `slipstream run`: the roles of this process, until a signal or a failure.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use slipstream_definitions::openslo::Loaded;
use slipstream_producer::gateway;
use slipstream_runtime::config::{Config, LogAddress, Overrides, Role};
use slipstream_runtime::health::{Health, State};
use slipstream_runtime::metrics::Page;
use slipstream_runtime::signal::StopSignal;
use slipstream_runtime::stage::Stage;
use slipstream_runtime::supervise::{Bounds, Supervisor};
use slipstream_runtime::{Shutdown, ops, signal, telemetry};
use tokio::net::TcpListener;

use crate::answering::Answering;
use crate::args::Place;
use crate::explaining::Explaining;
use crate::parts::doors::{self, Doors};
use crate::parts::{Installation, OpenLog, ReadPlace, Writes};
use crate::pipeline::Pipeline;
use crate::place::{both, say_ignored};
use crate::{args, definitions, output, parts};

/// Runs until SIGTERM or SIGINT, or until a role fails.
///
/// # Errors
/// When the configuration is wrong, an address is taken, or the data directory cannot be owned.
pub async fn run(args: args::Run, log_level: Option<String>) -> Result<ExitCode> {
    let (config, loaded) = load(&args, log_level)?;
    telemetry::init(&config.logging, std::env::var("NO_COLOR").ok().as_deref())?;
    for warning in config.ignored.iter().chain(&config.warnings) {
        tracing::warn!("{warning}");
    }
    let stop = signal::watch().context("watching for signals")?;
    serve(config, loaded, &args.place, stop).await
}

/// The configuration and the definitions that it names. Errors in either are reported at once.
fn load(args: &args::Run, log_level: Option<String>) -> Result<(Config, Loaded)> {
    let mut found = None;
    let check = |config: &Config| {
        found = Some(definitions::load_valid(&config.slos));
        let mut mistakes = parts::mistakes(config);
        mistakes.extend(doors::mistake(config));
        mistakes
    };
    let config =
        Config::load_checked(args.place.config.as_deref(), std::env::vars_os(), overrides(args, log_level), check);
    let loaded = found.unwrap_or_else(|| Ok(Loaded::default()));
    // It ends before there is a log to say it in.
    if let (Ok(config), Err(_)) = (&config, &loaded) {
        say_ignored(config);
    }
    both(config.map_err(Into::into), loaded)
}

fn overrides(args: &args::Run, log_level: Option<String>) -> Overrides {
    Overrides {
        roles: (!args.roles.is_empty()).then(|| args.roles.join(",")),
        listen: args.listen.clone(),
        ops_listen: args.ops_listen.clone(),
        api_listen: args.api_listen.clone(),
        slos: args.slos.iter().map(|path| path.display().to_string()).collect(),
        webhooks: args.webhook.clone(),
        drain: args.drain.clone(),
        log_level,
        ..args.place.overrides()
    }
}

async fn serve(config: Config, loaded: Loaded, place: &Place, stop: StopSignal) -> Result<ExitCode> {
    // Addresses first: errors in them are reported before anything is touched.
    let ops_listener = listen(config.ops_listen, "health and metrics", "--ops-listen").await?;
    let gateway_listener = match config.roles.contains(&Role::Gateway) {
        true => Some(listen(config.listen, "the gateway", "--listen").await?),
        false => None,
    };
    let api_listener = match config.roles.contains(&Role::Api) {
        true => Some(listen(config.api_listen, "the API", "--api-listen").await?),
        false => None,
    };
    let served = [(gateway_listener.as_ref(), "--listen"), (api_listener.as_ref(), "--api-listen")];
    let check = async |log: &OpenLog| open_doors(&config, log, served, place).await;
    let (installation, doors) = Installation::open_if(&config, &loaded, writes(&config), check).await?;
    parts::open_files::allow_for(connections(&config));

    let mut listens = Listens { gateway: None, ops: ops_listener.local_addr()?, api: None };
    let mut supervisor = Supervisor::new(bounds(&config));
    let health = supervisor.health();
    if let (Some(listener), Some(doors)) = (gateway_listener, &doors) {
        let address = listener.local_addr()?;
        listens.gateway = Some((address, doors.with_tls()));
        installation.log.announce(address, doors.with_tls()).context("writing where the gateway listens")?;
        health.announce(Role::Gateway.name());
        let limits = gateway::Limits::from(config.gateway);
        let shutdown = supervisor.token(Stage::Intake);
        let (listening, log) = (doors.listening(listener), installation.log.patient());
        let gateway = gateway::serve(listening, log, doors.access(), limits, health.clone(), shutdown);
        supervisor.task(Stage::Intake, "gateway", gateway);
    }
    if let Some(cut_in) = installation.cut_in {
        let wait = until_the_cut(cut_in, health.clone(), supervisor.token(Stage::Intake));
        supervisor.job(Stage::Intake, "definitions", wait);
    }
    let mut page = Page::default();
    if let (Some(listener), Some(doors)) = (api_listener, &doors) {
        listens.api = Some((listener.local_addr()?, doors.with_tls()));
        let place = ReadPlace::of(&config, installation.store.as_ref());
        let (log, access, stage) = (installation.log.shared(), doors.access(), config.shutdown_timeout);
        let api = Answering { log, place, health: health.clone(), access, stage }
            .start(&mut supervisor, doors.listening(listener));
        page = page.with(api.metrics(config.slo_series));
    }
    if let Some(doors) = doors {
        doors.follow(&mut supervisor);
    }
    let explaining = Explaining::start(&config, &installation, &mut supervisor);
    pipeline(&config, &installation, explaining, health.clone()).start(&mut supervisor, &config.roles);
    // Only when all are on the board: who connected early must not see the first one alone.
    let ops = ops::serve(ops_listener, health, page, config.shutdown_timeout, supervisor.token(Stage::Serve));
    supervisor.task(Stage::Serve, "ops", ops);
    if let Some(warning) = without_dependencies(&config, &installation.holding_dependants) {
        tracing::warn!("{warning}");
    }
    greet(&config, listens, (installation.slos, installation.rules));

    let outcome = supervisor.run(stop.received()).await;
    let closed = installation.close().await;
    if outcome.clean() {
        closed?;
        output::say("stopped; everything that was acknowledged is in the log");
        return Ok(ExitCode::SUCCESS);
    }
    output::say(format_args!("error: {outcome}"));
    Ok(ExitCode::from(1))
}

/// The doors of the servers for clients, if there are any.
async fn open_doors(
    config: &Config,
    log: &OpenLog,
    served: [(Option<&TcpListener>, &str); 2],
    place: &Place,
) -> Result<Option<Doors>> {
    if served.iter().all(|(listener, _)| listener.is_none()) {
        return Ok(None);
    }
    let doors = Doors::open(config, log).await?;
    for (listener, flag) in served {
        if let Some(listener) = listener {
            doors.check(listener.local_addr()?, flag, place)?;
        }
    }
    Ok(Some(doors))
}

/// Connections that clients of this process may have open.
fn connections(config: &Config) -> usize {
    let of = |role| match role {
        Role::Gateway => config.gateway.max_connections,
        Role::Api => slipstream_api::CONNECTIONS,
        _ => 0,
    };
    config.roles.iter().copied().map(of).fold(0, usize::saturating_add)
}

/// A process without a gateway gets no work from clients: its roles read it from the log, and release it when they end.
fn bounds(config: &Config) -> Bounds {
    let drain = if config.roles.contains(&Role::Gateway) { config.drain } else { Duration::ZERO };
    Bounds { drain, per_stage: config.shutdown_timeout }
}

fn pipeline(config: &Config, installation: &Installation, explaining: Option<Explaining>, health: Health) -> Pipeline {
    Pipeline {
        log: installation.log.shared(),
        store: installation.store.clone(),
        redelivery_window_ms: installation.settings.redelivery_window_ms,
        tally_threads: match config.log {
            LogAddress::Kafka(_) => config.kafka.tally_threads.unwrap_or_else(tally_threads),
            LogAddress::Sqlite(_) => 1,
        },
        receivers: parts::receivers(config),
        links: parts::links(config),
        explaining,
        health,
    }
}

/// The process is not ready before its definitions apply: from the call on, not from the first poll.
fn until_the_cut(
    cut_in: Duration,
    health: Health,
    shutdown: Shutdown,
) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
    const NAME: &str = "definitions";
    health.set(NAME, State::Starting(format!("they apply {} s after the start", cut_in.as_secs_f64())));
    async move {
        let _ = tokio::time::timeout(cut_in, shutdown.cancelled()).await;
        health.set(NAME, State::Ready);
        Ok(())
    }
}

fn writes(config: &Config) -> Writes {
    if config.roles.contains(&Role::Sink) { Writes::LogAndStore } else { Writes::LogOnly }
}

async fn listen(address: SocketAddr, what: &str, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address} for {what}; choose another address with {flag}"))
}

/// Where this process listens: with port 0 the system has chosen one.
#[derive(Debug, Clone, Copy)]
struct Listens {
    /// And whether with TLS.
    gateway: Option<(SocketAddr, bool)>,
    ops: SocketAddr,
    /// And whether with TLS.
    api: Option<(SocketAddr, bool)>,
}

/// What a notifier cannot do as definitions say: the configuration states no dependencies.
fn without_dependencies(config: &Config, holding: &BTreeSet<String>) -> Option<String> {
    let tells = config.roles.contains(&Role::Notifier) && !config.receivers.is_empty();
    if !tells || !config.routing.dependencies.is_empty() {
        return None;
    }
    let first = holding.first()?;
    let (more, says) = match holding.len() - 1 {
        0 => (String::new(), "says"),
        more => (format!(" and {more} more"), "say"),
    };
    Some(format!(
        "{first}{more} {says} `dependants: true`, which holds nothing back without `dependencies` in the configuration: state which \
         services call which, `dependencies: {{checkout: [payment]}}` (docs/routing.md)"
    ))
}

fn greet(config: &Config, listens: Listens, (slos, rules): (usize, usize)) {
    let roles: Vec<&str> = config.roles.iter().map(|r| r.name()).collect();
    output::say(format_args!(
        "slipstream is running: {} ({})",
        roles.join(", "),
        parts::describe(config, writes(config))
    ));
    if let Some((gateway, with_tls)) = listens.gateway {
        let scheme = if with_tls { "https" } else { "http" };
        output::say(format_args!("  events   POST {scheme}://{gateway}/v1/events"));
    }
    if let Some((api, with_tls)) = listens.api {
        let scheme = if with_tls { "https" } else { "http" };
        output::say(format_args!("  API      {scheme}://{api}/api/v1/"));
    }
    output::say(format_args!("  health   http://{0}/readyz, metrics http://{0}/metrics", listens.ops));
    if slos + rules == 0 {
        output::say("  no SLOs yet; next: add --slos PATH (check them with slipstream slo validate PATH)");
    } else {
        let beside = if rules > 0 { format!(", and {rules} Rules of their own") } else { String::new() };
        output::say(format_args!("  SLOs     {slos} in force{beside} (slipstream query slos)"));
    }
    if !config.roles.contains(&Role::Notifier) {
        return;
    }
    if config.receivers.is_empty() {
        output::say("  alerts   are stored but not sent; next: --webhook URL (docs/receivers.md)");
    } else if config.external_url.is_none() && config.alert_url.is_none() {
        output::say("  alerts   have no link; next: set external_url or alert_url (docs/receivers.md)");
    }
}

/// One a core; more than four are rarely needed, and each has its own transactions.
fn tally_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_allowed_for_the_clients_of_all_servers_of_a_process() {
        let of = |roles: &str| {
            let overrides = Overrides { roles: Some(roles.to_owned()), ..Overrides::default() };
            Config::load(None, [], overrides).map(|config| connections(&config)).unwrap_or_default()
        };
        assert_eq!((of("sink,tally"), of("api"), of("gateway")), (0, 1_024, 2_048));
        assert_eq!(of("gateway,api,burn"), 3_072);
    }

    #[test]
    fn a_notifier_says_that_dependants_are_not_held_back_without_dependencies() {
        let of = |roles: &str, holding: &[&str], calls: bool| {
            let webhooks = vec!["http://localhost:1/".to_owned()];
            let overrides = Overrides { roles: Some(roles.to_owned()), webhooks, ..Overrides::default() };
            let mut config = Config::load(None, [], overrides).unwrap();
            if calls {
                config.routing.dependencies.insert("checkout".to_owned(), ["payment".to_owned()].into());
            }
            without_dependencies(&config, &holding.iter().map(|&name| name.to_owned()).collect())
        };
        let said =
            |found: Option<String>| found.map(|text| text.split(", which").next().unwrap_or_default().to_owned());
        let one = Some("PaymentDown says `dependants: true`".to_owned());
        let two = Some("PaymentDown and 1 more say `dependants: true`".to_owned());
        assert_eq!(said(of("notifier", &["PaymentDown"], false)), one);
        assert_eq!(said(of("notifier", &["SearchDown", "PaymentDown"], false)), two);
        assert_eq!(of("notifier", &["PaymentDown"], true), None);
        assert_eq!(of("notifier", &[], false), None);
        assert_eq!(of("burn", &["PaymentDown"], false), None, "another process tells");
    }

    #[tokio::test]
    async fn a_process_waits_for_the_cut_from_before_its_wait_is_polled() {
        const CUT_IN: Duration = Duration::from_millis(50);
        let health = Health::default();
        health.set("gateway", State::Ready);
        let wait = until_the_cut(CUT_IN, health.clone(), Shutdown::new());
        assert!(!health.ready(), "{:?}", health.snapshot());
        let began = std::time::Instant::now();
        assert!(wait.await.is_ok() && health.ready());
        assert!(began.elapsed() >= CUT_IN);
    }
}
