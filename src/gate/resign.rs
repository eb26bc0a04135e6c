//! Signing a notification afresh, in place of its provider, just before it is sent.

use crate::domain::clock;
use crate::domain::reason::Reason;
use crate::provider::Resign;
use bytes::Bytes;
use hyper::{HeaderMap, Request};
use std::mem;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Gives `request`, whose body these bytes are, a fresh signature. It is made beside the runtime's threads: a millisecond there
/// would hold up every callback that is answered from the cache.
///
/// # Errors
/// If the library fails. The request is not to be sent then.
pub(super) async fn resign<B>(resign: Arc<dyn Resign>, request: &mut Request<B>, body: Bytes) -> Result<(), Reason> {
    let mut headers: HeaderMap = mem::take(request.headers_mut());
    let signing = spawn_blocking(move || resign.resign(&mut headers, &body, clock::now()).map(|()| headers));
    let signed = signing.await.map_err(|error| error.to_string());
    let signed = signed.and_then(|signed| signed.map_err(|error| error.to_string()));
    *request.headers_mut() = signed.map_err(|error| {
        tracing::error!(%error, "a notification could not be signed afresh, and is not sent");
        Reason::InternalError
    })?;
    Ok(())
}
