//! What refunds answers from.

pub mod charges;
mod refund;

use std::sync::Arc;

use seva_readmodel::forgotten::Forgotten;
use seva_readmodel::model::ReadModel;

/// All of refunds' read models.
pub fn all() -> Vec<Arc<dyn ReadModel>> {
    vec![Arc::new(charges::Charges), Arc::new(Forgotten)]
}
