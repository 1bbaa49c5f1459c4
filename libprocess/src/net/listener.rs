//! The accept loop of a runtime's one port.
//! Started once by `runtime::threads`. Never gives up: what fails for one connection, or for
//! lack of file descriptors, must not end the service.
//!
//! Upstream: `internal::on_accept`.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::http::server::Site;
use crate::net::incoming;
use crate::net::stream::{self, Stream};
use crate::runtime::WeakRuntime;

/// How long to wait when the system has no file descriptor or memory for another connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Accepts connections and serves each in a task of its own, until the runtime is gone.
pub(crate) async fn accept_all(listener: std::net::TcpListener, runtime: WeakRuntime) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("Failed to watch the listening socket: {error}"),
    };
    let site = Rc::new(Site::new(runtime.clone()).await);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::error!("Failed to accept a connection: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let Some(runtime) = runtime.upgrade() else { return };
        stream::tune(&stream);
        let (tls, runtime, site) = (runtime.tls(), runtime.downgrade(), site.clone());
        actix::spawn(async move {
            let stream = match tls {
                None => Ok(Stream::Tcp(stream)),
                Some(tls) => tls.accept(stream, peer.ip()).await.map(Stream::accepted),
            };
            match stream {
                Ok(stream) => incoming::serve(stream, peer, runtime, site).await,
                Err(error) => tracing::info!("Failed to accept socket: {error}"),
            }
        });
    }
}
