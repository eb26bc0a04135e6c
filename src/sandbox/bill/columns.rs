//! The columns of each layout and what stands in them (`docs/reference/wechatpay-v2.md` section 10.1).

use super::BillKind;
use super::entry::Kind;
use super::totals::Totals;
use crate::domain::order::{AppId, MerchantId, TransactionId};
use crate::sandbox::bill_settings::BillLayout;
use crate::sandbox::order::Order;
use std::fmt::{self, Write};

/// A layout: the names of its columns, as its headers have them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    details: &'static str,
    summary: &'static str,
}

const CURRENT: Columns = Columns {
    details: "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,\
             代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,\
             申请退款金额,费率备注",
    summary: "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额",
};

const SUCCESS: Columns = Columns {
    details: "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,\
             代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注",
    summary: "总交易单数,应结订单总金额,手续费总金额,订单总金额",
};

const REFUND: Columns = Columns {
    details: "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,\
             代金券金额,退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,\
             手续费,费率,订单金额,申请退款金额,费率备注",
    summary: CURRENT.summary,
};

const OLD: Columns = Columns {
    details: "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,\
             企业红包金额,微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率",
    summary: "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额",
};

impl Columns {
    pub(super) const fn of(layout: BillLayout, kind: BillKind) -> Self {
        match (layout, kind) {
            (BillLayout::Old, _) => OLD,
            (BillLayout::Current, BillKind::All) => CURRENT,
            (BillLayout::Current, BillKind::Success) => SUCCESS,
            (BillLayout::Current, BillKind::Refund) => REFUND,
        }
    }

    /// The header of the details, without its line end.
    pub(super) const fn header(self) -> &'static str {
        self.details
    }

    /// The header of the summary, without its line end.
    pub(super) const fn summary_header(self) -> &'static str {
        self.summary
    }

    /// A line of the details, without its end. An order that names no application is of `appid`.
    pub(super) fn write_row(self, out: &mut String, appid: AppId, order: &Order, kind: Kind) {
        let cell = |name: &'static str| Cell { name, appid, order, kind };
        write_line(out, self.details.split(',').map(cell));
    }

    /// The values of the summary, without their line end.
    pub(super) fn write_summary(self, out: &mut String, totals: &Totals) {
        write_line(out, self.summary.split(',').map(|name| Total { name, totals }));
    }
}

fn write_line(out: &mut String, values: impl Iterator<Item = impl fmt::Display>) {
    for (column, value) in values.enumerate() {
        out.push_str(if column == 0 { "`" } else { ",`" });
        let _ = write!(out, "{value}");
    }
}

/// A value of the details.
struct Cell<'c> {
    name: &'static str,
    appid: AppId,
    order: &'c Order,
    kind: Kind,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (order, refund) = (self.order, self.kind == Kind::Refund);
        let total = order.total_fee;
        let transaction_id = order.transaction_id.as_ref().map_or("", TransactionId::as_str);
        let only = |when: bool, text: &'static str, otherwise: &'static str| if when { text } else { otherwise };
        match self.name {
            "交易时间" | "退款申请时间" | "退款成功时间" => Time(self.kind.time(order)).fmt(f),
            "公众账号ID" => self.order.appid.unwrap_or(self.appid).fmt(f),
            "商户号" => f.write_str(order.key.mch_id.as_str()),
            "特约商户号" | "子商户号" => {
                f.write_str(order.key.sub_mch_id.as_ref().map_or("0", MerchantId::as_str))
            }
            "微信订单号" => f.write_str(transaction_id),
            "商户订单号" => f.write_str(order.key.out_trade_no.as_str()),
            "用户标识" => f.write_str(&order.openid),
            "交易类型" => f.write_str(if order.trade_type == "FACEPAY" { "FACE" } else { &order.trade_type }),
            "交易状态" => f.write_str(only(refund, "REFUND", "SUCCESS")),
            "付款银行" => f.write_str(&order.bank_type),
            "货币种类" => f.write_str("CNY"),
            "应结订单金额" | "订单金额" | "总金额" => Yuan(if refund { 0 } else { total }).fmt(f),
            "代金券金额" | "企业红包金额" => Yuan(if refund { 0 } else { order.coupon_fee }).fmt(f),
            "微信退款单号" if refund => write!(f, "50{}", transaction_id.get(2..).unwrap_or_default()),
            "商户退款单号" if refund => write!(f, "R{}", order.key.out_trade_no),
            "微信退款单号" | "商户退款单号" => f.write_str("0"),
            "退款金额" | "申请退款金额" => Yuan(if refund { total } else { 0 }).fmt(f),
            "充值券退款金额" | "企业红包退款金额" => {
                Yuan(if refund { order.coupon_fee } else { 0 }).fmt(f)
            }
            "退款类型" => f.write_str(only(refund, "ORIGINAL", "")),
            "退款状态" => f.write_str(only(refund, "SUCCESS", "")),
            "商品名称" => f.write_str("sandbox"),
            // As the documentation says that merchants' texts are escaped.
            "商户数据包" => f.write_str(&order.attach.replace(',', "\\ ").replace(['\r', '\n'], "\\n")),
            "手续费" => write!(f, "{}{}", only(refund, "-", ""), Fee(total)),
            "费率" => f.write_str("1.00%"),
            _ => Ok(()),
        }
    }
}

/// A value of the summary.
struct Total<'t> {
    name: &'static str,
    totals: &'t Totals,
}

impl fmt::Display for Total<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { rows, paid, refunded, coupons_refunded } = *self.totals;
        match self.name {
            "总交易单数" => rows.fmt(f),
            "应结订单总金额" | "订单总金额" | "总交易额" => Yuan(paid).fmt(f),
            "退款总金额" | "申请退款总金额" | "总退款金额" => Yuan(refunded).fmt(f),
            "充值券退款总金额" | "总企业红包退款金额" => Yuan(coupons_refunded).fmt(f),
            "手续费总金额" if paid < refunded => write!(f, "-{}", Fee(refunded - paid)),
            "手续费总金额" => Fee(paid - refunded).fmt(f),
            _ => Ok(()),
        }
    }
}

/// Fen, in yuan with two places.
struct Yuan(u64);

impl fmt::Display for Yuan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// One in a hundred of so many fen, in yuan with five places.
struct Fee(u64);

impl fmt::Display for Fee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}0", self.0 / 10_000, self.0 % 10_000)
    }
}

/// `yyyyMMddHHmmss` as `yyyy-MM-dd HH:mm:ss`.
struct Time<'t>(&'t str);

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |range| self.0.get(range).unwrap_or_default();
        write!(f, "{}-{}-{} {}:{}:{}", part(0..4), part(4..6), part(6..8), part(8..10), part(10..12), part(12..14))
    }
}
