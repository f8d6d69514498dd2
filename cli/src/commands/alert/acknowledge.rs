//! `slipstream alert ack`: who looks after an alert.

use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use slipstream_log::Log;
use slipstream_producer::silencing::{AcknowledgementJson, outgoing_acknowledgement, withdrawal};
use slipstream_replay::episode;
use slipstream_role::silences::SilenceReader;
use slipstream_runtime::config::LogAddress;

use crate::args::Said;
use crate::commands::replay::named_episode;
use crate::commands::saying::{publish, way};
use crate::parts::Way;
use crate::wrong_use::WrongUse;
use crate::{output, parts, server};

/// Says who looks after an alert.
///
/// # Errors
/// When there is no such alert, it is over, or neither log nor gateway takes it.
pub async fn acknowledge(
    alert: &str,
    owner: Option<String>,
    reason: String,
    through: &Said,
) -> Result<AcknowledgementJson> {
    let (alert_id, episode) = named(alert, through).await?;
    let wanted = AcknowledgementJson { alert_id, episode, owner: owner.unwrap_or_else(server::user), reason };
    let said = wanted.read(Timestamp::now().as_millisecond(), "").map_err(|error| WrongUse(error.to_string()))?;
    match way(through).await? {
        Way::Gateway(gateway) => gateway.told(gateway.client.acknowledge(&wanted).await),
        Way::Log(log) => {
            publish(*log, outgoing_acknowledgement(&said), "recording the acknowledgement").await?;
            Ok(wanted)
        }
    }
}

/// The id, and the episode: the one that is named, or the one that is open.
async fn named(alert: &str, through: &Said) -> Result<(String, i64)> {
    let (id, number) = named_episode(alert).map_err(WrongUse)?;
    if through.gateway.is_some() {
        // Only the log knows which episodes there are.
        let number = number.ok_or_else(|| WrongUse(format!("with --gateway say which episode: {alert}/EPISODE")))?;
        return Ok((id.to_owned(), number));
    }
    let config = through.place.load()?;
    if let LogAddress::Sqlite(dir) = &config.log {
        parts::existing(dir)?;
    }
    let log = parts::log_of(&config).await?;
    open_episode(log.as_ref(), (id, number)).await
}

async fn open_episode(log: &dyn Log, alert: (&str, Option<i64>)) -> Result<(String, i64)> {
    let found = episode(log, alert).await?;
    match found.end {
        Some(_) => bail!("alert {}: its episode {} is over", found.id, found.episode),
        None => Ok((found.id, found.episode)),
    }
}

/// Nobody looks after an alert any more: the episode that is named, or the newest that somebody looks after.
///
/// # Errors
/// When nobody did, or neither log nor gateway takes it.
pub async fn withdraw(alert: &str, through: &Said) -> Result<AcknowledgementJson> {
    let (id, number) = named_episode(alert).map_err(WrongUse)?;
    let id = &id.to_ascii_lowercase();
    match way(through).await? {
        Way::Gateway(gateway) => gateway.told(gateway.client.withdraw(id, number).await),
        Way::Log(log) => {
            let mut said = SilenceReader::default();
            said.read_on(log.shared().as_ref()).await?;
            let Some(found) = said.withdrawn_by(id, number) else { bail!("nobody looks after alert {alert}") };
            publish(*log, withdrawal(found), "recording the withdrawal").await?;
            Ok(AcknowledgementJson::of(found))
        }
    }
}

/// Shows what was said.
///
/// # Errors
/// When it cannot be printed.
pub fn show(told: &AcknowledgementJson, withdrawn: bool, json: bool) -> Result<ExitCode> {
    let AcknowledgementJson { alert_id, episode, owner, .. } = told;
    if json {
        output::enough(output::print_json(told))?;
    } else if withdrawn {
        output::enough(output::print(&format!("{owner} looks after alert {alert_id}/{episode} no more\n")))?;
    } else {
        output::enough(output::print(&format!("{owner} looks after alert {alert_id}/{episode}\n")))?;
    }
    Ok(ExitCode::SUCCESS)
}
