//! What the bills are like.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LineEnd {
    /// As in all real files but one.
    #[default]
    Crlf,
    /// As in that one.
    Lf,
}

/// Which columns a bill has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BillLayout {
    /// 27 for `ALL`, 20 for `SUCCESS`, 29 for `REFUND`.
    #[default]
    Current,
    /// 24, as merchants from before 2018 may still get them.
    Old,
}

/// What becomes of `tar_type` GZIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Gzip {
    /// The bill is compressed.
    #[default]
    Honoured,
    /// It comes plain.
    Ignored,
    /// It does not come: CompressGZip Error.
    CompressError,
}

/// What a day without trades is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyDay {
    /// No Bill Exist.
    #[default]
    Error,
    /// Both headers and a summary of zeros.
    Summary,
    /// The header of the details alone.
    HeaderOnly,
}

/// What the bills are like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct BillSettings {
    /// Whether a byte order mark stands in front.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub bom: bool,
    /// How lines end.
    #[arg(long, default_value = "crlf")]
    pub line_end: LineEnd,
    /// Which columns there are.
    #[arg(long, default_value = "current")]
    pub layout: BillLayout,
    /// What becomes of a question for a compressed one.
    #[arg(long, default_value = "honoured")]
    pub gzip: Gzip,
    /// What a day without trades is answered with.
    #[arg(long, default_value = "error")]
    pub empty_day: EmptyDay,
    /// So many questions are answered by Bill Creating first.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub creating: u32,
    /// The summary counts a row and a fen too many.
    #[arg(long)]
    pub wrong_summary: bool,
    /// The rows are in no order.
    #[arg(long)]
    pub unsorted: bool,
    /// API v3 names a hash that is not the file's.
    #[arg(long)]
    pub wrong_hash: bool,
    /// For so long a link of API v3 is good.
    #[arg(long, value_name = "SECONDS", default_value_t = LINK_SECONDS)]
    pub link_seconds: u32,
    /// So many invented payments of each day stand behind the real ones.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub generated_rows: u64,
    /// Of this day only, yyyyMMdd.
    #[arg(long, value_name = "DAY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_day: Option<String>,
}

/// For so long the link of a bill is good (`docs/reference/wechatpay-v3.md` section 8).
const LINK_SECONDS: u32 = 300;

impl Default for BillSettings {
    fn default() -> Self {
        Self {
            bom: true,
            line_end: LineEnd::default(),
            layout: BillLayout::default(),
            gzip: Gzip::default(),
            empty_day: EmptyDay::default(),
            creating: 0,
            wrong_summary: false,
            unsorted: false,
            wrong_hash: false,
            link_seconds: LINK_SECONDS,
            generated_rows: 0,
            generated_day: None,
        }
    }
}

/// Reads `yyyyMMdd`.
pub(super) fn day(text: &str) -> Option<Date> {
    Date::strptime("%Y%m%d", text).ok().filter(|_| text.len() == 8)
}
