//! Spans, as OpenTelemetry's own library makes them.

use super::export::Exporter;
use super::{BuildError, Context as Headers, Settings, TRACEPARENT, TRACESTATE};
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    self as sdk, BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanLimits,
};
use std::sync::Arc;
use std::time::Duration;

/// Spans that may wait to be sent; more are dropped rather than kept in memory or waited for.
const MOST_WAITING: usize = 8192;

/// Spans sent at once, and how long they wait for others.
const BATCH: usize = 512;
const SEND_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(super) struct Tracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    settings: Settings,
}

#[derive(Debug)]
pub(super) struct Span {
    span: sdk::Span,
    tracer: Tracer,
}

#[derive(Debug, Clone)]
pub(super) struct Parent {
    context: SpanContext,
    tracer: Tracer,
}

impl Tracer {
    pub(super) fn begin(settings: &Settings) -> Result<Self, BuildError> {
        let attributes = [
            KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ];
        // Said here whole, so that nothing is taken from the environment.
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MOST_WAITING)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let sending = BatchSpanProcessor::builder(Exporter::new(settings)?).with_batch_config(batches).build();
        let begun_here = Sampler::TraceIdRatioBased(settings.sample);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(sending)
            .with_sampler(Sampler::ParentBased(Box::new(begun_here)))
            .with_span_limits(SpanLimits::default())
            .with_resource(Resource::builder_empty().with_attributes(attributes).build())
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Self(Arc::new(Inner { tracer, provider, settings: settings.clone() })))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn request(&self, name: &'static str, headers: &HeaderMap) -> Span {
        let sender = sender(headers).unwrap_or_else(SpanContext::empty_context);
        self.span(SpanBuilder::from_name(name).with_kind(SpanKind::Server), sender)
    }

    pub(super) fn later(&self, name: &'static str, headers: Option<&HeaderMap>) -> Span {
        let mut span = SpanBuilder::from_name(name).with_kind(SpanKind::Internal);
        if let Some(sender) = headers.and_then(sender) {
            span = span.with_links(vec![Link::with_context(sender)]);
        }
        self.span(span, SpanContext::empty_context())
    }

    fn span(&self, span: SpanBuilder, parent: SpanContext) -> Span {
        let context = Context::new();
        let context = if parent.is_valid() { context.with_remote_span_context(parent) } else { context };
        Span { span: self.0.tracer.build_with_context(span, &context), tracer: self.clone() }
    }

    pub(super) fn end(&self, deadline: Duration) {
        // What could not be sent was said already.
        let _ = self.0.provider.shutdown_with_timeout(deadline);
    }
}

impl Span {
    pub(super) fn parent(&self) -> Parent {
        Parent { context: self.span.span_context().clone(), tracer: self.tracer.clone() }
    }

    pub(super) fn set(&mut self, key: &'static str, value: String) {
        self.span.set_attribute(KeyValue::new(key, value));
    }

    pub(super) fn set_number(&mut self, key: &'static str, value: i64) {
        self.span.set_attribute(KeyValue::new(key, value));
    }

    pub(super) fn failed(&mut self, reason: &'static str) {
        self.span.set_status(Status::error(reason));
    }

    pub(super) fn context(&self) -> Option<Headers> {
        let mut headers = Written::default();
        let context = Context::new().with_remote_span_context(self.span.span_context().clone());
        TraceContextPropagator::new().inject_context(&context, &mut headers);
        Some((headers.traceparent?, headers.tracestate))
    }
}

impl Parent {
    pub(super) fn child(&self, name: &'static str) -> Span {
        self.tracer.span(SpanBuilder::from_name(name), self.context.clone())
    }

    pub(super) fn client(&self, name: &'static str) -> Span {
        self.tracer.span(SpanBuilder::from_name(name).with_kind(SpanKind::Client), self.context.clone())
    }
}

/// The span in which a request was sent, if its headers say one and only one.
fn sender(headers: &HeaderMap) -> Option<SpanContext> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let (Some(_), None) = (all.next(), all.next()) else { return None };
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Read(headers));
    let sender = context.span().span_context().clone();
    sender.is_valid().then_some(sender)
}

struct Read<'h>(&'h HeaderMap);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

#[derive(Default)]
struct Written {
    traceparent: Option<HeaderValue>,
    tracestate: Option<HeaderValue>,
}

impl Injector for Written {
    fn set(&mut self, key: &str, value: String) {
        let value = HeaderValue::try_from(value).ok().filter(|value| !value.is_empty());
        if key == TRACEPARENT.as_str() {
            self.traceparent = value;
        } else if key == TRACESTATE.as_str() {
            self.tracestate = value;
        }
    }
}
