//! The time line as a picture: bars of callbacks by verdict, and below how long they took. It is drawn here, so that a
//! page needs no program for it; a table beside says the same.

use super::show;
use super::words::{Language, Words, fill};
use crate::domain::clock;
use crate::domain::reason::Verdict;
use jiff::Timestamp;
use std::fmt::Write;
use std::time::Duration;

/// What a bar is made of, from the ground up: what is fine lies below, what is not on top.
const KINDS: [Option<Verdict>; 7] = [
    Some(Verdict::Paid),
    Some(Verdict::Refunded),
    Some(Verdict::Pending),
    Some(Verdict::Unpaid),
    None,
    Some(Verdict::Contradicted),
    Some(Verdict::Unknown),
];

/// The width of a bar with its gap.
const STEP: u64 = 10;

/// Times that stand below the picture.
const TICKS: usize = 5;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// An hour, by minutes.
    Hour,
    /// Six hours, by five minutes.
    SixHours,
    /// A day, by a quarter of an hour.
    Day,
}

/// A stretch of time, and the callbacks that ended in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// When it began.
    pub(super) at: Timestamp,
    /// How many came to which verdict; `None` is for those that were refused unread.
    pub(super) counts: Vec<(Option<Verdict>, u64)>,
    /// What half of them took at most.
    pub(super) p50: Option<Duration>,
    /// What 95 in 100 took at most.
    pub(super) p95: Option<Duration>,
}

/// The picture.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) choices: Vec<Choice>,
    pub(super) is_empty: bool,
    pub(super) per: String,
    pub(super) kinds: Vec<Kind>,
    pub(super) width: u64,
    pub(super) bars: Vec<Bar>,
    /// What the upper line stands for, and the one in the middle.
    pub(super) most: String,
    pub(super) half: String,
    pub(super) p50: String,
    pub(super) p95: String,
    pub(super) slowest: String,
    pub(super) ticks: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A link to more or less of it.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) id: &'static str,
    pub(super) href: String,
    pub(super) name: &'static str,
    pub(super) here: bool,
}

/// What one colour stands for.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) total: String,
}

/// One stretch of time.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) title: String,
    pub(super) parts: Vec<Part>,
}

/// What came to one verdict in it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) y: String,
    pub(super) height: String,
}

/// A stretch in the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) at: show::Moment,
    pub(super) counts: Vec<String>,
    pub(super) p50: String,
    pub(super) p95: String,
}

impl Span {
    /// All, the shortest first.
    const ALL: [Self; 3] = [Self::Hour, Self::SixHours, Self::Day];

    /// In an address.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
        }
    }

    /// The one of this name; an hour if there is none.
    pub(super) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|span| span.as_str() == name).unwrap_or(Self::Hour)
    }

    /// How many minutes a bar stands for.
    pub(super) const fn minutes(self) -> u32 {
        match self {
            Self::Hour => 1,
            Self::SixHours => 5,
            Self::Day => 15,
        }
    }

    /// How many bars there are.
    pub(super) const fn bars(self) -> usize {
        match self {
            Self::Hour => 60,
            Self::SixHours => 72,
            Self::Day => 96,
        }
    }

    const fn name(self, words: &Words) -> &'static str {
        match self {
            Self::Hour => words.span_hour,
            Self::SixHours => words.span_six,
            Self::Day => words.span_day,
        }
    }
}

impl Chart {
    /// Draws what happened in these stretches, the oldest first.
    pub(super) fn draw(stretches: &[Stretch], span: Span, language: Language, now: Timestamp) -> Self {
        let words = language.words();
        let most = round_up(stretches.iter().map(Stretch::callbacks).max().unwrap_or(0));
        let slowest = stretches.iter().filter_map(|stretch| stretch.p95.or(stretch.p50)).max().unwrap_or_default();
        let slowest = round_up(u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX).saturating_add(1));
        let kinds: Vec<_> = KINDS
            .into_iter()
            .map(|kind| (kind, stretches.iter().map(|stretch| stretch.count(kind)).sum::<u64>()))
            .filter(|(_, total)| *total > 0)
            .collect();
        let spoken = show::span(Duration::from_secs(u64::from(span.minutes()) * 60), language);
        let choices = Span::ALL.into_iter().map(|other| Choice {
            id: other.as_str(),
            href: format!("/?span={}", other.as_str()),
            name: other.name(words),
            here: other == span,
        });
        Self {
            choices: choices.collect(),
            is_empty: kinds.is_empty(),
            per: fill(words.callbacks_per, &[&spoken]),
            kinds: kinds
                .iter()
                .map(|(kind, total)| Kind { class: class(*kind), name: name(*kind, words), total: show::count(*total) })
                .collect(),
            width: stretches.len() as u64 * STEP,
            bars: stretches.iter().zip(0..).map(|(stretch, place)| stretch.bar(place, most, words)).collect(),
            most: show::count(most),
            half: if most > 1 { show::count(most / 2) } else { String::new() },
            p50: steps(stretches.iter().map(|stretch| stretch.p50), slowest),
            p95: steps(stretches.iter().map(|stretch| stretch.p95), slowest),
            slowest: fill(words.ms, &[&slowest]),
            ticks: ticks(stretches),
            rows: stretches
                .iter()
                .rev()
                .filter(|stretch| stretch.callbacks() > 0)
                .map(|stretch| Row {
                    at: show::moment(stretch.at, now),
                    counts: kinds.iter().map(|(kind, _)| show::count(stretch.count(*kind))).collect(),
                    p50: stretch.p50.map_or_else(String::new, |p50| show::took(p50, language)),
                    p95: stretch.p95.map_or_else(String::new, |p95| show::took(p95, language)),
                })
                .collect(),
        }
    }
}

impl Stretch {
    fn callbacks(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    fn count(&self, kind: Option<Verdict>) -> u64 {
        self.counts.iter().filter(|(verdict, _)| *verdict == kind).map(|(_, count)| count).sum()
    }

    fn bar(&self, place: u64, most: u64, words: &Words) -> Bar {
        let mut title = clock::beijing(self.at).strftime("%H:%M").to_string();
        let mut parts = Vec::new();
        let mut below = 0;
        for kind in KINDS {
            let count = self.count(kind);
            if count == 0 {
                continue;
            }
            let _ = write!(title, ", {}: {count}", name(kind, words));
            below += count;
            parts.push(Part { class: class(kind), y: up(below, most), height: tall(count, most) });
        }
        Bar { x: place * STEP, title, parts }
    }
}

/// A line of level stretches: connected where one follows the other, broken where nothing happened.
fn steps(levels: impl Iterator<Item = Option<Duration>>, slowest: u64) -> String {
    let mut path = String::new();
    let mut drawn = false;
    for (level, place) in levels.zip(0_u64..) {
        let Some(level) = level else {
            drawn = false;
            continue;
        };
        let y = up(u64::try_from(level.as_millis()).unwrap_or(u64::MAX).min(slowest), slowest);
        let (from, to) = (place * STEP, (place + 1) * STEP);
        let _ = if drawn { write!(path, "V{y}H{to}") } else { write!(path, "M{from} {y}H{to}") };
        drawn = true;
    }
    path
}

fn ticks(stretches: &[Stretch]) -> Vec<String> {
    let Some(last) = stretches.len().checked_sub(1) else { return Vec::new() };
    let at = |tick: usize| stretches.get(last * tick / (TICKS - 1));
    let shown = (0..TICKS).filter_map(at).map(|stretch| clock::beijing(stretch.at).strftime("%H:%M").to_string());
    shown.collect()
}

/// From the top, in hundredths of the height.
fn up(count: u64, most: u64) -> String {
    hundredths(most.saturating_sub(count), most)
}

fn tall(count: u64, most: u64) -> String {
    hundredths(count, most)
}

fn hundredths(count: u64, most: u64) -> String {
    let tenths = u128::from(count) * 1000 / u128::from(most.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The next of 1, 2, 5, 10, 20, 50 ...
fn round_up(most: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let round = unit.saturating_mul(factor);
            if round >= most || round == u64::MAX {
                return round;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

const fn class(kind: Option<Verdict>) -> &'static str {
    match kind {
        Some(Verdict::Paid) => "v-paid",
        Some(Verdict::Pending) => "v-pending",
        Some(Verdict::Unpaid) => "v-unpaid",
        Some(Verdict::Refunded) => "v-refunded",
        Some(Verdict::Contradicted) => "v-contradicted",
        Some(Verdict::Unknown) => "v-unknown",
        None => "v-none",
    }
}

/// What a verdict is called.
pub(super) const fn name(kind: Option<Verdict>, words: &Words) -> &'static str {
    match kind {
        Some(Verdict::Paid) => words.paid,
        Some(Verdict::Pending) => words.pending,
        Some(Verdict::Unpaid) => words.unpaid,
        Some(Verdict::Refunded) => words.refunded,
        Some(Verdict::Contradicted) => words.contradicted,
        Some(Verdict::Unknown) => words.unknown,
        None => words.no_verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(minute: i64, paid: u64, unknown: u64, ms: Option<u64>) -> Stretch {
        Stretch {
            at: Timestamp::from_second(1_800_000_000 + minute * 60).unwrap(),
            counts: vec![(Some(Verdict::Paid), paid), (Some(Verdict::Unknown), unknown), (None, 0)],
            p50: ms.map(Duration::from_millis),
            p95: ms.map(|ms| Duration::from_millis(2 * ms)),
        }
    }

    fn draw(stretches: &[Stretch]) -> Chart {
        Chart::draw(stretches, Span::Hour, Language::English, Timestamp::from_second(1_800_000_600).unwrap())
    }

    #[test]
    fn parts_of_a_bar_stand_on_each_other() {
        let chart = draw(&[stretch(0, 6, 2, Some(100)), stretch(1, 0, 0, None), stretch(2, 1, 0, Some(50))]);
        assert_eq!((chart.most.as_str(), chart.half.as_str(), chart.width), ("10", "5", 30));
        let [paid, unknown] = &chart.bars[0].parts[..] else { panic!("{:?}", chart.bars[0]) };
        assert_eq!((paid.y.as_str(), paid.height.as_str()), ("40.0", "60.0"));
        assert_eq!((unknown.y.as_str(), unknown.height.as_str()), ("20.0", "20.0"));
        assert!(chart.bars[1].parts.is_empty());
        assert!(chart.bars[0].title.ends_with("paid: 6, no answer: 2"), "{}", chart.bars[0].title);
        assert_eq!(chart.kinds.iter().map(|kind| kind.total.as_str()).collect::<Vec<_>>(), ["7", "2"]);
    }

    #[test]
    fn a_line_is_broken_where_nothing_happened() {
        let chart = draw(&[
            stretch(0, 1, 0, Some(100)),
            stretch(1, 1, 0, Some(50)),
            stretch(2, 0, 0, None),
            stretch(3, 1, 0, Some(200)),
        ]);
        assert_eq!(chart.slowest, "500 ms");
        assert_eq!(chart.p50, "M0 80.0H10V90.0H20M30 60.0H40");
        assert_eq!(chart.rows.len(), 3);
    }

    #[test]
    fn without_callbacks_there_is_no_picture() {
        let chart = draw(&[stretch(0, 0, 0, None)]);
        assert!(chart.is_empty && chart.rows.is_empty());
        assert!(draw(&[]).is_empty);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (most, round) in [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (501, 1000), (u64::MAX, u64::MAX)] {
            assert_eq!(round_up(most), round);
        }
    }
}
