//! The recharge coupon that paid a part of an order, as messages name it.

use super::message::Message;
use super::order::Order;

/// The one recharge coupon of an order that was paid with one.
pub(super) fn push(message: &mut Message, order: &Order) {
    if order.coupon_fee > 0 {
        message.push("coupon_fee", order.coupon_fee.to_string());
        message.push("coupon_count", "1");
        message.push("coupon_type_0", "CASH");
        message.push("coupon_id_0", "10000");
        message.push("coupon_fee_0", order.coupon_fee.to_string());
    }
}
