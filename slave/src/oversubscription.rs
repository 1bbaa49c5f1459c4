//! What a slave could lend out beyond its resources, because it is not used.
//! Asked by `handlers::resources`.
//! Upstream: `ResourceEstimator`, `NoopResourceEstimator`.

use common::resources::Resources;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};

/// Says what may be lent out. Upstream: `mesos::slave::ResourceEstimator`.
pub trait ResourceEstimator: Send + Sync {
    /// What could be lent out now, revocable.
    fn oversubscribable(&self) -> BoxFuture<'static, Resources>;
}

/// Lends out nothing.
pub struct NoopResourceEstimator;

impl ResourceEstimator for NoopResourceEstimator {
    fn oversubscribable(&self) -> BoxFuture<'static, Resources> {
        future::ready(Resources::default()).boxed()
    }
}
