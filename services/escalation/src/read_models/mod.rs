//! What escalation answers from.

pub mod escalations;

use std::sync::Arc;

use seva_readmodel::forgotten::Forgotten;
use seva_readmodel::model::ReadModel;

/// All of escalation's read models.
pub fn all() -> Vec<Arc<dyn ReadModel>> {
    vec![Arc::new(escalations::Escalations), Arc::new(Forgotten)]
}
