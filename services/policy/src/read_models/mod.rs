//! What policy answers from.

pub mod versions;

use std::sync::Arc;

use seva_readmodel::model::ReadModel;

/// All of policy's read models.
pub fn all() -> Vec<Arc<dyn ReadModel>> {
    vec![Arc::new(versions::Versions)]
}
