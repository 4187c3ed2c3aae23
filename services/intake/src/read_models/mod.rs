//! What intake answers from.

pub mod cases;
pub mod customers;
pub(crate) mod forgettings;
pub(crate) mod places;
pub(crate) mod promises;
pub(crate) mod timeline;

use std::sync::Arc;

use seva_readmodel::forgotten::Forgotten;
use seva_readmodel::model::ReadModel;

/// All of intake's read models.
pub fn all() -> Vec<Arc<dyn ReadModel>> {
    vec![Arc::new(cases::Cases), Arc::new(customers::Customers), Arc::new(Forgotten)]
}
