//! One end of a simulated connection, as those who read and write streams want it.
//! Made by the host of a node. Never decides anything: the network does.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::simulation::host::World;

/// An end of a connection; its drop closes it.
pub(crate) struct Socket {
    world: Arc<World>,
    /// The connection and which end of it this is.
    end: (u64, usize),
}

impl Socket {
    pub(super) fn new(world: Arc<World>, connection: u64, side: usize) -> Self {
        Self { world, end: (connection, side) }
    }

    pub(super) fn poll_connected(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.world.with_network(|network, _| network.poll_connected(self.end.0, context))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.world.with_network(|network, _| network.poll_read(self.end, context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.world
            .with_network(|network, moment| network.poll_write(self.end, context, bytes, moment))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.world.with_network(|network, moment| network.shutdown(self.end, moment));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.world.with_network(|network, moment| network.close(self.end, moment));
    }
}
