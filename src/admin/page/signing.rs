//! Which keys sign, for the overview: what to watch during a switch to the public key, the clock, and what ends.

use super::health::Line;
use super::shell::Shell;
use super::show;
use super::words::fill;
use crate::admin::{ChannelKeys, Overview};
use crate::observe::metrics::{On, Signed};
use crate::provider::{KeyInfo, KeyOf};
use std::time::Duration;

/// From here on the clock is too far away: at 300 s nothing is believed any more.
const CLOCK_TOLERANCE_S: f64 = 120.0;

/// From here on a certificate's end is near.
const ENDS_SOON: Duration = Duration::from_secs(30 * 86_400);

/// What is told of the keys of one channel, or of the clock.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
}

/// The clock, and each channel with keys of its own; nothing where there is none.
pub(super) fn keys(whole: &Overview, shell: &Shell) -> Vec<Keys> {
    if whole.signing.is_empty() {
        return Vec::new();
    }
    let clock = Keys { name: shell.words.keys_clock.to_owned(), lines: vec![clock(whole.clock_is_ahead, shell)] };
    std::iter::once(clock).chain(whole.signing.iter().map(|channel| of_channel(channel, shell))).collect()
}

fn clock(ahead: Option<f64>, shell: &Shell) -> Line {
    let words = shell.words;
    let Some(ahead) = ahead else { return Line::plain(words.keys_clock_unknown, "") };
    let away = show::span(Duration::try_from_secs_f64(ahead.abs()).unwrap_or_default(), shell.language);
    let text = match ahead {
        _ if ahead.abs() < 1.0 => words.keys_clock_agrees.to_owned(),
        _ if ahead > 0.0 => fill(words.keys_clock_ahead, &[&away]),
        _ => fill(words.keys_clock_behind, &[&away]),
    };
    if ahead.abs() < CLOCK_TOLERANCE_S { Line::good(text, "") } else { Line::bad(text, words.keys_clock_wrong) }
}

fn of_channel(channel: &ChannelKeys, shell: &Shell) -> Keys {
    let signed = channel.signed.iter().map(|signed| of_messages(signed, shell));
    let ends = channel.keys.iter().filter_map(|key| end(key, shell));
    Keys { name: channel.channel.to_string(), lines: signed.chain(ends).collect() }
}

/// Which key signed the latest of them, and how much of all the public key has signed.
fn of_messages(signed: &Signed, shell: &Shell) -> Line {
    let words = shell.words;
    let what = match signed.on {
        On::Answer => words.keys_on_answers,
        On::Notification => words.keys_on_notifications,
    };
    let all = signed.by_public_key.saturating_add(signed.by_certificate);
    let share = signed.by_public_key.saturating_mul(100).checked_div(all);
    let (Some(latest), Some(share)) = (&signed.latest, share) else { return Line::plain(what, words.keys_none) };
    let by = if latest.kind == KeyOf::PublicKey.as_str() { words.keys_public_key } else { words.keys_certificate };
    let text = fill(words.keys_signed, &[&what, &fill(by, &[&latest.serial]), &shell.away(latest.at)]);
    let counts = [show::count(signed.by_public_key), show::count(all), share.to_string()];
    let [by_public_key, all, share] = &counts;
    Line::good(text, fill(words.keys_share, &[share, by_public_key, all]))
}

/// How long a certificate is valid; what does not end has no line.
fn end(key: &KeyInfo, shell: &Shell) -> Option<Line> {
    let words = shell.words;
    let name = match key.of {
        KeyOf::Merchant => words.keys_of_merchant,
        KeyOf::Platform => words.keys_certificate,
        KeyOf::PublicKey => words.keys_public_key,
    };
    let name = fill(name, &[&key.serial]);
    let left = key.ends_at?.duration_since(shell.now);
    if left.is_negative() {
        return Some(Line::bad(name, words.keys_ended));
    }
    let days = fill(words.keys_days_left, &[&(left.as_secs() / 86_400)]);
    Some(if left.unsigned_abs() < ENDS_SOON { Line::bad(name, days) } else { Line::good(name, days) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::ChannelId;
    use crate::observe::metrics::Latest;
    use axum::http::{HeaderMap, Uri};

    fn shell() -> Shell {
        Shell::new("", &Uri::from_static("/"), &HeaderMap::new(), None)
    }

    #[test]
    fn a_channel_tells_which_key_signed_and_how_much_of_all() {
        let shell = shell();
        let latest = |serial: &str, kind| Some(Latest { serial: serial.into(), kind, at: shell.now });
        let answers = Signed { on: On::Answer, by_public_key: 0, by_certificate: 0, latest: None };
        let notifications = Signed {
            on: On::Notification,
            by_public_key: 1,
            by_certificate: 7,
            latest: latest("PUB_KEY_ID_0114", "public-key"),
        };
        let ends_at = |days: i64| shell.now.checked_add(jiff::SignedDuration::from_hours(24 * days)).ok();
        let key = |of, serial: &str, ends_at| KeyInfo { of, serial: serial.into(), ends_at };
        let channel = ChannelKeys {
            channel: ChannelId::parse("mini").unwrap(),
            keys: vec![
                key(KeyOf::Merchant, "5157F09E", ends_at(400)),
                key(KeyOf::PublicKey, "PUB_KEY_ID_0114", None),
                key(KeyOf::Platform, "9A0A8659", ends_at(12)),
                key(KeyOf::Platform, "97E2CA0A", ends_at(-1)),
            ],
            signed: [answers, notifications],
        };
        let told: Vec<_> =
            of_channel(&channel, &shell).lines.into_iter().map(|line| (line.tone, line.text, line.state)).collect();
        let told: Vec<_> = told.iter().map(|(tone, text, state)| (*tone, text.as_str(), state.as_str())).collect();
        assert_eq!(
            told,
            [
                ("quiet", "Answers", "none so far"),
                ("good", "Notifications: public key PUB_KEY_ID_0114, just now", "12 % by the public key (1 of 8)"),
                ("good", "merchant's certificate 5157F09E", "400 days left"),
                ("bad", "platform certificate 9A0A8659", "12 days left"),
                ("bad", "platform certificate 97E2CA0A", "has expired"),
            ]
        );
    }

    #[test]
    fn a_clock_that_is_far_away_is_told_of_before_nothing_is_believed() {
        let told = |ahead| {
            let Line { tone, text, .. } = clock(ahead, &shell());
            (tone, text)
        };
        assert_eq!(told(None).0, "quiet");
        assert_eq!(told(Some(-0.4)), ("good", "agrees with WeChat Pay to a second".to_owned()));
        assert_eq!(told(Some(119.0)), ("good", "WeChat Pay's is 1 min ahead of this machine's".to_owned()));
        assert_eq!(told(Some(-180.0)), ("bad", "WeChat Pay's is 3 min behind this machine's".to_owned()));
    }
}
