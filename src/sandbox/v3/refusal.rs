//! Errors, by status and code (`docs/reference/wechatpay-v3.md` section 5).

use serde_json::{Value, json};

/// An answer that says no.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Empty where the body is.
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) detail: Value,
    /// Behind the hyphen of `Request-ID` (section 1).
    pub(super) number: u32,
}

impl Refusal {
    const fn plain(status: u16, code: &'static str, message: &'static str, number: u32) -> Self {
        Self { status, code, message, detail: Value::Null, number }
    }

    /// A path that is none of the sandbox's.
    pub(super) const NO_SUCH_PATH: Self = Self::plain(404, "", "", 0);
    /// Another method than GET.
    pub(super) const METHOD: Self = Self::plain(405, "", "", 0);
    pub(super) const INCOMPLETE: Self = Self::plain(400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent", PARAMETER);
    pub(super) const NO_SUCH_ORDER: Self = Self::plain(404, "ORDER_NOT_EXIST", "订单不存在", 268_512_771);
    pub(super) const NO_CERTIFICATES: Self = Self::plain(
        404,
        "RESOURCE_NOT_EXISTS",
        "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥",
        268_512_771,
    );
    pub(super) const NOT_YOURS: Self =
        Self::plain(403, "NO_AUTH", "商户号与签名的商户号不一致，或无此接口权限", 268_447_843);
    pub(super) const SYSTEM_ERROR: Self = Self::plain(500, "SYSTEM_ERROR", "系统繁忙，请稍后重试", 268_435_456);
    pub(super) const RATE_LIMITED: Self = Self::plain(429, "RATELIMIT_EXCEEDED", "频率超限，请稍后重试", 268_447_840);
    pub(super) const FREQUENCY_LIMITED: Self =
        Self::plain(429, "FREQUENCY_LIMITED", "频率限制，请降低频率后重试", 268_447_840);
    pub(super) const NO_STATEMENT: Self = Self::plain(400, "NO_STATEMENT_EXIST", "请求的账单文件不存在", PARAMETER);
    pub(super) const STATEMENT_CREATING: Self =
        Self::plain(400, "STATEMENT_CREATING", "账单生成中，请稍后再试", PARAMETER);
    pub(super) const LINK_EXPIRED: Self =
        Self::plain(400, "INVALID_REQUEST", "下载链接过期，请重新请求文件下载", PARAMETER);

    /// Somebody whose Authorization does not hold.
    pub(super) fn unauthorised(message: &'static str, detail: Value) -> Self {
        Self { detail, ..Self::plain(401, "SIGN_ERROR", message, 268_443_699) }
    }

    /// A parameter that is missing or malformed.
    pub(super) fn parameter(field: &str, location: &str, value: Option<&str>) -> Self {
        let issue = if value.is_some() { "格式错误" } else { "缺少必填参数" };
        let detail =
            json!({ "field": field, "location": location, "value": value.unwrap_or_default(), "issue": issue });
        Self { detail, ..Self::plain(400, "PARAM_ERROR", "参数错误", PARAMETER) }
    }

    /// The body; null where there is none.
    pub(super) fn body(&self) -> Value {
        match (self.code, &self.detail) {
            ("", _) => Value::Null,
            (code, Value::Null) => json!({ "code": code, "message": self.message }),
            (code, detail) => json!({ "code": code, "detail": detail, "message": self.message }),
        }
    }
}

const PARAMETER: u32 = 268_435_461;
