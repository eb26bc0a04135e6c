//! The payment providers: each speaks its own language, and nothing of it is known outside its folder.

// WeChat Pay.
pub mod wechat;
