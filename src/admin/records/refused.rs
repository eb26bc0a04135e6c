//! Callbacks that were refused before they were taken in.

use super::{time, words};
use crate::journal;
use serde::Serialize;
use utoipa::ToSchema;

/// A callback that was refused before it was taken in: what it was about, and why; none of its content.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Refused {
    /// Its `X-Request-Id`.
    pub request_id: String,
    /// When it came.
    #[schema(value_type = Option<words::Time>)]
    pub at: Option<String>,
    /// Its route, if one was found.
    pub route: Option<String>,
    /// Its channel, if one was found.
    pub channel: Option<String>,
    /// Its order, if that could be read.
    pub order: Option<String>,
    /// Why.
    #[schema(value_type = words::Reason)]
    pub reason: &'static str,
    /// What the reason means.
    pub explanation: &'static str,
    /// Which field or rule.
    pub detail: Option<String>,
}

impl From<&journal::Refused> for Refused {
    fn from(refused: &journal::Refused) -> Self {
        Self {
            request_id: refused.request_id.to_string(),
            at: refused.at.map(time),
            route: refused.route.clone(),
            channel: refused.channel.map(|id| id.to_string()),
            order: refused.order.map(|id| id.to_string()),
            reason: refused.reason.code(),
            explanation: refused.reason.text(),
            detail: refused.detail.clone(),
        }
    }
}
