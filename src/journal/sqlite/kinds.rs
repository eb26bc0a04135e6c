//! The kinds of entries that there are: what entries can have in common that lists are filtered by. There are few of
//! them, however many entries there are.

use crate::journal::State;
use crate::journal::view::Filter;
use rusqlite::{Connection, OptionalExtension, Result, ToSql, params_from_iter};

/// What entries of one kind have in common; the reason is empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) state: String,
    pub(super) channel: String,
    pub(super) reason: String,
    pub(super) origin: String,
    /// Whether a payment was confirmed.
    pub(super) confirmed: bool,
}

/// Those that a filter wants, whatever it wants besides.
pub(super) fn kinds(connection: &Connection, filter: &Filter) -> Result<Vec<Kind>> {
    let states = State::ALL.into_iter().filter(|state| filter.state.is_none_or(|wanted| wanted == *state));
    let channel = filter.channel.as_ref().map(|channel| channel.as_str());
    let (reason, origin) = (filter.reason.map(|reason| reason.code()), filter.origin.map(|origin| origin.as_str()));
    let mut kinds = Vec::new();
    for state in states.map(State::as_str) {
        for channel in next_words(connection, CHANNELS, &[state], channel)? {
            for reason in next_words(connection, REASONS, &[state, &channel], reason)? {
                for origin in next_words(connection, ORIGINS, &[state, &channel, &reason], origin)? {
                    for confirmed in [false, true].into_iter().filter(|confirmed| *confirmed || !filter.confirmed) {
                        let is_there: bool = connection
                            .prepare_cached(ARE_THERE)?
                            .query_row((state, &channel, &reason, &origin, confirmed), |row| row.get(0))?;
                        if is_there {
                            let (channel, reason, origin) = (channel.clone(), reason.clone(), origin.clone());
                            kinds.push(Kind { state: state.to_owned(), channel, reason, origin, confirmed });
                        }
                    }
                }
            }
        }
    }
    Ok(kinds)
}

impl Kind {
    /// Whether a filter wants it.
    pub(super) fn is_wanted(&self, filter: &Filter) -> bool {
        filter.state.is_none_or(|state| self.state == state.as_str())
            && filter.channel.is_none_or(|channel| self.channel == channel.as_str())
            && filter.reason.is_none_or(|reason| self.reason == reason.code())
            && filter.origin.is_none_or(|origin| self.origin == origin.as_str())
            && (self.confirmed || !filter.confirmed)
    }
}

// Each finds the next word behind the last parameter, of entries that have the words before it in common. An index is
// used in one step for one column only, so there is one for each.

const CHANNELS: &str = "SELECT channel FROM entry INDEXED BY entry_list
    WHERE state = ?1 AND channel > ?2 ORDER BY channel LIMIT 1";

const REASONS: &str = "SELECT ifnull(reason, '') FROM entry INDEXED BY entry_list
    WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') > ?3 ORDER BY ifnull(reason, '') LIMIT 1";

const ORIGINS: &str = "SELECT origin FROM entry INDEXED BY entry_list
    WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin > ?4 ORDER BY origin LIMIT 1";

const ARE_THERE: &str = "SELECT EXISTS (SELECT 1 FROM entry INDEXED BY entry_list
    WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4 AND (transaction_id IS NOT NULL) = ?5)";

/// The words that there are in a column, or the one that is `wanted`.
fn next_words(connection: &Connection, sql: &str, before: &[&str], wanted: Option<&str>) -> Result<Vec<String>> {
    if let Some(wanted) = wanted {
        return Ok(vec![wanted.to_owned()]);
    }
    let mut next = connection.prepare_cached(sql)?;
    let mut words: Vec<String> = Vec::new();
    // The empty reason is the first.
    if sql == REASONS {
        words.push(String::new());
    }
    loop {
        let last = words.last().cloned().unwrap_or_default();
        let values = before.iter().map(|word| word as &dyn ToSql).chain([&last as &dyn ToSql]);
        match next.query_row(params_from_iter(values), |row| row.get(0)).optional()? {
            Some(word) => words.push(word),
            None => return Ok(words),
        }
    }
}
