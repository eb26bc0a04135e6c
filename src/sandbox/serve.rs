//! Connections that can be cut: a hyper loop of our own below axum, because a reset and a half answer are no HTTP.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower_service::Service;

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// With a TCP reset, as a crashed host's are.
    Reset,
    /// By closing it.
    Close,
}

/// A handler's grip on the connection that its request came by.
#[derive(Debug, Clone)]
pub(super) struct Wire(mpsc::Sender<Cut>);

impl Wire {
    /// Cuts the connection; whatever was to be answered is not.
    pub(super) async fn cut(&self, cut: Cut) -> Infallible {
        let _ = self.0.send(cut).await;
        std::future::pending().await
    }
}

/// How long to wait when no connection can be accepted (too many open files).
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Serves until dropped; then all connections end too.
pub(super) async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let (cuts, mut cut) = mpsc::channel(1);
    let wire = Wire(cuts);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(wire.clone());
        router.clone().call(request)
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::select! {
        biased;
        _ = &mut connection => {}
        Some(cut) = cut.recv() => {
            let stream = connection.into_parts().io.into_inner();
            if cut == Cut::Reset {
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        }
    }
}

/// A response whose Content-Length promises all of `text` and whose body ends, with the connection, in the middle.
pub(super) fn half_response(text: &str, wire: Wire) -> Response<Body> {
    let half = Bytes::copy_from_slice(text.as_bytes().get(..text.len() / 2).unwrap_or_default());
    let body = HalfBody { half: Some(half), length: text.len(), wire };
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

struct HalfBody {
    half: Option<Bytes>,
    length: usize,
    wire: Wire,
}

impl http_body::Body for HalfBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.half.take() {
            Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
            None => {
                let _ = self.wire.0.try_send(Cut::Close);
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(u64::try_from(self.length).unwrap_or(u64::MAX))
    }
}
