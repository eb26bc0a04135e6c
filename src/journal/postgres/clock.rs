//! The journal's own time, in SQL: how far it has come, and which time was not spent because no gate worked on it. The time
//! itself is the database's, which no replica's clock moves.

use super::columns::{get, millis};
use super::database::Tx;
use super::due::{OF_GROUP, WAITING};
use super::error::Error;
use super::statement::Statement;
use std::time::Duration;

/// Without a beat for longer than this no gate worked on the journal, or none could; in milliseconds.
const GAP: i64 = 120_000;

/// No schedule waits for longer, in milliseconds: what is due later was written by mistake.
const FARTHEST: i64 = 100 * 24 * 3_600_000;

/// Times that were not spent that are kept.
const STEPS_KEPT: i64 = 64;

/// This moment has come. The time since the last one, if that is long, is not counted for what waits and for what is kept.
pub(super) async fn beat(tx: &Tx<'_>) -> Result<(), Error> {
    let latest = "SELECT @now AS now, (SELECT latest_at FROM ~clock WHERE id = 1) AS latest_at";
    let row = tx.first(Statement::of(latest)).await?.ok_or(Error::Damaged("latest_at"))?;
    let (now, latest): (i64, Option<i64>) = (get(&row, "now")?, get(&row, "latest_at")?);
    match latest {
        None => {
            let first = "INSERT INTO ~clock (id, latest_at) VALUES (1, @now) ON CONFLICT (id) DO NOTHING";
            tx.rows(Statement::of(first)).await?;
        }
        Some(latest) => {
            let go_on = "UPDATE ~clock SET latest_at = @now WHERE id = 1 AND latest_at = $1 RETURNING id";
            // Of several that come back at once one moves what waits.
            let is_mine = !tx.rows(Statement::of(go_on).with(latest)).await?.is_empty();
            if is_mine && now.saturating_sub(latest) > GAP {
                step(tx, latest, now).await?;
            }
        }
    }
    let bring = format!(
        "{WAITING} UPDATE ~entry AS entry SET due_at = @now FROM waiting WHERE {OF_GROUP} AND entry.due_at > @now + $1"
    );
    tx.rows(Statement::of(bring).with(FARTHEST)).await.map(drop)
}

async fn step(tx: &Tx<'_>, latest: i64, now: i64) -> Result<(), Error> {
    let gap = now.saturating_sub(latest);
    tx.take_time().await?;
    for statement in [
        Statement::of("UPDATE ~entry SET since = since + $1 WHERE due_at IS NOT NULL").with(gap),
        Statement::of("UPDATE ~sweep SET asked_at = asked_at + $1 WHERE state IN ('asked', 'running')").with(gap),
        Statement::of("INSERT INTO ~clock_step (old_at, new_at) VALUES ($1, $2) ON CONFLICT (old_at) DO NOTHING")
            .with(latest)
            .with(now),
        Statement::of(
            "DELETE FROM ~clock_step WHERE old_at < (SELECT old_at FROM ~clock_step ORDER BY old_at DESC OFFSET $1 LIMIT 1)",
        )
        .with(STEPS_KEPT - 1),
    ] {
        tx.slowly(statement).await?;
    }
    Ok(())
}

/// Times that were not spent, the latest first, each from when to when.
#[derive(Debug)]
pub(super) struct Steps {
    now: i64,
    all: Vec<(i64, i64)>,
}

/// The times that were not spent, as of now.
pub(super) async fn steps(tx: &Tx<'_>) -> Result<Steps, Error> {
    let rows = tx
        .all(&[
            Statement::of("SELECT @now AS now"),
            Statement::of("SELECT old_at, new_at FROM ~clock_step ORDER BY old_at DESC"),
        ])
        .await?;
    let [now, steps] = &rows[..] else { return Err(Error::Away) };
    let now = now.first().ok_or(Error::Damaged("now")).and_then(|row| get(row, "now"))?;
    let all = steps.iter().map(|row| Ok((get(row, "old_at")?, get(row, "new_at")?))).collect::<Result<_, Error>>()?;
    Ok(Steps { now, all })
}

impl Steps {
    /// Now, in milliseconds since 1970.
    pub(super) const fn now(&self) -> i64 {
        self.now
    }

    /// The time before which everything is older than `keep`, when only time is counted that was spent.
    pub(super) fn kept_since(&self, keep: Duration) -> i64 {
        let (mut left, mut until) = (millis(keep), self.now);
        for (old, new) in &self.all {
            let spent = until.saturating_sub(*new).max(0);
            if spent >= left {
                break;
            }
            left -= spent;
            until = *old;
        }
        until.saturating_sub(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    #[test]
    fn only_time_that_was_spent_makes_old() {
        let kept = |now: i64, all: &[(i64, i64)]| {
            let all = all.iter().map(|(old, new)| (old * DAY, new * DAY)).collect();
            Steps { now: now * DAY, all }.kept_since(Duration::from_secs(90 * 86_400)) / DAY
        };
        assert_eq!(kept(1000, &[]), 910);
        assert_eq!(kept(1110, &[(1000, 1100)]), 920, "ten days were spent since, and eighty before");
        assert_eq!(kept(1200, &[(1000, 1100)]), 1110);
        assert_eq!(kept(1130, &[(1110, 1120), (1000, 1100)]), 930);
    }
}
