//! The messages of the wire, the checkpoints and the registry, compiled from `protos/**`.
//! One module per package: `mesos.internal.log.Action` is `mesos::internal::log::Action`, and
//! what it nests is in `mesos::internal::log::action`. Everyone uses them; nothing here acts.
//!
//! The schema is that of 0.28.3. Fields, messages and enum values that 1.11.0 added to what
//! frameworks and executors send are there too, under its numbers, so that tasks of 1.x pass
//! through whole. `tests/schema.rs` holds both to the recorded tables.
//!
//! Two things of proto2 that prost does not do, and how to live with that:
//!
//! * *Required fields.* prost decodes an absent required field as its zero. Whatever comes from
//!   outside goes through [`initialized`] first.
//! * *Unknown enum values.* prost keeps an enum as `i32`, where upstream's protobuf treats a
//!   value that it does not know as unset. A required one is refused by [`initialized`]. Of an
//!   optional one read the accessor (`status.reason()`: the default if unset *or* unknown), or
//!   `status.reason.and_then(|number| Reason::try_from(number).ok())` where unset matters, and
//!   never the number. Passed on, the number stays as it came, as it does with upstream.
//!
//! Upstream: the `.proto` files below `include/mesos` and `src`.

pub mod initialized;

/// All our `.proto` files as an encoded `google.protobuf.FileDescriptorSet`, without comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Declares the module of one package around what prost generated for it.
macro_rules! package {
    ($file:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $file, ".rs"));
    };
}

/// The nouns of the API (`mesos/mesos.proto` and its neighbours), with the other packages inside.
#[allow(missing_docs, clippy::all)]
pub mod mesos {
    package!("mesos");

    /// Orders to an external containerizer.
    pub mod containerizer {
        package!("mesos.containerizer");
    }
    /// The executor's calls and events.
    pub mod executor {
        package!("mesos.executor");
    }
    /// The order a slave gives to its fetcher.
    pub mod fetcher {
        package!("mesos.fetcher");
    }
    /// What the daemons and drivers tell one another.
    pub mod internal {
        package!("mesos.internal");

        /// The replicated log.
        pub mod log {
            package!("mesos.internal.log");
        }
        /// What a slave keeps for itself.
        pub mod slave {
            /// The index of the Docker image store.
            pub mod docker {
                package!("mesos.internal.slave.docker");
            }
        }
        /// Versioned variables.
        pub mod state {
            package!("mesos.internal.state");
        }
    }
    /// Planned downtime.
    pub mod maintenance {
        package!("mesos.maintenance");
    }
    /// What the allocator reports.
    pub mod master {
        package!("mesos.master");
    }
    /// Quotas of roles.
    pub mod quota {
        package!("mesos.quota");
    }
    /// The scheduler's calls and events.
    pub mod scheduler {
        package!("mesos.scheduler");
    }
    /// What containerizer, isolators and QoS controller tell the slave.
    pub mod slave {
        package!("mesos.slave");
    }
    /// The v1 HTTP API: the same nouns with agents for slaves.
    pub mod v1 {
        package!("mesos.v1");

        /// The executor's calls and events.
        pub mod executor {
            package!("mesos.v1.executor");
        }
        /// The scheduler's calls and events.
        pub mod scheduler {
            package!("mesos.v1.scheduler");
        }
    }
}

/// Docker's references and manifests.
#[allow(missing_docs, clippy::all)]
pub mod docker {
    /// Image references.
    pub mod spec {
        package!("docker.spec");

        /// Manifests of version 1.
        pub mod v1 {
            package!("docker.spec.v1");
        }
    }
}
