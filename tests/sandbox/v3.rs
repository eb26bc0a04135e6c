//! API v3 against `docs/reference/wechatpay-v3.md`. Whatever is signed or sealed is so by another implementation than
//! ours.

mod answers;

mod asking;

mod bills;

mod faults;

mod keys;

mod notifications;

mod refused;
