//! In a program that was built without `otlp` there are no spans: these types have no values.

use super::{BuildError, Context, Settings};
use hyper::HeaderMap;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) enum Tracer {}

#[derive(Debug)]
pub(super) enum Span {}

#[derive(Debug, Clone)]
pub(super) enum Parent {}

impl Tracer {
    pub(super) fn begin(_: &Settings) -> Result<Self, BuildError> {
        Err(BuildError::NotBuilt)
    }

    pub(super) fn settings(&self) -> &Settings {
        match *self {}
    }

    pub(super) fn request(&self, _: &'static str, _: &HeaderMap) -> Span {
        match *self {}
    }

    pub(super) fn later(&self, _: &'static str, _: Option<&HeaderMap>) -> Span {
        match *self {}
    }

    pub(super) fn end(&self, _: Duration) {
        match *self {}
    }
}

impl Span {
    pub(super) fn parent(&self) -> Parent {
        match *self {}
    }

    pub(super) fn set(&mut self, _: &'static str, _: String) {
        match *self {}
    }

    pub(super) fn set_number(&mut self, _: &'static str, _: i64) {
        match *self {}
    }

    pub(super) fn failed(&mut self, _: &'static str) {
        match *self {}
    }

    pub(super) fn context(&self) -> Option<Context> {
        match *self {}
    }
}

impl Parent {
    pub(super) fn child(&self, _: &'static str) -> Span {
        match *self {}
    }

    pub(super) fn client(&self, _: &'static str) -> Span {
        match *self {}
    }
}
