//! What is generated from `proto/`: messages, clients, servers and their descriptors.

/// The encoded `FileDescriptorSet` of everything in `proto/`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/seva.binpb"));

/// What the other packages share.
pub mod common {
    /// Version 1.
    pub mod v1 {
        #![allow(clippy::all, clippy::allow_attributes, missing_docs, unreachable_pub, reason = "generated")]
        tonic::include_proto!("seva.common.v1");
    }
}

/// The escalation service.
pub mod escalation {
    /// Version 1.
    pub mod v1 {
        #![allow(clippy::all, clippy::allow_attributes, missing_docs, unreachable_pub, reason = "generated")]
        tonic::include_proto!("seva.escalation.v1");
    }
}

/// The feedback service.
pub mod feedback {
    /// Version 1.
    pub mod v1 {
        #![allow(clippy::all, clippy::allow_attributes, missing_docs, unreachable_pub, reason = "generated")]
        tonic::include_proto!("seva.feedback.v1");
    }
}

/// The intake service.
pub mod intake {
    /// Version 1.
    pub mod v1 {
        #![allow(clippy::all, clippy::allow_attributes, missing_docs, unreachable_pub, reason = "generated")]
        tonic::include_proto!("seva.intake.v1");
    }
}

/// What every service answers its operators.
pub mod operations {
    /// Version 1.
    pub mod v1 {
        #![allow(clippy::all, clippy::allow_attributes, missing_docs, unreachable_pub, reason = "generated")]
        tonic::include_proto!("seva.operations.v1");
    }
}

/// The policy service.
pub mod policy {
    /// Version 1.
    pub mod v1 {
        #![allow(clippy::all, clippy::allow_attributes, missing_docs, unreachable_pub, reason = "generated")]
        tonic::include_proto!("seva.policy.v1");
    }
}

/// The refunds service.
pub mod refunds {
    /// Version 1.
    pub mod v1 {
        #![allow(clippy::all, clippy::allow_attributes, missing_docs, unreachable_pub, reason = "generated")]
        tonic::include_proto!("seva.refunds.v1");
    }
}

/// Which messages are requests, and where the texts in each are.
mod impls {
    #![allow(clippy::all, clippy::allow_attributes, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/impls.rs"));
}
