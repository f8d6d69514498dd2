//! Arguments and wiring of the `slipstream` binary. What it does lives in the crates it wires together.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod answering;
pub mod args;
mod catch_up;
mod commands;
mod definitions;
mod demo;
mod doctor;
mod explaining;
mod figures;
mod findings;
mod logging;
mod output;
mod parts;
mod pipeline;
mod place;
mod server;
mod session;
mod wrong_use;

use args::{Cli, Command};

/// The program: arguments in, exit code out. 0 done, 1 failed, 2 wrong use, 130 and 143 interrupted.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // The one TLS provider of the process; it is installed once, before anything could need it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    slipstream_log::kafka::keep_openssl();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&anyhow::Error::new(e).context("starting the async runtime")),
    };
    let result = runtime.block_on(dispatch(cli));
    // A blocking read, such as of a terminal that is waiting for a key, must not keep the process alive.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| failed(&error))
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Run(args) => commands::run::run(args, cli.log_level).await,
        Command::Demo(args) => demo::run(args, cli.log_level).await,
        Command::Import(args) => commands::import::run(args, cli.log_level).await,
        Command::Simulate(args) => commands::simulate::run(args, cli.log_level).await,
        Command::Slo(command) => commands::slo::run(command, cli.log_level).await,
        Command::Query(query) => commands::query::run(query, cli.log_level).await,
        Command::Replay(args) => commands::replay::run(args).await,
        Command::Backtest(args) => commands::backtest::run(args).await,
        Command::Mark(command) => commands::mark::run(command, cli.log_level).await,
        Command::Alert(command) => commands::alert::run(command, cli.log_level).await,
        Command::Silence(command) => commands::silence::run(command, cli.log_level).await,
        Command::Api(api) => commands::api::run(api),
        Command::Store(command) => commands::store::run(command).await,
        Command::Token(command) => commands::token::run(command, cli.log_level).await,
        Command::Topics(topics) => commands::topics::run(topics).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Completions { shell } => {
            // Not directly to standard output: clap_complete panics if a reader has closed it.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "slipstream", &mut script);
            output::print_as_is(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// An invalid argument, configuration or query: nothing was tried.
fn is_wrong_use(error: &anyhow::Error) -> bool {
    let wrong = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<slipstream_runtime::config::ConfigErrors>()
            || cause.is::<wrong_use::WrongUse>()
            || matches!(cause.downcast_ref(), Some(slipstream_runtime::telemetry::TelemetryError::Filter(_)))
            || matches!(cause.downcast_ref(), Some(slipstream_store::StoreError::Refused(_)))
            || matches!(
                cause.downcast_ref(),
                Some(
                    slipstream_query::QueryError::Refused(_)
                        | slipstream_query::QueryError::Store(slipstream_store::StoreError::Refused(_))
                )
            )
    };
    error.chain().any(wrong)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // The reader of our output may have seen enough: `slipstream query events | head`. A pipe that breaks inside an
    // error of the log or the store is a failure.
    let closed = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(closed) {
        return ExitCode::SUCCESS;
    }
    if let Some(interrupted) = error.downcast_ref::<session::Interrupted>() {
        output::say(interrupted);
        return ExitCode::from(interrupted.code());
    }
    output::say(format_args!("error: {}", output::causes(error)));
    ExitCode::from(if is_wrong_use(error) { 2 } else { 1 })
}
