//! The payment providers: each speaks its own language, and nothing of it is known outside its folder.

pub mod payment;

pub mod order_state;

// WeChat Pay.
pub mod wechat;
