//! Between the server, which reads requests whole, and axum, which answers them.

use super::Admin;
use super::problem::Problem;
use crate::gate::reply::http_status;
use crate::server::{Arrival, Handler};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use std::sync::Arc;
use tower_service::Service;

/// The admin listener's handler.
#[derive(Debug)]
pub struct Listener(Router);

impl Listener {
    /// Answers with everything that `admin` has.
    #[must_use]
    pub fn new(admin: Arc<Admin>) -> Self {
        Self(admin.router())
    }

    async fn answer(&self, Arrival { mut head, body, peer }: Arrival) -> Response<Full<Bytes>> {
        let answer = match body {
            Ok(body) => {
                head.extensions.insert(peer);
                let request = Request::from_parts(head, Body::from(body));
                match self.0.clone().call(request).await {
                    Ok(answer) => answer,
                    Err(never) => match never {},
                }
            }
            Err(reason) => Problem::new(http_status(reason), reason.text()).because(reason.code()).into_response(),
        };
        let (mut parts, body) = answer.into_parts();
        // All of it is in memory already.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_else(|_| {
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
            Bytes::new()
        });
        Response::from_parts(parts, Full::new(body))
    }
}

impl Handler for Listener {
    async fn handle(self: Arc<Self>, arrival: Arrival) -> Response<Full<Bytes>> {
        self.answer(arrival).await
    }
}
