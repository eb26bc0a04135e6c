//! The two parties the gate stands between. Nothing here is shared with `src`, signatures included, so that a mistake
//! cannot agree with itself.

pub mod upstream;

pub mod wechat;

pub mod tls;

#[cfg(feature = "otlp")]
pub mod collector;

use crate::wire::Wire;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Serves every connection of a new loopback listener on a thread of its own.
fn serve(
    tls: Option<Arc<rustls::ServerConfig>>,
    connection: impl Fn(Wire, &TcpStream) + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let connection = Arc::new(connection);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (connection, tls) = (Arc::clone(&connection), tls.clone());
            thread::spawn(move || {
                let Ok(handle) = stream.try_clone() else { return };
                let _ = stream.set_nodelay(true);
                let wire = match tls {
                    None => Wire::over(stream),
                    Some(config) => {
                        let session = rustls::ServerConnection::new(config).unwrap();
                        Wire::over(rustls::StreamOwned::new(session, stream))
                    }
                };
                connection(wire, &handle);
                let _ = handle.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    addr
}

/// Makes the next close of this socket a reset.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}
