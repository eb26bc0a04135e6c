//! The labels, and how our words are written in them.

use super::outcome::Outcome;
use super::words::{Download, On};
use crate::domain::order::{ChannelId, MerchantId};
use crate::domain::reason::{Reason, Verdict};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use std::fmt::{self, Write};
use std::sync::Arc;

macro_rules! label_value {
    ($($word:ty => $text:ident),*) => {$(
        impl EncodeLabelValue for $word {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
                encoder.write_str(self.$text())
            }
        }
    )*};
}

label_value!(ChannelId => as_str, MerchantId => as_str, Reason => code, Verdict => as_str, Outcome => as_str, On => as_str, Download => as_str);

/// Of callbacks that went the same way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WayLabels {
    pub(super) route: Option<Arc<str>>,
    pub(super) channel: Option<ChannelId>,
    pub(super) verdict: Option<Verdict>,
    pub(super) reason: Reason,
}

/// Of verdicts on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerdictLabels {
    pub(super) channel: Option<ChannelId>,
    pub(super) verdict: Verdict,
}

/// Of callbacks that ended alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: Outcome,
}

/// Of findings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabel {
    pub(super) source: &'static str,
}

/// Of what a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WhatLabel {
    pub(super) what: &'static str,
}

/// Of what a database says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CodeLabel {
    pub(super) code: String,
}

/// Of the follow-up's steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StepLabel {
    pub(super) step: &'static str,
}

/// Of what goes to a channel's upstream; empty for callbacks whose channel is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ChannelLabel {
    pub(super) channel: Option<ChannelId>,
}

/// Of requests to an upstream that ended alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct UpstreamRequestLabels {
    pub(super) channel: Option<ChannelId>,
    pub(super) origin: &'static str,
    pub(super) result: &'static str,
}

/// Of one host of WeChat Pay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HostLabel {
    pub(super) host: Arc<str>,
}

/// Of queries that ended alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct QueryLabels {
    pub(super) host: Arc<str>,
    pub(super) outcome: &'static str,
}

/// Of one merchant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct MerchantLabel {
    pub(super) mch_id: MerchantId,
}

/// Of what a signature stands on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OnLabel {
    pub(super) on: On,
}

/// Of verified signatures.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SignatureLabels {
    pub(super) channel: ChannelId,
    pub(super) on: On,
    pub(super) kind: &'static str,
}

/// Of downloads that ended alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DownloadLabel {
    pub(super) outcome: Download,
}
