//! Why WeChat Pay gives no bill (`docs/reference/wechatpay-v2.md` section 10.2, `docs/reference/wechatpay-v3.md`
//! section 8). Refusals of API v2 are XML without a signature, and most of their codes are not published.

use crate::net::xml::Fields;
use std::fmt;

/// What WeChat Pay answered instead of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `error_code`, or `err_code`.
    pub error_code: Option<String>,
    /// `return_msg`, or `err_code_des`.
    pub return_msg: String,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// No trades on that day, or a wrong day or merchant.
    NoBill,
    /// Not yet: bills of a day are ready in the morning after.
    Creating,
    /// The bill could not be compressed.
    CompressFailed,
    /// Trouble on WeChat Pay's side, or too many questions.
    Busy,
    /// The question is wrong: signature, merchant, permission, a parameter. It will be wrong again.
    Configuration,
}

impl Refusal {
    /// Reads the XML; `None` if it is not the flat XML of API v2.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        let fields = Fields::read(document).ok()?;
        let text = |name| fields.filled(name).map(str::to_owned);
        let business = text("err_code_des").or_else(|| text("err_code"));
        let return_msg = text("return_msg").filter(|said| business.is_none() || !said.eq_ignore_ascii_case("OK"));
        Some(Self {
            error_code: text("error_code").or_else(|| text("err_code")),
            return_msg: return_msg.or(business).unwrap_or_default(),
        })
    }

    /// What it is about: by the code if it is a known one, by the text otherwise.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        let code = self.error_code.as_deref().and_then(of_code);
        code.or_else(|| of_text(&self.return_msg)).unwrap_or(RefusalKind::Configuration)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(64).flat_map(char::escape_debug).collect::<String>();
        match &self.error_code {
            Some(code) => write!(f, "{} ({})", short(&self.return_msg), short(code)),
            None => f.write_str(&short(&self.return_msg)),
        }
    }
}

fn of_code(code: &str) -> Option<RefusalKind> {
    match code {
        "20001" => Some(RefusalKind::Configuration),
        "20002" => Some(RefusalKind::NoBill),
        _ => of_text(code),
    }
}

/// The documentation spells them with other capitals, spaces and underscores than the answers do.
fn of_text(text: &str) -> Option<RefusalKind> {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match letters.as_str() {
        "nobillexist" | "nostatementexist" => Some(RefusalKind::NoBill),
        "billcreating" | "statementcreating" => Some(RefusalKind::Creating),
        "compressgziperror" | "uncompressgziperror" => Some(RefusalKind::CompressFailed),
        "systemerror" | "bizerrneedretry" | "invalidreqtoomuch" | "ratelimitexceeded" => Some(RefusalKind::Busy),
        _ if letters.starts_with("frequencylimit") || letters.starts_with("频率限制") => Some(RefusalKind::Busy),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RefusalKind::{Busy, CompressFailed, Configuration, Creating, NoBill};

    #[test]
    fn a_refusal_is_known_by_its_code_or_its_text() {
        for (code, text, kind) in [
            ("20002", "No Bill Exist", NoBill),
            ("20002", "", NoBill),
            ("", "NO Bill Exist", NoBill),
            ("", "no bill exist", NoBill),
            ("20001", "sign error", Configuration),
            ("", "SIGN ERROR", Configuration),
            ("", "签名错误", Configuration),
            ("", "Bill Creating", Creating),
            ("", "bill creating", Creating),
            ("20100", "Bill Creating", Creating),
            ("", "CompressGZip Error", CompressFailed),
            ("", "UnCompressGZip Error", CompressFailed),
            ("", "SYSTEMERROR", Busy),
            ("SYSTEMERROR", "OK", Busy),
            ("FREQUENCY_LIMITED", "", Busy),
            ("", "频率限制，请稍后再试", Busy),
            ("", "invalid bill_type", Configuration),
            ("", "data format error", Configuration),
            ("NO_STATEMENT_EXIST", "请求的账单文件不存在", NoBill),
            ("STATEMENT_CREATING", "账单生成中", Creating),
            ("RATELIMIT_EXCEEDED", "", Busy),
            ("SYSTEM_ERROR", "", Busy),
            ("NO_AUTH", "无权限", Configuration),
            ("20007", "", Configuration),
            ("", "", Configuration),
        ] {
            let error_code = Some(code.to_owned()).filter(|code| !code.is_empty());
            let refusal = Refusal { error_code, return_msg: text.to_owned() };
            assert_eq!(refusal.kind(), kind, "{code:?} {text:?}");
        }
    }

    #[test]
    fn both_spellings_of_the_code_are_read() {
        let read = |xml: &str| Refusal::read(xml.as_bytes()).map(|refusal| (refusal.error_code, refusal.return_msg));
        let no_bill = "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[No Bill Exist]]></return_msg>\n\
                       <error_code><![CDATA[20002]]></error_code>\n</xml>\n";
        assert_eq!(read(no_bill), Some((Some("20002".to_owned()), "No Bill Exist".to_owned())));
        let business = "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg><result_code>FAIL</result_code>\
                        <err_code>SYSTEMERROR</err_code><err_code_des>system error</err_code_des></xml>";
        assert_eq!(read(business), Some((Some("SYSTEMERROR".to_owned()), "system error".to_owned())));
        assert_eq!(read("<html><h1>502</h1></html>"), None);
    }
}
