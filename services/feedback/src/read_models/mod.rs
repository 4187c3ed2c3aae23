//! What feedback answers from.

pub mod suggestions;

use std::sync::Arc;

use seva_readmodel::forgotten::Forgotten;
use seva_readmodel::model::ReadModel;

/// All of feedback's read models.
pub fn all() -> Vec<Arc<dyn ReadModel>> {
    vec![Arc::new(suggestions::Suggestions), Arc::new(Forgotten)]
}
