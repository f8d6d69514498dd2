//! `slipstream token`: who may use an installation. Into the log itself, or through a gateway.

mod file;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};
use slipstream_log::SharedLog;
use slipstream_producer::tokens::{self, Listed, Made, NewOne, outgoing};
use slipstream_role::tokens::Tokens;
use slipstream_runtime::access::{Access, NewToken, Scope};
use slipstream_runtime::config::{Config, LogAddress, RateLimits};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{Token, TokenState};
use slipstream_schemas::token::{TokenJson, validate};

use crate::args::{self, Through};
use crate::parts::Way;
use crate::wrong_use::WrongUse;
use crate::{figures, logging, output, parts, server};
use file::NewFile;

/// Runs a subcommand.
///
/// # Errors
/// When a rule is broken, or the log or the gateway cannot be used.
pub async fn run(command: args::Token, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    match command {
        args::Token::Create { name, scopes, expires, out, reuse, json, through } => {
            let wanted = Wanted { name, scopes: in_order(scopes), expires_at: expires_at(expires)? };
            match (&out, reuse) {
                (Some(file), true) if is_good(file, &wanted.scopes, &through).await? => kept(file),
                _ => create(wanted, out.as_deref(), reuse, json, &through).await,
            }
        }
        args::Token::List { json, through } => list(json, &through).await,
        args::Token::Revoke { id, json, through } => revoke(&id, json, &through).await,
    }
}

/// What a token is to be.
struct Wanted {
    name: String,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
}

fn in_order(mut scopes: Vec<Scope>) -> Vec<Scope> {
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

fn expires_at(after: Option<Duration>) -> Result<Option<Timestamp>> {
    let time = after.map(|after| Timestamp::now().checked_add(after));
    time.transpose().map_err(|e| WrongUse(format!("--expires: {e}")).into())
}

type Gateway = parts::Gateway<tokens::Tokens>;

/// The log itself, or the gateway that is named, or that of the process that owns the directory.
async fn way(through: &Through) -> Result<Way<tokens::Tokens>> {
    let client = |address: &str| Ok(tokens::Tokens::at(address, &through.server.credentials()?)?);
    parts::way(through.gateway.as_deref(), || through.place.load(), "--to", client).await
}

async fn create(wanted: Wanted, out: Option<&Path>, replace: bool, json: bool, through: &Through) -> Result<ExitCode> {
    // Before there is a token that nobody could be given.
    let file = out.map(|file| NewFile::begin(file, replace)).transpose()?;
    let mut made = match way(through).await? {
        Way::Log(log) => {
            let made = into_log(&wanted, log.patient()).await;
            log.close().await;
            made?
        }
        Way::Gateway(gateway) => through_gateway(&wanted, &gateway).await?,
    };
    let text = made["token"].as_str().context("the gateway sent no token")?.to_owned();
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    if let (Some(file), Some(path)) = (file, out) {
        file.finish(&text)?;
        output::say(format_args!("token {id} is in {}, readable only for its owner", path.display()));
        if let Some(made) = made.as_object_mut() {
            made.remove("token");
        }
    }
    match (json, out) {
        (true, _) => output::print_json(&made)?,
        (false, None) => {
            output::print_as_is(&format!("{text}\n"))?;
            output::say(format_args!("token {id}: this is the only time that it is shown"));
        }
        (false, Some(_)) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn through_gateway(wanted: &Wanted, gateway: &Gateway) -> Result<Value> {
    let Wanted { name, scopes, expires_at } = wanted;
    let before = gateway.told(gateway.client.list().await)?;
    let expires_at = expires_at.map(|time| time.to_string());
    let made = gateway.told(gateway.client.make(&NewOne { name, scopes, expires_at }).await)?;
    let before = before["tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
    let may_operate = |token: &Value| {
        let has = |scope: &Value| scope.as_str() == Some(Scope::Operate.name());
        token["state"] == TokenState::Valid.name() && token["scopes"].as_array().is_some_and(|all| all.iter().any(has))
    };
    advise(before.is_empty(), before.iter().chain([&made]).any(may_operate));
    Ok(made)
}

async fn into_log(wanted: &Wanted, log: SharedLog) -> Result<Value> {
    let access = known(log.clone()).await?;
    let new = NewToken::generate().context("asking the operating system for random numbers")?;
    let token = Token {
        id: new.id().to_owned(),
        name: wanted.name.clone(),
        hash: new.hash(),
        scopes: wanted.scopes.clone(),
        created_at: now(),
        created_by: server::user(),
        expires_at: wanted.expires_at.map(|time| EventTime(time.as_microsecond())),
        revoked_at: None,
        revoked_by: None,
    };
    validate(&token).map_err(|error| WrongUse(error.to_string()))?;
    log.publish(vec![outgoing(&token)]).await.context("recording the token")?;
    let is_first = !access.needs_token();
    access.learn([(token.id.clone(), Some(token.clone()))]);
    let may_operate = |token: &Token| token.scopes.contains(&Scope::Operate) && token.state(now()) == TokenState::Valid;
    advise(is_first, access.tokens().iter().any(may_operate));
    let text = new.text();
    Ok(serde_json::to_value(Made { record: TokenJson::at(&token, now()), token: text.reveal() })?)
}

/// What a new token changes for others.
fn advise(is_first: bool, may_one_operate: bool) {
    if is_first {
        output::say("the installation has a token now: from now on every request to it needs one, on this machine too");
    }
    if !may_one_operate {
        output::say("no token has the scope operate: through a gateway, no token can be made or revoked");
    }
}

async fn known(log: SharedLog) -> Result<Access> {
    Ok(Tokens::read(log.as_ref(), RateLimits::default()).await.context("reading the tokens")?.access())
}

/// The tokens, as they are in the log.
async fn in_log(config: &Config) -> Result<Access> {
    known(parts::log_of(config).await?).await
}

/// Whether a file holds a valid token with these scopes.
async fn is_good(file: &Path, scopes: &[Scope], through: &Through) -> Result<bool> {
    let config = through.place.load()?;
    let is_there = match &config.log {
        LogAddress::Sqlite(dir) => dir.is_dir(),
        LogAddress::Kafka(_) => true,
    };
    if !file.exists() || !is_there {
        return Ok(false);
    }
    let (text, access) = (server::of_file(file)?, in_log(&config).await?);
    Ok(scopes.iter().all(|scope| access.recognises(&text, *scope)))
}

fn kept(file: &Path) -> Result<ExitCode> {
    output::say(format_args!("{} holds a valid token with these scopes: nothing to do", file.display()));
    Ok(ExitCode::SUCCESS)
}

async fn list(json: bool, through: &Through) -> Result<ExitCode> {
    let listed = match &through.gateway {
        Some(address) => tokens::Tokens::at(address, &through.server.credentials()?)?.list().await?,
        None => {
            let (tokens, now) = (in_log(&through.place.load()?).await?.tokens(), now());
            serde_json::to_value(Listed { tokens: tokens.iter().map(|token| TokenJson::at(token, now)).collect() })?
        }
    };
    if json {
        output::print_json(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let tokens = listed["tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
    output::print(&table(tokens))?;
    if tokens.is_empty() {
        output::say("no tokens: only loopback is served; to make one: slipstream token create --help");
    }
    Ok(ExitCode::SUCCESS)
}

fn table(tokens: &[Value]) -> String {
    let head = ["ID", "NAME", "SCOPES", "STATE", "CREATED", "BY", "EXPIRES"];
    let rows = tokens.iter().map(|token| {
        let text = |field: &str| token[field].as_str().unwrap_or_default();
        let time = |field: &str| text(field).parse::<Timestamp>().map(|time| EventTime(time.as_microsecond()));
        let scopes = token["scopes"].as_array().map(Vec::as_slice).unwrap_or_default();
        vec![
            text("id").to_owned(),
            text("name").to_owned(),
            scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            text("state").to_owned(),
            time("created_at").map_or("-".to_owned(), figures::moment),
            figures::or_dash(text("created_by")),
            time("expires_at").map_or("never".to_owned(), figures::moment),
        ]
    });
    output::table(&head, &[], rows)
}

async fn revoke(id: &str, json: bool, through: &Through) -> Result<ExitCode> {
    if let (None, LogAddress::Sqlite(dir)) = (&through.gateway, &through.place.load()?.log) {
        parts::existing(dir)?;
    }
    let revoked = match way(through).await? {
        Way::Log(log) => {
            let revoked = revoke_in(id, log.patient()).await;
            log.close().await;
            revoked?
        }
        Way::Gateway(gateway) => gateway.told(gateway.client.revoke(id).await)?,
    };
    if json {
        output::print_json(&revoked)?;
    } else {
        let name = revoked["name"].as_str().unwrap_or_default();
        output::print(&format!("revoked: {name} ({id}); within two seconds no process takes it any more\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke_in(id: &str, log: SharedLog) -> Result<Value> {
    let Some(token) = known(log.clone()).await?.token(id) else {
        bail!("there is no token with the id {id} (slipstream token list)");
    };
    let is_new = token.revoked_at.is_none();
    let revoked = match is_new {
        true => Token { revoked_at: Some(now()), revoked_by: Some(server::user()), ..token },
        false => token,
    };
    if is_new {
        log.publish(vec![outgoing(&revoked)]).await.context("recording that the token is revoked")?;
    }
    Ok(json!(TokenJson::at(&revoked, now())))
}

fn now() -> EventTime {
    EventTime(Timestamp::now().as_microsecond())
}
