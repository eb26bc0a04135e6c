//! Sending spans to a collector: OTLP over HTTP, in protobuf.
//!
//! The library calls this on a thread of its own, off the way of callbacks. What cannot be sent is dropped: traces are
//! for looking at, and a collector that is gone must cost nothing.

use super::{BuildError, Settings};
use crate::net::http_client;
use crate::observe::log_throttle::LogThrottle;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use parking_lot::Mutex;
use prost::Message;
use reqwest::Client;
use std::fmt;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long the collector may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is said that it cannot be reached.
const LOG_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Exporter {
    http: Client,
    url: String,
    settings: Settings,
    resource: ResourceAttributesWithSchema,
    /// The client works there, and this is called elsewhere.
    runtime: Handle,
    lost: Mutex<Lost>,
}

/// Spans that were lost since that was logged the last time.
struct Lost {
    throttle: LogThrottle,
    spans: usize,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Exporter {
    pub(super) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let url = format!("{}/v1/traces", settings.endpoint.to_string().trim_end_matches('/'));
        let encrypted = settings.endpoint.scheme_str() == Some("https");
        let http = http_client::client(encrypted)?.timeout(TIMEOUT).build()?;
        let resource = ResourceAttributesWithSchema::default();
        let lost = Mutex::new(Lost { throttle: LogThrottle::new(LOG_EVERY), spans: 0 });
        Ok(Self { http, url, settings: settings.clone(), resource, runtime: Handle::current(), lost })
    }

    fn post(&self, spans: Vec<SpanData>) -> impl Future<Output = Result<(), String>> + Send + 'static {
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut request = self.http.post(&self.url).body(body);
        for (name, value) in &self.settings.headers {
            if let Ok(mut value) = HeaderValue::from_str(value.expose()) {
                value.set_sensitive(true);
                request = request.header(name.clone(), value);
            }
        }
        let request = request.header(CONTENT_TYPE, "application/x-protobuf");
        async move {
            let answer = request.send().await.map_err(|error| http_client::innermost(&error))?;
            if answer.status().is_success() { Ok(()) } else { Err(format!("HTTP status {}", answer.status().as_u16())) }
        }
    }

    fn complain(&self, spans: usize, why: &str) {
        let mut lost = self.lost.lock();
        lost.spans += spans;
        if lost.throttle.admits() {
            let lost = std::mem::take(&mut lost.spans);
            tracing::warn!(lost, why, url = self.url, "spans could not be sent to the collector of traces");
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        let count = spans.len();
        let sent = self.runtime.spawn(self.post(spans)).await;
        sent.unwrap_or_else(|_| Err("the program ends".to_owned())).map_err(|why| {
            self.complain(count, &why);
            OTelSdkError::InternalFailure(why)
        })
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}
