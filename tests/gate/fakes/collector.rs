//! A collector of traces: it takes OTLP over HTTP and reads the protobuf.

use super::serve;
use crate::wire::Message;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A running collector. Clones are the same one.
#[derive(Clone)]
pub struct Collector {
    pub addr: SocketAddr,
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: Vec<Message>,
    spans: Vec<Span>,
}

/// A span, as far as scenarios look at it; ids are hexadecimal.
#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty if there is none.
    pub parent: String,
    pub kind: SpanKind,
    pub failed: Option<String>,
    pub attributes: BTreeMap<String, String>,
    /// The spans it links to: trace and id.
    pub links: Vec<(String, String)>,
    pub state: String,
    pub lasted: (u64, u64),
    pub service: String,
}

impl Collector {
    pub fn start() -> Self {
        let shared = Arc::<Mutex<State>>::default();
        let state = Arc::clone(&shared);
        let addr = serve(None, move |mut wire, _| {
            while let Some(request) = wire.request() {
                let answer: &[u8] = if request.line() == "POST /v1/traces HTTP/1.1" {
                    state.lock().unwrap().take(request);
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
                } else {
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                };
                wire.send(answer);
            }
        });
        Self { addr, shared }
    }

    /// Everything that was sent.
    pub fn requests(&self) -> Vec<Message> {
        self.shared.lock().unwrap().requests.clone()
    }

    pub fn spans(&self) -> Vec<Span> {
        self.shared.lock().unwrap().spans.clone()
    }
}

impl State {
    fn take(&mut self, request: Message) {
        let sent = <ExportTraceServiceRequest as prost::Message>::decode(&request.body[..]).unwrap();
        for resource in sent.resource_spans {
            let about = resource.resource.map(|resource| attributes(&resource.attributes)).unwrap_or_default();
            let service = about.get("service.name").cloned().unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let failed = span.status.filter(|status| status.code == StatusCode::Error as i32);
                self.spans.push(Span {
                    trace: hex::encode(&span.trace_id),
                    id: hex::encode(&span.span_id),
                    parent: hex::encode(&span.parent_span_id),
                    kind: SpanKind::try_from(span.kind).unwrap(),
                    failed: failed.map(|status| status.message),
                    attributes: attributes(&span.attributes),
                    links: span.links.iter().map(|l| (hex::encode(&l.trace_id), hex::encode(&l.span_id))).collect(),
                    state: span.trace_state,
                    lasted: (span.start_time_unix_nano, span.end_time_unix_nano),
                    name: span.name,
                    service: service.clone(),
                });
            }
        }
        self.requests.push(request);
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.clone().and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}
