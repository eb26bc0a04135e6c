//! What the commands say to people, in English and Chinese side by side, so that neither can lack a word. What they say to
//! programs (`--json`) is always English.

mod problems;

use crate::admin::reason_in_chinese;
use crate::config::{Problem, Problems};
use crate::journal::State;
use crate::reason::Reason;
use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

/// A language that the commands speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

macro_rules! words {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// The words of one language. `{}` is where a value goes; before a `|` is what is said of one thing, behind it what is
        /// said of another number.
        #[derive(Debug)]
        pub(super) struct Words {
            language: Language,
            $(#[doc = $english] pub(super) $name: &'static str,)*
        }

        static ENGLISH: Words = Words { language: Language::English, $($name: $english,)* };

        static CHINESE: Words = Words { language: Language::Chinese, $($name: $chinese,)* };

        #[cfg(test)]
        static ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $chinese),)*];
    };
}

words! {
    // Numbers and times.
    orders: "{} order|{} orders", "{} 笔订单";
    rows: "{} row|{} rows", "{} 行";
    routes: "{} route|{} routes", "{} 个路由";
    channels: "{} channel|{} channels", "{} 个渠道";
    times: "once|{} times", "{} 次";
    milliseconds: "{} ms", "{} 毫秒";
    seconds: "{} s", "{} 秒";
    minutes: "{} min", "{} 分钟";
    minutes_seconds: "{} min {} s", "{} 分 {} 秒";
    hours: "{} h", "{} 小时";
    hours_minutes: "{} h {} min", "{} 小时 {} 分";
    days: "{} d", "{} 天";
    days_hours: "{} d {} h", "{} 天 {} 小时";

    // States.
    asking: "asking", "待确认";
    delivering: "delivering", "投递中";
    accepted: "accepted", "已送达";
    parked: "parked", "已挂起";
    closed: "closed", "已关闭";

    // check.
    usable: "{}: usable. {} -> {}, {}, {}.", "{}：可用。{} -> {}，{}，{}。";
    warning: "warning: {}", "警告：{}";
    not_read: "Not read without --resolve, and needed to run: {}", "未读取（加 --resolve 才读取），运行时必须有：{}";
    channel_is: "channel {}: {} ({})", "渠道 {}：{}（{}）";
    account_known: "WeChat Pay answers and knows the account", "微信支付有应答，商户号可用";
    upstream_answers: "upstream {}: takes connections", "订单系统 {}：可以连接";
    upstream_silent: "upstream {}: cannot be reached ({})", "订单系统 {}：无法连接（{}）";
    source_read: "source {}: {}", "订单来源 {}：{}";
    source_unread: "source {}: {}", "订单来源 {}：{}";
    source_unusable: "source {}: {}, {} of them cannot be used: {}", "订单来源 {}：{}，其中 {} 行无法使用：{}";
    journal_writable: "journal {}: its folder can be written", "本地流水 {}：所在目录可写";
    journal_unwritable: "journal {}: {}", "本地流水 {}：{}";
}

impl Language {
    /// The one that LC_ALL, LC_MESSAGES or LANG asks for, the first of them that says anything.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
        if said.is_some_and(|value| value.starts_with("zh")) { Self::Chinese } else { Self::English }
    }
}

/// The words of the language that this process's environment asks for.
pub(super) fn words() -> &'static Words {
    static WORDS: OnceLock<&'static Words> = OnceLock::new();
    WORDS.get_or_init(|| match Language::of(|name| std::env::var(name).ok()) {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    })
}

/// The words of those commands that speak English only.
pub(super) fn english() -> &'static Words {
    &ENGLISH
}

/// A template with its values, in order.
pub(super) fn fill(template: &str, values: &[&dyn Display]) -> String {
    let mut pieces = template.split("{}");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (piece, value) in pieces.zip(values) {
        text.push_str(&value.to_string());
        text.push_str(piece);
    }
    text
}

impl Words {
    pub(super) fn is_chinese(&self) -> bool {
        self.language == Language::Chinese
    }

    /// `1 order`, `2 orders`.
    pub(super) fn count(&self, template: &str, number: impl TryInto<u64>) -> String {
        let number = number.try_into().unwrap_or(u64::MAX);
        let (one, many) = template.split_once('|').unwrap_or((template, template));
        fill(if number == 1 { one } else { many }, &[&number])
    }

    /// `9 s`, `5 min`, `3 h 20 min`, `1 d 9 h`: two units at most.
    pub(super) fn duration(&self, duration: Duration) -> String {
        let seconds = duration.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        match (days, hours, minutes, seconds % 60) {
            (0, 0, 0, 0) if !duration.is_zero() => fill(self.milliseconds, &[&duration.as_millis()]),
            (0, 0, 0, seconds) => fill(self.seconds, &[&seconds]),
            (0, 0, minutes, 0) => fill(self.minutes, &[&minutes]),
            (0, 0, minutes, seconds) => fill(self.minutes_seconds, &[&minutes, &seconds]),
            (0, hours, 0, _) => fill(self.hours, &[&hours]),
            (0, hours, minutes, _) => fill(self.hours_minutes, &[&hours, &minutes]),
            (days, 0, ..) => fill(self.days, &[&days]),
            (days, hours, ..) => fill(self.days_hours, &[&days, &hours]),
        }
    }

    pub(super) fn state(&self, state: State) -> &'static str {
        match state {
            State::Asking => self.asking,
            State::Delivering => self.delivering,
            State::Accepted => self.accepted,
            State::Parked => self.parked,
            State::Closed => self.closed,
        }
    }

    /// What a reason code means.
    pub(super) fn reason(&self, reason: Reason) -> &'static str {
        match self.language {
            Language::English => reason.text(),
            Language::Chinese => reason_in_chinese(reason),
        }
    }

    /// Everything that is wrong with a configuration, a line each.
    pub(super) fn problems(&self, problems: &Problems) -> String {
        match self.language {
            Language::English => problems.to_string(),
            Language::Chinese => {
                let list = problems.list.iter().map(|problem| self.problem(problem)).collect();
                Problems { file: problems.file.clone(), list }.to_string()
            }
        }
    }

    fn problem(&self, problem: &Problem) -> Problem {
        let [what, remedy] = [&problem.what, &problem.remedy].map(|text| problems::in_chinese(text));
        Problem { what, remedy, ..problem.clone() }
    }

    /// A warning's text.
    pub(super) fn text(&self, text: &str) -> String {
        if self.is_chinese() { problems::in_chinese(text) } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_says_anything_decides() {
        let of = |set: &[(&str, &str)]| {
            Language::of(|name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()))
        };
        for (set, wanted) in [
            (&[][..], Language::English),
            (&[("LANG", "zh_CN.UTF-8")], Language::Chinese),
            (&[("LANG", "zh")], Language::Chinese),
            (&[("LC_MESSAGES", "zh_TW"), ("LANG", "en_US.UTF-8")], Language::Chinese),
            (&[("LC_ALL", "C.UTF-8"), ("LANG", "zh_CN.UTF-8")], Language::English),
            (&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")], Language::Chinese),
            (&[("LC_CTYPE", "zh_CN.UTF-8"), ("LANG", "en_US")], Language::English),
        ] {
            assert_eq!(of(set), wanted, "{set:?}");
        }
    }

    #[test]
    fn both_languages_have_the_same_blanks_and_chinese_is_chinese() {
        for (name, english, chinese) in ALL {
            let blanks = |text: &str| text.split('|').next_back().unwrap_or_default().matches("{}").count();
            assert_eq!(blanks(english), blanks(chinese), "{name}");
            assert!(chinese.is_empty() || chinese.chars().any(|c| c >= '\u{2E80}'), "{name}: {chinese}");
        }
    }

    #[test]
    fn one_is_one_and_a_duration_has_two_units_at_most() {
        assert_eq!(ENGLISH.count(ENGLISH.orders, 1u64), "1 order");
        assert_eq!(ENGLISH.count(ENGLISH.orders, 0u64), "0 orders");
        assert_eq!(ENGLISH.count(ENGLISH.orders, 2usize), "2 orders");
        assert_eq!(CHINESE.count(CHINESE.orders, 1u64), "1 笔订单");
        for (seconds, wanted) in [
            (0, "0 s"),
            (59, "59 s"),
            (300, "5 min"),
            (330, "5 min 30 s"),
            (3600, "1 h"),
            (12_000, "3 h 20 min"),
            (86_400, "1 d"),
            (118_800, "1 d 9 h"),
            (118_859, "1 d 9 h"),
        ] {
            assert_eq!(ENGLISH.duration(Duration::from_secs(seconds)), wanted);
        }
        assert_eq!(ENGLISH.duration(Duration::from_millis(250)), "250 ms");
        assert_eq!(CHINESE.duration(Duration::from_secs(118_800)), "1 天 9 小时");
    }
}
