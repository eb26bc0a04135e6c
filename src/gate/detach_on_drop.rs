//! A future that is finished even if its caller waits no longer.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// Polls `work` where it is awaited. If the caller goes away first, a task takes it over.
pub(super) fn detach_on_drop<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> DetachOnDrop<T> {
    DetachOnDrop(Some(Box::pin(work)))
}

/// See [`detach_on_drop`].
pub(super) struct DetachOnDrop<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Future for DetachOnDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.0.as_mut() else { return Poll::Pending };
        let done = work.as_mut().poll(cx);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for DetachOnDrop<T> {
    fn drop(&mut self) {
        // A panic in the work also leads here; what panicked must not be polled again.
        let work = self.0.take().filter(|_| !std::thread::panicking());
        if let (Some(work), Ok(runtime)) = (work, Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_whose_waiter_went_away_is_finished() {
        let (go, wait) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let mut work = detach_on_drop(async move {
            wait.await.unwrap();
            done.send(()).unwrap();
        });
        let started = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut work).poll(cx))).await;
        assert!(started.is_pending());
        drop(work);
        go.send(()).unwrap();
        finished.await.unwrap();
    }
}
