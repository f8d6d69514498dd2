//! `slipstream alert ack`: who looks after an alert.

use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use slipstream_log::Log;
use slipstream_producer::silencing::{AcknowledgementJson, outgoing_acknowledgement, withdrawal};
use slipstream_replay::episode;
use slipstream_role::silences::acknowledgements;
use slipstream_runtime::config::LogAddress;

use crate::args::Said;
use crate::commands::saying::Way;
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
    match Way::open(through).await? {
        Way::Gateway(gateway) => gateway.told(gateway.sayings.acknowledge(&wanted).await),
        Way::Log(log) => {
            log.publish(outgoing_acknowledgement(&said), "recording the acknowledgement").await?;
            Ok(wanted)
        }
    }
}

/// The id, and the episode: the one that is named, or the one that is open.
async fn named(alert: &str, through: &Said) -> Result<(String, i64)> {
    let (id, number) = parts_of(alert)?;
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

/// `ID` or `ID/EPISODE`.
fn parts_of(alert: &str) -> Result<(&str, Option<i64>), WrongUse> {
    let Some((id, number)) = alert.split_once('/') else { return Ok((alert, None)) };
    let wrong = || WrongUse(format!("{alert}: expected ID or ID/EPISODE, such as {id}/1769851800"));
    Ok((id, Some(number.parse().map_err(|_| wrong())?)))
}

async fn open_episode(log: &dyn Log, alert: (&str, Option<i64>)) -> Result<(String, i64)> {
    let found = episode(log, alert).await?;
    match found.end {
        Some(_) => bail!("alert {}: its episode {} is over", found.id, found.episode),
        None => Ok((found.id, found.episode)),
    }
}

/// Nobody looks after an alert any more.
///
/// # Errors
/// When nobody did, or neither log nor gateway takes it.
pub async fn withdraw(alert: &str, through: &Said) -> Result<AcknowledgementJson> {
    let (id, number) = parts_of(alert)?;
    let id = &id.to_ascii_lowercase();
    match Way::open(through).await? {
        Way::Gateway(gateway) => gateway.told(gateway.sayings.withdraw(id).await),
        Way::Log(log) => {
            let all = acknowledgements(log.log().as_ref()).await?.into_iter();
            let mine = all.filter(|known| known.alert_id == *id && number.is_none_or(|number| number == known.episode));
            let Some(found) = mine.max_by_key(|known| known.episode) else {
                bail!("nobody has acknowledged alert {alert}")
            };
            log.publish(withdrawal(&found), "recording the withdrawal").await?;
            Ok(AcknowledgementJson {
                alert_id: found.alert_id,
                episode: found.episode,
                owner: found.owner,
                reason: found.reason,
            })
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
